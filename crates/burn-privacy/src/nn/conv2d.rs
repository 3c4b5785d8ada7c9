//! Convolution of `[batch, channels, height, width]`: per-example gradients `g_i A_i^T` from sliding windows `A_i`.

use std::ops::Range;

use burn::config::Config;
use burn::module::{Initializer, ParamId};
use burn::nn::PaddingConfig2d;
use burn::tensor::module::unfold4d;
use burn::tensor::ops::{PadMode, UnfoldOptions};
use burn::tensor::{Device, Tensor};

use super::linear::trainable;
use super::wrapped_layer::wrapped_layer;
use crate::per_example::{
    ClipFactors, ParameterGradients, ParameterSum, PerExampleRule, Rounding, add_error, chunks_of_examples,
    is_recording, record, rows_of, squared_product_error, sum_of_squares_bound, untracked,
};
use burn_privacy_kernels::flex_kernels::{self, Convolution};

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
            // The kernels take weights without autodiff only: in evaluation.
            let shift = self.0.bias.as_ref().map(|bias| bias.val());
            return flex_kernels::convolve(
                convolution(&self.0, input.dims()),
                input.clone(),
                &self.0.weight.val(),
                shift.as_ref(),
            )
            .unwrap_or_else(|| self.0.forward(input));
        }
        let mut layer = self.0.clone();
        if weight.is_some() {
            layer.weight = untracked(&self.0.weight);
        }
        if bias.is_some() {
            layer.bias = self.0.bias.as_ref().map(untracked);
        }
        let (output, rule) = Conv2dRule::apply(&layer, input, weight, bias);
        record(output, rule)
    }
}

/// The layer's convolution of one of `[batch, channels, height, width]`.
fn convolution(layer: &burn::nn::conv::Conv2d, input: [usize; 4]) -> Convolution {
    let [_, channels, height, width] = input;
    let [channels_out, _, kernel_height, kernel_width] = layer.weight.val().dims();
    Convolution {
        input: [channels, height, width],
        channels_out,
        kernel: [kernel_height, kernel_width],
        stride: layer.stride,
        dilation: layer.dilation,
        padding: padding_pairs(layer, input),
        groups: layer.groups,
    }
}

/// `[(top, bottom), (left, right)]`, as Burn computes it from the configuration (its function is not public):
/// `Same` pads to `ceil(size / stride)` outputs, the odd pixel at the end.
fn padding_pairs(layer: &burn::nn::conv::Conv2d, input: [usize; 4]) -> [(usize, usize); 2] {
    let same = |axis: usize| {
        let (size, stride, kernel) = (input[axis + 2], layer.stride[axis], layer.kernel_size[axis]);
        let needed = (size.div_ceil(stride).max(1) - 1) * stride + kernel;
        let total = needed.saturating_sub(size);
        (total / 2, total - total / 2)
    };
    match layer.padding {
        PaddingConfig2d::Valid => [(0, 0), (0, 0)],
        PaddingConfig2d::Same => [same(0), same(1)],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [(top, bottom), (left, right)],
    }
}

pub(crate) struct Conv2dRule {
    /// `[examples, channels_in, height_in, width_in]`
    input: Tensor<4>,
    /// `[channels_out, channels_in / groups, kernel_height, kernel_width]`
    kernel: Tensor<4>,
    convolution: Convolution,
    weight: Option<ParamId>,
    pub(super) bias: Option<ParamId>,
}

impl Conv2dRule {
    /// Of a kernel of the shape `kernel` alone.
    pub(crate) fn of_kernel(input: Tensor<4>, kernel: [usize; 4], convolution: Convolution, weight: ParamId) -> Self {
        let kernel = Tensor::empty(kernel, &input.device());
        Self { input, kernel, convolution, weight: Some(weight), bias: None }
    }

    /// The output of a layer none of whose trainable parameters is tracked, and the rule of their gradients: of the kernel
    /// under the id `weight`, of the bias under `bias`.
    pub(super) fn apply(
        layer: &burn::nn::conv::Conv2d,
        input: Tensor<4>,
        weight: Option<ParamId>,
        bias: Option<ParamId>,
    ) -> (Tensor<4>, Self) {
        let convolution = convolution(layer, input.dims());
        let recorded = input.clone().inner();
        let kernel = layer.weight.val().inner();
        let shift = layer.bias.as_ref().map(|bias| bias.val().inner());
        let output = flex_kernels::convolve(convolution, input.clone(), &kernel, shift.as_ref())
            .unwrap_or_else(|| layer.forward(input));
        (output, Self { input: recorded, kernel, convolution, weight, bias })
    }

    fn kernel_entries(&self) -> usize {
        self.kernel.shape().num_elements()
    }

    /// Each example's sliding windows: `[rows, channels_in * kernel_height * kernel_width, positions]`.
    fn unfolded(&self, input: Tensor<4>) -> Tensor<3> {
        let [_, _, kernel_height, kernel_width] = self.kernel.dims();
        let input = if self.convolution.padding == [(0, 0), (0, 0)] {
            input
        } else {
            input.pad(self.convolution.padding, PadMode::Constant(0.0))
        };
        unfold4d(
            input,
            [kernel_height, kernel_width],
            UnfoldOptions::new(self.convolution.stride, [0, 0], self.convolution.dilation),
        )
    }

    /// The most sliding windows that one pixel enters: kernel elements that meet it at some multiple of the stride.
    fn windows_of_a_pixel(&self) -> usize {
        let along = |axis: usize| {
            let (stride, dilation) = (self.convolution.stride[axis], self.convolution.dilation[axis]);
            self.kernel.dims()[axis + 2].div_ceil(stride / greatest_common_divisor(stride, dilation))
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

    /// Entries of one example's sliding windows.
    fn window_entries(&self, positions: usize) -> usize {
        let [_, channels, kernel_height, kernel_width] = self.kernel.dims();
        channels * self.convolution.groups * kernel_height * kernel_width * positions
    }

    /// `G = g A^T` with `A` the unfolded input, per group (Bu et al. 2022, arXiv 2205.10683, section 3.1):
    /// `[rows, entries of the kernel]`.
    fn weight_gradients(&self, input: Tensor<4>, output_gradient: Tensor<4>) -> Tensor<2> {
        let [rows, channels_out, height, width] = output_gradient.dims();
        let positions = height * width;
        let windows = self.unfolded(input);
        let [_, window, _] = windows.dims();
        let windows = windows.reshape([rows, self.convolution.groups, window / self.convolution.groups, positions]);
        let gradient =
            output_gradient.reshape([rows, self.convolution.groups, channels_out / self.convolution.groups, positions]);
        gradient.matmul(windows.swap_dims(2, 3)).reshape([rows, self.kernel_entries()])
    }

    /// [`weight_gradients`](Self::weight_gradients), of so few examples at a time that their windows take little memory.
    fn weight_gradients_in_parts(&self, input: &Tensor<4>, output_gradient: &Tensor<4>) -> Tensor<2> {
        let [rows, _, height, width] = output_gradient.dims();
        let parts = chunks_of_examples(rows, self.window_entries(height * width), WINDOW_ENTRIES_AT_ONCE)
            .map(|part| self.weight_gradients(rows_of(input, part.clone()), rows_of(output_gradient, part)));
        Tensor::cat(parts.collect(), 0)
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

/// Sliding windows are unfolded for so many entries at a time (16 MiB of f32), or one example.
const WINDOW_ENTRIES_AT_ONCE: usize = 1 << 22;

impl PerExampleRule<4> for Conv2dRule {
    fn parameters(&self) -> Vec<ParamId> {
        self.weight.into_iter().chain(self.bias).collect()
    }

    fn rows(&self) -> usize {
        self.input.dims()[0]
    }

    fn entries(&self) -> usize {
        let weight = self.weight.map_or(0, |_| self.kernel_entries());
        weight + self.bias.map_or(0, |_| self.kernel.dims()[0])
    }

    fn gradients(&self, output_gradient: Tensor<4>, range: Range<usize>) -> Vec<ParameterGradients> {
        let mut found = Vec::new();
        if let Some(id) = self.weight {
            let input = rows_of(&self.input, range);
            let values = flex_kernels::kernel_gradients(&self.convolution, &input, &output_gradient)
                .unwrap_or_else(|| self.weight_gradients_in_parts(&input, &output_gradient));
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
            let entries = self.kernel_entries() / self.convolution.groups;
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
        if 2 * positions * positions > self.kernel_entries() / self.convolution.groups {
            return None;
        }
        let norms = flex_kernels::convolution_ghost_norms(&self.convolution, &self.input, output_gradient, rounding)?;
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
        // Elsewhere each example's gradient is formed: a product over all examples would add up positions that may cancel.
        let (id, weights) = (self.weight?, factors.weights());
        let values = flex_kernels::weighted_kernel_gradient(&self.convolution, &self.input, output_gradient, &weights)?;
        let all = 0..factors.examples();
        let of_bias = self.bias.into_iter().flat_map(|id| {
            factors.sums_of(ParameterGradients { id, values: bias_gradients(output_gradient.clone()) }, all.clone())
        });
        Some(std::iter::once(ParameterSum { id, values }).chain(of_bias).collect())
    }
}
