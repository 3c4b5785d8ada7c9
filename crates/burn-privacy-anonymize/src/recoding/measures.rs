//! What a recoding costs, by the measures of the literature, and how far the columns' distributions moved.

use super::Recoding;
use crate::table::Table;

/// What a recoding costs. Suppressed rows count in all of them, as if all their cells were at the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// Rows of the table.
    pub rows: u64,
    /// Rows that are not released.
    pub suppressed: u64,
    /// Classes that are released.
    pub classes: u64,
    /// Rows of the smallest class.
    pub class_min: u64,
    /// Rows of the largest class.
    pub class_max: u64,
    /// Rows over classes, all suppressed rows being one class (LeFevre et al. 2006, without the division by k).
    pub average_class_size: f64,
    /// Sum of squared class sizes, a suppressed row counting as many as there are rows (Bayardo and Agrawal 2005).
    pub discernibility: f64,
    /// Mean loss of a cell, the normalized certainty penalty (Xu et al. 2006).
    pub loss: f64,
    /// One less the mean of level over highest level (Sweeney 2002); a suppressed row is at the highest.
    pub precision: f64,
    /// Bits that the labels hide, by each column's own frequencies, summed over cells (Gionis and Tassa 2009).
    pub entropy: f64,
    /// By column, in the table's order.
    pub columns: Vec<ColumnMeasures>,
}

/// What a recoding costs in one column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnMeasures {
    /// Its name.
    pub name: String,
    /// Mean loss of its cells.
    pub loss: f64,
    /// Mean level of its cells.
    pub level: f64,
    /// Its highest level.
    pub highest_level: usize,
    /// Bits hidden a cell.
    pub bits: f64,
    /// Kullback-Leibler divergence, in bits, of the column's distribution from the one that a reader of the release infers who
    /// takes all values under a label for equally likely.
    pub divergence: f64,
}

impl Measures {
    /// Measures a recoding of a table.
    pub fn new(table: &Table, recoding: &Recoding) -> Self {
        let rows = table.rows();
        let suppressed = rows - recoding.released_rows();
        let sizes = || recoding.classes().iter().map(|class| class.rows);
        let classes = sizes().count() as u64;
        let groups = classes + u64::from(suppressed > 0);
        let squares: u128 = sizes().map(|size| u128::from(size) * u128::from(size)).sum();
        let columns: Vec<ColumnMeasures> =
            (0..table.columns().len()).map(|place| ColumnMeasures::new(table, recoding, place)).collect();
        let heights = columns.iter().map(|column| column.level / column.highest_level.max(1) as f64);
        let mean_height = if columns.is_empty() { 0.0 } else { heights.sum::<f64>() / columns.len() as f64 };
        Self {
            rows,
            suppressed,
            classes,
            class_min: sizes().min().unwrap_or(0),
            class_max: sizes().max().unwrap_or(0),
            average_class_size: if groups > 0 { rows as f64 / groups as f64 } else { 0.0 },
            discernibility: (squares + u128::from(suppressed) * u128::from(rows)) as f64,
            loss: recoding.loss(table),
            precision: 1.0 - mean_height,
            entropy: columns.iter().map(|column| column.bits).sum::<f64>() * rows as f64,
            columns,
        }
    }
}

impl ColumnMeasures {
    fn new(table: &Table, recoding: &Recoding, place: usize) -> Self {
        let column = &table.columns()[place];
        let hierarchy = &column.hierarchy;
        let top = hierarchy.levels() - 1;
        let leaf = |tuple: usize| table.tuple(tuple)[place];
        let mut by_leaf = vec![0_u64; hierarchy.leaves()];
        (0..table.tuples()).for_each(|tuple| by_leaf[leaf(tuple) as usize] += table.count(tuple));
        // Rows and leaves under each label, by level.
        let under = |level: usize| {
            let mut rows = vec![(0_u64, 0_u64); hierarchy.labels_at(level)];
            for (count, &code) in by_leaf.iter().zip(hierarchy.codes_at(level)) {
                rows[code as usize].0 += count;
                rows[code as usize].1 += 1;
            }
            rows
        };
        let labels: Vec<Vec<(u64, u64)>> = (0..hierarchy.levels()).map(under).collect();
        let (mut loss, mut levels, mut bits) = (0.0, 0.0, 0.0);
        // Rows that show each label, for what a reader infers; suppressed ones show the top.
        let mut shown: Vec<Vec<u64>> = labels.iter().map(|labels| vec![0; labels.len()]).collect();
        for tuple in 0..table.tuples() {
            let mut left = table.count(tuple);
            let own = by_leaf[leaf(tuple) as usize] as f64;
            let mut count = |(level, code): (usize, u32), rows: u64, loss_of_cell: f64| {
                loss += loss_of_cell * rows as f64;
                levels += level as f64 * rows as f64;
                bits += (labels[level][code as usize].0 as f64 / own).log2() * rows as f64;
                shown[level][code as usize] += rows;
            };
            for &(class, rows) in recoding.assigned(tuple) {
                let (level, code) = recoding.classes()[class].cells[place];
                count((level, code), rows, hierarchy.loss(level, code));
                left -= rows;
            }
            count((top, hierarchy.generalize(leaf(tuple), top)), left, 1.0);
        }
        let mut inferred = vec![0.0; hierarchy.leaves()];
        for (level, shown) in shown.iter().enumerate() {
            for (leaf, &code) in hierarchy.codes_at(level).iter().enumerate() {
                inferred[leaf] += shown[code as usize] as f64 / labels[level][code as usize].1 as f64;
            }
        }
        let rows = (table.rows() as f64).max(1.0);
        let divergence = by_leaf
            .iter()
            .zip(&inferred)
            .filter(|(count, _)| **count > 0)
            .map(|(&count, inferred)| count as f64 / rows * (count as f64 / inferred).log2())
            .sum::<f64>()
            .max(0.0);
        Self {
            name: column.name.clone(),
            loss: loss / rows,
            level: levels / rows,
            highest_level: top,
            bits: bits / rows,
            divergence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Hierarchy, Metric, Partition, PrivacyModel};

    fn table() -> Table {
        let lines =
            ["1;low;*", "2;low;*", "3;high;*", "4;high;*"].map(|line| line.split(';').map(str::to_owned).collect());
        let column = Column { name: "a".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        Table::from_tuples(vec![column], None, [(vec![0], 3), (vec![1], 1), (vec![2], 1), (vec![3], 1)]).unwrap()
    }

    #[test]
    fn full_domain_measures_are_the_searchs_metrics() {
        let table = table();
        for k in [1, 2, 3] {
            let partition = Partition::full_domain(&table, &[1], &[PrivacyModel::KAnonymity { k }]).unwrap();
            let measures = Measures::new(&table, &Recoding::full_domain(&table, &partition));
            let value = |metric: Metric| metric.quality(&table, &partition).value;
            assert!((measures.loss - value(Metric::Loss)).abs() < 1e-12, "k {k}");
            assert_eq!(measures.discernibility, value(Metric::Discernibility));
            assert_eq!(measures.average_class_size, value(Metric::AverageClassSize));
            // Suppressed rows count as generalized to the top here, and by their own labels there.
            if measures.suppressed == 0 {
                assert!((measures.entropy - value(Metric::Entropy)).abs() < 1e-12);
                assert_eq!(measures.precision, 0.5);
            }
        }
    }

    #[test]
    fn what_a_reader_infers_is_spread_evenly() {
        let table = table();
        let partition = Partition::full_domain(&table, &[1], &[PrivacyModel::KAnonymity { k: 1 }]).unwrap();
        let column = &Measures::new(&table, &Recoding::full_domain(&table, &partition)).columns[0];
        // 3, 1, 1, 1 rows against 2, 2, 1, 1.
        let expected = (3.0 * 1.5_f64.log2() + 0.5_f64.log2()) / 6.0;
        assert!((column.divergence - expected).abs() < 1e-12, "{column:?}");
        let exact = Partition::full_domain(&table, &[0], &[PrivacyModel::KAnonymity { k: 1 }]).unwrap();
        assert_eq!(Measures::new(&table, &Recoding::full_domain(&table, &exact)).columns[0].divergence, 0.0);
    }
}
