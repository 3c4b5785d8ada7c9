//! Kernels of our own on GPUs, written in CubeCL: one source for wgpu, CUDA and ROCm.

#[cfg(all(test, feature = "wgpu"))]
mod adapter;
mod chacha20;
mod noisy_mean;
mod normal_pair;
#[cfg(all(test, feature = "wgpu"))]
mod on_adapter;
mod on_gpu;
#[cfg(all(test, feature = "wgpu"))]
mod rounding_tests;

pub(crate) use on_gpu::{drops_launches, noisy_mean};
