//! The networks: stock Burn layers, in which nothing knows of privacy.

use burn::module::{Lora, ModuleVisitor, Param, ParamGroup};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn_privacy::fine_tune::{biases_only, freeze_batch_norms, only};

use crate::Part;
use burn_privacy_examples::Result;

/// Two convolutions with BatchNorm and a hidden layer, for images of 32 x 32 pixels.
#[derive(Module, Debug)]
pub struct SmallCnn {
    conv1: Conv2d,
    norm1: BatchNorm,
    conv2: Conv2d,
    norm2: BatchNorm,
    pool: MaxPool2d,
    hidden: Linear,
    output: Linear,
}

/// Of the hidden layer.
const HIDDEN: usize = 64;

impl SmallCnn {
    /// With random weights.
    pub fn new(classes: usize, device: &Device) -> Self {
        let conv1 =
            Conv2dConfig::new([3, 16], [5, 5]).with_stride([2, 2]).with_padding(PaddingConfig2d::Explicit(2, 2, 2, 2));
        let conv2 = Conv2dConfig::new([16, 32], [3, 3]).with_padding(PaddingConfig2d::Same);
        Self {
            conv1: conv1.init(device),
            norm1: BatchNormConfig::new(16).init(device),
            conv2: conv2.init(device),
            norm2: BatchNormConfig::new(32).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            hidden: LinearConfig::new(32 * 4 * 4, HIDDEN).init(device),
            output: LinearConfig::new(HIDDEN, classes).init(device),
        }
    }

    /// # Shapes
    ///
    /// - images: `[batch, 3, 32, 32]`
    /// - returns: `[batch, classes]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.norm1.forward(self.conv1.forward(images))));
        let x = self.pool.forward(relu(self.norm2.forward(self.conv2.forward(x))));
        self.output.forward(relu(self.hidden.forward(x.flatten(1, 3))))
    }

    /// Ready for private training of a part of it, with a head for other classes.
    pub fn prepared(self, part: Part, classes: usize, rank: usize, device: &Device) -> Result<Self> {
        let fresh = Self::new(classes, device);
        if part == Part::Scratch {
            // Nobody's statistics: its norms are scales and shifts.
            return Ok(freeze_batch_norms(fresh).0);
        }
        let model = Self { output: fresh.output, ..self };
        Ok(match part {
            Part::Scratch | Part::All => model,
            // The head is of other classes: all of it has to be learned.
            Part::Biases => biases_only(model)?.unfreeze_group(ParamGroup::from_predicate("output.")),
            Part::Lora => {
                let hidden = Lora::new(rank, 2.0 * rank as f64).set_param_group(ParamGroup::from_path("hidden.weight"));
                model.freeze().apply_lora(hidden).unfreeze_group(ParamGroup::from_predicate("output."))
            }
            Part::Head => only(model, &["output"])?,
        })
    }
}

/// A linear classifier of features.
#[derive(Module, Debug)]
pub struct Head {
    output: Linear,
}

impl Head {
    /// That scores all classes alike.
    pub fn new(features: usize, classes: usize, device: &Device) -> Self {
        let zeros = LinearConfig::new(features, classes).with_initializer(burn::nn::Initializer::Zeros);
        Self { output: zeros.init(device) }
    }

    /// # Shapes
    ///
    /// - features: `[batch, features]`
    /// - returns: `[batch, classes]`
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        self.output.forward(features)
    }
}

/// Numbers that are trained.
pub fn trainable<M: Module>(model: &M) -> usize {
    struct Count(usize);
    impl ModuleVisitor for Count {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.base().is_require_grad() {
                self.0 += param.base().shape().num_elements();
            }
        }
    }
    let mut count = Count(0);
    model.visit(&mut count);
    count.0
}
