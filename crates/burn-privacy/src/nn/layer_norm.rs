//! Layer normalization of the last axis of `[batch, .., d_model]`: its scale and shift by the affine rule.

use burn::config::Config;
use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::affine_rule::AffineRule;
use super::linear::trainable;
use super::wrapped_layer::wrapped_layer;
use crate::per_example::{is_recording, record, untracked};
use burn_privacy_kernels::flex_kernels::{self, Normalisation};

/// Configuration of a [`LayerNorm`] layer: the fields and defaults of [`burn::nn::LayerNormConfig`].
#[derive(Config, Debug)]
pub struct LayerNormConfig {
    /// The size of the input features.
    pub d_model: usize,
    /// A value required for numerical stability.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// If a bias (beta) should be applied.
    #[config(default = true)]
    pub bias: bool,
}

impl LayerNormConfig {
    /// Initializes the layer on `device`.
    pub fn init(&self, device: &Device) -> LayerNorm {
        burn::nn::LayerNormConfig::new(self.d_model).with_epsilon(self.epsilon).with_bias(self.bias).init(device).into()
    }
}

/// [`burn::nn::LayerNorm`] with per-example gradients.
#[derive(Clone, Debug)]
pub struct LayerNorm(burn::nn::LayerNorm);

wrapped_layer!(LayerNorm, burn::nn::LayerNorm);

impl LayerNorm {
    /// Normalizes the last axis.
    ///
    /// # Shapes
    ///
    /// - input and output: `[batch, .., d_model]`
    ///
    /// # Panics
    ///
    /// As Burn's: if the last axis of `input` is not `d_model`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let scale = trainable(&self.0.gamma);
        let shift = self.0.beta.as_ref().and_then(trainable);
        if !is_recording() || (scale.is_none() && shift.is_none()) {
            return self.0.forward(input);
        }
        let mut layer = self.0.clone();
        layer.gamma = untracked(&self.0.gamma);
        layer.beta = self.0.beta.as_ref().map(untracked);

        let dims = input.dims();
        let [d_model] = layer.gamma.val().dims();
        let rows = if D == 1 { 0 } else { dims[0] };
        let positions = input.shape().num_elements() / (rows * d_model).max(1);
        let mut normalise = layer.clone();
        normalise.gamma = Param::initialized(self.0.gamma.id, Tensor::ones([d_model], &input.clone().inner().device()));
        normalise.beta = None;
        let shift_values = layer.beta.as_ref().map(|beta| beta.val().inner());
        let found = flex_kernels::serve(&input)
            .then(|| Normalisation { row: d_model, groups: 1, run: 1, epsilon: epsilon(&normalise) })
            .and_then(|of| {
                flex_kernels::normalise(of, input.clone(), &layer.gamma.val().inner(), shift_values.as_ref())
            });
        let (output, normalised) = found.unwrap_or_else(|| {
            let normalised = normalise.forward(input.clone().inner());
            (layer.forward(input), normalised)
        });
        let normalised = normalised.reshape([rows.max(1), positions, d_model]);
        record(output, AffineRule::new(normalised, rows, scale, shift, 2))
    }
}

/// The epsilon of a layer without scale and shift. Burn keeps it to itself; what becomes of a row far below it tells.
fn epsilon(layer: &burn::nn::LayerNorm) -> f32 {
    const SMALL: f32 = 1e-10;
    let [d_model] = layer.gamma.val().dims();
    if d_model < 2 {
        return 1.0; // the normalised value is 0 with any
    }
    let mut row = vec![0.0; d_model];
    (row[0], row[1]) = (SMALL, -SMALL);
    let row = Tensor::<1>::from_floats(row.as_slice(), &layer.gamma.val().device());
    // SMALL / sqrt(variance + epsilon)
    let normalised: f32 = layer.forward(row).slice([0..1]).into_scalar();
    let variance = 2.0 * SMALL * SMALL / d_model as f32;
    ((SMALL / normalised).powi(2) - variance).max(0.0)
}
