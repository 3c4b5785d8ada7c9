//! Layer normalization of the last axis of `[batch, .., d_model]`: its scale and shift by the affine rule.

use burn::config::Config;
use burn::tensor::{Device, Tensor};

use super::affine_rule::AffineRule;
use super::wrapped_layer::wrapped_layer;
use crate::per_example::{is_recording, record, trainable};
use burn_privacy_kernels::ops::normalization::layer_norm;
use burn_privacy_kernels::ops::weights::untracked;

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
        let (output, normalized) = layer_norm(&layer, input);
        let normalized = normalized.reshape([rows.max(1), positions, d_model]);
        record(output, AffineRule::new(normalized, rows, scale, shift, 2))
    }
}
