//! Convolutions, by the faster of two ways for their shape.

mod per_example;
mod position_major;
mod windowed;

pub(super) use per_example::weighted_sum_in_parts;
pub(super) use windowed::with_positions;

use crate::ops::convolution::shape::Convolution;

/// `[examples, channels_out, height_out, width_out]`, rows of examples in parallel.
pub(super) fn forward(of: &Convolution, input: &[f32], kernel: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    if position_major::serves(of) {
        return position_major::forward(of, input, kernel, bias);
    }
    windowed::forward(of, input, kernel, bias)
}

/// `[examples, channels_in, height_in, width_in]` from the output's gradient.
pub(super) fn input_gradient(of: &Convolution, output_gradient: &[f32], kernel: &[f32]) -> Vec<f32> {
    if position_major::serves(of) {
        return position_major::input_gradient(of, output_gradient, kernel);
    }
    windowed::input_gradient(of, output_gradient, kernel)
}

/// Each example's gradient of the kernel: `[examples, entries]`.
pub(super) fn kernel_gradients(of: &Convolution, input: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    if position_major::serves(of) {
        return position_major::kernel_gradients(of, input, output_gradient);
    }
    windowed::kernel_gradients(of, input, output_gradient)
}

/// `sum_i w_i G_i` of the examples' kernel gradients: `[entries]`. Examples of weight zero are not looked at.
pub(super) fn weighted_kernel_gradient(
    of: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weights: &[f32],
) -> Vec<f64> {
    if position_major::serves(of) {
        return position_major::weighted_kernel_gradient(of, input, output_gradient, weights);
    }
    windowed::weighted_kernel_gradient(of, input, output_gradient, weights)
}
