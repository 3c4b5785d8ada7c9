//! What the kernels are in a build without the flex backend: never there.

use burn::tensor::Tensor;

use super::convolution_shape::Convolution;
use super::pooling::Pooling;
use crate::per_example::Rounding;

pub(crate) fn sum_of_squares_bound<const D: usize>(_values: &Tensor<D>) -> Option<Tensor<1>> {
    None
}

pub(crate) fn weighted_rows<const D: usize>(_values: &Tensor<D>, _weights: &Tensor<1>) -> Option<Tensor<D>> {
    None
}

pub(crate) fn weighted_sum_of_rows(_values: &Tensor<2>, _weights: &Tensor<1>) -> Option<Tensor<1>> {
    None
}

pub(crate) fn kernel_gradients(
    _of: &Convolution,
    _input: &Tensor<4>,
    _output_gradient: &Tensor<4>,
) -> Option<Tensor<2>> {
    None
}

pub(crate) fn weighted_kernel_gradient(
    _of: &Convolution,
    _input: &Tensor<4>,
    _output_gradient: &Tensor<4>,
    _weights: &Tensor<1>,
) -> Option<Tensor<1>> {
    None
}

pub(crate) fn convolution_ghost_norms(
    _of: &Convolution,
    _input: &Tensor<4>,
    _output_gradient: &Tensor<4>,
    _rounding: Rounding,
) -> Option<Tensor<1>> {
    None
}

pub(crate) fn sequence_ghost_norms(
    _input: &Tensor<3>,
    _output_gradient: &Tensor<3>,
    _rounding: Rounding,
) -> Option<Tensor<1>> {
    None
}

pub(crate) fn all_finite(_values: &Tensor<1>) -> Option<bool> {
    None
}

pub(crate) fn tap<const D: usize>(_output: &Tensor<D>) -> Option<(Tensor<D>, Tensor<D>)> {
    None
}

pub(crate) fn convolve(
    _of: Convolution,
    _input: Tensor<4>,
    _kernel: &Tensor<4>,
    _bias: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    None
}

pub(crate) fn max_pool(_of: Pooling, _input: Tensor<4>) -> Option<Tensor<4>> {
    None
}
