//! Features of many records, in memory, two bytes each.

use std::fmt;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::{FeatureError, Result};

/// Neighboring channels of a record that have equally many numbers: the features of one transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePart {
    /// Channels.
    pub channels: usize,
    /// Numbers in each of them.
    pub positions: usize,
}

impl TablePart {
    /// Numbers of a record.
    pub const fn width(&self) -> usize {
        self.channels.saturating_mul(self.positions)
    }
}

/// Features of many records: `[rows, channels, positions]`, in half precision; [joined](Self::joined) ones have several such parts a
/// row.
///
/// They are as private as the records: whatever is computed from them needs a mechanism.
#[derive(Clone, PartialEq)]
pub struct FeatureTable {
    parts: Vec<TablePart>,
    values: Vec<f16>,
}

/// What is public: neither a feature nor how many records there are.
impl fmt::Debug for FeatureTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureTable").field("parts", &self.parts).finish_non_exhaustive()
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
        let part = TablePart { channels, positions };
        let width = part.width();
        if width == 0 {
            return Err(FeatureError::invalid("the number of features", 0, "at least 1"));
        }
        if !values.len().is_multiple_of(width) {
            let expected = values.len().next_multiple_of(width);
            return Err(FeatureError::Length { what: "features", given: values.len(), expected });
        }
        Ok(Self { parts: vec![part], values })
    }

    /// Each record's features of all the tables, one behind the other: those of several transforms of the same records.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] unless all have the same number of rows; [`FeatureError::Invalid`] without a table.
    pub fn joined(tables: &[Self]) -> Result<Self> {
        let Some(first) = tables.first() else {
            return Err(FeatureError::invalid("the number of tables", 0, "at least 1"));
        };
        if let Some(other) = tables.iter().find(|table| table.rows() != first.rows()) {
            let (given, expected) = (other.rows(), first.rows());
            return Err(FeatureError::Length { what: "rows of a joined table", given, expected });
        }
        let mut values = Vec::with_capacity(tables.iter().map(|table| table.values.len()).sum());
        for row in 0..first.rows() {
            for table in tables {
                values.extend_from_slice(&table.values[row * table.width()..(row + 1) * table.width()]);
            }
        }
        Ok(Self { parts: tables.iter().flat_map(|table| table.parts.clone()).collect(), values })
    }

    /// The number of records.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width()
    }

    /// Channels of a record.
    pub fn channels(&self) -> usize {
        self.parts.iter().map(|part| part.channels).sum()
    }

    /// The parts of a row, one behind the other.
    pub fn parts(&self) -> &[TablePart] {
        &self.parts
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.parts.iter().map(TablePart::width).sum()
    }

    /// One record's features, `[channels, positions]` of part after part.
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
        let parts = self.parts.clone();
        (self, Self { parts, values: rest })
    }
}

/// The numbers of each channel of a row, in order.
///
/// # Panics
///
/// If the row is shorter than its parts.
pub(crate) fn channels_of<'a>(parts: &'a [TablePart], mut row: &'a [f32]) -> impl Iterator<Item = &'a [f32]> {
    parts.iter().flat_map(move |part| {
        let (own, rest) = row.split_at(part.width());
        row = rest;
        own.chunks_exact(part.positions)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(channels: usize, positions: usize, rows: usize, first: f32) -> FeatureTable {
        let values = (0..channels * positions * rows).map(|at| f16::from_f32(first + at as f32)).collect();
        FeatureTable::new(channels, positions, values).unwrap()
    }

    #[test]
    fn what_is_printed_of_a_table_is_public() {
        let table = FeatureTable::new(2, 3, vec![f16::from_f32(0.75); 6 * 4_321]).unwrap();
        assert_eq!(format!("{table:?}"), "FeatureTable { parts: [TablePart { channels: 2, positions: 3 }], .. }");
    }

    #[test]
    fn joined_rows_are_one_behind_the_other() {
        let (a, b) = (table(2, 1, 3, 0.0), table(1, 3, 3, 100.0));
        let both = FeatureTable::joined(&[a.clone(), b.clone()]).unwrap();
        assert_eq!((both.rows(), both.channels(), both.width()), (3, 3, 5));
        let mut row = [0.0; 5];
        both.read_row(1, &mut row);
        assert_eq!(row, [2.0, 3.0, 103.0, 104.0, 105.0]);
        let channels: Vec<&[f32]> = channels_of(both.parts(), &row).collect();
        assert_eq!(channels, [&row[..1], &row[1..2], &row[2..]]);
        let (first, rest) = both.split_at(2);
        assert_eq!((first.rows(), rest.rows(), rest.parts().len()), (2, 1, 2));
        assert_eq!(FeatureTable::joined(std::slice::from_ref(&a)).unwrap(), a);
        assert!(FeatureTable::joined(&[]).is_err() && FeatureTable::joined(&[a, table(1, 1, 2, 0.0)]).is_err());
    }
}
