//! The loss that joining two values costs, by table, and the classes that such joins make.
//!
//! The lowest common label of a set of values lies on the path above any one of them, and loss grows along a path. So a
//! class is fully told by one of its tuples and its loss in each column: joining two classes gives, in each column, the
//! largest of their losses and of the pair loss of their two tuples.

use crate::AnonymizeError;
use crate::table::Table;

/// Pair losses of all columns, and the tuples' codes column by column.
pub(crate) struct PairLosses {
    /// For each column: leaves x leaves.
    tables: Vec<Vec<f64>>,
    leaves: Vec<usize>,
    /// For each column: the code of each tuple.
    codes: Vec<Vec<u32>>,
    pub(crate) counts: Vec<u64>,
}

/// A column with more values than this has no table of pairs (half a gigabyte).
const MOST_LEAVES: usize = 8192;

impl PairLosses {
    /// # Errors
    ///
    /// [`AnonymizeError::Hierarchy`] for a hierarchy without a label above all values, or with too many values for a table
    /// of pairs.
    pub(crate) fn new(table: &Table) -> Result<Self, AnonymizeError> {
        let mut tables = Vec::new();
        for column in table.columns() {
            let (hierarchy, leaves) = (&column.hierarchy, column.hierarchy.leaves());
            let wrong =
                |problem: &str| AnonymizeError::Hierarchy { column: column.name.clone(), problem: problem.to_owned() };
            if hierarchy.labels_at(hierarchy.levels() - 1) > 1 {
                return Err(wrong("has no label above all values: add a top level (*)"));
            }
            if leaves > MOST_LEAVES {
                return Err(wrong("has more than 8192 values: begin it at a coarser level for local recoding"));
            }
            let mut losses = vec![0.0; leaves * leaves];
            for one in 0..leaves as u32 {
                for other in 0..leaves as u32 {
                    // There is a common level, the top at the latest.
                    let level = hierarchy.common_level(one, other).unwrap_or(hierarchy.levels() - 1);
                    losses[one as usize * leaves + other as usize] =
                        hierarchy.loss(level, hierarchy.generalize(one, level));
                }
            }
            tables.push(losses);
        }
        let column_of = |place| (0..table.tuples()).map(|tuple| table.tuple(tuple)[place]).collect();
        Ok(Self {
            tables,
            leaves: table.columns().iter().map(|column| column.hierarchy.leaves()).collect(),
            codes: (0..table.columns().len()).map(column_of).collect(),
            counts: (0..table.tuples()).map(|tuple| table.count(tuple)).collect(),
        })
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.tables.len()
    }

    /// Number of tuples.
    pub(crate) fn tuples(&self) -> usize {
        self.counts.len()
    }

    /// Pair loss of two values of a column, by their codes.
    pub(crate) fn of_codes(&self, column: usize, one: u32, other: u32) -> f64 {
        self.tables[column][one as usize * self.leaves[column] + other as usize]
    }

    /// Pair loss of two tuples in one column.
    pub(crate) fn in_column(&self, column: usize, one: u32, other: u32) -> f64 {
        let codes = &self.codes[column];
        self.tables[column][codes[one as usize] as usize * self.leaves[column] + codes[other as usize] as usize]
    }

    /// Pair loss of two tuples, summed over columns.
    pub(crate) fn between(&self, one: u32, other: u32) -> f64 {
        (0..self.columns()).map(|column| self.in_column(column, one, other)).sum()
    }

    /// For each of some tuples the loss, summed over columns, of the class that it would make with `joined`.
    pub(crate) fn with_each(&self, joined: &Joined, tuples: &[u32], out: &mut Vec<f64>) {
        out.clear();
        out.resize(tuples.len(), 0.0);
        for column in 0..self.columns() {
            let codes = &self.codes[column];
            let first = codes[joined.tuple as usize] as usize * self.leaves[column];
            let row = &self.tables[column][first..first + self.leaves[column]];
            let least = joined.losses[column];
            for (sum, &tuple) in out.iter_mut().zip(tuples) {
                *sum += row[codes[tuple as usize] as usize].max(least);
            }
        }
    }
}

/// What a class shows, without its rows: one of its tuples, and its loss in each column.
#[derive(Clone)]
pub(crate) struct Joined {
    pub(crate) tuple: u32,
    pub(crate) losses: Vec<f64>,
}

impl Joined {
    /// A class of one tuple.
    pub(crate) fn alone(pairs: &PairLosses, tuple: u32) -> Self {
        Self { tuple, losses: vec![0.0; pairs.columns()] }
    }

    /// A class of some tuples; `None` without any.
    pub(crate) fn of(pairs: &PairLosses, tuples: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut tuples = tuples.into_iter();
        let mut joined = Self::alone(pairs, tuples.next()?);
        tuples.for_each(|tuple| joined.join(pairs, tuple));
        Some(joined)
    }

    /// Takes a tuple in.
    pub(crate) fn join(&mut self, pairs: &PairLosses, tuple: u32) {
        for (column, loss) in self.losses.iter_mut().enumerate() {
            *loss = loss.max(pairs.in_column(column, self.tuple, tuple));
        }
    }

    /// Loss of a row, summed over columns.
    pub(crate) fn loss(&self) -> f64 {
        self.losses.iter().sum()
    }

    /// Loss of a row once another class is joined.
    pub(crate) fn loss_with(&self, pairs: &PairLosses, other: &Self) -> f64 {
        let columns = self.losses.iter().zip(&other.losses).enumerate();
        columns.map(|(column, (one, two))| one.max(*two).max(pairs.in_column(column, self.tuple, other.tuple))).sum()
    }
}
