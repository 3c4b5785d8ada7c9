//! Clip factors: from upper bounds of norms, `[examples]`, to the weight of each example.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::exact_sum::MARGIN;
use super::parameter_gradients::{ParameterGradients, ParameterSum};
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::row_weights::RowWeights;

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
    rows: RowWeights,
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
        // Up to this norm the factor is 1.
        let scale = clipping_norm * rounding.shrink(MARGIN);
        Self { rows: RowWeights::clipping(squared_norms, scale, rounding), leaves: leaves.into() }
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
        let scale = norm * rounding.shrink(MARGIN) * (1.0 - rounding.sum(16));
        let rows = RowWeights::of_norms(squared_norms, rounding, |norms| {
            let denominators = match scaling {
                Scaling::Psac { .. } => norms.clone() + (norms + stability).recip() * stability,
                _ => norms + stability,
            };
            denominators.recip() * scale
        });
        Self { rows, leaves: leaves.into() }
    }

    /// Half the number of examples that flat clipping left as they were, less half that of all others, of which some have no
    /// finite gradient. Waits for the device.
    pub(crate) fn balance_of_unclipped(&self, rounding: Rounding) -> Result<f64> {
        let unreadable = |error| Error::Execution(format!("clip factors could not be read from it: {error:?}"));
        let data = self.weights().try_into_data().map_err(unreadable)?.convert::<f32>();
        let whole = (1.0 - rounding.sum(8)) as f32;
        Ok(data.iter::<f32>().map(|weight| if weight >= whole { 0.5 } else { -0.5 }).sum())
    }

    /// These factors without the examples that any of `others` excludes.
    pub(crate) fn excluding(&self, others: &[Self]) -> Self {
        let rows = others.iter().fold(self.rows.clone(), |rows, other| rows.without_excluded(&other.rows));
        Self { rows, leaves: self.leaves.clone() }
    }

    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.rows.rows()
    }

    /// The weights, `[examples]`.
    pub fn weights(&self) -> Tensor<1> {
        self.rows.weights()
    }

    /// The weights, and which rows count as zeros.
    pub(crate) fn rows(&self) -> &RowWeights {
        &self.rows
    }

    /// `values` with the rows (axis 0) of non-finite examples set to zero.
    pub fn select<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        self.rows.select(values)
    }

    /// [`select`](Self::select), then each row (axis 0) times its example's weight.
    pub fn scale<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        self.rows.scale(values)
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
        let part = self.slice(range);
        part.rows.sums(&values, part.leaves()).into_iter().map(|values| ParameterSum { id, values }).collect()
    }

    /// The factor of its example for each view.
    pub(crate) fn of_views(&self, views: usize) -> Self {
        if views == 1 {
            return self.clone();
        }
        let leaves = self.leaves.iter().map(|length| length * views).collect();
        Self { rows: self.rows.repeated(views), leaves }
    }

    /// The factors of a range of examples.
    pub(crate) fn slice(&self, range: Range<usize>) -> Self {
        if range == (0..self.examples()) {
            return self.clone();
        }
        let shared = |leaf: Range<usize>| leaf.end.min(range.end).saturating_sub(leaf.start.max(range.start));
        Self { leaves: self.leaves().map(shared).filter(|length| *length > 0).collect(), rows: self.rows.slice(range) }
    }
}
