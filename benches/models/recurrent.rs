//! Networks of Burn's own composed layers, which have no private counterparts: recurrent ones, and an encoder under LoRA.

use burn::module::{Lora, ParamGroup};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::prelude::*;

use crate::{Network, Task};

/// An LSTM of 64 units over 64 tokens.
#[derive(Module, Debug)]
pub struct Lstm64 {
    embedding: Embedding,
    lstm: Lstm,
    head: Linear,
}

impl Network for Lstm64 {
    const TASK: Task = Task::Tokens { vocabulary: 1_000, length: 64 };

    fn new(device: &Device) -> Self {
        Self {
            embedding: EmbeddingConfig::new(1_000, 32).init(device),
            lstm: LstmConfig::new(32, 64, true).init(device),
            head: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let (hidden, _) = self.lstm.forward(self.embedding.forward(input.int()), None);
        self.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1))
    }
}

/// A BERT-like encoder of 4 layers, 256 wide, over 64 tokens: its body under LoRA of rank 8, its head trained.
#[derive(Module, Debug)]
pub struct EncoderLora {
    embedding: Embedding,
    encoder: TransformerEncoder,
    head: Linear,
}

impl Network for EncoderLora {
    const TASK: Task = Task::Tokens { vocabulary: 1_000, length: 64 };

    fn new(device: &Device) -> Self {
        let encoder = TransformerEncoderConfig::new(256, 1_024, 4, 4).with_dropout(0.0).init(device);
        let model = Self {
            embedding: EmbeddingConfig::new(1_000, 256).init(device),
            encoder: encoder.freeze().apply_lora(Lora::new(8, 16.0)),
            head: LinearConfig::new(256, 10).init(device),
        };
        model.freeze_group(ParamGroup::from_predicate("embedding"))
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.encoder.forward(TransformerEncoderInput::new(self.embedding.forward(input.int())));
        self.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1))
    }
}
