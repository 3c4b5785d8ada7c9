//! Two-dimensional convolutions: outputs, and what private training needs of their kernels' gradients.

pub mod shape;

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::module::unfold4d;
use burn::tensor::ops::{PadMode, UnfoldOptions};

pub use shape::Convolution;

use super::examples::{chunks_of_examples, rows_of};
use super::weights::Weights;
#[cfg(feature = "flex")]
use crate::backends::flex;
use crate::rounding::Rounding;

/// The output of a layer.
///
/// # Panics
///
/// As Burn's layer: if the input does not fit it.
pub fn convolve(layer: &Conv2d, input: Tensor<4>, weights: Weights) -> Tensor<4> {
    #[cfg(feature = "flex")]
    {
        let of = Convolution::of(layer, input.dims());
        let bias = layer.bias.as_ref().map(|bias| weights.values(bias));
        if let Some(output) = flex::convolve(of, input.clone(), &weights.values(&layer.weight), bias.as_ref()) {
            return output;
        }
    }
    let bias = layer.bias.as_ref().map(|bias| weights.param(bias));
    Conv2d { weight: weights.param(&layer.weight), bias, ..layer.clone() }.forward(input)
}

/// Each example's gradient of the kernel: `[rows, entries of the kernel]`, from `[rows, channels_in, height_in, width_in]` and
/// `[rows, channels_out, height_out, width_out]`.
pub fn kernel_gradients(of: &Convolution, input: &Tensor<4>, output_gradient: &Tensor<4>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(found) = flex::kernel_gradients(of, input, output_gradient) {
        return found;
    }
    // Of so few examples at a time that their windows take little memory.
    let [rows, _, height, width] = output_gradient.dims();
    let windows = of.window() * of.groups * height * width;
    let parts = chunks_of_examples(rows, windows, WINDOW_ENTRIES_AT_ONCE)
        .map(|part| gradients_of_part(of, rows_of(input, part.clone()), rows_of(output_gradient, part)));
    Tensor::cat(parts.collect(), 0)
}

/// Sliding windows are unfolded for so many entries at a time (16 MiB of f32), or one example.
const WINDOW_ENTRIES_AT_ONCE: usize = 1 << 22;

/// `G = g A^T` with `A` the unfolded input, per group (Bu et al. 2022, arXiv 2205.10683, section 3.1):
/// `[rows, entries of the kernel]`.
fn gradients_of_part(of: &Convolution, input: Tensor<4>, output_gradient: Tensor<4>) -> Tensor<2> {
    let [rows, channels_out, height, width] = output_gradient.dims();
    let positions = height * width;
    let windows = unfolded(of, input);
    let [_, window, _] = windows.dims();
    let windows = windows.reshape([rows, of.groups, window / of.groups, positions]);
    let gradient = output_gradient.reshape([rows, of.groups, channels_out / of.groups, positions]);
    gradient.matmul(windows.swap_dims(2, 3)).reshape([rows, of.entries()])
}

/// Each example's sliding windows: `[rows, channels_in * kernel_height * kernel_width, positions]`.
fn unfolded(of: &Convolution, input: Tensor<4>) -> Tensor<3> {
    let input = if of.padding == [(0, 0), (0, 0)] { input } else { input.pad(of.padding, PadMode::Constant(0.0)) };
    unfold4d(input, of.kernel, UnfoldOptions::new(of.stride, [0, 0], of.dilation))
}

/// Upper bounds `[rows]` of the squared norm of each example's gradient of the kernel by scalar products of its windows, without
/// forming it. `None` without a kernel for it: elsewhere forming the gradients is the faster way.
pub fn ghost_norms(
    of: &Convolution,
    input: &Tensor<4>,
    output_gradient: &Tensor<4>,
    rounding: Rounding,
) -> Option<Tensor<1>> {
    #[cfg(feature = "flex")]
    return flex::convolution_ghost_norms(of, input, output_gradient, rounding);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (of, input, output_gradient, rounding);
        None
    }
}

/// The weighted sum of the examples' gradients of the kernel, in f64: `[entries]`. `None` without a kernel for it: a product over all
/// examples would add up positions that may cancel, so that each example's gradient is to be formed.
pub fn weighted_kernel_gradient(
    of: &Convolution,
    input: &Tensor<4>,
    output_gradient: &Tensor<4>,
    weights: &Tensor<1>,
) -> Option<Tensor<1>> {
    #[cfg(feature = "flex")]
    return flex::weighted_kernel_gradient(of, input, output_gradient, weights);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (of, input, output_gradient, weights);
        None
    }
}
