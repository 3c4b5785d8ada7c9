//! Activation functions and the softmax. The kernels write over their input where nothing else holds it.

use burn::tensor::{Tensor, activation};

use super::pointwise::Pointwise;
#[cfg(feature = "flex")]
use crate::backends::flex;

/// The function of every value.
pub fn activate<const D: usize>(of: Pointwise, input: Tensor<D>) -> Tensor<D> {
    #[cfg(feature = "flex")]
    let input = match flex::activate(of, input) {
        Ok(output) => return output,
        Err(input) => input,
    };
    match of {
        Pointwise::Relu => activation::relu(input),
        Pointwise::Tanh => activation::tanh(input),
        Pointwise::Sigmoid => activation::sigmoid(input),
        Pointwise::Gelu => activation::gelu(input),
        Pointwise::Silu => activation::silu(input),
    }
}

/// The softmax along `dim`: by the kernel for the last axis.
///
/// # Panics
///
/// If `dim` is not below `D`.
pub fn softmax<const D: usize>(input: Tensor<D>, dim: usize) -> Tensor<D> {
    #[cfg(feature = "flex")]
    let input = if dim + 1 == D {
        match flex::softmax(input) {
            Ok(output) => return output,
            Err(input) => input,
        }
    } else {
        input
    };
    activation::softmax(input, dim)
}
