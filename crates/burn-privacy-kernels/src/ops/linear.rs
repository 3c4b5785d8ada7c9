//! Linear layers: outputs, and what private training needs of their weights' gradients `sum_t a_t g_t^T`, from inputs `a` and
//! output gradients `g`.

use std::ops::Range;

use burn::nn::Linear;
use burn::tensor::Tensor;

use super::examples::rows_of;
use super::row_weights::RowWeights;
use super::squared_norms::sum_of_squares_bound;
use super::weights::Weights;
#[cfg(feature = "flex")]
use crate::backends::flex;
use crate::rounding::{Rounding, underflow};

/// The output of a layer.
///
/// # Panics
///
/// As Burn's layer: if the last axis of `input` does not fit it.
pub fn linear<const D: usize>(layer: &Linear, input: Tensor<D>, weights: Weights) -> Tensor<D> {
    #[cfg(feature = "flex")]
    {
        let bias = layer.bias.as_ref().map(|bias| weights.values(bias));
        if let Some(output) = flex::linear(input.clone(), &weights.values(&layer.weight), bias.as_ref()) {
            return output;
        }
    }
    let bias = layer.bias.as_ref().map(|bias| weights.param(bias));
    Linear { weight: weights.param(&layer.weight), bias }.forward(input)
}

/// Each example's gradient of the weight, from `[examples, positions, d_input]` and `[examples, positions, d_output]`:
/// `[examples, d_input * d_output]`.
pub fn weight_gradients(input: &Tensor<3>, output_gradient: &Tensor<3>) -> Tensor<2> {
    #[cfg(feature = "flex")]
    if let Some(found) = flex::sequence_gradients(input, output_gradient) {
        return found;
    }
    let ([examples, _, d_input], [_, _, d_output]) = (input.dims(), output_gradient.dims());
    let values = input.clone().swap_dims(1, 2).matmul(output_gradient.clone());
    values.reshape([examples, d_input * d_output])
}

/// Upper bounds `[examples]` of the squared norms of `a_i g_i^T` and, `ones` times, of `g_i`, for rows (axis 0): `|a_i|^2` plus
/// `ones`, times `|g_i|^2` (Goodfellow 2015, arXiv 1510.01799). Without `input`, of `g_i` alone.
pub fn outer_product_norms<const D: usize, const O: usize>(
    input: Option<&Tensor<D>>,
    output_gradient: &Tensor<O>,
    ones: f64,
    rounding: Rounding,
) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if let Some(bound) = input.and_then(|input| flex::outer_product_norms(input, output_gradient, ones)) {
        return bound;
    }
    let squared_gradient = sum_of_squares_bound(output_gradient.clone(), rounding);
    let squared_input = match input {
        Some(input) => sum_of_squares_bound(input.clone(), rounding),
        None => squared_gradient.zeros_like(),
    };
    (squared_input + ones) * squared_gradient * (1.0 + rounding.sum(4))
}

/// Upper bounds `[examples]` of the squared norms of the weight's gradients, without forming them:
/// `|| sum_t a_t g_t^T ||^2 = sum_{t,t'} (a_t . a_t') (g_t . g_t')` (Li et al. 2022, arXiv 2110.05679, section 4).
pub fn ghost_norms(input: &Tensor<3>, output_gradient: &Tensor<3>, rounding: Rounding) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if let Some(bound) = flex::sequence_ghost_norms(input, output_gradient, rounding) {
        return bound;
    }
    let [examples, positions, _] = input.dims();
    let inputs = gram_matrix(input.clone(), rounding);
    let outputs = gram_matrix(output_gradient.clone(), rounding);
    let sum = |products: Tensor<3>| products.sum_dim(2).sum_dim(1).reshape([examples]);
    let ghost = sum(inputs.values.clone() * outputs.values.clone()).clamp_min(0.0);
    // |x y - x' y'| <= |x| e_y + e_x |y| + e_x e_y for each pair of positions, then the rounding of the double sum.
    let (inputs_size, outputs_size) = (inputs.values.abs(), outputs.values.abs());
    let error = inputs_size.clone() * outputs.error.clone()
        + inputs.error * (outputs_size.clone() + outputs.error)
        + inputs_size * outputs_size * rounding.sum(2 * positions);
    ghost + sum(error) * (1.01 + rounding.sum(2 * positions))
}

/// The scalar products of an example's rows with each other, and a bound of their errors.
struct GramMatrix {
    /// `[examples, positions, positions]`
    values: Tensor<3>,
    /// `[examples, positions, positions]`: rounding, `gamma |x_t| |x_t'|`, and what underflow may lose.
    error: Tensor<3>,
}

fn gram_matrix(rows: Tensor<3>, rounding: Rounding) -> GramMatrix {
    let [examples, positions, length] = rows.dims();
    let squares = sum_of_squares_bound(rows.clone().reshape([examples * positions, length]), rounding);
    let lengths = squares.sqrt().reshape([examples, positions, 1]);
    let relative = rounding.matrix_product(length) * 1.01;
    // An absolute term: a product that is flushed to zero may meet a huge one of the other matrix.
    let error = lengths.clone() * lengths.swap_dims(1, 2) * relative + underflow(length);
    GramMatrix { values: rows.clone().matmul(rows.swap_dims(1, 2)), error }
}

/// Sums over examples of the gradients of weight and bias, each where it is asked for.
pub type LinearSums = [Option<Tensor<1>>; 2];

/// `sum_i w_i sum_t a_it g_it^T` and `sum_i w_i sum_t g_it`, `[d_input * d_output]` and `[d_output]`, those that `wanted` asks
/// for: one sum over all examples in f64, or one in f32 for each of `leaves`. What is summed in f32 is one example's positions, or
/// where each has one, the examples of a leaf.
///
/// `None` where positions may cancel and there is no kernel: then each example's gradient is to be formed.
pub fn weighted_sums(
    input: &Tensor<3>,
    output_gradient: Tensor<3>,
    weights: &RowWeights,
    leaves: &[Range<usize>],
    wanted: [bool; 2],
) -> Option<Vec<LinearSums>> {
    #[cfg(feature = "flex")]
    if let Some([weight, bias]) = flex::weighted_outer_products(input, &output_gradient, &weights.weights(), leaves) {
        return Some(vec![[wanted[0].then_some(weight), wanted[1].then_some(bias)]]);
    }
    let ([examples, positions, d_input], [_, _, d_output]) = (input.dims(), output_gradient.dims());
    if positions > 1 {
        return None;
    }
    let gradient = weights.scale(output_gradient).reshape([examples, d_output]);
    let input = input.clone().reshape([examples, d_input]);
    let of_leaf = |leaf: &Range<usize>| {
        let gradient = rows_of(&gradient, leaf.clone());
        let weight = wanted[0].then(|| {
            let product = rows_of(&input, leaf.clone()).transpose().matmul(gradient.clone());
            product.reshape([d_input * d_output])
        });
        [weight, wanted[1].then(|| gradient.sum_dim(0).reshape([d_output]))]
    };
    Some(leaves.iter().map(of_leaf).collect())
}
