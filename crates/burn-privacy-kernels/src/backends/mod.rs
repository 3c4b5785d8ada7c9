//! Kernels of our own, a folder for each of Burn's backends that has some. Only [`ops`](crate::ops) calls them.
// A tensor that no kernel serves is given back as `Err`, for the general path: it is no error.
#![allow(clippy::result_large_err)]

#[cfg(feature = "gpu-kernels")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
