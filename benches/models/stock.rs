//! The networks over Burn's own layers.

mod layers {
    pub use burn::nn::conv::{Conv2d, Conv2dConfig};
    pub use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
    pub use burn::nn::{
        Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    };
    use burn::prelude::*;
    use burn::tensor::activation::softmax;
    pub use burn::tensor::activation::{gelu, relu, tanh};

    // Burn has no such layer: outside a private step, this one is made of Burn's operations.
    pub use burn_privacy::nn::WeightStandardizedConv2d;

    /// Attention of heads that are neighboring columns, from Burn's tensor operations.
    pub fn attention(
        query: Tensor<3>,
        key: Tensor<3>,
        value: Tensor<3>,
        heads: usize,
        _: Option<Tensor<3, Bool>>,
    ) -> Tensor<3> {
        let [batch, length, width] = query.dims();
        let split = |x: Tensor<3>| x.reshape([batch, length, heads, width / heads]).swap_dims(1, 2);
        let scores = split(query).matmul(split(key).swap_dims(2, 3)) / ((width / heads) as f64).sqrt();
        softmax(scores, 3).matmul(split(value)).swap_dims(1, 2).reshape([batch, length, width])
    }
}
#[path = "networks.rs"]
mod networks;

pub use networks::*;
