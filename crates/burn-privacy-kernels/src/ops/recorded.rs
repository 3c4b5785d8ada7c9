//! Layers and their backward passes by themselves, on tensors without autodiff: for operation graphs that were recorded, in
//! which Burn's own backward pass is written out. `None` without a kernel: then the recorded operation is executed as Burn does.

use burn::tensor::Tensor;

use super::convolution::Convolution;
use super::pointwise::Pointwise;
#[cfg(feature = "flex")]
use crate::backends::flex;

/// `input weight + bias`, of `[rows, d_input]` and `[d_input, d_output]`.
pub fn linear(input: Tensor<2>, weight: &Tensor<2>, bias: Option<&Tensor<1>>) -> Option<Tensor<2>> {
    #[cfg(feature = "flex")]
    return flex::linear(input, weight, bias);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (input, weight, bias);
        None
    }
}

/// `gradient weight^T`, of `[rows, d_output]` and `[d_input, d_output]`.
pub fn linear_input_gradient(gradient: &Tensor<2>, weight: &Tensor<2>) -> Option<Tensor<2>> {
    #[cfg(feature = "flex")]
    return flex::linear_input_gradient(gradient, weight);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (gradient, weight);
        None
    }
}

/// The convolution of `[rows, channels_in, height, width]`.
pub fn convolve(of: Convolution, input: Tensor<4>, kernel: &Tensor<4>, bias: Option<&Tensor<1>>) -> Option<Tensor<4>> {
    #[cfg(feature = "flex")]
    return flex::convolve(of, input, kernel, bias);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (of, input, kernel, bias);
        None
    }
}

/// The gradient of a convolution's input, from that of its output.
pub fn convolution_input_gradient(of: &Convolution, gradient: &Tensor<4>, kernel: &Tensor<4>) -> Option<Tensor<4>> {
    #[cfg(feature = "flex")]
    return flex::convolution_input_gradient(of, gradient, kernel);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (of, gradient, kernel);
        None
    }
}

/// The gradient of a function's input, from that of its output, and what the function keeps: its input for
/// [`Pointwise::Gelu`] and [`Pointwise::Silu`], else its output. Gives the gradient back without a kernel.
// The gradient is given back as it came: a box would be an allocation for each operation.
#[allow(clippy::result_large_err)]
pub fn activation_gradient(of: Pointwise, kept: &Tensor<1>, gradient: Tensor<1>) -> Result<Tensor<1>, Tensor<1>> {
    #[cfg(feature = "flex")]
    return flex::activation_gradient(of, kept, gradient);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (of, kept);
        Err(gradient)
    }
}
