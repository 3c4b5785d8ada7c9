//! Group normalization of `[batch, channels, ..]`: its scale and shift by the affine rule, channels being axis 1.

use burn::config::Config;
use burn::tensor::{Device, Tensor};

use super::affine_rule::AffineRule;
use super::wrapped_layer::wrapped_layer;
use crate::per_example::{is_recording, record, trainable};
use burn_privacy_kernels::ops::normalization::group_norm;
use burn_privacy_kernels::ops::weights::untracked;

/// Configuration of a [`GroupNorm`] layer: the fields and defaults of [`burn::nn::GroupNormConfig`].
#[derive(Config, Debug)]
pub struct GroupNormConfig {
    /// The number of groups to separate the channels into.
    pub num_groups: usize,
    /// The number of channels expected in the input.
    pub num_channels: usize,
    /// A value required for numerical stability.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether the module has learnable per-channel scale and shift.
    #[config(default = true)]
    pub affine: bool,
}

impl GroupNormConfig {
    /// Initializes the layer on `device`.
    ///
    /// # Panics
    ///
    /// As Burn's: if the channels are not a multiple of the groups.
    pub fn init(&self, device: &Device) -> GroupNorm {
        burn::nn::GroupNormConfig::new(self.num_groups, self.num_channels)
            .with_epsilon(self.epsilon)
            .with_affine(self.affine)
            .init(device)
            .into()
    }
}

/// [`burn::nn::GroupNorm`] with per-example gradients: what to use in place of BatchNorm, whose batch
/// statistics couple examples.
#[derive(Clone, Debug)]
pub struct GroupNorm(burn::nn::GroupNorm);

wrapped_layer!(GroupNorm, burn::nn::GroupNorm);

impl GroupNorm {
    /// Normalizes groups of channels.
    ///
    /// # Shapes
    ///
    /// - input and output: `[batch, num_channels, ..]`
    ///
    /// # Panics
    ///
    /// As Burn's: if axis 1 of `input` is not `num_channels`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let scale = self.0.gamma.as_ref().and_then(trainable);
        let shift = self.0.beta.as_ref().and_then(trainable);
        if !is_recording() || (scale.is_none() && shift.is_none()) {
            return self.0.forward(input);
        }
        let mut layer = self.0.clone();
        layer.gamma = self.0.gamma.as_ref().map(untracked);
        layer.beta = self.0.beta.as_ref().map(untracked);

        let rows = input.dims()[0];
        let positions = input.shape().num_elements() / (rows * layer.num_channels).max(1);
        let (output, normalized) = group_norm(&layer, input);
        let normalized = normalized.reshape([rows, layer.num_channels, positions]);
        record(output, AffineRule::new(normalized, rows, scale, shift, 1))
    }
}
