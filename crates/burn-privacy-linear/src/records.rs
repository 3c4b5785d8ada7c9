//! Labeled rows of fixed features, on a grid.

use std::fmt;

use rayon::prelude::*;

use crate::exact::FEATURE_ONE;
use crate::{LinearError, Result};

/// Labeled rows of features of norm at most 1, two bytes a number.
///
/// They are as private as the records.
#[derive(Clone)]
pub struct Records {
    dimension: usize,
    classes: usize,
    values: Vec<i16>,
    labels: Vec<u8>,
}

/// What is public: neither a value nor how many there are.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dimension, classes, .. } = self;
        f.debug_struct("Records").field("dimension", dimension).field("classes", classes).finish_non_exhaustive()
    }
}

impl Records {
    /// Rows of `dimension` features, one for each label; `fill` writes row after row, in parallel.
    ///
    /// Rows that are longer than 1 are shortened to it, then each feature is truncated toward zero to a whole multiple of 2^-15; a row
    /// with a number that is not finite becomes zeros. Each record is treated by itself.
    ///
    /// # Errors
    ///
    /// [`LinearError::Invalid`] without features, with fewer than 2 or more than 256 classes, or for a label that is no class.
    pub fn new(
        dimension: usize,
        classes: usize,
        labels: Vec<u8>,
        fill: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Result<Self> {
        Self::check(dimension, classes, &labels)?;
        let mut values = vec![0_i16; dimension * labels.len()];
        let rows = values.par_chunks_exact_mut(dimension).enumerate();
        rows.for_each_init(
            || vec![0.0; dimension],
            |row, (at, out)| {
                row.fill(0.0);
                fill(at, row);
                let norm = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
                if norm.is_finite() {
                    // Truncation covers the rounding of the norm but for this.
                    let factor = FEATURE_ONE * (1.0 - 1e-12) / norm.max(1.0);
                    for (out, &x) in out.iter_mut().zip(row.iter()) {
                        // Of absolute value at most 2^15 (1 - 1e-12), truncated: it fits.
                        *out = (f64::from(x) * factor) as i16;
                    }
                }
            },
        );
        Ok(Self { dimension, classes, values, labels })
    }

    /// What [`new`](Self::new) demands of its numbers.
    pub(crate) fn check(dimension: usize, classes: usize, labels: &[u8]) -> Result<()> {
        if dimension == 0 {
            return Err(LinearError::invalid("the number of features", 0, "at least 1"));
        }
        if !(2..=256).contains(&classes) {
            return Err(LinearError::invalid("the number of classes", classes, "from 2 to 256"));
        }
        if labels.iter().any(|&label| usize::from(label) >= classes) {
            return Err(LinearError::invalid("a label", "no class", "below the number of classes"));
        }
        Ok(())
    }

    /// The number of records: private under add-or-remove-one adjacency.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of a row, without the constant.
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The number of classes.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The class of a record.
    pub fn label(&self, record: usize) -> usize {
        usize::from(self.labels[record])
    }

    /// A row in units of 2^-15.
    pub(crate) fn row(&self, record: usize) -> &[i16] {
        &self.values[record * self.dimension..(record + 1) * self.dimension]
    }

    /// The norm of a row with the constant feature 1, rounded up: from 1 to sqrt(2).
    pub(crate) fn norm_with_constant(&self, record: usize) -> f64 {
        let squares: i64 = self.row(record).iter().map(|&x| i64::from(x) * i64::from(x)).sum();
        (squares as f64 / (FEATURE_ONE * FEATURE_ONE) + 1.0).sqrt().next_up()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_row_is_longer_than_one(row in proptest::collection::vec(-1e3_f32..1e3, 1..50), scale in -8_i32..8) {
            let scale = 10_f32.powi(scale);
            let records = Records::new(row.len(), 2, vec![1], |_, out| {
                for (out, x) in out.iter_mut().zip(&row) {
                    *out = x * scale;
                }
            }).unwrap();
            let squares: i64 = records.row(0).iter().map(|&x| i64::from(x) * i64::from(x)).sum();
            prop_assert!(squares <= 1 << 30);
            prop_assert!((1.0..=2_f64.sqrt() + 1e-15).contains(&records.norm_with_constant(0)));
        }
    }

    #[test]
    fn wrong_labels_and_shapes_are_refused_and_broken_rows_are_zeros() {
        assert!(Records::new(0, 2, vec![0], |_, _| ()).is_err());
        assert!(Records::new(1, 1, vec![0], |_, _| ()).is_err());
        assert!(Records::new(1, 2, vec![2], |_, _| ()).is_err());
        let private = Records::new(1, 2, vec![0; 4_321], |_, row| row.fill(0.75)).unwrap();
        assert_eq!(format!("{private:?}"), "Records { dimension: 1, classes: 2, .. }");
        let records = Records::new(2, 2, vec![0, 1, 0], |at, row| {
            row.copy_from_slice(&[[f32::NAN, 1.0], [f32::INFINITY, 0.0], [3e38, -3e38]][at]);
        });
        let records = records.unwrap();
        assert_eq!((records.row(0), records.row(1)), (&[0, 0][..], &[0, 0][..]));
        assert_eq!(records.row(2), [23_170, -23_170]);
    }
}
