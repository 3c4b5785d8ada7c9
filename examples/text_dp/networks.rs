//! The networks: nothing in them knows of privacy.

use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::prelude::*;

use crate::text::{LENGTH, ROWS};

/// `[batch, LENGTH]` tokens to `[batch, classes]`.
pub trait Network: Module {
    /// With fresh weights.
    fn new(classes: usize, device: &Device) -> Self;
    /// Scores of the classes.
    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<2>;
}

/// The mean of the words' vectors, and a linear layer.
#[derive(Module, Debug)]
pub struct Bag {
    words: Embedding,
    head: Linear,
}

impl Network for Bag {
    fn new(classes: usize, device: &Device) -> Self {
        Self { words: EmbeddingConfig::new(ROWS, 32).init(device), head: LinearConfig::new(32, classes).init(device) }
    }

    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        self.head.forward(self.words.forward(tokens).mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// A stock Lstm, whose last hidden state is classified.
#[derive(Module, Debug)]
pub struct Recurrent {
    words: Embedding,
    lstm: Lstm,
    head: Linear,
}

impl Network for Recurrent {
    fn new(classes: usize, device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(ROWS, 16).init(device),
            lstm: LstmConfig::new(16, 32, true).init(device),
            head: LinearConfig::new(32, classes).init(device),
        }
    }

    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let (hidden, _) = self.lstm.forward(self.words.forward(tokens), None);
        self.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// A stock TransformerEncoder with learned positions, whose outputs' mean is classified.
#[derive(Module, Debug)]
pub struct Encoder {
    words: Embedding,
    positions: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Network for Encoder {
    fn new(classes: usize, device: &Device) -> Self {
        Self {
            words: EmbeddingConfig::new(ROWS, 32).init(device),
            positions: EmbeddingConfig::new(LENGTH, 32).init(device),
            encoder: TransformerEncoderConfig::new(32, 64, 2, 1).with_dropout(0.0).init(device),
            head: LinearConfig::new(32, classes).init(device),
        }
    }

    fn logits(&self, tokens: Tensor<2, Int>) -> Tensor<2> {
        let numbers = Tensor::<1, Int>::arange(0..LENGTH as i64, &tokens.device()).reshape([1, LENGTH]);
        let input = self.words.forward(tokens) + self.positions.forward(numbers);
        let hidden = self.encoder.forward(TransformerEncoderInput::new(input));
        self.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1))
    }
}
