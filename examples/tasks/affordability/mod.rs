//! How affordable a house is for a household: data, the handout's network, and how it is trained.

mod closeness;
pub mod data;
pub mod generated;
mod model;
pub mod polynomial;
mod training;

pub use closeness::closeness;
pub use model::{Network, r_squared};
pub use polynomial::{Degree, Moments, Polynomial};
pub use training::{CLIPPING_NORM, LEARNING_RATE, SAMPLED, STEPS, train_plain, train_private};
