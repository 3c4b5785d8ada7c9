//! Models for images of CIFAR-10's shape.

use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn::tensor::module::adaptive_avg_pool2d;
use burn_privacy::activation::{relu, tanh};
// Not `burn::nn::{..}`: the same layers, with per-example gradients. Nothing else here knows of privacy.
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig, MaxPool2d, MaxPool2dConfig,
    WeightStandardizedConv2d,
};

use crate::image_training::{Classifier, LARGEST};

/// Classes of the data.
const CLASSES: usize = 10;

/// A 3 x 3 convolution that keeps height and width.
fn conv3x3(channels: [usize; 2], device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Same).init(device)
}

/// Halves height and width.
fn halve() -> MaxPool2d {
    MaxPool2dConfig::new([2, 2]).init()
}

/// The small CNN of the preset `quick`.
#[derive(Module, Debug)]
pub struct QuickCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    output: Linear,
}

impl QuickCnn {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        let stride2 =
            Conv2dConfig::new([3, 16], [5, 5]).with_stride([2, 2]).with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2));
        Self {
            conv1: stride2.init(device),
            conv2: conv3x3([16, 32], device),
            pool: halve(),
            output: LinearConfig::new(32 * 4 * 4, CLASSES).init(device),
        }
    }
}

impl Classifier for QuickCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.pool.forward(self.conv1.forward(images)));
        let x = relu(self.pool.forward(self.conv2.forward(x)));
        self.output.forward(x.flatten(1, 3))
    }
}

/// The end-to-end CNN of Tramer and Boneh, "Differentially private learning needs better features (or much more
/// data)", ICLR 2021: 550,570 parameters. With tanh, since DP-SGD likes activations that are bounded (Papernot et
/// al., "Tempered sigmoid activations for deep learning with differential privacy", AAAI 2021).
#[derive(Module, Debug)]
pub struct TanhCnn {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    hidden: Linear,
    output: Linear,
}

impl TanhCnn {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        let channels = [[3, 32], [32, 32], [32, 64], [64, 64], [64, 128], [128, 128]];
        Self {
            convolutions: channels.map(|channels| conv3x3(channels, device)).into(),
            pool: halve(),
            hidden: LinearConfig::new(128 * 4 * 4, 128).init(device),
            output: LinearConfig::new(128, CLASSES).init(device),
        }
    }
}

impl Classifier for TanhCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let mut x = images;
        for pair in self.convolutions.chunks(2) {
            x = tanh(pair[0].forward(x));
            // tanh rises: to pool first is the same, and cheaper.
            x = tanh(self.pool.forward(pair[1].forward(x)));
        }
        let x = tanh(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

/// The CNN of the handout: two convolutions without padding, ReLU. (A maximum of ReLUs is the ReLU of the maximum: to
/// pool first is the same, and cheaper.)
#[derive(Module, Debug)]
pub struct HandoutCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    hidden: Linear,
    output: Linear,
}

impl HandoutCnn {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([3, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            pool: halve(),
            hidden: LinearConfig::new(64 * 6 * 6, 64).init(device),
            output: LinearConfig::new(64, CLASSES).init(device),
        }
    }
}

impl Classifier for HandoutCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu(self.pool.forward(self.conv1.forward(images)));
        let x = relu(self.pool.forward(self.conv2.forward(x)));
        let x = relu(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

/// The WRN-16-4 of De et al., "Unlocking high-accuracy differentially private image classification through scale" (arXiv
/// 2204.13650): a wide residual network with group norm in place of BatchNorm, and standardized weights.
#[derive(Module, Debug)]
pub struct WideResNet {
    stem: WeightStandardizedConv2d,
    blocks: Vec<ResidualBlock>,
    norm: GroupNorm,
    output: Linear,
}

/// Two convolutions, each after ReLU and group norm, beside a shortcut.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    norm1: GroupNorm,
    conv1: WeightStandardizedConv2d,
    norm2: GroupNorm,
    conv2: WeightStandardizedConv2d,
    shortcut: Option<Shortcut>,
}

/// Where a block changes channels or size.
#[derive(Module, Debug)]
pub struct Shortcut {
    norm: GroupNorm,
    conv: WeightStandardizedConv2d,
}

/// Groups of each [`GroupNorm`].
const GROUPS: usize = 16;

/// Keeps height and width at stride 1.
fn standardized(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> WeightStandardizedConv2d {
    let side = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
        .init(device)
        .into()
}

impl WideResNet {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        let blocks = [([16, 64], 1), ([64, 64], 1), ([64, 128], 2), ([128, 128], 1), ([128, 256], 2), ([256, 256], 1)];
        Self {
            stem: standardized([3, 16], 3, 1, device),
            blocks: blocks.map(|(channels, stride)| ResidualBlock::new(channels, stride, device)).into(),
            norm: GroupNormConfig::new(GROUPS, 256).init(device),
            output: LinearConfig::new(256, CLASSES).init(device),
        }
    }
}

impl ResidualBlock {
    fn new([from, to]: [usize; 2], stride: usize, device: &Device) -> Self {
        let norm = |channels| GroupNormConfig::new(GROUPS, channels).init(device);
        let shortcut = (from != to || stride > 1)
            .then(|| Shortcut { norm: norm(from), conv: standardized([from, to], 1, stride, device) });
        Self {
            norm1: norm(from),
            conv1: standardized([from, to], 3, stride, device),
            norm2: norm(to),
            conv2: standardized([to, to], 3, 1, device),
            shortcut,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let residual = self.conv1.forward(self.norm1.forward(relu(x.clone())));
        let residual = self.conv2.forward(self.norm2.forward(relu(residual)));
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.conv.forward(shortcut.norm.forward(relu(x))),
            None => x,
        };
        x + residual
    }
}

impl Classifier for WideResNet {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.blocks.iter().fold(self.stem.forward(images), |x, block| block.forward(x));
        let x = self.norm.forward(relu(x));
        self.output.forward(adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3))
    }
}

/// A CNN on scattering features: 64 maps of the 243, then 64 of these, each with tanh and pooling, as Tramer and Boneh (ICLR 2021) train
/// one.
#[derive(Module, Debug)]
pub struct ScatterCnn {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    output: Linear,
}

/// Channels of the scattering transform of three colors, and the side of its maps.
const SCATTERED: [usize; 2] = [243, 8];

impl ScatterCnn {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self {
            convolutions: [[SCATTERED[0], 64], [64, 64]].map(|channels| conv3x3(channels, device)).into(),
            pool: halve(),
            output: LinearConfig::new(64 * 2 * 2, CLASSES).init(device),
        }
    }
}

impl Classifier for ScatterCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        // Colors hold their channels one above another; -1 to 1 are features from -LARGEST to LARGEST.
        let [count, ..] = images.dims();
        let [channels, side] = SCATTERED;
        let mut x = images.reshape([count, channels, side, side]) * LARGEST;
        for convolution in &self.convolutions {
            x = tanh(self.pool.forward(convolution.forward(x)));
        }
        self.output.forward(x.flatten(1, 3))
    }
}

/// No hidden layer: what pixels alone tell.
#[derive(Module, Debug)]
pub struct LinearModel {
    output: Linear,
}

impl LinearModel {
    /// With random weights.
    pub fn new(device: &Device) -> Self {
        Self { output: LinearConfig::new(3 * 32 * 32, CLASSES).init(device) }
    }
}

impl Classifier for LinearModel {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.output.forward(images.flatten(1, 3))
    }
}
