//! Per-example gradients of scale and shift, `[examples, features]`: sums over positions of `x_hat g` and of `g`.

use std::ops::Range;

use burn::module::ParamId;
use burn::tensor::Tensor;

use crate::per_example::{ClipFactors, ParameterGradients, PerExampleRule, Rounding};
use burn_privacy_kernels::ops::examples::rows_of;
use burn_privacy_kernels::ops::normalization::{feature_sums, feature_sums_of_sizes};
use burn_privacy_kernels::ops::squared_norms::sum_of_squares_bound;

/// Scale and shift of a normalization layer: `y = scale * x_hat + shift`, both vectors along one axis.
///
/// Per example, `G_scale = sum_t x_hat_t * g_t` and `G_shift = sum_t g_t` over the other axis.
pub(super) struct AffineRule {
    /// `[examples, positions, features]` or `[examples, features, positions]`, see `feature_axis`.
    normalized: Tensor<3>,
    rows: usize,
    scale: Option<ParamId>,
    shift: Option<ParamId>,
    feature_axis: usize,
}

impl AffineRule {
    pub(super) fn new(
        normalized: Tensor<3>,
        rows: usize,
        scale: Option<ParamId>,
        shift: Option<ParamId>,
        feature_axis: usize,
    ) -> Self {
        Self { normalized, rows, scale, shift, feature_axis }
    }

    fn features(&self) -> usize {
        self.normalized.dims()[self.feature_axis]
    }

    fn positions(&self) -> usize {
        self.normalized.dims()[3 - self.feature_axis]
    }
}

impl<const O: usize> PerExampleRule<O> for AffineRule {
    fn parameters(&self) -> Vec<ParamId> {
        self.scale.into_iter().chain(self.shift).collect()
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn entries(&self) -> usize {
        self.features() * (usize::from(self.scale.is_some()) + usize::from(self.shift.is_some()))
    }

    fn gradients(&self, output_gradient: Tensor<O>, range: Range<usize>) -> Vec<ParameterGradients> {
        let [_, first, second] = self.normalized.dims();
        let gradient = output_gradient.reshape([range.len(), first, second]);
        let normalized = rows_of(&self.normalized, range);
        let [products, sums] = feature_sums(&normalized, &gradient, self.feature_axis);
        let of = |id: Option<ParamId>, values| id.map(|id| ParameterGradients { id, values });
        of(self.scale, products).into_iter().chain(of(self.shift, sums)).collect()
    }

    /// Each entry sums `positions` terms: its error is at most `gamma sum_t |x_hat_t| |g_t|`, and
    /// `gamma sum_t |g_t|` for the shift.
    fn squared_error(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Tensor<1> {
        let relative = (rounding.sum(self.positions() + 1) * (1.01 + rounding.sum(self.positions()))).powi(2);
        let gradient = output_gradient.clone().reshape(self.normalized.dims());
        let [products, sums] = feature_sums_of_sizes(&self.normalized, &gradient, self.feature_axis);
        let mut error = sum_of_squares_bound(sums, rounding);
        if self.scale.is_some() {
            error = error + sum_of_squares_bound(products, rounding);
        }
        error * relative
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.normalized = factors.select(self.normalized.clone());
    }
}
