//! What `search` and `recode` say of a release beside its loss: measures and risks, as JSON and as a page.

use std::path::Path;

use burn_privacy_anonymize::recoding::{Measures, Recoding};
use burn_privacy_anonymize::report::Report;
use burn_privacy_anonymize::risk::{ClassSizes, PopulationUniques, Risk, population_uniques, risk};
use burn_privacy_anonymize::table::Table;
use burn_privacy_budget::statement::Statement;
use serde_json::{Value, json};

use super::input::{ReleaseArgs, TableArgs};
use crate::failure::Failure;

/// A release, measured.
pub struct Measured {
    measures: Measures,
    risk: Risk,
    before: Risk,
    uniques: Option<(PopulationUniques, PopulationUniques)>,
}

impl Measured {
    /// Measures a recoding.
    pub fn new(args: &ReleaseArgs, table: &Table, recoding: &Recoding) -> Result<Self, Failure> {
        let before = risk(&tuples(table));
        let people = |cells: &[(usize, u32)]| table.population().map(|population| population.rows_under(cells));
        let after: Vec<_> = recoding.classes().iter().map(|class| (class.rows, people(&class.cells))).collect();
        let after = risk(&after);
        let uniques = match args.population_size {
            Some(size) if after.sizes.rows() > 0 => {
                Some((population_uniques(&before.sizes, size)?, population_uniques(&after.sizes, size)?))
            }
            _ => None,
        };
        Ok(Self { measures: Measures::new(table, recoding), risk: after, before, uniques })
    }

    /// The measures, as JSON.
    pub fn measures_json(&self) -> Value {
        let measures = &self.measures;
        let columns: serde_json::Map<String, Value> = measures
            .columns
            .iter()
            .map(|column| {
                let of_column = json!({
                    "loss": column.loss,
                    "level": column.level,
                    "bits": column.bits,
                    "divergence_bits": column.divergence,
                });
                (column.name.clone(), of_column)
            })
            .collect();
        json!({
            "average_class_size": measures.average_class_size,
            "discernibility": measures.discernibility,
            "loss": measures.loss,
            "precision": measures.precision,
            "entropy_bits": measures.entropy,
            "columns": columns,
        })
    }

    /// The risks, as JSON.
    pub fn risk_json(&self) -> Value {
        risk_json(&self.risk, self.uniques.as_ref().map(|(_, after)| after))
    }

    /// The page and where it goes, if one is asked for.
    pub fn page<'a>(
        &self,
        args: &'a ReleaseArgs,
        asked: &TableArgs,
        table: &Table,
        recoding: &Recoding,
        statement: &dyn Statement,
        lower_bound: Option<f64>,
    ) -> Result<Option<(&'a Path, String)>, Failure> {
        let Some(file) = args.report.as_deref() else { return Ok(None) };
        let title = format!("Release of {}", asked.data.file_name().unwrap_or_default().to_string_lossy());
        let report = Report {
            title: &title,
            table,
            recoding,
            statement,
            measures: &self.measures,
            lower_bound,
            risk: &self.risk,
            risk_before: &self.before,
            uniques: self.uniques,
        };
        Ok(Some((file, report.html()?)))
    }
}

/// The classes of a table before anything is generalized.
fn tuples(table: &Table) -> Vec<(u64, Option<u64>)> {
    let mut rows: std::collections::BTreeMap<&[u32], u64> = std::collections::BTreeMap::new();
    (0..table.tuples()).for_each(|tuple| *rows.entry(table.tuple(tuple)).or_insert(0) += table.count(tuple));
    let people = table.population().map(|population| population.rows_by_tuple());
    rows.into_iter()
        .map(|(tuple, rows)| (rows, people.as_ref().map(|people| people.get(tuple).copied().unwrap_or(0))))
        .collect()
}

/// Risks as JSON.
pub fn risk_json(risk: &Risk, uniques: Option<&PopulationUniques>) -> Value {
    let sizes: &ClassSizes = &risk.sizes;
    json!({
        "classes": sizes.classes(),
        "class_min": sizes.smallest(),
        "class_max": sizes.largest(),
        "rows_alone": sizes.of_size(1),
        "prosecutor_highest": risk.prosecutor_highest,
        "prosecutor_mean": risk.prosecutor_mean,
        "journalist_highest": risk.journalist_highest,
        "marketer": risk.marketer,
        "population_uniques": uniques.map(|uniques| json!({
            "population": uniques.population,
            "zayatz": uniques.zayatz,
            "snb": uniques.snb,
            "pitman": uniques.pitman,
            "chosen": uniques.chosen,
            "chosen_by": uniques.chosen_by,
        })),
    })
}
