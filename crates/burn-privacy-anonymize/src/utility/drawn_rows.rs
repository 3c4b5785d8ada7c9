//! Rows drawn from what a release shows: for each cell a value under its label, so that a model that will be asked about values is
//! trained on values.

use std::collections::HashMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Encoding, Examples, class};
use crate::recoding::Recoding;
use crate::table::{Hierarchy, Table};

/// Each released row `draws` times, with values drawn under its labels, in an order drawn from a seed.
///
/// Values under a label are equally likely with 0 `rounds`. Else each column's values are as likely as that many rounds of
/// expectation maximization over the release's labels find: no more is used than the release shows.
pub fn drawn_examples(
    table: &Table,
    recoding: &Recoding,
    encoding: &Encoding,
    draws: usize,
    rounds: usize,
    seed: u64,
) -> Examples {
    let mut random = StdRng::seed_from_u64(seed);
    let weights: Vec<Vec<f64>> =
        (0..table.columns().len()).map(|column| likely(table, recoding, column, rounds)).collect();
    let mut examples = Examples::default();
    for tuple in 0..table.tuples() {
        for &(place, rows) in recoding.assigned(tuple) {
            let cells = &recoding.classes()[place].cells;
            for _ in 0..rows * draws as u64 {
                let drawn: Vec<(usize, u32)> = table
                    .columns()
                    .iter()
                    .zip(&weights)
                    .zip(cells)
                    .map(|((column, weights), &cell)| {
                        (0, drawn(&column.hierarchy, weights, cell, random.random::<f64>()))
                    })
                    .collect();
                examples.features.push(encoding.features(&drawn));
                examples.classes.push(class(table, tuple));
            }
        }
    }
    examples.sample(usize::MAX, seed)
}

/// The leaf under a label at which the sum of weights passes a share of the label's.
fn drawn(hierarchy: &Hierarchy, weights: &[f64], (level, code): (usize, u32), share: f64) -> u32 {
    let under =
        || hierarchy.codes_at(level).iter().zip(weights).enumerate().filter(|(_, (of_leaf, _))| **of_leaf == code);
    let mut left = share * under().map(|(_, (_, weight))| weight).sum::<f64>();
    let mut last = 0;
    for (leaf, (_, weight)) in under() {
        last = leaf as u32;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// How likely each value of a column is.
fn likely(table: &Table, recoding: &Recoding, column: usize, rounds: usize) -> Vec<f64> {
    let hierarchy = &table.columns()[column].hierarchy;
    let mut shown: HashMap<(usize, u32), u64> = HashMap::new();
    for class in recoding.classes() {
        *shown.entry(class.cells[column]).or_insert(0) += class.rows;
    }
    let mut weights = vec![1.0; hierarchy.leaves()];
    for _ in 0..rounds {
        let mut next = vec![0.0; weights.len()];
        for (&(level, code), &rows) in &shown {
            let of_leaf = hierarchy.codes_at(level);
            let under = || (0..weights.len()).filter(|&leaf| of_leaf[leaf] == code);
            let sum: f64 = under().map(|leaf| weights[leaf]).sum();
            under().for_each(|leaf| next[leaf] += rows as f64 * weights[leaf] / sum.max(f64::MIN_POSITIVE));
        }
        // A value that no row needs stays possible, so that no label is without one.
        weights = next.into_iter().map(|weight| weight + 1e-9).collect();
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recoding::RecodedClass;
    use crate::table::{Column, Sensitive};

    #[test]
    fn values_lie_under_their_labels_and_are_as_likely_as_the_release_shows() {
        let lines: Vec<Vec<String>> = ["1;low;*", "2;low;*", "3;high;*", "4;high;*"]
            .map(|line| line.split(';').map(str::to_owned).collect())
            .to_vec();
        let column = Column { name: "a".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        let target = Sensitive { name: "t".to_owned(), values: vec!["no".to_owned(), "yes".to_owned()] };
        // 300 rows show 1, 100 show "low", 100 show "high".
        let rows = [(vec![0, 0], 300), (vec![1, 0], 100), (vec![2, 1], 100)];
        let table = Table::from_tuples(vec![column], Some(target), rows).unwrap();
        let cells = |tuple: usize| match table.tuple(tuple)[0] {
            0 => (0, 0),
            1 => (1, 0),
            _ => (1, 1),
        };
        let classes =
            (0..3).map(|tuple| RecodedClass { cells: vec![cells(tuple)], rows: table.count(tuple) }).collect();
        let assigned = (0..3).map(|tuple| vec![(tuple, table.count(tuple))]).collect();
        let recoding = Recoding::of_parts(classes, assigned);
        let encoding = Encoding::new(&table);
        for (rounds, share) in [(0, 0.5), (50, 1.0)] {
            let drawn = drawn_examples(&table, &recoding, &encoding, 20, rounds, 7);
            assert_eq!(drawn.len(), 10_000);
            let count = |value: f64| drawn.features.iter().filter(|row| (row[0] - value).abs() < 1e-9).count() as f64;
            // 6,000 rows show 1, and of 2,000 that show "low" a share are 1; five standard deviations of coins.
            assert!((count(0.0) - 6_000.0 - 2_000.0 * share).abs() < 130.0, "{rounds}: {}", count(0.0));
            assert_eq!(count(2.0 / 3.0) + count(1.0), 2_000.0);
        }
    }
}
