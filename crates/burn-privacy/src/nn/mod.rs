//! Layers whose per-example gradients are known, under the names, configurations and record layout of
//! [`burn::nn`].
//!
//! Change `use burn::nn::{Linear, LinearConfig}` to `use burn_privacy::nn::{Linear, LinearConfig}` and a model
//! can be trained privately. Each layer holds Burn's own layer ([`Deref`](std::ops::Deref) gives its public
//! fields), computes exactly what Burn's computes, has the same parameter paths in a record, and converts both
//! ways with `From`. Layers without parameters (activations, pooling, dropout, attention's softmax) are used
//! straight from Burn; [`MaxPool2d`] is here only because it is faster on the CPU. [`WeightStandardizedConv2d`] has no
//! counterpart in Burn: it is made of a convolution.
//!
//! | layer | input | norm of one example's gradient |
//! |---|---|---|
//! | [`Linear`] | `[batch, .., d_input]` | product of two norms, ghost norm or instantiated, whichever is cheaper |
//! | [`Conv2d`] | `[batch, channels, height, width]` | instantiated |
//! | [`WeightStandardizedConv2d`] | `[batch, channels, height, width]` | instantiated |
//! | [`Embedding`] | `[batch, tokens]` | ghost norm |
//! | [`LayerNorm`], [`GroupNorm`] | `[batch, ..]`, `[batch, channels, ..]` | instantiated |
//!
//! Formulas: Goodfellow 2015 (arXiv 1510.01799), Li et al. 2022 (arXiv 2110.05679), Bu et al. 2022 (arXiv
//! 2205.10683). The rule "ghost when `2 T^2 <= p d`" is Bu et al.'s.

mod affine_rule;
mod conv2d;
mod embedding;
mod group_norm;
mod layer_norm;
mod linear;
mod max_pool2d;
mod weight_standardized_conv2d;
mod wrapped_layer;

pub use conv2d::{Conv2d, Conv2dConfig};
pub use embedding::{Embedding, EmbeddingConfig};
pub use group_norm::{GroupNorm, GroupNormConfig};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use linear::{Linear, LinearConfig};
pub use max_pool2d::{MaxPool2d, MaxPool2dConfig};
pub use weight_standardized_conv2d::WeightStandardizedConv2d;

/// The former spelling of [`WeightStandardizedConv2d`].
#[deprecated(note = "use `WeightStandardizedConv2d`")]
pub type WeightStandardisedConv2d = WeightStandardizedConv2d;
