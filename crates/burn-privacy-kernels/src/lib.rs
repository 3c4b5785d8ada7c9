//! Tensor operations of private training for Burn, each behind one door, and what rounding does to them.
//!
//! An operation of [`ops`] has a general path for every backend, and where it is worth it a kernel of its own: on the CPU (feature
//! `flex`), on GPUs (feature `gpu-kernels`). [`Rounding`] is the model of a device's arithmetic that bounds of errors follow from.
//!
//! Nothing here adds up privacy: for that, and for what is promised, see the crate `burn-privacy`.

mod backends;
pub mod ops;
mod rounding;

pub use rounding::{Rounding, squared_product_error, underflow};
