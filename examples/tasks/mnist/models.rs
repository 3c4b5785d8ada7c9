//! Models for images of MNIST's shape.

use burn::module::Param;
use burn::nn::{Initializer, PaddingConfig2d};
use burn::prelude::*;
use burn_privacy::activation::{relu, tanh};
// Not `burn::nn::{..}`: the same layers, with per-example gradients. Nothing else here knows of privacy.
use burn_privacy::nn::{Conv2d, Conv2dConfig, Linear, LinearConfig, MaxPool2d, MaxPool2dConfig};
use clap::ValueEnum;

use crate::image_training::Classifier;

/// The network of the tutorials of TensorFlow Privacy and Opacus, or the one of Tramer and Boneh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // `description` says it
pub enum ModelName {
    Relu,
    Keras,
    Tanh,
    ScatterLinear,
}

impl ModelName {
    /// In words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Relu => "relu: CNN 16-32 and a hidden layer, with ReLU, from the weights that PyTorch starts with",
            Self::Keras => "keras: the same, from the weights that Keras starts with",
            Self::Tanh => "tanh: the same with tanh",
            Self::ScatterLinear => "scatter-linear: a linear head on scattering features",
        }
    }
}

/// 26,010 parameters: Conv 16 (8 x 8, stride 2), max-pool, Conv 32 (4 x 4, stride 2), max-pool, Dense 32, Dense 10.
///
/// With ReLU and padding of 3 it is the network of the MNIST tutorials of TensorFlow Privacy and Opacus
/// (Burn starts from the weights that PyTorch starts from); with tanh that of Tramer
/// and Boneh, "Differentially private learning needs better features (or much more data)", ICLR 2021, but for their padding
/// of 2. DP-SGD likes activations that are bounded (Papernot et al., "Tempered sigmoid activations for deep learning with
/// differential privacy", AAAI 2021).
#[derive(Module, Debug)]
pub struct MnistCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    hidden: Linear,
    output: Linear,
    tanh: bool,
}

impl MnistCnn {
    /// With random weights.
    pub fn new(name: ModelName, device: &Device) -> Self {
        let stride2 = |channels, size| Conv2dConfig::new(channels, [size; 2]).with_stride([2, 2]);
        let mut model = Self {
            conv1: stride2([1, 16], 8).with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3)).init(device),
            conv2: stride2([16, 32], 4).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([1, 1]).init(),
            hidden: LinearConfig::new(32 * 4 * 4, 32).init(device),
            output: LinearConfig::new(32, 10).init(device),
            tanh: name == ModelName::Tanh,
        };
        if name == ModelName::Keras {
            for conv in [&mut model.conv1, &mut model.conv2] {
                let [outputs, inputs, rows, columns] = conv.weight.dims();
                let (fan_in, fan_out) = (inputs * rows * columns, outputs * rows * columns);
                conv.weight = glorot([outputs, inputs, rows, columns], fan_in, fan_out, device);
                conv.bias = Some(Initializer::Zeros.init([outputs], device));
            }
            for dense in [&mut model.hidden, &mut model.output] {
                let [inputs, outputs] = dense.weight.dims();
                dense.weight = glorot([inputs, outputs], inputs, outputs, device);
                dense.bias = Some(Initializer::Zeros.init([outputs], device));
            }
        }
        model
    }

    fn activation<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if self.tanh { tanh(x) } else { relu(x) }
    }
}

/// X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.
fn glorot<const D: usize>(shape: [usize; D], fan_in: usize, fan_out: usize, device: &Device) -> Param<Tensor<D>> {
    Initializer::XavierUniform { gain: 1.0 }.init_with(shape, Some(fan_in), Some(fan_out), device)
}

impl Classifier for MnistCnn {
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        // Both activations rise: to pool first is the same, and cheaper.
        let x = self.activation(self.pool.forward(self.conv1.forward(images)));
        let x = self.activation(self.pool.forward(self.conv2.forward(x)));
        let x = self.activation(self.hidden.forward(x.flatten(1, 3)));
        self.output.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy::device::{DeviceChoice, select_device};

    use super::*;

    #[test]
    fn the_network_is_the_tutorials() {
        let device = select_device(DeviceChoice::Cpu).unwrap().device;
        for name in [ModelName::Relu, ModelName::Keras, ModelName::Tanh] {
            let model = MnistCnn::new(name, &device);
            assert_eq!(model.num_params(), 26_010);
            assert_eq!(model.forward(Tensor::zeros([3, 1, 28, 28], &device)).dims(), [3, 10]);
        }
    }
}
