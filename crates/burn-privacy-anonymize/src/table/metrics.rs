//! What a generalization costs: the four quality models that ARX calls loss, discernibility, average class size and
//! non-uniform entropy. Smaller is better in all of them.

use super::dataset::Table;
use super::equivalence_classes::Partition;

/// A quality model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Mean over columns and rows of (values under the label - 1) / (values - 1), the normalized certainty penalty (Xu
    /// et al. 2006); a suppressed cell costs 1.
    Loss,
    /// Sum of the squared class sizes; a suppressed row costs as many as there are rows (Bayardo and Agrawal 2005).
    Discernibility,
    /// Rows over classes, all suppressed rows being one class (LeFevre et al. 2006, without the division by k).
    AverageClassSize,
    /// Bits that generalization hides, by the columns' own frequencies (Gionis and Tassa 2009), summed over columns, plus
    /// for suppressed rows the bits of their generalized values within the suppressed.
    Entropy,
}

/// A partition's quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// The metric's value.
    pub value: f64,
    /// Rows that are suppressed.
    pub suppressed: u64,
    /// Classes that are released.
    pub classes: u64,
    /// Rows of the smallest released class, 0 if none is.
    pub class_min: u64,
    /// Rows of the largest released class, 0 if none is.
    pub class_max: u64,
}

/// The bits of a column's values given their label on a level: sum of n(value) log2 (n(label) / n(value)).
pub(crate) fn generalization_entropy(by_leaf: &[u64], by_label: &[u64], codes: &[u32]) -> f64 {
    by_leaf
        .iter()
        .zip(codes)
        .filter(|(count, _)| **count > 0)
        .map(|(&count, &code)| count as f64 * (by_label[code as usize] as f64 / count as f64).log2())
        .sum()
}

/// The bits of a histogram: sum of n log2 (total / n).
pub(crate) fn histogram_bits(counts: impl Iterator<Item = u64> + Clone) -> f64 {
    let total: u64 = counts.clone().sum();
    counts.filter(|&count| count > 0).map(|count| count as f64 * (total as f64 / count as f64).log2()).sum()
}

impl Metric {
    /// The metric's value for a partition of a table, with the sizes of the classes.
    pub fn quality(self, table: &Table, partition: &Partition) -> Quality {
        let suppressed = partition.suppressed();
        let sizes = || partition.released().map(|class| class.rows);
        let classes = sizes().count() as u64;
        let value = match self {
            Self::Loss => loss(table, partition, suppressed),
            Self::Discernibility => {
                let squares: u128 = sizes().map(|rows| u128::from(rows) * u128::from(rows)).sum();
                (squares + u128::from(suppressed) * u128::from(table.rows())) as f64
            }
            Self::AverageClassSize => match classes + u64::from(suppressed > 0) {
                0 => 0.0,
                groups => table.rows() as f64 / groups as f64,
            },
            Self::Entropy => entropy(table, partition),
        };
        Quality {
            value,
            suppressed,
            classes,
            class_min: sizes().min().unwrap_or(0),
            class_max: sizes().max().unwrap_or(0),
        }
    }
}

fn loss(table: &Table, partition: &Partition, suppressed: u64) -> f64 {
    let columns = table.columns();
    if columns.is_empty() || table.rows() == 0 {
        return 0.0;
    }
    let mut sum = suppressed as f64 * columns.len() as f64;
    for class in partition.released() {
        let cells = class.codes.iter().zip(columns).zip(&partition.levels);
        let of_row: f64 = cells.map(|((&code, column), &level)| column.hierarchy.loss(level, code)).sum();
        sum += class.rows as f64 * of_row;
    }
    sum / (columns.len() as f64 * table.rows() as f64)
}

fn entropy(table: &Table, partition: &Partition) -> f64 {
    let mut bits = 0.0;
    for (place, (column, &level)) in table.columns().iter().zip(&partition.levels).enumerate() {
        let mut by_leaf = vec![0; column.hierarchy.leaves()];
        let mut by_label = vec![0; column.hierarchy.labels_at(level)];
        for index in 0..table.tuples() {
            let leaf = table.tuple(index)[place];
            by_leaf[leaf as usize] += table.count(index);
            by_label[column.hierarchy.generalize(leaf, level) as usize] += table.count(index);
        }
        bits += generalization_entropy(&by_leaf, &by_label, column.hierarchy.codes_at(level));
        let mut suppressed = vec![0_u64; by_label.len()];
        for class in partition.classes.iter().filter(|class| !class.released) {
            suppressed[class.codes[place] as usize] += class.rows;
        }
        bits += histogram_bits(suppressed.iter().copied());
    }
    bits
}
