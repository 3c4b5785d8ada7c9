//! Gradients of standardized kernels, pulled back to the weights, in one pass over each channel.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::sum_and_product;

/// Channels of a kernel: the standardized values `u`, `[channels, entries]`, whether their variance was large enough to
/// divide by it (1 or 0), and `gain / deviation`.
#[derive(Clone, Copy)]
pub(super) struct Channels<'a> {
    pub(super) unit: &'a [f32],
    pub(super) unclamped: &'a [f32],
    pub(super) scale: &'a [f32],
}

impl Channels<'_> {
    /// Overwrites gradients `g` of the kernel, `[rows, channels, entries]`, by those of the weights, and returns those of
    /// the gains, `[rows, channels]`: `scale (g - mean(g) - u (u . g))` and `u . g`. Sums are in f64.
    pub(super) fn pull_back(self, gradients: &mut [f32]) -> Vec<f32> {
        let arch = Arch::new();
        let rows = gradients.len() / self.unit.len();
        let mut gains = vec![0.0; rows * self.scale.len()];
        let places = gains.par_chunks_mut(self.scale.len());
        gradients.par_chunks_mut(self.unit.len()).zip(places).for_each(|(gradients, gains)| {
            arch.dispatch(PullBack { channels: self, gradients, gains });
        });
        gains
    }
}

impl Channels<'_> {
    /// [`pull_back`](Self::pull_back) of one gradient, a sum over examples: all in f64, whose rounding is to f32's as 1 to 2^29.
    pub(super) fn pull_back_sum(self, gradient: &mut [f64]) -> Vec<f64> {
        let entries = self.unit.len() / self.scale.len();
        let channels = self.unit.par_chunks(entries).zip(self.scale).zip(self.unclamped);
        let gains = gradient.par_chunks_mut(entries).zip(channels).map(|(gradient, ((unit, &scale), &unclamped))| {
            let mean = gradient.iter().sum::<f64>() / entries as f64;
            let gain: f64 = gradient.iter().zip(unit).map(|(value, unit)| value * f64::from(*unit)).sum();
            let along = gain * f64::from(unclamped);
            for (value, unit) in gradient.iter_mut().zip(unit) {
                *value = f64::from(scale) * (*value - mean - f64::from(*unit) * along);
            }
            gain
        });
        gains.collect()
    }
}

struct PullBack<'a> {
    channels: Channels<'a>,
    gradients: &'a mut [f32],
    gains: &'a mut [f32],
}

impl WithSimd for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Channels { unit, unclamped, scale } = self.channels;
        let entries = unit.len() / scale.len();
        let rows = self.gradients.chunks_exact_mut(entries).zip(unit.chunks_exact(entries)).zip(self.gains);
        for (((gradient, unit), gain), (&scale, &unclamped)) in rows.zip(scale.iter().zip(unclamped)) {
            let [sum, along] = sum_and_product(gradient, unit);
            *gain = along as f32;
            let (mean, along) = ((sum / entries as f64) as f32, along as f32 * unclamped);
            for (gradient, unit) in gradient.iter_mut().zip(unit) {
                *gradient = scale * (*gradient - mean - unit * along);
            }
        }
    }
}
