//! `burn-privacy compose`.

use std::io::Write;
use std::path::PathBuf;

use burn_privacy_accounting::{Adjacency, DpEvent};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accountants::accountants_shown;
use crate::answer::Answer;
use crate::delta_check;
use crate::failure::Failure;
use crate::flags::{AccountantArgs, DeltaArg};
use crate::input::read_text;
use crate::mechanism::{RunDescription, phases_event};
use crate::numbers::{real_field, whole, whole_field, with_whole_numbers};

/// Files larger than this are no events.
const LARGEST_FILE: u64 = 64 << 20;

/// `compose`.
#[derive(Debug, Args)]
pub struct ComposeArgs {
    /// JSON file with phases or an event; - for standard input
    pub file: PathBuf,
    #[command(flatten)]
    pub delta: DeltaArg,
    /// Number of records (public), for phases that give a batch size alone and to check delta against
    #[arg(long, value_name = "N", value_parser = whole)]
    pub dataset_size: Option<u64>,
    #[command(flatten)]
    pub accountant: AccountantArgs,
}

/// Phases, with how records are drawn in those that don't say it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseFile {
    phases: Vec<RunDescription>,
    #[serde(default, deserialize_with = "whole_field")]
    dataset_size: Option<u64>,
    #[serde(default, deserialize_with = "real_field")]
    batch_size: Option<f64>,
}

/// `burn-privacy compose FILE`.
pub fn compose(args: &ComposeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (event, dataset_size) = parse(&read_text(&args.file, LARGEST_FILE)?, args.dataset_size)?;
    let delta = args.delta.delta;
    let adjacency = Adjacency::from(args.accountant.adjacency);
    let accountants = accountants_shown(&args.accountant, &event)?;
    let results = accountants
        .iter()
        .map(|composed| composed.certified_epsilon(delta))
        .collect::<burn_privacy_accounting::Result<_>>()?;
    let context = vec![
        ("delta", json!(delta)),
        ("adjacency", json!(adjacency.to_string())),
        ("file", json!(args.file.display().to_string())),
    ];
    let warning = delta_check::warning(delta, dataset_size);
    Answer { name: "epsilon", results, context, warning }.print(args.accountant.json, out)
}

/// Phases, a list of them or one, an event with its schema, or a bare event; with the number of records, if it is said.
fn parse(text: &str, dataset_size: Option<u64>) -> Result<(DpEvent, Option<u64>), Failure> {
    let malformed = |error: serde_json::Error| {
        Failure::Input(format!(
            "the file holds neither phases nor an event: {error} (see `burn-privacy compose --help`)"
        ))
    };
    let value: Value = serde_json::from_str(text).map_err(malformed)?;
    let shared = RunDescription { dataset_size, ..RunDescription::default() };
    // What is read anew from the text is so for its errors: a field that is given twice, and the line.
    if value.is_array() {
        let phases: Vec<RunDescription> = serde_json::from_str(text).map_err(malformed)?;
        return phases_event(&phases, shared);
    }
    if value.get("phases").is_some() {
        let file: PhaseFile = serde_json::from_str(text).map_err(malformed)?;
        let dataset_size = file.dataset_size.or(dataset_size);
        return phases_event(&file.phases, RunDescription { dataset_size, batch_size: file.batch_size, ..shared });
    }
    if value.get("noise_multiplier").is_some() {
        let phase: RunDescription = serde_json::from_str(text).map_err(malformed)?;
        return phases_event(&[phase], shared);
    }
    let value = with_whole_numbers(value);
    if value.get("schema").is_some() {
        return Ok((DpEvent::from_json(&value.to_string())?, dataset_size));
    }
    Ok((serde_json::from_value(value).map_err(malformed)?, dataset_size))
}
