//! Answers by the nearest rows.

use std::collections::HashMap;

use rayon::prelude::*;

use super::Examples;
use crate::AnonymizeError;

/// Numbers that are compared at once.
const LANES: usize = 8;

/// Distinct rows of features, one after another, each filled up with zeros to whole lanes.
struct Distinct {
    numbers: Vec<f32>,
    width: usize,
    /// For each row of the examples, its place here.
    of_row: Vec<usize>,
}

impl Distinct {
    fn new(examples: &Examples) -> Self {
        let width = examples.features.first().map_or(0, Vec::len).next_multiple_of(LANES);
        let mut places: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut numbers = Vec::new();
        let of_row = examples.features.iter().map(|row| {
            let next = places.len();
            *places.entry(row.iter().map(|number| number.to_bits()).collect()).or_insert_with(|| {
                numbers.extend(row.iter().map(|&number| number as f32));
                numbers.resize((next + 1) * width, 0.0);
                next
            })
        });
        let of_row = of_row.collect();
        Self { numbers, width, of_row }
    }

    fn rows(&self) -> impl IndexedParallelIterator<Item = &[f32]> {
        self.numbers.par_chunks_exact(self.width.max(1))
    }
}

/// The square of the distance of two rows.
fn squared(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (one, other) in one.chunks_exact(LANES).zip(other.chunks_exact(LANES)) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            let apart = one - other;
            *sum += apart * apart;
        }
    }
    sums.iter().sum()
}

/// Answers of the `k` nearest rows. Rows as near as the last of them all count, so that no order of rows decides: a release has many
/// rows alike.
///
/// All distinct rows are looked at, on all processors: a tree over so many features would be slower.
///
/// # Errors
///
/// [`AnonymizeError::Model`] if there are fewer rows than `k`, or if `k` is 0.
pub fn neighbors(training: &Examples, test: &Examples, k: usize) -> Result<Vec<i32>, AnonymizeError> {
    if k == 0 || training.len() < k {
        return Err(AnonymizeError::Model(format!("{k} neighbors were asked for, of {} rows", training.len())));
    }
    let (known, asked) = (Distinct::new(training), Distinct::new(test));
    // Of each distinct row: how many there are, and how many of class 1.
    let mut votes = vec![(0_u64, 0_u64); known.of_row.iter().max().map_or(0, |last| last + 1)];
    for (&place, &class) in known.of_row.iter().zip(&training.classes) {
        votes[place].0 += 1;
        votes[place].1 += u64::from(class > 0);
    }
    let answers: Vec<i32> = asked
        .rows()
        .map_init(Vec::new, |apart: &mut Vec<(f32, u32)>, row| {
            apart.clear();
            let distances = known.numbers.chunks_exact(known.width.max(1)).map(|other| squared(row, other));
            apart.extend(distances.zip(0_u32..));
            // A distinct row is at least one neighbor.
            let near = k.min(apart.len());
            if near < apart.len() {
                let last = apart.select_nth_unstable_by(near - 1, |one, other| one.0.total_cmp(&other.0)).1.0;
                apart.retain(|&(distance, _)| distance <= last);
            }
            apart.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
            vote(apart, &votes, k as u64)
        })
        .collect();
    Ok(asked.of_row.iter().map(|&place| answers[place]).collect())
}

/// The class of most of the first `k` rows and of those as near as the last of them.
fn vote(sorted: &[(f32, u32)], votes: &[(u64, u64)], k: u64) -> i32 {
    let (mut rows, mut ones, mut last) = (0, 0, f32::NAN);
    for &(distance, place) in sorted {
        if rows >= k && distance > last {
            break;
        }
        let (of_place, ones_of_place) = votes[place as usize];
        (rows, ones, last) = (rows + of_place, ones + ones_of_place, distance);
    }
    i32::from(2 * ones > rows)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn answers_are_those_of_all_rows_in_order_of_their_distance() {
        let mut random = StdRng::seed_from_u64(3);
        let mut some = |rows: usize| {
            let mut examples = Examples::default();
            for _ in 0..rows {
                // Few values, so that many rows are alike and many are equally far.
                examples.features.push((0..11).map(|_| f64::from(random.random_range(0..3_u8)) / 2.0).collect());
                examples.classes.push(i32::from(random.random::<bool>()));
            }
            examples
        };
        let (training, test) = (some(300), some(100));
        for k in [1, 2, 7, 64, 300] {
            let answers = neighbors(&training, &test, k).unwrap();
            for (row, answer) in test.features.iter().zip(answers) {
                let apart = |other: &[f64]| -> f64 { row.iter().zip(other).map(|(x, y)| (x - y) * (x - y)).sum() };
                let mut all: Vec<(f64, i32)> =
                    training.features.iter().zip(&training.classes).map(|(row, &class)| (apart(row), class)).collect();
                all.sort_by(|one, other| one.0.total_cmp(&other.0));
                let near: Vec<i32> =
                    all.iter().filter(|(distance, _)| *distance <= all[k - 1].0).map(|(_, class)| *class).collect();
                assert_eq!(answer, i32::from(2 * near.iter().sum::<i32>() > near.len() as i32));
            }
        }
        assert!(neighbors(&training, &test, 301).is_err() && neighbors(&training, &test, 0).is_err());
        assert_eq!(neighbors(&training, &Examples::default(), 3).unwrap(), [0_i32; 0]);
    }
}
