//! How a normalization cuts its input into rows, and which features the values of a row belong to.

use std::ops::Range;

/// How a normalization layer sees its input: as rows of values that are normalized together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalization {
    /// Values of a row.
    pub(crate) row: usize,
    /// Rows after which the features begin again: the groups of a group normalization.
    pub(crate) groups: usize,
    /// Neighboring values that belong to the same feature: the pixels of a channel.
    pub(crate) run: usize,
    /// What is added to the variance.
    pub(crate) epsilon: f32,
}

impl Normalization {
    pub(super) fn features_of_row(&self, row: usize) -> Range<usize> {
        let features = self.row / self.run;
        let first = row % self.groups * features;
        first..first + features
    }

    /// Rows that one task handles: they fit the nearest caches.
    pub(super) fn rows_of_a_task(&self) -> usize {
        ((1 << 13) / self.row).max(1)
    }
}
