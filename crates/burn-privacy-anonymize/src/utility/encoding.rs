//! Cells as numbers, generalized or not.

use crate::table::{Column, Hierarchy, Table};

/// What a column becomes.
#[derive(Debug, Clone, PartialEq)]
enum Feature {
    /// Its numbers, brought to 0 to 1 by the lowest and the highest that the hierarchy knows.
    Number { scaled: Vec<f64> },
    /// The share of each value.
    Shares { values: usize },
}

/// How the cells of a table become numbers. It rests on the hierarchies alone, which are public.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    columns: Vec<(Hierarchy, Feature)>,
}

impl Encoding {
    /// The encoding of a table's quasi-identifiers.
    pub fn new(table: &Table) -> Self {
        Self { columns: table.columns().iter().map(|column| (column.hierarchy.clone(), feature(column))).collect() }
    }

    /// Number of features of a row.
    pub fn width(&self) -> usize {
        self.blocks().map(|block| block.unwrap_or(1)).sum()
    }

    /// For each column in turn: `None` for one number from 0 to 1, or how many shares it has, which sum to 1.
    pub fn blocks(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.columns.iter().map(|(_, feature)| match feature {
            Feature::Number { .. } => None,
            Feature::Shares { values } => Some(*values),
        })
    }

    /// The features of a row's cells: level and code of each.
    pub fn features(&self, cells: &[(usize, u32)]) -> Vec<f64> {
        let mut features = Vec::with_capacity(self.width());
        for ((hierarchy, feature), &(level, code)) in self.columns.iter().zip(cells) {
            let under = hierarchy.codes_at(level).iter().map(|&of_leaf| of_leaf == code);
            let leaves = under.clone().filter(|under| *under).count().max(1) as f64;
            match feature {
                Feature::Number { scaled } => {
                    let sum: f64 = scaled.iter().zip(under).filter(|(_, under)| *under).map(|(value, _)| value).sum();
                    features.push(sum / leaves);
                }
                Feature::Shares { .. } => features.extend(under.map(|under| if under { 1.0 / leaves } else { 0.0 })),
            }
        }
        features
    }
}

fn feature(column: &Column) -> Feature {
    let leaves = column.hierarchy.leaves();
    let number = |leaf: usize| {
        column.hierarchy.label(0, leaf as u32).trim().parse().ok().filter(|value: &f64| value.is_finite())
    };
    let Some(numbers) = (0..leaves).map(number).collect::<Option<Vec<f64>>>() else {
        return Feature::Shares { values: leaves };
    };
    let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = if high > low { high - low } else { 1.0 };
    Feature::Number { scaled: numbers.into_iter().map(|value| (value - low) / width).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stand_for_the_values_under_them() {
        let column = |name: &str, lines: &[&str]| {
            let lines: Vec<Vec<String>> =
                lines.iter().map(|line| line.split(';').map(str::to_owned).collect()).collect();
            Column { name: name.to_owned(), hierarchy: Hierarchy::new(name, &lines).unwrap() }
        };
        let columns =
            vec![column("age", &["20;low;*", "30;low;*", "60;high;*"]), column("city", &["Bonn;*", "Kiel;*"])];
        let encoding = Encoding::new(&Table::from_tuples(columns, None, []).unwrap());
        assert_eq!((encoding.width(), encoding.blocks().collect::<Vec<_>>()), (3, vec![None, Some(2)]));
        assert_eq!(encoding.features(&[(0, 1), (0, 1)]), [0.25, 0.0, 1.0]);
        assert_eq!(encoding.features(&[(1, 0), (1, 0)]), [0.125, 0.5, 0.5]);
    }
}
