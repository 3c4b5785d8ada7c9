//! Recodings: which generalized cells each row gets. In a full-domain recoding a column has one level throughout; in a
//! local one every class has its own.

mod certificate;
mod clustering;
mod dual_bound;
mod freeform;
mod improvement;
mod iterated;
mod judge;
mod local;
mod measures;
mod median;
mod mondrian;
mod pair_losses;
mod top_down;
mod value_certificate;

pub use certificate::loss_lower_bound;
pub use freeform::{FreeformRecoding, recode_freeform};
pub use iterated::recode_iterated;
pub use local::{LocalRecoding, certified_lower_bound, recode_by_clusters, recode_locally};
pub use measures::{ColumnMeasures, Measures};
pub use median::recode_by_medians;
pub use mondrian::recode_by_mondrian;
pub(crate) use pair_losses::{Joined, PairLosses};
pub use top_down::recode_top_down;

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{Partition, PrivacyModel, Table};
use burn_privacy_budget::statement::Grade;

/// A class of a recoding: rows that get the same cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecodedClass {
    /// Level and code on that level, of each quasi-identifier.
    pub cells: Vec<(usize, u32)>,
    /// Number of rows.
    pub rows: u64,
}

/// The classes, and how the rows of each distinct tuple are divided among them. Rows that are in no class are suppressed:
/// they are not released at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recoding {
    classes: Vec<RecodedClass>,
    /// For each tuple: class and number of rows.
    assigned: Vec<Vec<(usize, u64)>>,
}

impl Recoding {
    /// A full-domain recoding.
    pub fn full_domain(table: &Table, partition: &Partition) -> Self {
        let released: Vec<_> = partition.released().collect();
        let places: FxHashMap<&[u32], usize> =
            released.iter().enumerate().map(|(place, class)| (class.codes.as_slice(), place)).collect();
        let mut codes: Vec<u32> = Vec::with_capacity(table.columns().len());
        let assigned = (0..table.tuples())
            .map(|tuple| {
                let cells = table.tuple(tuple).iter().zip(table.columns()).zip(&partition.levels);
                codes.clear();
                codes.extend(cells.map(|((&leaf, column), &level)| column.hierarchy.generalize(leaf, level)));
                places.get(codes.as_slice()).map(|&place| (place, table.count(tuple))).into_iter().collect()
            })
            .collect();
        let classes = released
            .iter()
            .map(|class| RecodedClass {
                cells: partition.levels.iter().copied().zip(class.codes.iter().copied()).collect(),
                rows: class.rows,
            })
            .collect();
        Self { classes, assigned }
    }

    /// The local recoding of groups of rows (tuples with numbers of rows): each cell is the lowest label that all rows of
    /// the group share. Rows in no group, and groups whose values share no label, are suppressed.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if the groups hold more rows of a tuple than the table.
    pub fn local(table: &Table, groups: &[Vec<(usize, u64)>]) -> Result<Self, AnonymizeError> {
        let mut assigned: Vec<Vec<(usize, u64)>> = vec![Vec::new(); table.tuples()];
        let mut classes = Vec::with_capacity(groups.len());
        for group in groups {
            let Some(cells) = common_cells(table, group.iter().map(|&(tuple, _)| tuple)) else { continue };
            let rows = group.iter().map(|(_, rows)| rows).sum();
            group.iter().for_each(|&(tuple, rows)| assigned[tuple].push((classes.len(), rows)));
            classes.push(RecodedClass { cells, rows });
        }
        for (tuple, parts) in assigned.iter().enumerate() {
            let rows: u64 = parts.iter().map(|(_, rows)| rows).sum();
            if rows > table.count(tuple) {
                let allowed = format!("at most the {} that the table has", table.count(tuple));
                return Err(AnonymizeError::parameter("the number of rows of a tuple in groups", rows, allowed));
            }
        }
        Ok(Self { classes, assigned })
    }

    /// From classes, and the classes of each tuple's rows.
    pub(crate) fn of_parts(classes: Vec<RecodedClass>, assigned: Vec<Vec<(usize, u64)>>) -> Self {
        Self { classes, assigned }
    }

    /// The classes.
    pub fn classes(&self) -> &[RecodedClass] {
        &self.classes
    }

    /// The classes of a tuple's rows, with the number of rows in each.
    pub fn assigned(&self, tuple: usize) -> &[(usize, u64)] {
        &self.assigned[tuple]
    }

    /// Rows that are released.
    pub fn released_rows(&self) -> u64 {
        self.classes.iter().map(|class| class.rows).sum()
    }

    /// Mean loss of a cell, between 0 and 1, suppressed rows costing 1 ([`crate::table::Metric::Loss`]).
    pub fn loss(&self, table: &Table) -> f64 {
        let columns = table.columns();
        let cells = table.rows() as f64 * columns.len() as f64;
        if cells == 0.0 {
            return 0.0;
        }
        let suppressed = (table.rows() - self.released_rows()) as f64 * columns.len() as f64;
        let of_class = |class: usize| self.class_loss(table, class) * self.classes[class].rows as f64;
        ((0..self.classes.len()).map(of_class).sum::<f64>() + suppressed) / cells
    }

    /// Loss of a row of a class, summed over columns.
    fn class_loss(&self, table: &Table, class: usize) -> f64 {
        let cells = self.classes[class].cells.iter().zip(table.columns());
        cells.map(|(&(level, code), column)| column.hierarchy.loss(level, code)).sum()
    }

    /// Counts the released rows by what they show, as an attacker would, and checks each model on each class.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Unreachable`] names a class that fails; it must not be released. [`AnonymizeError::Parameter`] for a
    /// model that refuses the table.
    pub fn verify(&self, table: &Table, models: &[PrivacyModel]) -> Result<(), AnonymizeError> {
        let distribution = table.sensitive_distribution();
        for model in models {
            model.check(distribution.as_ref())?;
        }
        table.check_population(models)?;
        let needed = models.iter().any(PrivacyModel::needs_population);
        let values = table.sensitive().map_or(0, |sensitive| sensitive.values.len());
        // By text: labels of different levels can read the same.
        type Shown = (u64, Vec<u64>, Vec<usize>);
        let mut shown: HashMap<Vec<&str>, Shown> = HashMap::new();
        for tuple in 0..table.tuples() {
            for &(class, rows) in &self.assigned[tuple] {
                let labels = self.labels(table, class);
                let (sum, histogram, classes) = shown.entry(labels).or_insert_with(|| (0, vec![0; values], Vec::new()));
                *sum += rows;
                if needed && !classes.contains(&class) {
                    classes.push(class);
                }
                if let Some(code) = table.sensitive_code(tuple) {
                    histogram[code as usize] += rows;
                }
            }
        }
        for (labels, (rows, histogram, classes)) in &shown {
            // Labels that read the same on two levels cover different people: each reading has to meet the models.
            let mut people: Vec<Option<u64>> =
                classes.iter().map(|&class| table.population_under(&self.classes[class].cells)).collect();
            people.dedup();
            if people.is_empty() {
                people.push(None);
            }
            let fails = |model: &&PrivacyModel| {
                people.iter().any(|&people| !model.is_met(*rows, histogram, distribution.as_ref(), people))
            };
            if let Some(model) = models.iter().find(fails) {
                let reason = format!("the class {} of {rows} rows does not meet {model}", labels.join(", "));
                return Err(AnonymizeError::Unreachable { reason });
            }
        }
        if let Some(model) = models.iter().find(|model| model.needs_everybody() && !self.classes.is_empty())
            && let Some(population) = table.population()
        {
            let covered: u64 = self.classes.iter().map(|class| population.rows_under(&class.cells)).sum();
            if covered < population.rows() {
                let left = population.rows() - covered;
                let reason =
                    format!("{left} people of the population fit no class: known to be absent, they fail {model}");
                return Err(AnonymizeError::Unreachable { reason });
            }
        }
        Ok(())
    }

    /// The labels of a class's cells.
    pub fn labels<'a>(&self, table: &'a Table, class: usize) -> Vec<&'a str> {
        let cells = self.classes[class].cells.iter().zip(table.columns());
        cells.map(|(&(level, code), column)| column.hierarchy.label(level, code)).collect()
    }

    /// What the recoding is worth under some models, which it has been verified against.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, table: &Table, models: &[PrivacyModel]) -> Result<TableStatement, AnonymizeError> {
        let names: Vec<String> = models.iter().map(ToString::to_string).collect();
        let columns: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        let sizes = || self.classes.iter().map(|class| class.rows);
        let mut statement = TableStatement::new(
            Grade::Syntactic,
            format!(
                "{} of the released rows, against whoever knows at most the quasi-identifiers of a person in the \
                 table and nothing else about the table or its other columns.",
                names.join(" and ")
            ),
        )?
        .fact("quasi-identifiers", columns.join(", "))
        .fact("rows", table.rows())
        .fact("suppressed rows, which are not released", table.rows() - self.released_rows())
        .fact("classes", self.classes.len())
        .fact("rows of the smallest class", sizes().min().unwrap_or(0))
        .fact("highest risk that a person is told apart (prosecutor)", risk(1.0, sizes().min().unwrap_or(0)))
        .fact("mean risk (marketer)", risk(self.classes.len() as f64, self.released_rows()))
        .fact("rows of the largest class", sizes().max().unwrap_or(0))
        .fact("mean loss of a cell, 0 to 1", format!("{:.6}", self.loss(table)));
        for sentence in [
            "an attacker who knows other columns, or how the generalization was chosen (downcoding, Cohen 2022)",
            "two releases of overlapping tables: their intersection can single out rows",
            "an empty cell counts as a value like any other",
        ] {
            statement = statement.caveat(sentence);
        }
        if sizes().min() == Some(1) {
            statement =
                statement.caveat("classes of one row: whoever knows a person's quasi-identifiers has their row");
        }
        if !models.iter().any(PrivacyModel::needs_sensitive) {
            statement =
                statement.caveat("what all rows of a class have in common (homogeneity): nothing bounds it here");
        }
        Ok(statement)
    }
}

/// A share of rows, in percent; none without rows.
fn risk(people: f64, rows: u64) -> String {
    if rows == 0 { "none: no rows are released".to_owned() } else { format!("{:.4} %", 100.0 * people / rows as f64) }
}

/// The lowest label that tuples share in each column; none where some column has no label over all of them.
pub(crate) fn common_cells(table: &Table, tuples: impl Iterator<Item = usize> + Clone) -> Option<Vec<(usize, u32)>> {
    table
        .columns()
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let mut leaves = tuples.clone().map(|tuple| table.tuple(tuple)[place]);
            let first = leaves.next()?;
            let level = leaves
                .try_fold(0, |level, leaf| column.hierarchy.common_level(first, leaf).map(|other| level.max(other)))?;
            Some((level, column.hierarchy.generalize(first, level)))
        })
        .collect()
}
