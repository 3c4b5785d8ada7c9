//! Records as the numbers of their bins.

use std::fmt;

use crate::{LinearError, Result};

/// What is public about a column: bins are chosen without looking at the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Number of bins, from 1 to 256.
    pub bins: usize,
    /// Whether neighbors in number are neighbors in meaning: bins of numbers are ordered, categories are not.
    pub ordered: bool,
}

/// Records with a bin in each column and one of two classes. As private as what they were made of.
#[derive(Clone)]
pub struct BinnedRecords {
    columns: Vec<Column>,
    bins: Vec<u8>,
    positive: Vec<bool>,
}

/// What is public: neither a bin nor how many records there are.
impl fmt::Debug for BinnedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinnedRecords").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl BinnedRecords {
    /// Records of these columns; `bins` is `[records, columns]`, and a bin beyond the column's last counts as the last.
    ///
    /// # Errors
    ///
    /// [`LinearError::Invalid`] without columns, for one without bins or with more than 256, or unless there are bins for each label.
    pub fn new(columns: Vec<Column>, mut bins: Vec<u8>, positive: Vec<bool>) -> Result<Self> {
        if columns.is_empty() {
            return Err(LinearError::invalid("the number of columns", 0, "at least 1"));
        }
        if let Some(column) = columns.iter().find(|column| !(1..=256).contains(&column.bins)) {
            return Err(LinearError::invalid("the number of bins", column.bins, "from 1 to 256"));
        }
        let expected = positive.len().saturating_mul(columns.len());
        if bins.len() != expected {
            // How many records there are is private.
            let allowed = "one bin of each column for each label";
            return Err(LinearError::invalid("the list of bins", "of another length", allowed));
        }
        for row in bins.chunks_exact_mut(columns.len()) {
            for (bin, column) in row.iter_mut().zip(&columns) {
                *bin = (*bin).min((column.bins - 1) as u8);
            }
        }
        Ok(Self { columns, bins, positive })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of records: private under add-or-remove-one adjacency.
    pub fn len(&self) -> usize {
        self.positive.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.positive.is_empty()
    }

    /// A record's bins, one in each column.
    ///
    /// # Panics
    ///
    /// If there is no such record.
    pub fn row(&self, record: usize) -> &[u8] {
        &self.bins[record * self.columns.len()..(record + 1) * self.columns.len()]
    }

    /// All records' bins in one column.
    pub(super) fn column(&self, at: usize) -> impl Iterator<Item = usize> {
        self.bins.iter().skip(at).step_by(self.columns.len()).map(|&bin| usize::from(bin))
    }

    /// Whether each record is of the positive class.
    pub fn positive(&self) -> &[bool] {
        &self.positive
    }
}
