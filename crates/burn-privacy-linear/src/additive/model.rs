//! An additive model, as it was released.

use super::Column;

/// A score for each bin of each column.
#[derive(Clone, Debug, PartialEq)]
pub struct AdditiveModel {
    pub(super) offset: f64,
    pub(super) scores: Vec<Vec<f64>>,
}

impl AdditiveModel {
    /// All scores 0.
    pub(super) fn new(columns: &[Column], offset: f64) -> Self {
        Self { offset, scores: columns.iter().map(|column| vec![0.0; column.bins]).collect() }
    }

    /// The logarithm of the odds of the positive class for a record's bins: above 0 it is the likelier one. A bin beyond a column's last
    /// counts as the last; columns without a bin count nothing.
    pub fn score(&self, bins: &[u8]) -> f64 {
        let each = self.scores.iter().zip(bins).map(|(scores, &bin)| scores[usize::from(bin).min(scores.len() - 1)]);
        self.offset + each.sum::<f64>()
    }

    /// The curve of each column: what a bin adds to the logarithm of the odds.
    pub fn curves(&self) -> &[Vec<f64>] {
        &self.scores
    }

    /// The logarithm of the odds where all columns add nothing.
    pub const fn offset(&self) -> f64 {
        self.offset
    }
}
