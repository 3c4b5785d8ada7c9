//! Rows times their weights, and sums of them.

use std::ops::Range;

use burn::tensor::{Bool, Tensor};

use super::examples::rows_of;
#[cfg(feature = "flex")]
use crate::backends::flex;
use crate::rounding::Rounding;

/// A weight in `[0, 1]` for each row, and which rows count as zeros, whatever they hold: *by selection*, because
/// `0 * infinity` is not zero.
#[derive(Debug, Clone)]
pub struct RowWeights {
    weights: Tensor<1>,
    /// `None` where it is known, without waiting for a device, that no row is excluded.
    excluded: Option<Tensor<1, Bool>>,
}

impl RowWeights {
    /// `min(1, norm / n)` for bounds `[rows]` of the squares of some parts of `n` each, at least one; zero where the sum of the
    /// bounds is not finite.
    ///
    /// # Panics
    ///
    /// Without a part.
    pub fn clipping(squared_norms: &[Tensor<1>], norm: f64, rounding: Rounding) -> Self {
        #[cfg(feature = "flex")]
        if let Some((weights, all_finite)) = flex::clip_factors(squared_norms, norm, norm) {
            let excluded = (!all_finite).then(|| weights.clone().equal_elem(0.0));
            return Self { weights, excluded };
        }
        Self::of_norms(squared_norms, rounding, |norms| norms.clamp_min(norm).recip() * norm)
    }

    /// What `weights` makes of upper bounds of the norms, `[rows]`, from bounds `[rows]` of the squares of some parts of each, at
    /// least one; zero where the sum of the bounds is not finite.
    ///
    /// # Panics
    ///
    /// Without a part.
    pub fn of_norms(
        squared_norms: &[Tensor<1>],
        rounding: Rounding,
        weights: impl FnOnce(Tensor<1>) -> Tensor<1>,
    ) -> Self {
        let total = squared_norms.iter().cloned().reduce(|total, next| total + next).expect("a part of a gradient");
        let total = total * (1.0 + rounding.sum(squared_norms.len()));
        let excluded = total.clone().is_finite().bool_not();
        let norms = total.mask_fill(excluded.clone(), 1.0).sqrt();
        Self { weights: weights(norms).mask_fill(excluded.clone(), 0.0), excluded: Some(excluded) }
    }

    /// These weights, zero also for the rows that `other` excludes.
    pub fn without_excluded(&self, other: &Self) -> Self {
        let Some(more) = other.excluded.clone() else { return self.clone() };
        let excluded = match self.excluded.clone() {
            Some(excluded) => excluded.bool_or(more.clone()),
            None => more.clone(),
        };
        Self { weights: self.weights.clone().mask_fill(more, 0.0), excluded: Some(excluded) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.weights.dims()[0]
    }

    /// The weights, `[rows]`.
    pub fn weights(&self) -> Tensor<1> {
        self.weights.clone()
    }

    /// `values` with the rows (axis 0) that are excluded set to zero.
    pub fn select<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        let Some(excluded) = self.excluded.clone() else { return values };
        let mask = column::<D, Bool>(excluded).expand(values.dims());
        values.mask_fill(mask, 0.0)
    }

    /// [`select`](Self::select), then each row (axis 0) times its weight.
    pub fn scale<const D: usize>(&self, values: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if let Some(scaled) = flex::weighted_rows(&values, &self.weights) {
            return scaled;
        }
        let weights = column::<D, burn::tensor::Float>(self.weights.clone());
        self.select(values) * weights
    }

    /// The weighted sum of the rows `[rows, entries]`: one sum in f64, or one in f32 for each of `leaves`, consecutive ranges
    /// that cover the rows.
    pub fn sums(&self, values: &Tensor<2>, leaves: impl Iterator<Item = Range<usize>>) -> Vec<Tensor<1>> {
        #[cfg(feature = "flex")]
        if let Some(sum) = flex::weighted_sum_of_rows(values, &self.weights) {
            return vec![sum];
        }
        let [_, entries] = values.dims();
        leaves
            .map(|leaf| {
                let of_leaf = self.slice(leaf.clone());
                let values = of_leaf.select(rows_of(values, leaf.clone()));
                of_leaf.weights.reshape([1, leaf.len()]).matmul(values).reshape([entries])
            })
            .collect()
    }

    /// Each row's weight `times` times, one after the other.
    pub fn repeated(&self, times: usize) -> Self {
        let rows = self.rows();
        let weights = self.weights.clone().reshape([rows, 1]).expand([rows, times]).reshape([rows * times]);
        let excluded = self
            .excluded
            .clone()
            .map(|excluded| excluded.reshape([rows, 1]).expand([rows, times]).reshape([rows * times]));
        Self { weights, excluded }
    }

    /// The weights of a range of rows.
    pub fn slice(&self, range: Range<usize>) -> Self {
        if range == (0..self.rows()) {
            return self.clone();
        }
        Self {
            weights: self.weights.clone().slice([range.clone()]),
            excluded: self.excluded.clone().map(|excluded| excluded.slice([range])),
        }
    }
}

fn column<const D: usize, K: burn::tensor::kind::Basic>(values: Tensor<1, K>) -> Tensor<D, K> {
    let mut dims = [1; D];
    dims[0] = values.dims()[0];
    values.reshape(dims)
}
