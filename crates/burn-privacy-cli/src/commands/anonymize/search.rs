//! `burn-privacy anonymize search`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::column_names;
use burn_privacy_anonymize::columns::ColumnSchema;
use burn_privacy_anonymize::recoding::Recoding;
use burn_privacy_anonymize::search::{SearchOptions, optimum};
use burn_privacy_anonymize::table::Metric;
use burn_privacy_output::write_atomically;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::input::{ReleaseArgs, TableArgs};
use super::measure::Measured;
use crate::failure::Failure;

/// What is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MetricName {
    /// Mean loss of a cell, from 0 to 1
    Loss,
    /// Sum of squared class sizes
    Discernibility,
    /// Average class size
    Aecs,
    /// Bits hidden, by the columns' frequencies
    Entropy,
}

impl From<MetricName> for Metric {
    fn from(name: MetricName) -> Self {
        match name {
            MetricName::Loss => Self::Loss,
            MetricName::Discernibility => Self::Discernibility,
            MetricName::Aecs => Self::AverageClassSize,
            MetricName::Entropy => Self::Entropy,
        }
    }
}

/// `anonymize search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    table: TableArgs,
    /// What is made small
    #[arg(long, value_enum, default_value = "loss")]
    metric: MetricName,
    /// Share of the rows that may be suppressed
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    suppression: f64,
    /// Choices of levels to look at before the search ends with a gap
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    max_choices: u64,
    #[command(flatten)]
    release: ReleaseArgs,
    /// Writes what was found as a schema that `anonymize apply` applies to new rows, k checked again
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// `burn-privacy anonymize search`.
pub fn search(args: &SearchArgs, out: &mut impl Write) -> Result<(), Failure> {
    args.release.check(&args.table, args.recipe.as_deref())?;
    let table = args.table.read()?;
    let models = args.table.models()?;
    let options = SearchOptions {
        models: models.clone(),
        metric: args.metric.into(),
        suppression_limit: args.suppression,
        max_choices: args.max_choices,
    };
    let found = optimum(&table, &options)?;
    let recoding = Recoding::full_domain(&table, &found.partition);
    // Whatever may be refused comes before anything is written.
    let recipe = match &args.recipe {
        Some(file) => {
            let header = column_names(&args.table.data, args.table.separator)?;
            let (keep, share) = (&args.release.keep, args.suppression);
            let schema = ColumnSchema::of_full_domain(&table, &found.levels, &header, keep, &models, share)?;
            Some((file, schema.to_toml()?))
        }
        None => None,
    };
    let quality = found.quality;
    let statement = recoding.statement(&table, &models)?;
    let measured = Measured::new(&args.release, &table, &recoding)?;
    let page = measured.page(&args.release, &args.table, &table, &recoding, &statement, None)?;
    args.release.write(&args.table, &table, &recoding)?;
    if let Some((file, text)) = recipe {
        write_atomically(file, text)?;
    }
    if let Some((file, page)) = page {
        write_atomically(file, page)?;
    }
    if args.json {
        let levels: Map<String, Value> = table
            .columns()
            .iter()
            .zip(&found.levels)
            .map(|(column, &level)| (column.name.clone(), json!(level)))
            .collect();
        let answer = json!({
            "optimum": quality.value,
            "levels": levels,
            "suppressed": quality.suppressed,
            "classes": quality.classes,
            "class_min": quality.class_min,
            "class_max": quality.class_max,
            "rows": table.rows(),
            "proved": found.proved,
            "lower_bound": found.lower_bound,
            "choices": found.choices,
            "measures": measured.measures_json(),
            "risk": measured.risk_json(),
        });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    let proof = if found.proved {
        "the optimum, proved".to_owned()
    } else {
        format!("the best of {} choices; none can be below {}", found.choices, found.lower_bound)
    };
    writeln!(out, "{:?} {} ({proof})", args.metric, quality.value)?;
    for (column, &level) in table.columns().iter().zip(&found.levels) {
        writeln!(out, "  {}: level {level} of {}", column.name, column.hierarchy.levels() - 1)?;
    }
    write!(out, "\n{statement}")?;
    Ok(())
}
