//! Kernels of our own on GPUs, written in CubeCL: one source for wgpu, CUDA and ROCm.

#[cfg(not(feature = "gpu-kernels"))]
mod absent;
#[cfg(all(test, feature = "wgpu"))]
mod adapter;
#[cfg(feature = "gpu-kernels")]
mod chacha20;
#[cfg(feature = "gpu-kernels")]
mod noisy_mean;
#[cfg(feature = "gpu-kernels")]
mod normal_pair;
#[cfg(all(test, feature = "wgpu"))]
mod on_adapter;
#[cfg(feature = "gpu-kernels")]
mod on_gpu;

#[cfg(not(feature = "gpu-kernels"))]
pub use absent::*;
#[cfg(feature = "gpu-kernels")]
pub use on_gpu::*;
