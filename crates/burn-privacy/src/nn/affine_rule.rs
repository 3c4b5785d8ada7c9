use std::ops::Range;

use burn::module::ParamId;
use burn::tensor::Tensor;

use crate::per_example::{ClipFactors, ParameterGradients, PerExampleRule, Rounding, rows_of, sum_of_squares_bound};

/// Scale and shift of a normalisation layer: `y = scale * x_hat + shift`, both vectors along one axis.
///
/// Per example, `G_scale = sum_t x_hat_t * g_t` and `G_shift = sum_t g_t` over the other axis.
pub(super) struct AffineRule {
    /// `[examples, positions, features]` or `[examples, features, positions]`, see `feature_axis`.
    normalised: Tensor<3>,
    rows: usize,
    scale: Option<ParamId>,
    shift: Option<ParamId>,
    feature_axis: usize,
}

impl AffineRule {
    pub(super) fn new(
        normalised: Tensor<3>,
        rows: usize,
        scale: Option<ParamId>,
        shift: Option<ParamId>,
        feature_axis: usize,
    ) -> Self {
        Self { normalised, rows, scale, shift, feature_axis }
    }

    fn features(&self) -> usize {
        self.normalised.dims()[self.feature_axis]
    }

    fn positions(&self) -> usize {
        self.normalised.dims()[3 - self.feature_axis]
    }

    fn sum_over_positions(&self, values: Tensor<3>) -> Tensor<2> {
        let rows = values.dims()[0];
        values.sum_dim(3 - self.feature_axis).reshape([rows, self.features()])
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
        let [_, first, second] = self.normalised.dims();
        let gradient = output_gradient.reshape([range.len(), first, second]);
        let mut found = Vec::new();
        if let Some(id) = self.scale {
            let values = self.sum_over_positions(rows_of(&self.normalised, range) * gradient.clone());
            found.push(ParameterGradients { id, values });
        }
        if let Some(id) = self.shift {
            found.push(ParameterGradients { id, values: self.sum_over_positions(gradient) });
        }
        found
    }

    /// Each entry sums `positions` terms: its error is at most `gamma sum_t |x_hat_t| |g_t|`, and
    /// `gamma sum_t |g_t|` for the shift.
    fn squared_error(&self, output_gradient: &Tensor<O>, rounding: Rounding) -> Tensor<1> {
        let relative = (rounding.sum(self.positions() + 1) * (1.01 + rounding.sum(self.positions()))).powi(2);
        let gradient = output_gradient.clone().reshape(self.normalised.dims()).abs();
        let mut error = sum_of_squares_bound(self.sum_over_positions(gradient.clone()), rounding);
        if self.scale.is_some() {
            let products = self.sum_over_positions(gradient * self.normalised.clone().abs());
            error = error + sum_of_squares_bound(products, rounding);
        }
        error * relative
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.normalised = factors.select(self.normalised.clone());
    }
}
