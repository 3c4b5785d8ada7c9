//! The networks over Burn's own layers.

mod layers {
    pub use burn::nn::conv::{Conv2d, Conv2dConfig};
    pub use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
    pub use burn::nn::{
        Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
    };
}
#[path = "networks.rs"]
mod networks;

pub use networks::*;
