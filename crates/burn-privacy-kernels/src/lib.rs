//! Tensor operations of private training: each with a general path for every backend of Burn, and kernels of its own where
//! they are worth it, on the CPU (feature `flex`) and on GPUs (feature `gpu-kernels`).

mod backends;
mod rounding;

pub use backends::{cube as gpu_kernels, flex as flex_kernels};
pub use rounding::{Rounding, add_error, rows_and_length, squared_product_error, sum_of_squares_bound, underflow};
