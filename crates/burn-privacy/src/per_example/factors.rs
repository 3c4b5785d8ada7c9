//! Clip factors: from upper bounds of norms, `[examples]`, to the weight of each example.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Bool, Tensor};

use super::exact_sum::MARGIN;
use super::parameter_gradients::rows_of;
use super::parameter_gradients::{ParameterGradients, ParameterSum};
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::flex_kernels;

/// How a norm becomes a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scaling {
    /// `min(1, C / norm)` (Abadi et al. 2016, arXiv 1607.00133, algorithm 1).
    Flat { norm: f64 },
    /// `1 / (norm + stability)` (Bu et al. 2023, arXiv 2206.07136).
    Normalized { stability: f64 },
    /// `C / (norm + r / (norm + r))` with r the stability (Xia et al. 2023, arXiv 2212.00328).
    Psac { norm: f64, stability: f64 },
}

/// The clip factors of a physical batch: one weight an example, and which examples are finite.
///
/// Rules apply both through [`scale`](Self::scale) and [`select`](Self::select): a row that belongs to a
/// non-finite example is replaced by zeros *by selection*, because `0 * infinity` is not zero.
#[derive(Debug, Clone)]
pub struct ClipFactors {
    weights: Tensor<1>,
    /// `None` where it is known, without waiting for a device, that no example is excluded.
    excluded: Option<Tensor<1, Bool>>,
    /// How many examples each leaf of the sum has, one after the other.
    leaves: Arc<[usize]>,
}

impl ClipFactors {
    /// `min(1, C' / norm)`, C' just below the clipping norm, for bounds `[examples]` of the squared norms of some parts of a gradient each, at least one; zero
    /// where the sum of the bounds is not finite.
    ///
    /// C' keeps back what rounding can add, of the factor, of the product it enters and of the sum: see
    /// [`exact_sum`](super::exact_sum) (Abadi et al. 2016, arXiv 1607.00133, algorithm 1).
    ///
    /// # Panics
    ///
    /// Without a part.
    pub(crate) fn flat(squared_norms: &[Tensor<1>], clipping_norm: f64, rounding: Rounding, leaves: &[usize]) -> Self {
        let leaves: Arc<[usize]> = leaves.into();
        // Up to this norm the factor is 1.
        let scale = clipping_norm * rounding.shrink(MARGIN);
        if let Some((weights, all_finite)) = flex_kernels::clip_factors(squared_norms, scale, scale) {
            let excluded = (!all_finite).then(|| weights.clone().equal_elem(0.0));
            return Self { weights, excluded, leaves };
        }
        let (norms, excluded) = norms(squared_norms, rounding);
        let weights = (norms.clamp_min(scale).recip() * scale).mask_fill(excluded.clone(), 0.0);
        Self { weights, excluded: Some(excluded), leaves }
    }

    /// The weights of a style, under the conditions of [`flat`](Self::flat). What is kept back covers some more roundings than
    /// flat clipping has. A weight times any upper bound `b` of the norm stays below the style's norm C:
    /// `b / (b + gamma) < 1`, and `b C / (b + r / (b + r)) < C`, whatever b is. So it does not matter that PSAC's weight is not
    /// monotone, and that `b` is a bound and no norm.
    ///
    /// # Panics
    ///
    /// Without a part.
    pub(crate) fn new(scaling: Scaling, squared_norms: &[Tensor<1>], rounding: Rounding, leaves: &[usize]) -> Self {
        let (stability, norm) = match scaling {
            Scaling::Flat { norm } => return Self::flat(squared_norms, norm, rounding, leaves),
            Scaling::Normalized { stability } => (stability, 1.0),
            Scaling::Psac { norm, stability } => (stability, norm),
        };
        let (norms, excluded) = norms(squared_norms, rounding);
        let denominators = match scaling {
            Scaling::Psac { .. } => norms.clone() + (norms + stability).recip() * stability,
            _ => norms + stability,
        };
        let scale = norm * rounding.shrink(MARGIN) * (1.0 - rounding.sum(16));
        let weights = (denominators.recip() * scale).mask_fill(excluded.clone(), 0.0);
        Self { weights, excluded: Some(excluded), leaves: leaves.into() }
    }

    /// Half the number of examples that flat clipping left as they were, less half that of all others, of which some have no
    /// finite gradient. Waits for the device.
    pub(crate) fn balance_of_unclipped(&self, rounding: Rounding) -> Result<f64> {
        let unreadable = |error| Error::Execution(format!("clip factors could not be read from it: {error:?}"));
        let data = self.weights.clone().try_into_data().map_err(unreadable)?.convert::<f32>();
        let whole = (1.0 - rounding.sum(8)) as f32;
        Ok(data.iter::<f32>().map(|weight| if weight >= whole { 0.5 } else { -0.5 }).sum())
    }

    /// These factors without the examples that any of `others` excludes.
    pub(crate) fn excluding(&self, others: &[Self]) -> Self {
        let excluded = others.iter().filter_map(|other| other.excluded.clone()).reduce(|all, next| all.bool_or(next));
        let Some(excluded) = excluded else { return self.clone() };
        let weights = self.weights.clone().mask_fill(excluded.clone(), 0.0);
        Self { weights, excluded: Some(excluded), leaves: self.leaves.clone() }
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.weights.dims()[0]
    }

    /// The weights, `[examples]`.
    pub fn weights(&self) -> Tensor<1> {
        self.weights.clone()
    }

    /// `values` with the rows (axis 0) of non-finite examples set to zero.
    pub fn select<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        let Some(excluded) = self.excluded.clone() else { return values };
        let mask = column::<D, Bool>(excluded).expand(values.dims());
        values.mask_fill(mask, 0.0)
    }

    /// [`select`](Self::select), then each row (axis 0) times its example's weight.
    pub fn scale<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        if let Some(scaled) = flex_kernels::weighted_rows(&values, &self.weights) {
            return scaled;
        }
        let weights = column::<D, burn::tensor::Float>(self.weights.clone());
        self.select(values) * weights
    }

    /// Consecutive ranges that cover all examples: only within one of them may a sum over examples be taken in f32, where an
    /// addition rounds. See [`weighted_sum_shortcut`](super::PerExampleRule::weighted_sum_shortcut).
    pub fn leaves(&self) -> impl Iterator<Item = Range<usize>> {
        self.leaves.iter().scan(0, |end, length| {
            *end += length;
            Some(*end - length..*end)
        })
    }

    /// `sum_i c_i g_i` of one parameter's gradients of the examples in `range`, in one sum or several.
    pub(crate) fn sums_of(&self, gradients: ParameterGradients, range: Range<usize>) -> Vec<ParameterSum> {
        let ParameterGradients { id, values } = gradients;
        let part = self.slice(range.clone());
        if let Some(values) = flex_kernels::weighted_sum_of_rows(&values, &part.weights) {
            return vec![ParameterSum { id, values }];
        }
        let [_, entries] = values.dims();
        part.leaves()
            .map(|leaf| {
                let row = part.slice(leaf.clone());
                let values = row.select(rows_of(&values, leaf.clone()));
                let values = row.weights.reshape([1, leaf.len()]).matmul(values).reshape([entries]);
                ParameterSum { id, values }
            })
            .collect()
    }

    /// The factor of its example for each view.
    pub(crate) fn of_views(&self, views: usize) -> Self {
        if views == 1 {
            return self.clone();
        }
        let examples = self.examples();
        let weights = self.weights.clone().reshape([examples, 1]).expand([examples, views]);
        let excluded = self
            .excluded
            .clone()
            .map(|excluded| excluded.reshape([examples, 1]).expand([examples, views]).reshape([examples * views]));
        let leaves = self.leaves.iter().map(|length| length * views).collect();
        Self { weights: weights.reshape([examples * views]), excluded, leaves }
    }

    /// The factors of a range of examples.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        if range == (0..self.examples()) {
            return self.clone();
        }
        let shared = |leaf: Range<usize>| leaf.end.min(range.end).saturating_sub(leaf.start.max(range.start));
        Self {
            leaves: self.leaves().map(shared).filter(|length| *length > 0).collect(),
            weights: self.weights.clone().slice([range.clone()]),
            excluded: self.excluded.clone().map(|excluded| excluded.slice([range])),
        }
    }
}

/// Norms from bounds of the squares of their parts, and which of them are not finite.
fn norms(squared_norms: &[Tensor<1>], rounding: Rounding) -> (Tensor<1>, Tensor<1, Bool>) {
    let total = squared_norms.iter().cloned().reduce(|total, next| total + next).expect("a part of a gradient");
    let total = total * (1.0 + rounding.sum(squared_norms.len()));
    let excluded = total.clone().is_finite().bool_not();
    (total.mask_fill(excluded.clone(), 1.0).sqrt(), excluded)
}

fn column<const D: usize, K: burn::tensor::kind::Basic>(values: Tensor<1, K>) -> Tensor<D, K> {
    let mut dims = [1; D];
    dims[0] = values.dims()[0];
    values.reshape(dims)
}
