//! Kernels of our own, a folder for each of Burn's backends that has some.

pub mod cube;
pub mod flex;
