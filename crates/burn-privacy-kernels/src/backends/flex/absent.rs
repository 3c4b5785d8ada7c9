//! What the kernels are in a build without the flex backend: never there.

use std::ops::Range;

use burn::tensor::{Int, Tensor};

use super::attention_shape::Attention;
use super::convolution_shape::Convolution;
use super::normalisation_shape::Normalisation;
use super::pointwise_kind::Pointwise;
use super::pooling_shape::Pooling;
use crate::rounding::Rounding;

pub fn serve<const D: usize>(_values: &Tensor<D>) -> bool {
    false
}

pub fn update_in_place<E>(
    values: Tensor<1>,
    _update: impl FnOnce(&mut [f32]) -> Result<(), E>,
    otherwise: impl FnOnce(Tensor<1>) -> Result<Tensor<1>, E>,
) -> Result<Tensor<1>, E> {
    otherwise(values)
}

pub fn sum_of_squares_bound<const D: usize>(_values: &Tensor<D>) -> Option<Tensor<1>> {
    None
}

pub fn weighted_rows<const D: usize>(_values: &Tensor<D>, _weights: &Tensor<1>) -> Option<Tensor<D>> {
    None
}

pub fn weighted_sum_of_rows(_values: &Tensor<2>, _weights: &Tensor<1>) -> Option<Tensor<1>> {
    None
}

pub fn kernel_gradients(_of: &Convolution, _input: &Tensor<4>, _output_gradient: &Tensor<4>) -> Option<Tensor<2>> {
    None
}

pub fn weighted_kernel_gradient(
    _of: &Convolution,
    _input: &Tensor<4>,
    _output_gradient: &Tensor<4>,
    _weights: &Tensor<1>,
) -> Option<Tensor<1>> {
    None
}

pub fn gradients_before_standardisation(
    gradients: Tensor<2>,
    _unit: &Tensor<2>,
    _unclamped: &Tensor<1>,
    _scale: &Tensor<1>,
    otherwise: impl FnOnce(Tensor<2>) -> [Tensor<2>; 2],
) -> [Tensor<2>; 2] {
    otherwise(gradients)
}

pub fn convolution_ghost_norms(
    _of: &Convolution,
    _input: &Tensor<4>,
    _output_gradient: &Tensor<4>,
    _rounding: Rounding,
) -> Option<Tensor<1>> {
    None
}

pub fn sequence_ghost_norms(
    _input: &Tensor<3>,
    _output_gradient: &Tensor<3>,
    _rounding: Rounding,
) -> Option<Tensor<1>> {
    None
}

pub fn sequence_gradients(_input: &Tensor<3>, _output_gradient: &Tensor<3>) -> Option<Tensor<2>> {
    None
}

pub fn outer_product_norms<const D: usize, const O: usize>(
    _input: &Tensor<D>,
    _gradient: &Tensor<O>,
    _ones: f64,
) -> Option<Tensor<1>> {
    None
}

pub fn clip_factors(_squared_norms: &[Tensor<1>], _least: f64, _scale: f64) -> Option<(Tensor<1>, bool)> {
    None
}

pub fn tap<const D: usize>(_output: &Tensor<D>) -> Option<(Tensor<D>, Tensor<D>)> {
    None
}

pub fn convolve(
    _of: Convolution,
    _input: Tensor<4>,
    _kernel: &Tensor<4>,
    _bias: Option<&Tensor<1>>,
) -> Option<Tensor<4>> {
    None
}

pub fn activate<const D: usize>(
    _of: Pointwise,
    input: Tensor<D>,
    otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    otherwise(input)
}

pub fn softmax<const D: usize>(input: Tensor<D>, otherwise: impl FnOnce(Tensor<D>) -> Tensor<D>) -> Tensor<D> {
    otherwise(input)
}

pub fn linear<const D: usize>(_input: Tensor<D>, _weight: &Tensor<2>, _bias: Option<&Tensor<1>>) -> Option<Tensor<D>> {
    None
}

pub fn normalise<const D: usize>(
    _of: Normalisation,
    _input: Tensor<D>,
    _scale: &Tensor<1>,
    _shift: Option<&Tensor<1>>,
) -> Option<(Tensor<D>, Tensor<D>)> {
    None
}

pub fn feature_sums(
    _values: &Tensor<3>,
    _gradient: &Tensor<3>,
    _feature_axis: usize,
    _absolute: bool,
) -> Option<[Tensor<2>; 2]> {
    None
}

pub fn attend(_of: Attention, _inputs: [&Tensor<3>; 3]) -> Option<Tensor<3>> {
    None
}

pub fn max_pool(_of: Pooling, _input: Tensor<4>) -> Option<Tensor<4>> {
    None
}

pub fn weighted_outer_products(
    _input: &Tensor<3>,
    _gradient: &Tensor<3>,
    _weights: &Tensor<1>,
    _leaves: &[Range<usize>],
) -> Option<[Tensor<1>; 2]> {
    None
}

pub fn weighted_table_gradient(
    _tokens: &Tensor<2, Int>,
    _gradient: &Tensor<3>,
    _weights: &Tensor<1>,
    _rows: usize,
) -> Option<Tensor<1>> {
    None
}

pub fn sum_before_standardisation(
    _sum: &Tensor<1>,
    _unit: &Tensor<2>,
    _unclamped: &Tensor<1>,
    _scale: &Tensor<1>,
) -> Option<[Tensor<1>; 2]> {
    None
}

pub fn update_and_round<E>(
    _tensor: &mut Tensor<1>,
    _update: impl FnOnce(&mut [f64]) -> Result<(), E>,
) -> Option<Result<Tensor<1>, E>> {
    None
}

pub fn in_f64(values: Tensor<1>) -> Tensor<1> {
    values
}

pub fn grid(_values: &Tensor<1>, _spacing: f64) -> Option<Vec<i64>> {
    None
}
