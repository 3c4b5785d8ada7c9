//! From tensors to the slices that the kernels take and back, for every kernel that needs no autodiff.

use std::ops::Range;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Int, Shape, Tensor, TensorData};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::matrix_product::{Matrix, matrix_product};
use super::row_pairs::RowPairs;
use super::{convolution, ghost_norm, normalization, outer_products, rows, standardization};
use crate::ops::convolution::shape::Convolution;
use crate::ops::examples::rows_and_length;
use crate::rounding::Rounding;

/// The contiguous values of a tensor without autodiff.
pub(super) struct Values(pub(super) FloatTensor<Flex>);

impl Values {
    pub(super) fn of<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if tensor.dtype() != DType::F32 {
            return None;
        }
        tensor.clone().try_into_primitive::<Flex>().ok().map(Self::contiguous)
    }

    pub(super) fn contiguous(primitive: FloatTensor<Flex>) -> Self {
        Self(if primitive.is_contiguous() { primitive } else { primitive.to_contiguous() })
    }

    pub(super) fn slice(&self) -> &[f32] {
        self.0.as_slice().expect("contiguous f32")
    }
}

pub(super) fn primitive(values: Vec<f32>, dims: impl Into<Shape>) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, dims.into()))
}

pub(super) fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(primitive(values, dims))
}

/// Whether the kernels may take a tensor, with or without autodiff.
pub(crate) fn serve<const D: usize>(values: &Tensor<D>) -> bool {
    values.dtype() == DType::F32
        && (values.clone().try_into_primitive::<Flex>().is_ok()
            || values.clone().try_into_primitive::<Autodiff<Flex>>().is_ok())
}

/// Lets `update` write over the values of a tensor, which are copied first only where something else holds them;
/// gives a tensor of another format or backend back.
pub(crate) fn update_in_place<E>(
    values: Tensor<1>,
    update: impl FnOnce(&mut [f32]) -> Result<(), E>,
) -> Result<Result<Tensor<1>, E>, Tensor<1>> {
    let Some(Values(primitive)) = Values::of(&values) else { return Err(values) };
    drop(values);
    let mut values = owned(primitive);
    Ok(update(values.storage_mut()).map(|()| Tensor::from_primitive::<Flex>(values)))
}

/// The tensor, with storage that holds its values and nothing else.
pub(super) fn owned(values: FloatTensor<Flex>) -> FloatTensor<Flex> {
    let Values(values) = Values::contiguous(values);
    if values.storage::<f32>().len() == values.layout().shape().num_elements() {
        return values;
    }
    let (dims, part) = (values.layout().shape().clone(), values.as_slice::<f32>().expect("contiguous f32").to_vec());
    FloatTensor::<Flex>::from_data(TensorData::new(part, dims))
}

/// Upper bounds `[rows]` of the sums of squares over every axis but the first.
pub(crate) fn sum_of_squares_bound<const D: usize>(values: &Tensor<D>) -> Option<Tensor<1>> {
    let [rows, length] = rows_and_length(values);
    let values = Values::of(values)?;
    let found = if length == 0 { vec![0.0; rows] } else { rows::squares(values.slice(), length) };
    Some(tensor(found, [rows]))
}

/// Rows (axis 0) times their weights `[rows]`; a row of weight zero becomes zero whatever it holds.
pub(crate) fn weighted_rows<const D: usize>(values: &Tensor<D>, weights: &Tensor<1>) -> Option<Tensor<D>> {
    let [_, length] = rows_and_length(values);
    let (dims, values, weights) = (values.dims(), Values::of(values)?, Values::of(weights)?);
    Some(tensor(rows::weighted(values.slice(), length.max(1), weights.slice()), dims))
}

/// The weighted sum of rows, in f64: `[rows, length]` and `[rows]` to `[length]`.
pub(crate) fn weighted_sum_of_rows(values: &Tensor<2>, weights: &Tensor<1>) -> Option<Tensor<1>> {
    let [_, length] = values.dims();
    let (values, weights) = (Values::of(values)?, Values::of(weights)?);
    Some(tensor_of_f64(rows::weighted_sum(values.slice(), length.max(1), weights.slice())))
}

/// Each example's gradient of the kernel: `[examples, entries]`.
pub(crate) fn kernel_gradients(of: &Convolution, input: &Tensor<4>, output_gradient: &Tensor<4>) -> Option<Tensor<2>> {
    let (examples, input, gradient) = (input.dims()[0], Values::of(input)?, Values::of(output_gradient)?);
    let found = convolution::kernel_gradients(of, input.slice(), gradient.slice());
    Some(tensor(found, [examples, of.entries()]))
}

/// The weighted sum of the examples' gradients of the kernel, in f64: `[entries]`.
pub(crate) fn weighted_kernel_gradient(
    of: &Convolution,
    input: &Tensor<4>,
    output_gradient: &Tensor<4>,
    weights: &Tensor<1>,
) -> Option<Tensor<1>> {
    let (input, gradient, weights) = (Values::of(input)?, Values::of(output_gradient)?, Values::of(weights)?);
    let found = convolution::weighted_kernel_gradient(of, input.slice(), gradient.slice(), weights.slice());
    Some(tensor_of_f64(found))
}

/// Gradients of a kernel, `[rows, channels * entries]`, pulled back through its standardization, and those of the gains,
/// `[rows, channels]`; see `standardization.rs`. Gives gradients of another format or backend back.
pub(crate) fn gradients_before_standardization(
    gradients: Tensor<2>,
    unit: &Tensor<2>,
    unclamped: &Tensor<1>,
    scale: &Tensor<1>,
) -> Result<[Tensor<2>; 2], Tensor<2>> {
    let ([rows, all], [channels, _]) = (gradients.dims(), unit.dims());
    if rows * all == 0 {
        return Err(gradients);
    }
    let (Some(Values(primitive)), Some(unit), Some(unclamped), Some(scale)) =
        (Values::of(&gradients), Values::of(unit), Values::of(unclamped), Values::of(scale))
    else {
        return Err(gradients);
    };
    drop(gradients);
    let mut gradients = owned(primitive);
    let kernel = standardization::Channels { unit: unit.slice(), unclamped: unclamped.slice(), scale: scale.slice() };
    let gains = kernel.pull_back(gradients.storage_mut());
    Ok([Tensor::from_primitive::<Flex>(gradients), tensor(gains, [rows, channels])])
}

/// Upper bounds `[examples]` of the squared norm of each example's gradient of the kernel, without forming it.
pub(crate) fn convolution_ghost_norms(
    of: &Convolution,
    input: &Tensor<4>,
    output_gradient: &Tensor<4>,
    rounding: Rounding,
) -> Option<Tensor<1>> {
    let (examples, input, gradient) = (input.dims()[0], Values::of(input)?, Values::of(output_gradient)?);
    let images = input.slice().par_chunks(of.input_entries());
    let gradients = gradient.slice().par_chunks(of.output_entries());
    let bounds = images.zip(gradients).map(|(image, gradient)| {
        let mut bound = 0.0;
        convolution::with_positions(of, image, gradient, |windows, gradient| {
            bound += ghost_norm::squared_norm_bound(windows, gradient, rounding);
        });
        rows::round_up(bound)
    });
    Some(tensor(bounds.collect(), [examples]))
}

/// Upper bounds `[examples]` of the squared norm of `sum_t a_t g_t^T` from `[examples, positions, d_input]` and
/// `[examples, positions, d_output]`, without forming it.
pub(crate) fn sequence_ghost_norms(
    input: &Tensor<3>,
    output_gradient: &Tensor<3>,
    rounding: Rounding,
) -> Option<Tensor<1>> {
    let [examples, positions, d_input] = input.dims();
    let d_output = output_gradient.dims()[2];
    let (input, gradient) = (Values::of(input)?, Values::of(output_gradient)?);
    let inputs = input.slice().par_chunks((positions * d_input).max(1));
    let gradients = gradient.slice().par_chunks((positions * d_output).max(1));
    let bounds = inputs.zip(gradients).map(|(input, gradient)| {
        let (input, gradient) = (Matrix::new(input, positions, d_input), Matrix::new(gradient, positions, d_output));
        rows::round_up(ghost_norm::squared_norm_bound(input, gradient, rounding))
    });
    Some(tensor(bounds.collect(), [examples]))
}

/// Per example and feature, the sums over positions of `values gradient` and of `gradient`, or of their sizes:
/// `[examples, features]` each. `feature_axis` is 1 or 2.
pub(crate) fn feature_sums(
    values: &Tensor<3>,
    gradient: &Tensor<3>,
    feature_axis: usize,
    absolute: bool,
) -> Option<[Tensor<2>; 2]> {
    let dims = values.dims();
    if values.shape().num_elements() == 0 {
        return None;
    }
    let (examples, sizes) = (dims[0], [dims[feature_axis], dims[3 - feature_axis]]);
    let (values, gradient) = (Values::of(values)?, Values::of(gradient)?);
    let sums = normalization::feature_sums(values.slice(), gradient.slice(), sizes, feature_axis == 2, absolute);
    Some(sums.map(|sums| tensor(sums, [examples, sizes[0]])))
}

/// Each example's gradient `sum_t a_t g_t^T` of a matrix, from `[examples, positions, d_input]` and
/// `[examples, positions, d_output]`: `[examples, d_input * d_output]`.
pub(crate) fn sequence_gradients(input: &Tensor<3>, output_gradient: &Tensor<3>) -> Option<Tensor<2>> {
    let [examples, positions, d_input] = input.dims();
    let d_output = output_gradient.dims()[2];
    let entries = d_input * d_output;
    if positions * entries == 0 {
        return None;
    }
    let (input, gradient) = (Values::of(input)?, Values::of(output_gradient)?);
    let inputs = input.slice().par_chunks(positions * d_input);
    let rows = inputs.zip(gradient.slice().par_chunks(positions * d_output));
    let least = (1 << 12) / (positions * entries) + 1;
    let [found] = written_in_parts(
        [Cut::parts(examples, entries)],
        rows,
        least,
        || (),
        |(), (input, gradient), [found]| {
            let gradient = Matrix::new(gradient, positions, d_output);
            matrix_product(found, false, Matrix::new(input, positions, d_input).transposed(), gradient);
        },
    );
    Some(tensor(found, [examples, entries]))
}

/// Upper bounds `[examples]` of `(|a_i|^2 + ones) |g_i|^2` from the rows (axis 0) `a_i` of `input` and `g_i` of `gradient`:
/// of the squared norms of `a_i g_i^T`.
pub(crate) fn outer_product_norms<const D: usize, const O: usize>(
    input: &Tensor<D>,
    gradient: &Tensor<O>,
    ones: f64,
) -> Option<Tensor<1>> {
    let ([examples, d_input], [_, d_output]) = (rows_and_length(input), rows_and_length(gradient));
    if d_input * d_output == 0 {
        return None;
    }
    let (input, gradient) = (Values::of(input)?, Values::of(gradient)?);
    let pairs = RowPairs { inputs: input.slice(), d_input, gradients: gradient.slice(), d_output };
    Some(tensor(outer_products::squared_norms(pairs, ones), [examples]))
}

/// `sum_i w_i sum_t a_it g_it^T` and `sum_i w_i sum_t g_it` in f64, `[d_input * d_output]` and `[d_output]`, from
/// `[examples, positions, d_input]`, `[examples, positions, d_output]` and `[examples]`. What is summed in f32 are the
/// positions of one example, or where each has one, the examples of one of `leaves`.
pub(crate) fn weighted_outer_products(
    input: &Tensor<3>,
    gradient: &Tensor<3>,
    weights: &Tensor<1>,
    leaves: &[Range<usize>],
) -> Option<[Tensor<1>; 2]> {
    let ([_, positions, d_input], d_output) = (input.dims(), gradient.dims()[2]);
    if positions * d_input * d_output == 0 {
        return None;
    }
    let (input, gradient, weights) = (Values::of(input)?, Values::of(gradient)?, Values::of(weights)?);
    let pairs = RowPairs { inputs: input.slice(), d_input, gradients: gradient.slice(), d_output };
    let found = if positions > 1 {
        outer_products::weighted_sum_of_sequences(pairs, weights.slice(), positions)
    } else {
        outer_products::weighted_sum(pairs, weights.slice(), leaves)
    };
    Some(found.map(tensor_of_f64))
}

/// The weighted sum of the examples' gradients of a table of `rows` rows, `[rows * length]`, from `[examples, tokens]`,
/// `[examples, tokens, length]` and `[examples]`.
pub(crate) fn weighted_table_gradient(
    tokens: &Tensor<2, Int>,
    gradient: &Tensor<3>,
    weights: &Tensor<1>,
    rows: usize,
) -> Option<Tensor<1>> {
    let [_, positions, length] = gradient.dims();
    let (gradient, weights) = (Values::of(gradient)?, Values::of(weights)?);
    let tokens: Vec<i64> = tokens.clone().into_data().iter::<i64>().collect();
    if positions * length == 0 || tokens.iter().any(|token| !(0..rows as i64).contains(token)) {
        return None;
    }
    Some(tensor_of_f64(rows::weighted_table_sum(&tokens, gradient.slice(), [positions, length], weights.slice(), rows)))
}

/// A sum of gradients of a kernel, in f64, pulled back through its standardization, and that of the gains.
pub(crate) fn sum_before_standardization(
    sum: &Tensor<1>,
    unit: &Tensor<2>,
    unclamped: &Tensor<1>,
    scale: &Tensor<1>,
) -> Option<[Tensor<1>; 2]> {
    let mut sum = values_of_f64(sum)?;
    let (unit, unclamped, scale) = (Values::of(unit)?, Values::of(unclamped)?, Values::of(scale)?);
    let kernel = standardization::Channels { unit: unit.slice(), unclamped: unclamped.slice(), scale: scale.slice() };
    let gains = kernel.pull_back_sum(&mut sum);
    Some([sum, gains].map(tensor_of_f64))
}

fn tensor_of_f64(values: Vec<f64>) -> Tensor<1> {
    let dims = [values.len()];
    Tensor::from_primitive::<Flex>(FloatTensor::<Flex>::from_data(TensorData::new(values, dims)))
}

/// Lets `update` write over the values of a tensor in f64, and rounds them to f32; gives a tensor of another format or backend
/// back.
pub(crate) fn update_and_round<E>(
    tensor: Tensor<1>,
    update: impl FnOnce(&mut [f64]) -> Result<(), E>,
) -> Result<Result<Tensor<1>, E>, Tensor<1>> {
    if tensor.dtype() != DType::F64 {
        return Err(tensor);
    }
    let Ok(primitive) = tensor.clone().try_into_primitive::<Flex>() else { return Err(tensor) };
    drop(tensor);
    let mut values = primitive.to_contiguous();
    // So that nothing else holds the values, which are then written over where they are.
    drop(primitive);
    let entries = values.layout().shape().num_elements();
    let values = &mut values.storage_mut::<f64>()[..entries];
    Ok(update(values).map(|()| {
        let part = 1 << 14;
        let [rounded] = written_in_parts(
            [Cut { total: entries, part }],
            values.par_chunks(part),
            1,
            || (),
            |(), values, [rounded]| rounded.iter_mut().zip(values).for_each(|(to, value)| *to = *value as f32),
        );
        self::tensor(rounded, [entries])
    }))
}

/// The values of a tensor in f64; `None` for another format or backend.
fn values_of_f64(tensor: &Tensor<1>) -> Option<Vec<f64>> {
    if tensor.dtype() != DType::F64 {
        return None;
    }
    let values = tensor.clone().try_into_primitive::<Flex>().ok()?;
    Some(values.to_contiguous().as_slice::<f64>().expect("contiguous f64").to_vec())
}

/// The tensor in f64, if it is on the CPU; else as it is.
pub(crate) fn in_f64(values: Tensor<1>) -> Tensor<1> {
    match Values::of(&values) {
        Some(values) => tensor_of_f64(values.slice().iter().copied().map(f64::from).collect()),
        None => values,
    }
}

/// The nearest whole multiples of a spacing, of values in f64.
pub(crate) fn grid(values: &Tensor<1>, spacing: f64) -> Option<Vec<i64>> {
    let inverse = 1.0 / spacing;
    let nearest = |value: f64| (value * inverse).round_ties_even() as i64;
    if values.dtype() != DType::F64 {
        return None;
    }
    let values = values.clone().try_into_primitive::<Flex>().ok()?.to_contiguous();
    Some(
        values
            .as_slice::<f64>()
            .expect("contiguous f64")
            .par_iter()
            .with_min_len(1 << 14)
            .map(|&x| nearest(x))
            .collect(),
    )
}

/// The factors `scale / max(norm, least)` of the square roots of sums of squared norms, zero where one is not finite, and
/// whether all are finite.
pub(crate) fn clip_factors(squared_norms: &[Tensor<1>], least: f64, scale: f64) -> Option<(Tensor<1>, bool)> {
    let [examples] = squared_norms.first()?.dims();
    let values: Vec<Values> = squared_norms.iter().map(Values::of).collect::<Option<_>>()?;
    let slices: Vec<&[f32]> = values.iter().map(Values::slice).collect();
    let (factors, all_finite) = rows::clip_factors(&slices, least, scale);
    Some((tensor(factors, [examples]), all_finite))
}
