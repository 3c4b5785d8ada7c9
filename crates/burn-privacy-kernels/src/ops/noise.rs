//! The noise of a step on a sum.

use burn::tensor::{Tensor, TensorData};
use burn_privacy_mechanisms::{MechanismError, StepNoise};

#[cfg(feature = "gpu-kernels")]
use crate::backends::cube;
#[cfg(feature = "flex")]
use crate::backends::flex;

/// A run of a step's noise: elements from `first` on, of standard deviation `std`.
#[derive(Debug, Clone, Copy)]
pub struct NoiseRun<'a> {
    /// The step's noise.
    pub noise: &'a StepNoise,
    /// The number of the first element.
    pub first: u64,
    /// The standard deviation.
    pub std: f64,
}

/// `(sum + noise) / divisor` in f32, `[entries]`. A sum in f64 is rounded only after the noise was added; one in f32 is divided
/// by the divisor rounded to f32.
///
/// # Errors
///
/// Those of [`StepNoise`]: the elements run over, or the noise is not finite. [`MechanismError::DroppedByTheDevice`] in a dry run
/// of CubeCL.
pub fn noisy_mean(sum: Tensor<1>, of: NoiseRun<'_>, divisor: f64) -> Result<Tensor<1>, MechanismError> {
    let NoiseRun { noise, first, std } = of;
    #[cfg(feature = "flex")]
    let sum = match flex::update_and_round(sum, |values| noise.add_f64(first, values, std, divisor)) {
        Ok(mean) => return mean,
        Err(sum) => sum,
    };
    let divisor = divisor as f32;
    #[cfg(feature = "flex")]
    let sum = match flex::update_in_place(sum, |values| noise.add_f32(first, values, std, divisor)) {
        Ok(mean) => return mean,
        Err(sum) => sum,
    };
    let [entries] = sum.dims();
    require_launches()?;
    #[cfg(feature = "gpu-kernels")]
    let sum = match cube::noisy_mean(sum, || noise.for_kernel(first, entries, std), divisor) {
        Ok(mean) => return mean,
        Err(sum) => sum,
    };
    let mut values = vec![0.0_f32; entries];
    noise.fill_f32(first, &mut values, std)?;
    let values = Tensor::<1>::from_data(TensorData::new(values, [entries]), &sum.device());
    Ok((sum + values) / divisor)
}

/// Whether a GPU does what it is told. In a dry run of CubeCL every one drops it, memory holds what it held before, and nothing
/// says so.
///
/// # Errors
///
/// [`MechanismError::DroppedByTheDevice`] in a dry run.
pub fn require_launches() -> Result<(), MechanismError> {
    #[cfg(feature = "gpu-kernels")]
    if cube::drops_launches() {
        return Err(MechanismError::DroppedByTheDevice);
    }
    Ok(())
}
