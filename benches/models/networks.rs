//! The benchmark networks, from the layers of the including module.

use burn::module::ModuleDisplay;
use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn::tensor::module::adaptive_avg_pool2d;

use super::layers::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, MaxPool2d, MaxPool2dConfig, WeightStandardizedConv2d, attention, gelu, relu, tanh,
};
use crate::{Network, Task};

/// The handout's regression network: 4-10-1.
#[derive(Module, Debug)]
pub struct AffordabilityMlp {
    hidden: Linear,
    output: Linear,
}

impl Network for AffordabilityMlp {
    const TASK: Task = Task::Regression { features: 4 };

    fn new(device: &Device) -> Self {
        Self { hidden: LinearConfig::new(4, 10).init(device), output: LinearConfig::new(10, 1).init(device) }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.output.forward(relu(self.hidden.forward(input)))
    }
}

/// 784-1024-1024-10.
pub type WideMlp = Mlp<1024>;
/// 784-256-256-10.
pub type WideMlp256 = Mlp<256>;
/// 784-2816-2816-10: ten million parameters.
pub type WideMlp2816 = Mlp<2816>;

/// 784-`WIDTH`-`WIDTH`-10.
#[derive(Module, Debug)]
pub struct Mlp<const WIDTH: usize> {
    hidden: [Linear; 2],
    output: Linear,
}

impl<const WIDTH: usize> Network for Mlp<WIDTH> {
    const TASK: Task = Task::Classification { features: 784 };

    fn new(device: &Device) -> Self {
        Self {
            hidden: [784, WIDTH].map(|inputs| LinearConfig::new(inputs, WIDTH).init(device)),
            output: LinearConfig::new(WIDTH, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let hidden = self.hidden.iter().fold(input, |x, layer| relu(layer.forward(x)));
        self.output.forward(hidden)
    }
}

const IMAGE: Task = Task::Classification { features: 3 * 32 * 32 };

fn image(input: Tensor<2>) -> Tensor<4> {
    let batch = input.dims()[0];
    input.reshape([batch, 3, 32, 32])
}

fn halve() -> MaxPool2d {
    MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()
}

/// A convolution whose output is as large as its input at stride 1, for odd sizes of the kernel.
fn padded(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let side = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(side, side, side, side))
        .init(device)
}

/// The handout's CIFAR-10 network: unpadded convolutions of 32 and 64 channels, dense 64 and 10.
#[derive(Module, Debug)]
pub struct HandoutCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    dense1: Linear,
    dense2: Linear,
}

impl Network for HandoutCnn {
    const TASK: Task = IMAGE;

    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([3, 32], [3, 3]).init(device),
            conv2: Conv2dConfig::new([32, 64], [3, 3]).init(device),
            pool: halve(),
            dense1: LinearConfig::new(64 * 6 * 6, 64).init(device),
            dense2: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.conv1.forward(image(input))));
        let x = self.pool.forward(relu(self.conv2.forward(x)));
        self.dense2.forward(relu(self.dense1.forward(x.flatten(1, 3))))
    }
}

/// The CIFAR-10 network of Tramer and Boneh 2021 (arXiv 2011.11660): 550 570 parameters.
#[derive(Module, Debug)]
pub struct TanhCnn {
    convolutions: Vec<Conv2d>,
    pool: MaxPool2d,
    dense1: Linear,
    dense2: Linear,
}

impl Network for TanhCnn {
    const TASK: Task = IMAGE;

    fn new(device: &Device) -> Self {
        let channels = [3, 32, 32, 64, 64, 128, 128];
        Self {
            convolutions: channels.windows(2).map(|pair| padded([pair[0], pair[1]], 3, 1, device)).collect(),
            pool: halve(),
            dense1: LinearConfig::new(2048, 128).init(device),
            dense2: LinearConfig::new(128, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let mut x = image(input);
        for pair in self.convolutions.chunks(2) {
            x = pair.iter().fold(x, |x, convolution| tanh(convolution.forward(x)));
            x = self.pool.forward(x);
        }
        self.dense2.forward(tanh(self.dense1.forward(x.flatten(1, 3))))
    }
}

/// A kind of convolution for residual networks, made of a plain one.
pub trait Convolution: Module + ModuleDisplay + From<Conv2d> {
    /// The forward pass.
    fn convolve(&self, input: Tensor<4>) -> Tensor<4>;
}

impl Convolution for Conv2d {
    fn convolve(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward(input)
    }
}

impl Convolution for WeightStandardizedConv2d {
    fn convolve(&self, input: Tensor<4>) -> Tensor<4> {
        self.forward(input)
    }
}

/// WRN-16-4 with plain convolutions.
pub type Wrn16x4 = WideResidual<Conv2d>;
/// WRN-16-4 with standardized weights, as De et al. 2022 (arXiv 2204.13650) have them.
pub type Wrn16x4WeightStandardized = WideResidual<WeightStandardizedConv2d>;

/// WRN-16-4 (Zagoruyko and Komodakis 2016) with GroupNorm in place of BatchNorm.
#[derive(Module, Debug)]
pub struct WideResidual<C: Convolution> {
    stem: C,
    blocks: Vec<ResidualBlock<C>>,
    norm: GroupNorm,
    output: Linear,
}

/// A pre-activation block.
#[derive(Module, Debug)]
pub struct ResidualBlock<C: Convolution> {
    norm1: GroupNorm,
    conv1: C,
    norm2: GroupNorm,
    conv2: C,
    skip: Option<C>,
}

impl<C: Convolution> ResidualBlock<C> {
    fn new(channels_in: usize, channels_out: usize, stride: usize, device: &Device) -> Self {
        let skip = (channels_in != channels_out || stride != 1)
            .then(|| padded([channels_in, channels_out], 1, stride, device).into());
        Self {
            norm1: GroupNormConfig::new(16, channels_in).init(device),
            conv1: padded([channels_in, channels_out], 3, stride, device).into(),
            norm2: GroupNormConfig::new(16, channels_out).init(device),
            conv2: padded([channels_out, channels_out], 3, 1, device).into(),
            skip,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let h = relu(self.norm1.forward(x.clone()));
        let residual = match &self.skip {
            Some(skip) => skip.convolve(h.clone()),
            None => x,
        };
        self.conv2.convolve(relu(self.norm2.forward(self.conv1.convolve(h)))) + residual
    }
}

impl<C: Convolution> Network for WideResidual<C> {
    const TASK: Task = IMAGE;

    fn new(device: &Device) -> Self {
        let stages = [(16, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1)];
        Self {
            stem: padded([3, 16], 3, 1, device).into(),
            blocks: stages.map(|(from, to, stride)| ResidualBlock::new(from, to, stride, device)).into(),
            norm: GroupNormConfig::new(16, 256).init(device),
            output: LinearConfig::new(256, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self.stem.convolve(image(input));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = relu(self.norm.forward(x));
        self.output.forward(adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3))
    }
}

const WIDTH: usize = 128;
const HEADS: usize = 4;

/// Sequences of 64 tokens.
pub type Transformer = TokenClassifier<64>;
/// Sequences of 128 tokens.
pub type Transformer128 = TokenClassifier<128>;
/// Sequences of 256 tokens.
pub type Transformer256 = TokenClassifier<256>;

/// Token classifier: vocabulary 1000, width 128, two pre-norm layers of four heads.
#[derive(Module, Debug)]
pub struct TokenClassifier<const LENGTH: usize> {
    tokens: Embedding,
    layers: Vec<EncoderLayer>,
    norm: LayerNorm,
    output: Linear,
}

/// A pre-norm encoder layer whose attention is four linear layers.
#[derive(Module, Debug)]
pub struct EncoderLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    merge: Linear,
    norm1: LayerNorm,
    norm2: LayerNorm,
    feed1: Linear,
    feed2: Linear,
}

impl EncoderLayer {
    fn new(device: &Device) -> Self {
        let square = || LinearConfig::new(WIDTH, WIDTH).init(device);
        Self {
            query: square(),
            key: square(),
            value: square(),
            merge: square(),
            norm1: LayerNormConfig::new(WIDTH).init(device),
            norm2: LayerNormConfig::new(WIDTH).init(device),
            feed1: LinearConfig::new(WIDTH, 4 * WIDTH).init(device),
            feed2: LinearConfig::new(4 * WIDTH, WIDTH).init(device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let y = self.norm1.forward(x.clone());
        let (query, key, value) = (self.query.forward(y.clone()), self.key.forward(y.clone()), self.value.forward(y));
        let attended = attention(query, key, value, HEADS, None);
        let x = x + self.merge.forward(attended);
        let fed = self.feed2.forward(gelu(self.feed1.forward(self.norm2.forward(x.clone()))));
        x + fed
    }
}

impl<const LENGTH: usize> Network for TokenClassifier<LENGTH> {
    const TASK: Task = Task::Tokens { vocabulary: 1000, length: LENGTH };

    fn new(device: &Device) -> Self {
        Self {
            tokens: EmbeddingConfig::new(1000, WIDTH).init(device),
            layers: (0..2).map(|_| EncoderLayer::new(device)).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
            output: LinearConfig::new(WIDTH, 10).init(device),
        }
    }

    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let x = self.tokens.forward(input.int());
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(x));
        let pooled = self.norm.forward(x).mean_dim(1).flatten(1, 2);
        self.output.forward(pooled)
    }
}
