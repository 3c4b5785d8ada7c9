//! New rows as a release would show them, so that a model that was trained on labels is asked about labels.

use rayon::prelude::*;

use super::{Encoding, Examples, class};
use crate::recoding::{RecodedClass, Recoding};
use crate::table::Table;

/// Rows that a release does not hold, each under the labels of one of its classes: of those that cover the row the one that loses
/// least, else the one whose labels have to be widened least until they do. It takes the release and the row, and nothing else: whoever
/// has a release can do it.
pub fn asked_examples(rows: &Table, release: &Recoding, encoding: &Encoding) -> Examples {
    let losses: Vec<f64> = release.classes().iter().map(|class| loss(rows, &class.cells)).collect();
    let features: Vec<Vec<f64>> = (0..rows.tuples())
        .into_par_iter()
        .map(|tuple| {
            let mut nearest = (f64::INFINITY, f64::INFINITY);
            let mut cells: Vec<(usize, u32)> = rows.tuple(tuple).iter().map(|&leaf| (0, leaf)).collect();
            for (class, &loss) in release.classes().iter().zip(&losses) {
                if let Some(wider) = widening(rows, class, rows.tuple(tuple), nearest.0)
                    && (wider, loss) < nearest
                {
                    nearest = (wider, loss);
                    cells.clone_from(&class.cells);
                }
            }
            encoding.features(&cells)
        })
        .collect();
    let mut examples = Examples::default();
    for (tuple, features) in features.into_iter().enumerate() {
        for _ in 0..rows.count(tuple) {
            examples.features.push(features.clone());
            examples.classes.push(class(rows, tuple));
        }
    }
    examples
}

/// Loss of a class's row, summed over columns.
fn loss(table: &Table, cells: &[(usize, u32)]) -> f64 {
    cells.iter().zip(table.columns()).map(|(&(level, code), column)| column.hierarchy.loss(level, code)).sum()
}

/// What it would cost a class to cover a row: 0 if it does. Nothing above `most`, or where no label covers both.
fn widening(table: &Table, class: &RecodedClass, row: &[u32], most: f64) -> Option<f64> {
    let mut sum = 0.0;
    for ((&(level, code), &leaf), column) in class.cells.iter().zip(row).zip(table.columns()) {
        let hierarchy = &column.hierarchy;
        if hierarchy.generalize(leaf, level) == code {
            continue;
        }
        let under = hierarchy.codes_at(level).iter().position(|&of_leaf| of_leaf == code)? as u32;
        let joint = hierarchy.common_level(under, leaf)?;
        sum += hierarchy.loss(joint, hierarchy.generalize(leaf, joint)) - hierarchy.loss(level, code);
        if sum > most {
            return None;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Hierarchy, Sensitive};

    #[test]
    fn rows_are_asked_about_under_the_least_class_that_covers_them() {
        let lines: Vec<Vec<String>> = ["0;low;*", "1;low;*", "2;high;*", "3;high;*", "4;top;*"]
            .map(|line| line.split(';').map(str::to_owned).collect())
            .to_vec();
        let column = || Column { name: "a".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        let target = || Sensitive { name: "t".to_owned(), values: vec!["no".to_owned(), "yes".to_owned()] };
        let released = [(vec![0, 0], 2), (vec![2, 0], 1), (vec![3, 1], 1)];
        let table = Table::from_tuples(vec![column()], Some(target()), released).unwrap();
        // 0 as it is; 2 and 3 as "high"; and a class of everything.
        let classes = [(0, 0), (1, 1), (2, 0)].map(|cell| RecodedClass { cells: vec![cell], rows: 2 }).to_vec();
        let release = Recoding::of_parts(classes, vec![vec![(0, 2)], vec![(1, 1)], vec![(1, 1)]]);
        let encoding = Encoding::new(&table);
        let asked = |leaf: u32| {
            let rows = Table::from_tuples(vec![column()], Some(target()), [(vec![leaf, 1], 3)]).unwrap();
            let examples = asked_examples(&rows, &release, &encoding);
            assert_eq!(examples.classes, [1, 1, 1]);
            examples.features[0][0]
        };
        assert_eq!([asked(0), asked(2), asked(3)], [0.0, 0.625, 0.625]);
        // Only the widest covers them.
        assert_eq!([asked(1), asked(4)], [0.5, 0.5]);
        // Without it, 1 is nearest to 0 and 4 to neither: both have to be widened to everything, "high" by less.
        let classes = [(0, 0), (1, 1)].map(|cell| RecodedClass { cells: vec![cell], rows: 2 }).to_vec();
        let release = Recoding::of_parts(classes, vec![vec![(0, 2)], vec![(1, 1)], vec![(1, 1)]]);
        let asked = |leaf: u32| {
            let rows = Table::from_tuples(vec![column()], Some(target()), [(vec![leaf, 0], 1)]).unwrap();
            asked_examples(&rows, &release, &encoding).features[0][0]
        };
        assert_eq!([asked(1), asked(4)], [0.0, 0.625]);
    }
}
