//! Clip factors: from upper bounds of norms, `[examples]`, to the weight of each example.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::exact_sum::MARGIN;
use super::parameter_gradients::{ParameterGradients, ParameterSum};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::row_weights::RowWeights;

/// The clip factors of a physical batch: one weight in `[0, 1]` an example, and which examples are finite.
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
