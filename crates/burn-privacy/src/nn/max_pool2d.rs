//! Max pooling of `[batch, channels, height, width]`: no parameters and so no rule, but faster on the CPU.

use burn::config::Config;
use burn::nn::PaddingConfig2d;
use burn::tensor::Tensor;

use super::wrapped_layer::wrapped_layer;
use burn_privacy_kernels::ops::pooling::max_pool;

/// Configuration of a [`MaxPool2d`] layer: the fields and defaults of [`burn::nn::pool::MaxPool2dConfig`].
#[derive(Config, Debug)]
pub struct MaxPool2dConfig {
    /// The size of the kernel.
    pub kernel_size: [usize; 2],
    /// The strides.
    #[config(default = "kernel_size")]
    pub strides: [usize; 2],
    /// The padding configuration.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// The dilation.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Whether the size of the output is rounded up.
    #[config(default = "false")]
    pub ceil_mode: bool,
}

impl MaxPool2dConfig {
    /// Initializes the layer.
    pub fn init(&self) -> MaxPool2d {
        burn::nn::pool::MaxPool2dConfig::new(self.kernel_size)
            .with_strides(self.strides)
            .with_padding(self.padding.clone())
            .with_dilation(self.dilation)
            .with_ceil_mode(self.ceil_mode)
            .init()
            .into()
    }
}

/// [`burn::nn::pool::MaxPool2d`]. It has no parameters, and Burn's own may be used as well: this one is faster on the CPU
/// without padding and dilation, and the same otherwise.
#[derive(Clone, Debug)]
pub struct MaxPool2d(burn::nn::pool::MaxPool2d);

wrapped_layer!(MaxPool2d, burn::nn::pool::MaxPool2d);

impl MaxPool2d {
    /// The largest value under the kernel.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels, height_in, width_in]`
    /// - output: `[batch, channels, height_out, width_out]`
    ///
    /// # Panics
    ///
    /// As Burn's: if the kernel is larger than the input.
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        max_pool(&self.0, input)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    #[test]
    fn values_and_gradients_are_burns() {
        let device = Device::flex().autodiff();
        let same = PaddingConfig2d::Same;
        for (kernel, stride, padding) in
            [([2, 2], [2, 2], PaddingConfig2d::Valid), ([3, 2], [1, 2], PaddingConfig2d::Valid), ([2, 2], [1, 1], same)]
        {
            let ours = MaxPool2dConfig::new(kernel).with_strides(stride).with_padding(padding).init();
            let input = Tensor::<4>::random([3, 4, 7, 9], Distribution::Default, &device);
            let weights = Tensor::<4>::random(ours.forward(input.clone()).dims(), Distribution::Default, &device);
            let of = |forward: &dyn Fn(Tensor<4>) -> Tensor<4>| {
                let input = input.clone().require_grad();
                let output = forward(input.clone());
                let gradients = (output.clone() * weights.clone()).sum().backward();
                (output.into_data(), input.grad(&gradients).expect("a gradient").into_data())
            };
            let (output, gradient) = of(&|input| ours.forward(input));
            let (expected_output, expected_gradient) = of(&|input| ours.0.forward(input));
            output.assert_eq(&expected_output, true);
            gradient.assert_approx_eq::<f32>(&expected_gradient, Tolerance::relative(1e-6));
        }
    }
}
