//! `burn-privacy anonymize attack`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::PathBuf;

use burn_privacy_anonymize::attack::{dictionary, homogeneity, linkage};
use clap::Subcommand;
use serde_json::json;

use super::input::separator;
use crate::failure::Failure;

/// `anonymize attack`.
#[derive(Debug, Subcommand)]
pub enum AttackCommand {
    /// Undoes hashes without a key by a list of candidates
    #[command(after_help = "Example:
  burn-privacy anonymize attack dictionary hashed.csv --column email --candidates emails.txt")]
    Dictionary {
        /// CSV file with a header
        data: PathBuf,
        /// Separator of its cells
        #[arg(long, default_value = ",", value_parser = separator)]
        separator: u8,
        /// The hashed column
        #[arg(long)]
        column: String,
        /// File of candidates, one a line; - for standard input
        #[arg(long, value_name = "FILE")]
        candidates: PathBuf,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Finds classes whose rows share the sensitive value
    #[command(after_help = "Example:
  burn-privacy anonymize attack homogeneity released.csv --quasi-identifiers age,sex,zip --sensitive illness")]
    Homogeneity {
        /// CSV file with a header
        data: PathBuf,
        /// Separator of its cells
        #[arg(long, default_value = ",", value_parser = separator)]
        separator: u8,
        /// What the attacker knows of a person, as it is printed in the release
        #[arg(long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
        quasi_identifiers: Vec<String>,
        /// What the attacker wants to know
        #[arg(long, value_name = "COLUMN")]
        sensitive: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Finds people of a second table who match one row of the release
    #[command(after_help = "Example:
  burn-privacy anonymize attack linkage released.csv --with voters.csv --on birthdate,sex,zip")]
    Linkage {
        /// CSV file with a header
        data: PathBuf,
        /// Separator of the cells of both
        #[arg(long, default_value = ",", value_parser = separator)]
        separator: u8,
        /// The second table, such as a register with names
        #[arg(long, value_name = "FILE")]
        with: PathBuf,
        /// Columns that both have
        #[arg(long, value_name = "COLUMNS", value_delimiter = ',', required = true)]
        on: Vec<String>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// `burn-privacy anonymize attack`.
pub fn attack(command: &AttackCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        AttackCommand::Dictionary { data, separator, column, candidates, json } => {
            let found = if candidates.as_os_str() == "-" {
                dictionary(data, *separator, column, std::io::stdin().lock(), candidates)?
            } else {
                let file = File::open(candidates)
                    .map_err(|error| Failure::Input(format!("{}: could not be read: {error}", candidates.display())))?;
                dictionary(data, *separator, column, BufReader::with_capacity(1 << 20, file), candidates)?
            };
            if *json {
                let answer = json!({
                    "rows": found.rows,
                    "rows_undone": found.rows_undone,
                    "values": found.values,
                    "values_undone": found.values_undone,
                    "candidates": found.candidates,
                    "seconds": found.time.as_secs_f64(),
                });
                writeln!(out, "{answer}")?;
                return Ok(());
            }
            writeln!(
                out,
                "{} of {} rows undone ({} of {} values) with {} candidates in {:.2} s",
                found.rows_undone,
                found.rows,
                found.values_undone,
                found.values,
                found.candidates,
                found.time.as_secs_f64()
            )?;
            for (hash, value) in &found.examples {
                writeln!(out, "  {}... is {value}", hash.get(..16).unwrap_or(hash))?;
            }
        }
        AttackCommand::Homogeneity { data, separator, quasi_identifiers, sensitive, json } => {
            let found = homogeneity(data, *separator, quasi_identifiers, sensitive)?;
            if *json {
                let answer = json!({
                    "rows": found.rows,
                    "classes": found.classes,
                    "class_min": found.smallest_class,
                    "values_min": found.fewest_values,
                    "homogeneous_classes": found.homogeneous_classes,
                    "exposed_rows": found.exposed_rows,
                });
                writeln!(out, "{answer}")?;
                return Ok(());
            }
            writeln!(
                out,
                "{} of {} rows exposed: {} of {} classes have one value of {sensitive:?} (smallest class: {} rows, fewest \
                 values: {})",
                found.exposed_rows,
                found.rows,
                found.homogeneous_classes,
                found.classes,
                found.smallest_class,
                found.fewest_values
            )?;
            for (class, value, rows) in &found.examples {
                writeln!(out, "  {}: {value} ({rows} rows)", class.join(", "))?;
            }
        }
        AttackCommand::Linkage { data, separator, with, on, json } => {
            let found = linkage(data, with, *separator, on)?;
            if *json {
                let answer = json!({
                    "people": found.people,
                    "matched": found.matched,
                    "singled_out": found.singled_out,
                    "released": found.released,
                });
                writeln!(out, "{answer}")?;
                return Ok(());
            }
            writeln!(
                out,
                "{} of {} people match one of {} rows alone; {} match some",
                found.singled_out, found.people, found.released, found.matched
            )?;
        }
    }
    Ok(())
}
