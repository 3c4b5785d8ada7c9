//! A small residual network of stock layers, generic in its norm.

use burn::module::ModuleDisplay;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;

/// A norm over the channels of images.
pub trait Norm: Module + ModuleDisplay {
    /// `[batch, channels, rows, columns]` to the same.
    fn normalized(&self, x: Tensor<4>) -> Tensor<4>;
}

impl Norm for BatchNorm {
    fn normalized(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward(x)
    }
}

impl Norm for GroupNorm {
    fn normalized(&self, x: Tensor<4>) -> Tensor<4> {
        self.forward(x)
    }
}

/// A convolution and its norm.
#[derive(Module, Debug)]
pub struct Layer<N: Module> {
    conv: Conv2d,
    norm: N,
}

/// A residual block.
#[derive(Module, Debug)]
pub struct Block<N: Module> {
    first: Layer<N>,
    second: Layer<N>,
}

/// The network.
#[derive(Module, Debug)]
pub struct Network<N: Module> {
    stem: Layer<N>,
    blocks: Vec<Block<N>>,
    pool: AdaptiveAvgPool2d,
    output: Linear,
}

impl<N: Norm> Layer<N> {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.normalized(self.conv.forward(x))
    }
}

impl<N: Norm> Network<N> {
    fn new(norm: impl Fn(usize) -> N, device: &Device) -> Self {
        let layer = |[from, to]: [usize; 2], stride| {
            let conv = Conv2dConfig::new([from, to], [3, 3]).with_stride([stride, stride]);
            Layer { conv: conv.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device), norm: norm(to) }
        };
        let block = || Block { first: layer([16, 16], 1), second: layer([16, 16], 1) };
        Self {
            stem: layer([3, 16], 2),
            blocks: vec![block(), block()],
            pool: AdaptiveAvgPool2dConfig::new([4, 4]).init(),
            output: LinearConfig::new(16 * 4 * 4, 10).init(device),
        }
    }

    /// # Shapes
    ///
    /// - images: `[batch, 3, rows, columns]`
    /// - returns: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = relu(self.stem.forward(images));
        for block in &self.blocks {
            x = relu(block.second.forward(relu(block.first.forward(x.clone()))) + x);
        }
        self.output.forward(self.pool.forward(x).flatten(1, 3))
    }
}

/// As it is written for training without privacy.
pub fn batch_norms(device: &Device) -> Network<BatchNorm> {
    Network::new(|channels| BatchNormConfig::new(channels).init(device), device)
}

/// With eight groups of channels.
pub fn group_norms(device: &Device) -> Network<GroupNorm> {
    Network::new(|channels| GroupNormConfig::new(8, channels).init(device), device)
}
