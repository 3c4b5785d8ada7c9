//! `burn-privacy anonymize risk`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_anonymize::risk::{population_uniques, risk_of_file};
use clap::Args;

use super::input::separator;
use super::measure::risk_json;
use crate::failure::Failure;

/// `anonymize risk`.
#[derive(Debug, Args)]
pub struct RiskArgs {
    /// CSV file with a header: a table, or a release
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// What an attacker knows of a person, as it is printed in the file
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
    quasi_identifiers: Vec<String>,
    /// The population: a CSV file with the same columns, printed in the same way, in which the people are
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
    /// People in the population, for estimates of how many are unique in it
    #[arg(long, value_name = "N")]
    population_size: Option<u64>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// `burn-privacy anonymize risk`.
pub fn risk(args: &RiskArgs, out: &mut impl Write) -> Result<(), Failure> {
    let found = risk_of_file(&args.data, args.separator, &args.quasi_identifiers, args.population.as_deref())?;
    let uniques = args.population_size.map(|size| population_uniques(&found.sizes, size)).transpose()?;
    if args.json {
        writeln!(out, "{}", risk_json(&found, uniques.as_ref()))?;
        return Ok(());
    }
    let percent = |share: f64| format!("{:.4} %", 100.0 * share);
    let sizes = &found.sizes;
    writeln!(
        out,
        "{} rows in {} classes of {} to {} rows; {} rows are alone in theirs",
        sizes.rows(),
        sizes.classes(),
        sizes.smallest(),
        sizes.largest(),
        sizes.of_size(1)
    )?;
    writeln!(
        out,
        "prosecutor: highest {}, mean {}",
        percent(found.prosecutor_highest),
        percent(found.prosecutor_mean)
    )?;
    if let (Some(highest), Some(marketer)) = (found.journalist_highest, found.marketer) {
        writeln!(out, "journalist: highest {}; marketer: {}", percent(highest), percent(marketer))?;
    }
    if let Some(uniques) = uniques {
        let shown = |value: Option<f64>| value.map_or("no solution".to_owned(), |value| format!("{value:.1}"));
        writeln!(
            out,
            "unique among {} people: {:.1} by {} (Pitman {}, SNB {}, Zayatz {:.1}); estimates, no bounds",
            uniques.population,
            uniques.chosen,
            uniques.chosen_by,
            shown(uniques.pitman),
            shown(uniques.snb),
            uniques.zayatz
        )?;
    }
    Ok(())
}
