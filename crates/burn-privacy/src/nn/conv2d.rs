//! Convolution of `[batch, channels, height, width]`: per-example gradients `g_i A_i^T` from sliding windows `A_i`.

use std::ops::Range;

use burn::config::Config;
use burn::module::{Initializer, ParamId};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Tensor};

use super::wrapped_layer::wrapped_layer;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, is_recording, record, trainable,
};
use burn_privacy_kernels::ops::convolution::{
    Convolution, convolve, ghost_norms, kernel_gradients, weighted_kernel_gradient,
};
use burn_privacy_kernels::ops::examples::rows_of;
use burn_privacy_kernels::ops::squared_norms::{add_error, sum_of_squares_bound};
use burn_privacy_kernels::ops::weights::Weights;
use burn_privacy_kernels::squared_product_error;

/// Configuration of a [`Conv2d`] layer: the fields and defaults of [`burn::nn::conv::Conv2dConfig`].
#[derive(Config, Debug)]
pub struct Conv2dConfig {
    /// The number of input and output channels.
    pub channels: [usize; 2],
    /// The size of the kernel.
    pub kernel_size: [usize; 2],
    /// The stride of the convolution.
    #[config(default = "[1, 1]")]
    pub stride: [usize; 2],
    /// Spacing between kernel elements.
    #[config(default = "[1, 1]")]
    pub dilation: [usize; 2],
    /// Controls the connections between input and output channels.
    #[config(default = "1")]
    pub groups: usize,
    /// The padding configuration.
    #[config(default = "PaddingConfig2d::Valid")]
    pub padding: PaddingConfig2d,
    /// If a bias should be added to the output.
    #[config(default = true)]
    pub bias: bool,
    /// How the parameters are initialized.
    #[config(default = "Initializer::KaimingUniform{gain:1.0/3.0f64.sqrt(), fan_out_only:false}")]
    pub initializer: Initializer,
}

impl Conv2dConfig {
    /// Initializes the layer on `device`.
    ///
    /// # Panics
    ///
    /// As Burn's: if the channels are not multiples of `groups`.
    pub fn init(&self, device: &Device) -> Conv2d {
        burn::nn::conv::Conv2dConfig::new(self.channels, self.kernel_size)
            .with_stride(self.stride)
            .with_dilation(self.dilation)
            .with_groups(self.groups)
            .with_padding(self.padding.clone())
            .with_bias(self.bias)
            .with_initializer(self.initializer.clone())
            .init(device)
            .into()
    }
}

/// [`burn::nn::conv::Conv2d`] with per-example gradients.
#[derive(Clone, Debug)]
pub struct Conv2d(burn::nn::conv::Conv2d);

wrapped_layer!(Conv2d, burn::nn::conv::Conv2d);

impl Conv2d {
    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels_in, height_in, width_in]`
    /// - output: `[batch, channels_out, height_out, width_out]`
    pub fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let weight = trainable(&self.0.weight);
        let bias = self.0.bias.as_ref().and_then(trainable);
        if !is_recording() || (weight.is_none() && bias.is_none()) {
            return convolve(&self.0, input, Weights::AsTheyAre);
        }
        let (output, rule) = Conv2dRule::apply(&self.0, input, weight, bias);
        record(output, rule)
    }
}

pub(crate) struct Conv2dRule {
    /// `[examples, channels_in, height_in, width_in]`
    input: Tensor<4>,
    convolution: Convolution,
    weight: Option<ParamId>,
    pub(super) bias: Option<ParamId>,
}

impl Conv2dRule {
    /// Of a kernel alone.
    pub(crate) fn of_kernel(input: Tensor<4>, convolution: Convolution, weight: ParamId) -> Self {
        Self { input, convolution, weight: Some(weight), bias: None }
    }

    /// The output of a layer whose parameters take no part in autodiff, and the rule of their gradients: of the kernel
    /// under the id `weight`, of the bias under `bias`.
    pub(super) fn apply(
        layer: &burn::nn::conv::Conv2d,
        input: Tensor<4>,
        weight: Option<ParamId>,
        bias: Option<ParamId>,
    ) -> (Tensor<4>, Self) {
        let convolution = Convolution::of(layer, input.dims());
        let recorded = input.clone().inner();
        let output = convolve(layer, input, Weights::Constant);
        (output, Self { input: recorded, convolution, weight, bias })
    }

    /// The most sliding windows that one pixel enters: kernel elements that meet it at some multiple of the stride.
    fn windows_of_a_pixel(&self) -> usize {
        let along = |axis: usize| {
            let (stride, dilation) = (self.convolution.stride[axis], self.convolution.dilation[axis]);
            self.convolution.kernel[axis].div_ceil(stride / greatest_common_divisor(stride, dilation))
        };
        along(0) * along(1)
    }

    /// `||A||^2` and `||g||^2` of each example and group, `[rows * groups]`: channels meet within their group only. By
    /// Cauchy and Schwarz, the squared norm of a group's kernel gradient is at most their product.
    fn squared_sizes(&self, output_gradient: &Tensor<4>, rounding: Rounding) -> [Tensor<1>; 2] {
        let groups = self.convolution.groups;
        let of_groups = |values: Tensor<4>| {
            let [rows, channels, height, width] = values.dims();
            sum_of_squares_bound(values.reshape([rows * groups, channels / groups * height * width]), rounding)
        };
        let squared_windows = of_groups(self.input.clone()) * self.windows_of_a_pixel() as f64;
        [squared_windows, of_groups(output_gradient.clone())]
    }

    /// The sum of each example's groups, upper bounds: `[rows * groups]` to `[rows]`.
    fn sum_of_groups(&self, values: Tensor<1>, rounding: Rounding) -> Tensor<1> {
        let groups = self.convolution.groups;
        let rows = values.dims()[0] / groups;
        values.reshape([rows, groups]).sum_dim(1).reshape([rows]) * (1.0 + rounding.sum(groups))
    }

    /// Upper bound `[rows]` of the squared norm of each example's gradient of the kernel, however it is summed.
    pub(super) fn squared_size_bound(&self, output_gradient: &Tensor<4>, rounding: Rounding) -> Tensor<1> {
        let [windows, gradient] = self.squared_sizes(output_gradient, rounding);
        self.sum_of_groups(windows * gradient, rounding) * (1.0 + rounding.sum(1))
    }
}

/// Each example's gradient of the bias: `[rows, channels_out]`.
fn bias_gradients(output_gradient: Tensor<4>) -> Tensor<2> {
    let [rows, channels_out, height, width] = output_gradient.dims();
    output_gradient.reshape([rows * channels_out, height * width]).sum_dim(1).reshape([rows, channels_out])
}

/// Error of [`bias_gradients`], squared: at most `(gamma_P sqrt(P) ||g||)^2` for sums over `P` positions.
fn squared_bias_error(output_gradient: &Tensor<4>, rounding: Rounding) -> Tensor<1> {
    let [_, _, height, width] = output_gradient.dims();
    let positions = height * width;
    let squared_gradient = sum_of_squares_bound(output_gradient.clone(), rounding);
    squared_gradient * (rounding.sum(positions).powi(2) * positions as f64)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

impl Conv2dRule {
    /// The weighted sums over some examples, in f64, that of the kernel first; `None` without a kernel for it.
    fn weighted_sum(
        &self,
        input: &Tensor<4>,
        output_gradient: &Tensor<4>,
        factors: &ClipFactors,
    ) -> Option<Vec<ParameterSum>> {
        let (id, weights) = (self.weight?, factors.weights());
        let values = weighted_kernel_gradient(&self.convolution, input, output_gradient, &weights)?;
        let all = 0..factors.examples();
        let of_bias = self.bias.into_iter().flat_map(|id| {
            factors.sums_of(ParameterGradients { id, values: bias_gradients(output_gradient.clone()) }, all.clone())
        });
        Some(std::iter::once(ParameterSum { id, values }).chain(of_bias).collect())
    }

    /// [`weighted_sum`](Self::weighted_sum) over one leaf.
    pub(super) fn weighted_sum_of_leaf(
        &self,
        output_gradient: &Tensor<4>,
        factors: &ClipFactors,
        leaf: Range<usize>,
    ) -> Option<Vec<ParameterSum>> {
        let input = rows_of(&self.input, leaf.clone());
        self.weighted_sum(&input, &rows_of(output_gradient, leaf.clone()), &factors.slice(leaf))
    }
}

impl PerExampleRule<4> for Conv2dRule {
    fn parameters(&self) -> Vec<ParamId> {
        self.weight.into_iter().chain(self.bias).collect()
    }

    fn rows(&self) -> usize {
        self.input.dims()[0]
    }

    fn entries(&self) -> usize {
        let weight = self.weight.map_or(0, |_| self.convolution.entries());
        weight + self.bias.map_or(0, |_| self.convolution.channels_out)
    }

    fn gradients(&self, output_gradient: Tensor<4>, range: Range<usize>) -> Vec<ParameterGradients> {
        let mut found = Vec::new();
        if let Some(id) = self.weight {
            let input = rows_of(&self.input, range);
            let values = kernel_gradients(&self.convolution, &input, &output_gradient);
            found.push(ParameterGradients { id, values });
        }
        if let Some(id) = self.bias {
            found.push(ParameterGradients { id, values: bias_gradients(output_gradient) });
        }
        found
    }

    fn squared_error(&self, output_gradient: &Tensor<4>, rounding: Rounding) -> Tensor<1> {
        let [_, _, height, width] = output_gradient.dims();
        let mut error = squared_bias_error(output_gradient, rounding);
        if self.weight.is_some() {
            let [windows, gradient] = self.squared_sizes(output_gradient, rounding);
            let entries = self.convolution.entries() / self.convolution.groups;
            let product = squared_product_error(windows, gradient, height * width, entries, rounding);
            error = error + self.sum_of_groups(product, rounding);
        }
        error
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.input = factors.select(self.input.clone());
    }

    /// Where a gradient has many more entries than an example's windows, by the scalar products of the windows.
    fn squared_norm_shortcut(&self, output_gradient: &Tensor<4>, rounding: Rounding) -> Option<Tensor<1>> {
        self.weight?;
        let [_, _, height, width] = output_gradient.dims();
        let positions = height * width;
        if 2 * positions * positions > self.convolution.entries() / self.convolution.groups {
            return None;
        }
        let norms = ghost_norms(&self.convolution, &self.input, output_gradient, rounding)?;
        // The sum forms the gradients, whose rounding the scalar products don't know.
        let norms = add_error(norms, self.squared_error(output_gradient, rounding), rounding);
        if self.bias.is_none() {
            return Some(norms);
        }
        let error = squared_bias_error(output_gradient, rounding);
        let bias = sum_of_squares_bound(bias_gradients(output_gradient.clone()), rounding);
        Some((norms + add_error(bias, error, rounding)) * (1.0 + rounding.sum(2)))
    }

    fn prefers_norm_shortcut(&self) -> bool {
        false
    }

    fn weighted_sum_shortcut(&self, output_gradient: &Tensor<4>, factors: &ClipFactors) -> Option<Vec<ParameterSum>> {
        self.weighted_sum(&self.input, output_gradient, factors)
    }
}
