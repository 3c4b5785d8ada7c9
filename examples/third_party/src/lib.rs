//! A classifier of short recordings that somebody else wrote: `burn` is its only dependency, and nothing in it knows of privacy.
//!
//! `examples/tests/programs/third_party.rs` trains it as its author would, and privately with one line changed.

use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{
    Dropout, DropoutConfig, Gru, GruConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig1d,
};
use burn::prelude::*;
use burn::tensor::activation::gelu;

/// Convolution over time, a recurrent layer, and a head on its last state.
#[derive(Module, Debug)]
pub struct Recordings {
    conv: Conv1d,
    norm: LayerNorm,
    gru: Gru,
    dropout: Dropout,
    head: Linear,
}

impl Recordings {
    /// For recordings of so many channels.
    pub fn new(channels: usize, classes: usize, device: &Device) -> Self {
        Self {
            conv: Conv1dConfig::new(channels, 8, 3).with_padding(PaddingConfig1d::Same).init(device),
            norm: LayerNormConfig::new(8).init(device),
            gru: GruConfig::new(8, 12, true).init(device),
            dropout: DropoutConfig::new(0.1).init(),
            head: LinearConfig::new(12, classes).init(device),
        }
    }

    /// # Shapes
    ///
    /// - recordings: `[batch, channels, times]`
    /// - returns: `[batch, classes]`, logits
    pub fn forward(&self, recordings: Tensor<3>) -> Tensor<2> {
        let [batch, _, times] = recordings.dims();
        let x = gelu(self.norm.forward(self.conv.forward(recordings).swap_dims(1, 2)));
        let states = self.gru.forward(x, None);
        let last = states.slice([0..batch, times - 1..times]).squeeze_dim::<2>(1);
        self.head.forward(self.dropout.forward(last))
    }
}
