//! Kernels of our own, a folder for each of Burn's backends that has some. Only [`ops`](crate::ops) calls them.

#[cfg(feature = "gpu-kernels")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
