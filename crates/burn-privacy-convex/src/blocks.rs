//! What is public about a row's columns.

use crate::error::invalid;
use crate::{ConvexError, Result};

/// Neighboring columns of a raw row, and what their numbers can be. Other numbers are brought there, each record by itself.
///
/// Zero is always allowed, so that a row that is shortened stays within.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Block {
    /// Numbers from `low` to `high` each; others are clipped.
    Numbers {
        /// How many.
        columns: usize,
        /// The lowest, at most 0.
        low: f64,
        /// The highest, at least 0 and above `low`.
        high: f64,
    },
    /// Numbers from 0 on whose sum is at most 1: a 1 in the column of a record's category, and zeros, or zeros alone for a
    /// reference category without a column. Negative numbers become 0; a larger sum is divided out.
    Categories {
        /// How many have a column.
        columns: usize,
    },
}

impl Block {
    /// Columns of the block.
    pub const fn columns(&self) -> usize {
        match *self {
            Self::Numbers { columns, .. } | Self::Categories { columns } => columns,
        }
    }

    /// Checks the block's numbers.
    pub(crate) fn checked(self) -> Result<Self> {
        if self.columns() == 0 {
            return Err(ConvexError::Empty { what: "columns in a block" });
        }
        if let Self::Numbers { low, high, .. } = self
            && !(low <= 0.0 && high >= 0.0 && low < high && (high - low).is_finite())
        {
            return Err(invalid("a block's range", format!("{low} to {high}"), "finite, with 0 in it, and not empty"));
        }
        Ok(self)
    }

    /// Brings finite numbers of this block's columns to what they can be, up to rounding.
    fn bound(&self, numbers: &mut [f64]) {
        match *self {
            Self::Numbers { low, high, .. } => numbers.iter_mut().for_each(|x| *x = x.clamp(low, high)),
            Self::Categories { .. } => {
                let sum: f64 = numbers.iter().map(|x| x.max(0.0)).sum();
                for x in numbers {
                    *x = x.max(0.0) / sum.max(1.0);
                }
            }
        }
    }
}

/// A row of finite numbers, brought to what its blocks can be.
pub(crate) fn bounded(blocks: &[Block], row: &[f64]) -> Vec<f64> {
    let mut bounded = row.to_vec();
    let mut rest = bounded.as_mut_slice();
    for block in blocks {
        let (columns, others) = rest.split_at_mut(block.columns());
        block.bound(columns);
        rest = others;
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_brought_into_their_blocks() {
        let blocks = [Block::Numbers { columns: 2, low: -1.0, high: 2.0 }, Block::Categories { columns: 3 }];
        for (row, expected) in [
            ([0.5, -0.5, 0.0, 1.0, 0.0], [0.5, -0.5, 0.0, 1.0, 0.0]),
            ([9.0, -9.0, 2.0, 0.0, 2.0], [2.0, -1.0, 0.5, 0.0, 0.5]),
            ([0.0, 0.0, -3.0, 0.25, 0.25], [0.0, 0.0, 0.0, 0.25, 0.25]),
            ([1e308, -1e308, 1e308, 1e308, -1e308], [2.0, -1.0, 0.0, 0.0, 0.0]),
        ] {
            assert_eq!(bounded(&blocks, &row), expected);
        }
    }

    #[test]
    fn impossible_blocks_are_refused() {
        for (low, high) in
            [(0.5, 1.0), (-1.0, -0.5), (0.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-1e308, 1e308)]
        {
            let error = Block::Numbers { columns: 1, low, high }.checked().unwrap_err();
            assert!(error.to_string().starts_with("a block's range is"), "{error}");
        }
        assert!(Block::Categories { columns: 0 }.checked().is_err());
        assert!(Block::Numbers { columns: 1, low: 0.0, high: 1.0 }.checked().is_ok());
    }
}
