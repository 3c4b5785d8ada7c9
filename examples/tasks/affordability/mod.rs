//! How affordable a house is for a household: data, the handout's network, and how it is trained.

pub mod data;
pub mod generated;
mod model;
mod training;

pub use model::{Network, r_squared};
pub use training::{CLIPPING_NORM, LEARNING_RATE, SAMPLED, STEPS, train_plain, train_private};
