//! Layer and group normalization, and the gradients of their scales and shifts.

use burn::module::Param;
use burn::nn::{GroupNorm, LayerNorm};
use burn::tensor::Tensor;

#[cfg(feature = "flex")]
use crate::backends::flex::{self, Normalization};

/// The output of a layer whose scale and shift take no part in autodiff, and the values before scale and shift, without
/// autodiff. For tensors on a device with autodiff.
///
/// # Panics
///
/// As Burn's layer: if the last axis of `input` does not fit it.
pub fn layer_norm<const D: usize>(layer: &LayerNorm, input: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    let [d_model] = layer.gamma.val().dims();
    let mut normalize = layer.clone();
    normalize.gamma = Param::initialized(layer.gamma.id, Tensor::ones([d_model], &input.clone().inner().device()));
    normalize.beta = None;
    #[cfg(feature = "flex")]
    if flex::serve(&input) {
        let of = Normalization { row: d_model, groups: 1, run: 1, epsilon: epsilon(&normalize) };
        let shift = layer.beta.as_ref().map(|beta| beta.val().inner());
        if let Some(found) = flex::normalize(of, input.clone(), &layer.gamma.val().inner(), shift.as_ref()) {
            return found;
        }
    }
    let normalized = normalize.forward(input.clone().inner());
    (layer.forward(input), normalized)
}

/// The epsilon of a layer without scale and shift. Burn keeps it to itself; what becomes of a row far below it tells.
#[cfg(feature = "flex")]
fn epsilon(layer: &LayerNorm) -> f32 {
    const SMALL: f32 = 1e-10;
    let [d_model] = layer.gamma.val().dims();
    if d_model < 2 {
        return 1.0; // the normalized value is 0 with any
    }
    let mut row = vec![0.0; d_model];
    (row[0], row[1]) = (SMALL, -SMALL);
    let row = Tensor::<1>::from_floats(row.as_slice(), &layer.gamma.val().device());
    // SMALL / sqrt(variance + epsilon)
    let normalized: f32 = layer.forward(row).slice([0..1]).into_scalar();
    let variance = 2.0 * SMALL * SMALL / d_model as f32;
    ((SMALL / normalized).powi(2) - variance).max(0.0)
}

/// [`layer_norm`] of groups of channels.
///
/// # Panics
///
/// As Burn's layer: if axis 1 of `input` does not fit it.
pub fn group_norm<const D: usize>(layer: &GroupNorm, input: Tensor<D>) -> (Tensor<D>, Tensor<D>) {
    #[cfg(feature = "flex")]
    if let Some(scale) = &layer.gamma {
        let positions = input.shape().num_elements() / (input.dims()[0] * layer.num_channels).max(1);
        let of = Normalization {
            row: positions * (layer.num_channels / layer.num_groups),
            groups: layer.num_groups,
            run: positions,
            epsilon: layer.epsilon as f32,
        };
        let shift = layer.beta.as_ref().map(|shift| shift.val().inner());
        if let Some(found) = flex::normalize(of, input.clone(), &scale.val().inner(), shift.as_ref()) {
            return found;
        }
    }
    let normalize = GroupNorm { gamma: None, beta: None, affine: false, ..layer.clone() };
    let normalized = normalize.forward(input.clone().inner());
    (layer.forward(input), normalized)
}

/// Per example and feature, the sums over positions of `values gradient` and of `gradient`: `[examples, features]` each, from
/// `[examples, positions, features]` or `[examples, features, positions]`, as `feature_axis` is 2 or 1.
pub fn feature_sums(values: &Tensor<3>, gradient: &Tensor<3>, feature_axis: usize) -> [Tensor<2>; 2] {
    #[cfg(feature = "flex")]
    if let Some(sums) = flex::feature_sums(values, gradient, feature_axis, false) {
        return sums;
    }
    [values.clone() * gradient.clone(), gradient.clone()].map(|terms| sum_over_positions(terms, feature_axis))
}

/// [`feature_sums`] of the sizes of the terms.
pub fn feature_sums_of_sizes(values: &Tensor<3>, gradient: &Tensor<3>, feature_axis: usize) -> [Tensor<2>; 2] {
    #[cfg(feature = "flex")]
    if let Some(sums) = flex::feature_sums(values, gradient, feature_axis, true) {
        return sums;
    }
    let gradient = gradient.clone().abs();
    [gradient.clone() * values.clone().abs(), gradient].map(|terms| sum_over_positions(terms, feature_axis))
}

fn sum_over_positions(terms: Tensor<3>, feature_axis: usize) -> Tensor<2> {
    let dims = terms.dims();
    terms.sum_dim(3 - feature_axis).reshape([dims[0], dims[feature_axis]])
}
