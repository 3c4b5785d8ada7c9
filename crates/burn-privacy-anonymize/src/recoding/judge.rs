//! Whether a group of rows may be a class: what all methods of local recoding ask.

use super::common_cells;
use crate::AnonymizeError;
use crate::table::{PrivacyModel, SensitiveDistribution, Table};

/// Tuples with numbers of rows.
pub(super) type Group = Vec<(usize, u64)>;

/// The models with what they need of the table.
pub(super) struct Judge<'a> {
    pub(super) table: &'a Table,
    pub(super) models: &'a [PrivacyModel],
    distribution: Option<SensitiveDistribution>,
    needs_population: bool,
}

impl<'a> Judge<'a> {
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for models that the table or overlapping cells can't serve, [`AnonymizeError::Hierarchy`]
    /// for hierarchies without a top.
    pub(super) fn new(table: &'a Table, models: &'a [PrivacyModel]) -> Result<Self, AnonymizeError> {
        let distribution = table.sensitive_distribution();
        for model in models {
            model.check(distribution.as_ref())?;
        }
        table.check_population(models)?;
        if let Some(model) = models.iter().find(|model| matches!(model, PrivacyModel::DeltaPresence { .. })) {
            // A person may fit the cells of several classes, whose shares of the population then say nothing about them.
            let allowed = "met by full-domain generalization (search): cells of local recodings overlap";
            return Err(AnonymizeError::parameter("a model of a local recoding", model, allowed));
        }
        for column in table.columns() {
            if column.hierarchy.labels_at(column.hierarchy.levels() - 1) > 1 {
                let problem = "has no label above all values: add a top level (*)".to_owned();
                return Err(AnonymizeError::Hierarchy { column: column.name.clone(), problem });
            }
        }
        let needs_population = models.iter().any(PrivacyModel::needs_population);
        Ok(Self { table, models, distribution, needs_population })
    }

    /// Rows that a class needs at least.
    pub(super) fn least_rows(&self) -> u64 {
        self.models.iter().map(PrivacyModel::least_rows).max().unwrap_or(1).max(1)
    }

    /// True if more than the number of rows counts.
    pub(super) fn looks_beyond_rows(&self) -> bool {
        self.models.iter().any(|model| !matches!(model, PrivacyModel::KAnonymity { .. }))
    }

    /// The share of each sensitive value in the whole table, by code; one value of all without a sensitive column.
    pub(super) fn shares(&self) -> Vec<f64> {
        self.distribution.as_ref().map_or(vec![1.0], |distribution| distribution.shares().collect())
    }

    /// The smallest t of the equal distances that are asked for.
    pub(super) fn equal_t(&self) -> Option<f64> {
        let asked = self.models.iter().filter_map(|model| match model {
            PrivacyModel::EqualTCloseness { t } => Some(*t),
            _ => None,
        });
        asked.min_by(f64::total_cmp)
    }

    /// True if a model compares the sensitive values' shares with the table's: then single rows can't move freely.
    pub(super) fn compares_shares(&self) -> bool {
        self.models.iter().any(|model| {
            matches!(
                model,
                PrivacyModel::EqualTCloseness { .. }
                    | PrivacyModel::OrderedTCloseness { .. }
                    | PrivacyModel::HierarchicalTCloseness { .. }
                    | PrivacyModel::BetaLikeness { .. }
                    | PrivacyModel::DeltaDisclosure { .. }
            )
        })
    }

    /// Number of rows with each sensitive value.
    pub(super) fn histogram(&self, group: impl Iterator<Item = (usize, u64)>) -> Vec<u64> {
        let mut histogram = vec![0; self.table.sensitive().map_or(0, |sensitive| sensitive.values.len())];
        for (tuple, rows) in group {
            if let Some(code) = self.table.sensitive_code(tuple) {
                histogram[code as usize] += rows;
            }
        }
        histogram
    }

    /// True if a group meets all models.
    pub(super) fn meets(&self, group: impl Iterator<Item = (usize, u64)> + Clone) -> bool {
        let rows: u64 = group.clone().map(|(_, rows)| rows).sum();
        if rows < self.least_rows() {
            return false;
        }
        if !self.looks_beyond_rows() {
            return true;
        }
        let people = if self.needs_population {
            let cells = common_cells(self.table, group.clone().map(|(tuple, _)| tuple));
            cells.and_then(|cells| self.table.population_under(&cells))
        } else {
            None
        };
        let histogram = self.histogram(group);
        self.models.iter().all(|model| model.is_met(rows, &histogram, self.distribution.as_ref(), people))
    }

    /// Refuses a table whose rows, all in one class, fail.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Unreachable`].
    pub(super) fn check_whole(&self) -> Result<(), AnonymizeError> {
        let rows = self.table.rows();
        if rows < self.least_rows() {
            let reason = format!("classes need {} rows, and the table has {rows}", self.least_rows());
            return Err(AnonymizeError::Unreachable { reason });
        }
        if !self.meets((0..self.table.tuples()).map(|tuple| (tuple, self.table.count(tuple)))) {
            let reason = format!("all {rows} rows in one class fail the models: lower the target");
            return Err(AnonymizeError::Unreachable { reason });
        }
        Ok(())
    }

    /// Loss of a group's rows in one class, summed over rows and columns; `None` without rows.
    pub(super) fn loss(&self, group: &[(usize, u64)]) -> Option<f64> {
        let cells = common_cells(self.table, group.iter().map(|&(tuple, _)| tuple))?;
        let columns = cells.iter().zip(self.table.columns());
        let of_row: f64 = columns.map(|(&(level, code), column)| column.hierarchy.loss(level, code)).sum();
        Some(of_row * group.iter().map(|&(_, rows)| rows as f64).sum::<f64>())
    }
}
