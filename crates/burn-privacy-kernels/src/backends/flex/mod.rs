//! The CPU's own kernels for per-example gradients: what Burn's tensor operations do in many passes over memory,
//! done in one, on the flex backend.
//!
//! Every function returns `None` for a tensor of another backend or number format; the caller then takes the general
//! path, against which the tests compare.

#[cfg(not(feature = "flex"))]
mod absent;
#[cfg(feature = "flex")]
mod attention;
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
mod attention_shape;
#[cfg(feature = "flex")]
mod autodiff;
#[cfg(feature = "flex")]
mod convolution;
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
mod convolution_shape;
#[cfg(feature = "flex")]
mod elementary;
#[cfg(feature = "flex")]
mod fresh_memory;
#[cfg(feature = "flex")]
mod ghost_norm;
#[cfg(feature = "flex")]
mod lanes;
#[cfg(feature = "flex")]
mod matrix_product;
#[cfg(feature = "flex")]
mod normalisation;
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
mod normalisation_shape;
#[cfg(feature = "flex")]
mod on_flex;
#[cfg(feature = "flex")]
mod outer_products;
#[cfg(feature = "flex")]
mod per_example;
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
mod pointwise_kind;
#[cfg(feature = "flex")]
mod pooling;
#[cfg_attr(not(feature = "flex"), allow(dead_code))]
mod pooling_shape;
#[cfg(feature = "flex")]
mod position_major;
#[cfg(feature = "flex")]
mod rows;
#[cfg(feature = "flex")]
mod rowwise;
#[cfg(feature = "flex")]
mod small_product;
#[cfg(feature = "flex")]
mod standardisation;
#[cfg(feature = "flex")]
mod transposition;

#[cfg(not(feature = "flex"))]
pub use absent::*;
pub use attention_shape::Attention;
#[cfg(feature = "flex")]
pub use autodiff::{activate, attend, convolve, linear, max_pool, normalise, softmax, tap};
pub use convolution_shape::Convolution;
pub use normalisation_shape::Normalisation;
#[cfg(feature = "flex")]
pub use on_flex::*;
pub use pointwise_kind::Pointwise;
pub use pooling_shape::Pooling;
