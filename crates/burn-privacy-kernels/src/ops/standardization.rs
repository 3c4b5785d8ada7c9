//! Gradients pulled back through the standardization of a kernel.

use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use crate::backends::flex;

/// What the derivative of a standardized kernel is made of.
#[derive(Debug)]
pub struct Standardization {
    /// `[channels_out, entries]`: `(w - mean) / deviation`, with the deviation `sqrt(max(sum (w - mean)^2, 10^-4))`. Of norm 1
    /// but for channels whose deviation is clamped, where it is smaller.
    pub unit: Tensor<2>,
    /// `[channels_out]`: 0 where the deviation is clamped, and so is constant, else 1.
    pub unclamped: Tensor<1>,
    /// `[channels_out]`: `gain / deviation`
    pub scale: Tensor<1>,
}

impl Standardization {
    /// The adjoint of the derivative, applied to gradients `G` of the kernel, `[rows, channels_out * entries]`: gradients of
    /// the weights, `scale (G - mean(G) - unit (unit . G))` without the last term where the deviation is clamped, and of the
    /// gains, `unit . G`, `[rows, channels_out]`. Linear in `G`.
    pub fn pull_back(&self, gradients: Tensor<2>) -> [Tensor<2>; 2] {
        let Self { unit, unclamped, scale } = self;
        #[cfg(feature = "flex")]
        let gradients = match flex::gradients_before_standardization(gradients, unit, unclamped, scale) {
            Ok(found) => return found,
            Err(gradients) => gradients,
        };
        let ([rows, all], [channels, entries]) = (gradients.dims(), unit.dims());
        let gradients = gradients.reshape([rows, channels, entries]);
        let unit = unit.clone().unsqueeze_dim::<3>(0);
        let of_channels = |values: &Tensor<1>| values.clone().reshape([1, channels, 1]);
        let along = (gradients.clone() * unit.clone()).sum_dim(2);
        let gains = along.clone().reshape([rows, channels]);
        let rest = gradients.clone() - gradients.mean_dim(2) - unit * (along * of_channels(unclamped));
        [(rest * of_channels(scale)).reshape([rows, all]), gains]
    }

    /// [`pull_back`](Self::pull_back) of a sum of gradients in f64, `[channels_out * entries]`; `None` for other sums.
    pub fn pull_back_sum(&self, sum: &Tensor<1>) -> Option<[Tensor<1>; 2]> {
        #[cfg(feature = "flex")]
        return flex::sum_before_standardization(sum, &self.unit, &self.unclamped, &self.scale);
        #[cfg(not(feature = "flex"))]
        {
            let _ = sum;
            None
        }
    }
}
