//! `burn-privacy compose`.

use std::io::{Read, Write};

use burn_privacy_accounting::{Adjacency, DpEvent};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accountants::chosen;
use crate::answer::Answer;
use crate::args::ComposeArgs;
use crate::failure::Failure;
use crate::mechanism::run;

/// Files larger than this are no events.
const LARGEST_FILE: u64 = 64 << 20;

/// A run of equal steps.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    sampling_rate: f64,
    noise_multiplier: f64,
    steps: u64,
}

/// All phases, one after the other.
pub fn phases_event(phases: &[Phase]) -> burn_privacy_accounting::Result<DpEvent> {
    let events = phases
        .iter()
        .map(|phase| run(phase.sampling_rate, phase.noise_multiplier, phase.steps))
        .collect::<burn_privacy_accounting::Result<_>>()?;
    DpEvent::composed(events)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseFile {
    phases: Vec<Phase>,
}

/// `burn-privacy compose FILE`.
pub fn compose(args: &ComposeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let event = parse(&read(args)?)?;
    let adjacency = Adjacency::from(args.how.adjacency);
    let accountants = chosen(&args.how, &event)?;
    let results = accountants
        .iter()
        .map(|filled| Ok((filled, filled.certified_epsilon(args.delta)?)))
        .collect::<Result<_, Failure>>()?;
    let context = vec![
        ("delta", json!(args.delta)),
        ("adjacency", json!(adjacency.to_string())),
        ("file", json!(args.file.display().to_string())),
    ];
    Answer { name: "epsilon", results, context }.print(args.how.json, out)
}

fn read(args: &ComposeArgs) -> Result<String, Failure> {
    let mut text = String::new();
    let unreadable = |error| Failure::Input(format!("could not read {}: {error}", args.file.display()));
    if args.file.as_os_str() == "-" {
        std::io::stdin().lock().take(LARGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    } else {
        let file = std::fs::File::open(&args.file).map_err(unreadable)?;
        file.take(LARGEST_FILE).read_to_string(&mut text).map_err(unreadable)?;
    }
    Ok(text)
}

/// Phases, an event with its schema, or a bare event.
fn parse(text: &str) -> Result<DpEvent, Failure> {
    let malformed = |error: serde_json::Error| {
        Failure::Input(format!(
            "the file holds neither phases nor an event: {error} (see `burn-privacy compose --help`)"
        ))
    };
    let value: Value = serde_json::from_str(text).map_err(malformed)?;
    if value.get("phases").is_some() {
        let file: PhaseFile = serde_json::from_value(value).map_err(malformed)?;
        return Ok(phases_event(&file.phases)?);
    }
    if value.get("schema").is_some() {
        return Ok(DpEvent::from_json(text)?);
    }
    serde_json::from_value(value).map_err(malformed)
}
