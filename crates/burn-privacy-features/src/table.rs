//! Features of many records, in memory, two bytes each.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::{FeatureError, Result};

/// Features of many records: `[rows, channels, positions]`, in half precision.
///
/// They are as private as the records: whatever is computed from them needs a mechanism.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTable {
    channels: usize,
    positions: usize,
    values: Vec<f16>,
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
    pub fn rows(&self) -> usize {
        self.values.len() / self.width()
    }

    /// Channels of a record.
    pub const fn channels(&self) -> usize {
        self.channels
    }

    /// Numbers in a channel.
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Numbers in a row: channels times positions.
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
    pub fn values(&self) -> &[f16] {
        &self.values
    }

    /// The first rows, and the others.
    ///
    /// # Panics
    ///
    /// If there are fewer than `rows`.
    pub fn split_at(mut self, rows: usize) -> (Self, Self) {
        let rest = self.values.split_off(rows * self.width());
        let Self { channels, positions, .. } = self;
        (self, Self { channels, positions, values: rest })
    }
}
