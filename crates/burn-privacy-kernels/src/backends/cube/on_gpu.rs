//! Noise, sum and division on the GPU that holds the sum; other tensors take the general path.

use burn::backend::Cube;
use burn::tensor::{DType, Tensor};
use burn_privacy_mechanisms::KernelNoise;

use super::noisy_mean::NoisyMean;

/// `(sum + noise) / divisor`: [`StepNoise::add_f32`](burn_privacy_mechanisms::StepNoise::add_f32) where the sum is, with
/// the difference that `normal_pair.rs` states; gives a tensor of another backend or number format,
/// without elements, or with more than 31 bits can count, back.
pub(crate) fn noisy_mean<E>(
    sum: Tensor<1>,
    noise: impl FnOnce() -> Result<KernelNoise, E>,
    divisor: f32,
) -> Result<Result<Tensor<1>, E>, Tensor<1>> {
    let [entries] = sum.dims();
    if sum.dtype() != DType::F32 || !(1..1 << 31).contains(&entries) {
        return Err(sum);
    }
    let Ok(values) = sum.clone().try_into_primitive::<Cube>() else { return Err(sum) };
    let mean = |noise| Tensor::from_primitive::<Cube>(Cube::noisy_mean(values, noise, divisor));
    Ok(noise().map(mean))
}

/// Whether the process is in a dry run of CubeCL, in which every device drops what it is told to do, memory stays as it was, and
/// nothing says so.
pub(crate) fn drops_launches() -> bool {
    cubecl::dry_run::dry_run()
}
