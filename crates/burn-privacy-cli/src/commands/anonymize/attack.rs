//! `burn-privacy anonymize attack`.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::attack::{
    DictionaryFinding, DowncodingFinding, HomogeneityFinding, IntersectionFinding, LinkageFinding, dictionary,
    downcoding, homogeneity, intersection, linkage,
};
use clap::Subcommand;
use serde_json::{Value, json};

use super::input::{hierarchies_of, read_table, separator};
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
    /// Holds several releases of one table against each other
    #[command(after_help = "Example:
  burn-privacy anonymize attack intersection people.csv --hierarchies hierarchies --sensitive illness \\
      --release first.csv --release second.csv")]
    Intersection {
        /// The table that was released, as CSV with a header: what the attacker knows of each person
        data: PathBuf,
        /// Separator of the cells of all
        #[arg(long, default_value = ",", value_parser = separator)]
        separator: u8,
        /// Folder of hierarchies, as for search
        #[arg(long, value_name = "DIR")]
        hierarchies: PathBuf,
        /// What the attacker wants to know
        #[arg(long, value_name = "COLUMN")]
        sensitive: String,
        /// A release; give it once for each
        #[arg(long, value_name = "FILE", required = true)]
        release: Vec<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Writes rows of a release finer than they were released, where it was generalized no more than needed
    #[command(after_help = "Example:
  burn-privacy anonymize attack downcode released.csv --separator ';' --hierarchies hierarchies --truth people.csv")]
    Downcode {
        /// The release: a CSV file with a header
        data: PathBuf,
        /// Separator of the cells of both
        #[arg(long, default_value = ",", value_parser = separator)]
        separator: u8,
        /// Folder of hierarchies, as for search: the attacker knows them
        #[arg(long, value_name = "DIR")]
        hierarchies: PathBuf,
        /// The table that was released, to check what is found against
        #[arg(long, value_name = "FILE")]
        truth: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Finds people of a second table who match one row of the release
    #[command(after_help = "Example:
  burn-privacy anonymize attack linkage released.csv --with voters.csv --on birthdate,sex,zip --hierarchies hierarchies")]
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
        /// Folder of hierarchies, as for search: a label then matches all values under it; without, equal cells match
        #[arg(long, value_name = "DIR")]
        hierarchies: Option<PathBuf>,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

/// What an attack found: as one JSON object, and in words.
struct Answer {
    as_json: bool,
    object: Value,
    words: String,
}

/// `burn-privacy anonymize attack`.
pub fn attack(command: &AttackCommand, out: &mut impl Write) -> Result<(), Failure> {
    let Answer { as_json, object, words } = match command {
        AttackCommand::Dictionary { data, separator, column, candidates, json } => {
            let found = if candidates.as_os_str() == "-" {
                dictionary(data, *separator, column, std::io::stdin().lock(), candidates)?
            } else {
                let file = File::open(candidates)
                    .map_err(|error| Failure::Input(format!("{}: could not be read: {error}", candidates.display())))?;
                dictionary(data, *separator, column, BufReader::with_capacity(1 << 20, file), candidates)?
            };
            Answer { as_json: *json, object: dictionary_json(&found), words: dictionary_words(&found) }
        }
        AttackCommand::Homogeneity { data, separator, quasi_identifiers, sensitive, json } => {
            let found = homogeneity(data, *separator, quasi_identifiers, sensitive)?;
            Answer { as_json: *json, object: homogeneity_json(&found), words: homogeneity_words(&found, sensitive) }
        }
        AttackCommand::Intersection { data, separator, hierarchies, sensitive, release, json } => {
            let table = read_table(data, *separator, hierarchies, Some(sensitive))?;
            let releases: Vec<&Path> = release.iter().map(PathBuf::as_path).collect();
            let found = intersection(&table, *separator, &releases)?;
            Answer { as_json: *json, object: intersection_json(&found), words: intersection_words(&found) }
        }
        AttackCommand::Downcode { data, separator, hierarchies, truth, json } => {
            let columns = hierarchies_of(data, *separator, hierarchies)?;
            let truth = truth.as_ref().map(|file| read_table(file, *separator, hierarchies, None)).transpose()?;
            if let Some(truth) = &truth
                && truth.columns() != columns.as_slice()
            {
                return Err(Failure::Input("the release and the table have other quasi-identifiers".to_owned()));
            }
            let found = downcoding(data, *separator, &columns, truth.as_ref())?;
            Answer { as_json: *json, object: downcoding_json(&found), words: downcoding_words(&found) }
        }
        AttackCommand::Linkage { data, separator, with, on, hierarchies, json } => {
            let known = match hierarchies {
                Some(folder) => hierarchies_of(data, *separator, folder)?,
                None => Vec::new(),
            };
            let found = linkage(data, with, *separator, on, &known)?;
            Answer { as_json: *json, object: linkage_json(&found), words: linkage_words(&found) }
        }
    };
    if as_json {
        writeln!(out, "{object}")?
    } else {
        writeln!(out, "{words}")?
    }
    Ok(())
}

/// A sentence, and a line for each example.
fn with_examples(sentence: String, examples: impl Iterator<Item = String>) -> String {
    examples.fold(sentence, |said, example| format!("{said}\n  {example}"))
}

fn dictionary_json(found: &DictionaryFinding) -> Value {
    json!({
        "rows": found.rows,
        "rows_undone": found.rows_undone,
        "values": found.values,
        "values_undone": found.values_undone,
        "candidates": found.candidates,
        "seconds": found.time.as_secs_f64(),
    })
}

fn dictionary_words(found: &DictionaryFinding) -> String {
    let sentence = format!(
        "{} of {} rows undone ({} of {} values) with {} candidates in {:.2} s",
        found.rows_undone,
        found.rows,
        found.values_undone,
        found.values,
        found.candidates,
        found.time.as_secs_f64()
    );
    let examples = found.examples.iter();
    with_examples(sentence, examples.map(|(hash, value)| format!("{}... is {value}", hash.get(..16).unwrap_or(hash))))
}

fn homogeneity_json(found: &HomogeneityFinding) -> Value {
    json!({
        "rows": found.rows,
        "classes": found.classes,
        "class_min": found.smallest_class,
        "values_min": found.fewest_values,
        "homogeneous_classes": found.homogeneous_classes,
        "exposed_rows": found.exposed_rows,
    })
}

fn homogeneity_words(found: &HomogeneityFinding, sensitive: &str) -> String {
    let sentence = format!(
        "{} of {} rows exposed: {} of {} classes have one value of {sensitive:?} (smallest class: {} rows, fewest values: {})",
        found.exposed_rows,
        found.rows,
        found.homogeneous_classes,
        found.classes,
        found.smallest_class,
        found.fewest_values
    );
    let examples = found.examples.iter();
    with_examples(sentence, examples.map(|(class, value, rows)| format!("{}: {value} ({rows} rows)", class.join(", "))))
}

fn intersection_json(found: &IntersectionFinding) -> Value {
    json!({
        "people": found.people,
        "exposed_by_each": found.exposed_by_each,
        "exposed_together": found.exposed_together,
    })
}

fn intersection_words(found: &IntersectionFinding) -> String {
    let each: Vec<String> = found.exposed_by_each.iter().map(u64::to_string).collect();
    let sentence = format!(
        "{} of {} people exposed by all releases together; {} by each alone",
        found.exposed_together,
        found.people,
        each.join(", ")
    );
    with_examples(sentence, found.examples.iter().map(|(person, value)| format!("{}: {value}", person.join(", "))))
}

fn downcoding_json(found: &DowncodingFinding) -> Value {
    json!({
        "rows": found.rows,
        "classes": found.classes,
        "one_level_a_column": found.one_level_a_column,
        "generalized_cells": found.generalized_cells,
        "classes_downcoded": found.classes_downcoded,
        "rows_downcoded": found.rows_downcoded,
        "claims": found.claims,
        "wrong_claims": found.wrong_claims,
    })
}

fn downcoding_words(found: &DowncodingFinding) -> String {
    if found.one_level_a_column {
        return "every column shows one level: nothing is certain below its labels".to_owned();
    }
    let mut sentence = format!(
        "{} of {} rows can be written finer for certain, two in each of {} of {} classes",
        found.rows_downcoded, found.rows, found.classes_downcoded, found.classes
    );
    if let Some(wrong) = found.wrong_claims {
        sentence += &format!("\n{} of {} claims agree with the table", found.claims - wrong, found.claims);
    }
    let of = |class: &[String], column: &str, one: &str, other: &str| {
        format!("{}: both {one:?} and {other:?} occur in {column}", class.join(", "))
    };
    let examples = found.examples.iter();
    with_examples(sentence, examples.map(|(class, column, [one, other])| of(class, column, one, other)))
}

fn linkage_json(found: &LinkageFinding) -> Value {
    json!({
        "people": found.people,
        "matched": found.matched,
        "singled_out": found.singled_out,
        "released": found.released,
        "fewest_matches": found.fewest_matches,
    })
}

fn linkage_words(found: &LinkageFinding) -> String {
    let sentence = format!(
        "{} of {} people match one of {} rows alone; {} match some, each of those at least {} rows",
        found.singled_out, found.people, found.released, found.matched, found.fewest_matches
    );
    let examples = found.examples.iter();
    with_examples(
        sentence,
        examples.map(|(person, row)| format!("{} is the row {}", person.join(", "), row.join(", "))),
    )
}
