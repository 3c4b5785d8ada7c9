//! What a release is good for: models trained on it and tested on raw rows that it does not hold, beside models that were trained on
//! the raw rows with differential privacy.
//!
//! A generalized cell is taken for what a reader knows of it: each value under its label is equally likely. A column of numbers
//! becomes their mean, any other column the share of each value. A raw row has one value in each column, so that models trained on
//! the one can be asked about the other: with its values, or under the labels of the class that covers it ([`asked_examples`]).
//!
//! The random forest and the support vector machine are those of `smartcore`; the private logistic regression is
//! `burn-privacy-convex`'s objective perturbation. Accuracies on rows that are private are not themselves private.

mod asked_rows;
mod drawn_rows;
mod encoding;
mod models;
mod nearest_rows;
mod tuning;

pub use asked_rows::asked_examples;
pub use drawn_rows::drawn_examples;
pub use encoding::Encoding;
pub use models::{
    ForestSettings, VectorSettings, accuracy, forest, logistic_with_privacy, logistic_without_privacy, support_vectors,
};
pub use nearest_rows::neighbors;
pub use tuning::{Model, tuned};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::AnonymizeError;
use crate::recoding::Recoding;
use crate::table::Table;

/// Rows of features with their class, 0 or 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Examples {
    /// As many numbers a row as the encoding has features.
    pub features: Vec<Vec<f64>>,
    /// The class of each row.
    pub classes: Vec<i32>,
}

impl Examples {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// Its first rows, and the rest.
    pub fn divided(&self, rows: usize) -> (Self, Self) {
        let rows = rows.min(self.len());
        let (features, classes) = (self.features.split_at(rows), self.classes.split_at(rows));
        let of =
            |features: &[Vec<f64>], classes: &[i32]| Self { features: features.to_vec(), classes: classes.to_vec() };
        (of(features.0, classes.0), of(features.1, classes.1))
    }

    /// The first `rows` in an order drawn from a seed.
    pub fn sample(&self, rows: usize, seed: u64) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        order.truncate(rows);
        Self {
            features: order.iter().map(|&row| self.features[row].clone()).collect(),
            classes: order.iter().map(|&row| self.classes[row]).collect(),
        }
    }
}

/// A table divided at random: the part to release, and the rows to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// The part to release. Its sensitive column is the target.
    pub training: Table,
    /// The other rows.
    pub held_out: Table,
    /// The same, raw, as examples.
    pub test: Examples,
}

/// Divides a table, whose sensitive column is the target and has two values, by a seed: about `test_share` of the rows to test on.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] without such a target, or for a share outside (0, 1).
pub fn split(table: &Table, encoding: &Encoding, test_share: f64, seed: u64) -> Result<Split, AnonymizeError> {
    if !(test_share > 0.0 && test_share < 1.0) {
        return Err(AnonymizeError::parameter("the share of test rows", test_share, "between 0 and 1"));
    }
    let values = table.sensitive().map_or(0, |target| target.values.len());
    if values != 2 {
        return Err(AnonymizeError::parameter("the number of the target's values", values, "2"));
    }
    let mut random = StdRng::seed_from_u64(seed);
    let mut left = vec![0; table.tuples()];
    for (tuple, left) in left.iter_mut().enumerate() {
        *left = (0..table.count(tuple)).filter(|_| random.random::<f64>() >= test_share).count() as u64;
    }
    let out: Vec<u64> = (0..table.tuples()).map(|tuple| table.count(tuple) - left[tuple]).collect();
    let ((training, _), (held_out, _)) = (table.part(&left), table.part(&out));
    let test = raw_in_order(&held_out, encoding);
    Ok(Split { training, held_out, test })
}

/// The rows of a table as they are, in an order drawn from a seed.
pub fn raw_examples(table: &Table, encoding: &Encoding, seed: u64) -> Examples {
    raw_in_order(table, encoding).sample(usize::MAX, seed)
}

fn raw_in_order(table: &Table, encoding: &Encoding) -> Examples {
    let mut examples = Examples::default();
    for tuple in 0..table.tuples() {
        let cells: Vec<(usize, u32)> = table.tuple(tuple).iter().map(|&leaf| (0, leaf)).collect();
        for _ in 0..table.count(tuple) {
            examples.features.push(encoding.features(&cells));
            examples.classes.push(class(table, tuple));
        }
    }
    examples
}

/// The rows of a release, in an order drawn from a seed.
pub fn released_examples(table: &Table, recoding: &Recoding, encoding: &Encoding, seed: u64) -> Examples {
    let mut examples = Examples::default();
    for tuple in 0..table.tuples() {
        for &(place, rows) in recoding.assigned(tuple) {
            for _ in 0..rows {
                examples.features.push(encoding.features(&recoding.classes()[place].cells));
                examples.classes.push(class(table, tuple));
            }
        }
    }
    examples.sample(usize::MAX, seed)
}

fn class(table: &Table, tuple: usize) -> i32 {
    table.sensitive_code(tuple).map_or(0, |code| i32::from(code > 0))
}
