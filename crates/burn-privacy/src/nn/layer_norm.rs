use burn::config::Config;
use burn::module::Param;
use burn::tensor::{Device, Tensor};

use super::affine_rule::AffineRule;
use super::linear::trainable;
use super::wrapped_layer::wrapped_layer;
use crate::per_example::{is_recording, record, untracked};

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
    /// Initialises the layer on `device`.
    pub fn init(&self, device: &Device) -> LayerNorm {
        burn::nn::LayerNormConfig::new(self.d_model).with_epsilon(self.epsilon).with_bias(self.bias).init(device).into()
    }
}

/// [`burn::nn::LayerNorm`] with per-example gradients.
#[derive(Clone, Debug)]
pub struct LayerNorm(burn::nn::LayerNorm);

wrapped_layer!(LayerNorm, burn::nn::LayerNorm);

impl LayerNorm {
    /// Normalises the last axis.
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

        let recorded = input.clone().inner();
        let dims = recorded.dims();
        let [d_model] = layer.gamma.val().dims();
        let mut normalise = layer.clone();
        normalise.gamma = Param::initialized(self.0.gamma.id, Tensor::ones([d_model], &recorded.device()));
        normalise.beta = None;
        let rows = if D == 1 { 0 } else { dims[0] };
        let positions = recorded.shape().num_elements() / (rows * d_model).max(1);
        let normalised = normalise.forward(recorded).reshape([rows.max(1), positions, d_model]);

        let output = layer.forward(input);
        record(output, AffineRule::new(normalised, rows, scale, shift, 2))
    }
}
