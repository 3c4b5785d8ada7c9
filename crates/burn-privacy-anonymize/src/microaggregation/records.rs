//! Numeric records, and what grouping them costs.

use std::path::Path;

use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::open_csv;
use burn_privacy_budget::statement::Grade;

/// Numeric records, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    names: Vec<String>,
    values: Vec<f64>,
}

/// Groups of records, each record in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouping {
    groups: Vec<Vec<usize>>,
}

impl Records {
    /// Records from rows of as many finite numbers as there are names.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Structure`] without columns or for a row of another length, [`AnonymizeError::NotANumber`].
    pub fn new(names: Vec<String>, rows: &[Vec<f64>]) -> Result<Self, AnonymizeError> {
        let file = || "records".into();
        let structure = |line, problem: String| AnonymizeError::Structure { file: file(), line, problem };
        if names.is_empty() {
            return Err(structure(0, "there are no columns".to_owned()));
        }
        let mut values = Vec::with_capacity(rows.len() * names.len());
        for (line, row) in (1..).zip(rows) {
            if row.len() != names.len() {
                return Err(structure(line, format!("{} numbers for {} columns", row.len(), names.len())));
            }
            for (name, &value) in names.iter().zip(row) {
                if !value.is_finite() {
                    let (column, value) = (name.clone(), value.to_string());
                    return Err(AnonymizeError::NotANumber { file: file(), line, column, value });
                }
                values.push(value);
            }
        }
        Ok(Self { names, values })
    }

    /// Reads a CSV file whose columns all hold numbers.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError`] if the file can't be read, is no table or repeats a name; [`AnonymizeError::NotANumber`] names the
    /// first cell that is none, an empty one among them: a mean of what is missing is made up.
    pub fn read(file: &Path, separator: u8) -> Result<Self, AnonymizeError> {
        let (mut reader, names) = open_csv(file, separator)?;
        let mut values = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
            for (name, cell) in names.iter().zip(&record) {
                match cell.trim().parse::<f64>() {
                    Ok(value) if value.is_finite() => values.push(value),
                    _ => {
                        return Err(AnonymizeError::NotANumber {
                            file: file.to_owned(),
                            line: record.position().map_or(0, csv::Position::line),
                            column: name.clone(),
                            value: cell.to_owned(),
                        });
                    }
                }
            }
        }
        Ok(Self { names, values })
    }

    /// One column taken out: the records without it, and its values.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::MissingColumn`], and [`AnonymizeError::Structure`] if no column would be left.
    pub fn without(&self, column: &str) -> Result<(Self, Vec<f64>), AnonymizeError> {
        let Some(place) = self.names.iter().position(|name| name == column) else {
            let (file, column, present) = ("records".into(), column.to_owned(), self.names.join(", "));
            return Err(AnonymizeError::MissingColumn { file, column, present });
        };
        let mut names = self.names.clone();
        names.remove(place);
        let mut taken = Vec::with_capacity(self.len());
        let mut rows = Vec::with_capacity(self.len());
        for index in 0..self.len() {
            let mut row = self.record(index).to_vec();
            taken.push(row.remove(place));
            rows.push(row);
        }
        Ok((Self::new(names, &rows)?, taken))
    }

    /// With a column more.
    pub(crate) fn with(&self, name: &str, column: &[f64]) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        let rows = (0..self.len()).zip(column);
        let values = rows.flat_map(|(index, &value)| self.record(index).iter().copied().chain([value])).collect();
        Self { names, values }
    }

    /// The columns' names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.values.len() / self.names.len()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// CSV of the records, sorted by their numbers, so that the order tells nothing.
    pub fn to_csv_sorted(&self, separator: u8) -> Vec<u8> {
        let mut order: Vec<&[f64]> = (0..self.len()).map(|index| self.record(index)).collect();
        order.sort_by(|one, other| {
            let cells = one.iter().zip(*other).map(|(one, other)| one.total_cmp(other));
            cells.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        // Memory can't fail, and every record has as many cells as the header.
        let _ = writer.write_record(&self.names);
        for record in order {
            let _ = writer.write_record(record.iter().map(f64::to_string));
        }
        writer.into_inner().unwrap_or_default()
    }

    /// One record.
    pub fn record(&self, index: usize) -> &[f64] {
        &self.values[index * self.names.len()..(index + 1) * self.names.len()]
    }

    /// The records with each column shifted and scaled to mean 0 and population standard deviation 1; constant columns
    /// become 0.
    pub(super) fn standardized(&self) -> Self {
        let (columns, rows) = (self.names.len(), self.len() as f64);
        let mut values = self.values.clone();
        for column in 0..columns {
            let cells = || self.values.iter().skip(column).step_by(columns);
            // Scaled first, so that the squares of huge numbers stay finite.
            let largest = cells().fold(0.0_f64, |largest, value| largest.max(value.abs()));
            let scale = if largest > 0.0 { largest } else { 1.0 };
            let mean = cells().map(|value| value / scale).sum::<f64>() / rows;
            let variance = cells().map(|value| (value / scale - mean).powi(2)).sum::<f64>() / rows;
            let constant = cells().all(|value| Some(value) == self.values.get(column));
            for value in values.iter_mut().skip(column).step_by(columns) {
                *value = if constant { 0.0 } else { (*value / scale - mean) / variance.sqrt() };
            }
        }
        Self { names: self.names.clone(), values }
    }

    /// Refuses a `k` that no grouping has.
    pub(super) fn check(&self, k: usize) -> Result<(), AnonymizeError> {
        if k == 0 {
            return Err(AnonymizeError::parameter("k", k, "at least 1"));
        }
        if self.len() < k {
            let reason = format!("k is {k}, and there are {} records", self.len());
            return Err(AnonymizeError::Unreachable { reason });
        }
        Ok(())
    }
}

/// Squared Euclidean distance.
pub(super) fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other) * (one - other)).sum()
}

/// The mean of some records. What is summed are shares of the records, if the sum of whole ones is beyond the numbers.
pub(super) fn centroid(records: &Records, group: impl ExactSizeIterator<Item = usize> + Clone) -> Vec<f64> {
    let size = group.len() as f64;
    let mut sum = vec![0.0; records.names.len()];
    for index in group.clone() {
        sum.iter_mut().zip(records.record(index)).for_each(|(sum, value)| *sum += value);
    }
    for (column, sum) in sum.iter_mut().enumerate() {
        *sum = match sum.is_finite() {
            true => *sum / size,
            false => group.clone().map(|index| records.record(index)[column] / size).sum(),
        };
    }
    sum
}

impl Grouping {
    /// Groups as they are.
    pub(super) fn new(groups: Vec<Vec<usize>>) -> Self {
        Self { groups }
    }

    /// The groups, as indices of records.
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// Records of the smallest group, 0 without groups.
    pub fn smallest(&self) -> usize {
        self.groups.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// 100 SSE / SST: the share of the standardized records' spread that the groups' means lose; 0 if there is none.
    pub fn information_loss_percent(&self, records: &Records) -> f64 {
        let records = records.standardized();
        let within: f64 = self
            .groups
            .iter()
            .map(|group| {
                let mean = centroid(&records, group.iter().copied());
                group.iter().map(|&index| squared_distance(records.record(index), &mean)).sum::<f64>()
            })
            .sum();
        let total: f64 = records.values.iter().map(|value| value * value).sum();
        if total > 0.0 { 100.0 * within / total } else { 0.0 }
    }

    /// What replacing each record by its group's mean is worth.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, records: &Records) -> Result<TableStatement, AnonymizeError> {
        let k = self.smallest();
        let guarantee =
            format!("{k}-anonymity of all columns: each record shows the mean of a group of at least {k} records.");
        Ok(TableStatement::new(Grade::Syntactic, guarantee)?
            .fact("columns", records.names.join(", "))
            .fact("records", records.len())
            .fact("groups", self.groups.len())
            .fact("records of the smallest group", self.smallest())
            .fact(
                "information loss, 100 SSE / SST of standardized columns",
                format!("{:.4} %", self.information_loss_percent(records)),
            )
            .caveat("whoever knows all but one record of a group computes the one from the mean")
            .caveat("groups of equal records show those records as they are")
            .caveat("how the groups were chosen depends on all records; two releases can be compared"))
    }

    /// The records with each replaced by its group's mean, in their order.
    pub fn aggregate(&self, records: &Records) -> Records {
        let mut values = records.values.clone();
        let columns = records.names.len();
        for group in &self.groups {
            let mean = centroid(records, group.iter().copied());
            for &index in group {
                values[index * columns..(index + 1) * columns].copy_from_slice(&mean);
            }
        }
        Records { names: records.names.clone(), values }
    }
}
