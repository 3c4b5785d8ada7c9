//! Features of many records, in memory, two bytes each.

use std::fmt;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::{FeatureError, Result};

/// Features of many records: `[rows, channels, positions]`, in half precision.
///
/// They are as private as the records: whatever is computed from them needs a mechanism.
#[derive(Clone, PartialEq)]
pub struct FeatureTable {
    channels: usize,
    positions: usize,
    values: Vec<f16>,
}

/// What is public: neither a feature nor how many records there are.
impl fmt::Debug for FeatureTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channels, positions, .. } = self;
        f.debug_struct("FeatureTable").field("channels", channels).field("positions", positions).finish_non_exhaustive()
    }
}

impl FeatureTable {
    /// A table of `values`, `[rows, channels, positions]`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] without channels or positions; [`FeatureError::Length`] if the values are no whole number of
    /// rows.
    pub fn new(channels: usize, positions: usize, values: Vec<f16>) -> Result<Self> {
        let width = channels.saturating_mul(positions);
        if width == 0 {
            return Err(FeatureError::invalid("the number of features", 0, "at least 1"));
        }
        if !values.len().is_multiple_of(width) {
            let expected = values.len().next_multiple_of(width);
            return Err(FeatureError::Length { what: "features", given: values.len(), expected });
        }
        Ok(Self { channels, positions, values })
    }

    /// The number of records.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.width()
    }

    /// Channels of a record.
    #[must_use]
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Numbers in a channel.
    #[must_use]
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Numbers in a row: channels times positions.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.channels * self.positions
    }

    /// One record's features, `[channels, positions]`.
    ///
    /// # Panics
    ///
    /// If there is no such row, or `out` is not of its width.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        self.values[row * self.width()..(row + 1) * self.width()].convert_to_f32_slice(out);
    }

    /// All values, `[rows, channels, positions]`.
    #[must_use]
    pub fn values(&self) -> &[f16] {
        &self.values
    }

    /// The first rows, and the others.
    ///
    /// # Panics
    ///
    /// If there are fewer than `rows`.
    #[must_use]
    pub fn split_at(mut self, rows: usize) -> (Self, Self) {
        let rest = self.values.split_off(rows * self.width());
        let Self { channels, positions, .. } = self;
        (self, Self { channels, positions, values: rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_of_a_table_is_public() {
        let table = FeatureTable::new(2, 3, vec![f16::from_f32(0.75); 6 * 4_321]).unwrap();
        assert_eq!(format!("{table:?}"), "FeatureTable { channels: 2, positions: 3, .. }");
    }
}
