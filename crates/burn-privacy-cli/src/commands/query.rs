//! `burn-privacy query`: one JSON object a line in, one a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant, gaussian_sigma, zcdp_epsilon};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::accountants::{AccountantChoice, Certified};
use crate::answer::fields;
use crate::delta_check;
use crate::failure::Failure;
use crate::flags::AccountantName;
use crate::input::{named, open, other_encoding};
use crate::mechanism::{Place, RunDescription, phases_event, run, target_epsilon};
use crate::numbers::{number, real_field, whole_field, with_whole_numbers};

/// `query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// File with one JSON object a line; - for standard input
    #[arg(default_value = "-")]
    pub file: PathBuf,
}

/// Longer lines are refused without being read whole.
const LONGEST_LINE: u64 = 16 << 20;

/// What some programs begin UTF-8 files with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Epsilon,
    Delta,
    NoiseMultiplier,
    Steps,
    Rdp,
    GaussianSigma,
    ZcdpEpsilon,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    query: Question,
    accountant: Option<AccountantName>,
    #[serde(default, deserialize_with = "real_field")]
    sampling_rate: Option<f64>,
    #[serde(default, deserialize_with = "whole_field")]
    dataset_size: Option<u64>,
    #[serde(default, deserialize_with = "real_field")]
    batch_size: Option<f64>,
    #[serde(default, deserialize_with = "real_field")]
    noise_multiplier: Option<f64>,
    #[serde(default, deserialize_with = "whole_field")]
    steps: Option<u64>,
    #[serde(default, deserialize_with = "real_field")]
    epochs: Option<f64>,
    phases: Option<Vec<RunDescription>>,
    event: Option<Value>,
    adjacency: Option<String>,
    #[serde(default, deserialize_with = "real_field")]
    delta: Option<f64>,
    #[serde(default, deserialize_with = "real_field")]
    epsilon: Option<f64>,
    #[serde(default, deserialize_with = "real_field")]
    order: Option<f64>,
    orders: Option<Vec<f64>>,
    #[serde(default, deserialize_with = "real_field")]
    sensitivity: Option<f64>,
    #[serde(default, deserialize_with = "real_field")]
    rho: Option<f64>,
}

/// `burn-privacy query`: answers in the order of the questions; a bad line gets an error of its own.
pub fn query(args: &QueryArgs, out: &mut impl Write) -> Result<(), Failure> {
    let mut input = BufReader::new(open(&args.file)?);
    if let Some(problem) = other_encoding(input.fill_buf()?) {
        return Err(Failure::Input(format!("{} {problem}", named(&args.file))));
    }
    if input.buffer().starts_with(BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    let mut line = Vec::new();
    let mut warned = false;
    loop {
        line.clear();
        if (&mut input).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            input.skip_until(b'\n')?;
            write_error(out, "the line is longer than 16 MiB")?;
            continue;
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            write_error(out, "the line is not UTF-8")?;
            continue;
        };
        if text.trim().is_empty() {
            continue;
        }
        match answer(text) {
            Ok(fields) => {
                // Once: each answer has its own in it.
                if let Some(warning) = fields.get("warning").and_then(Value::as_str).filter(|_| !warned) {
                    delta_check::warn(warning);
                    warned = true;
                }
                writeln!(out, "{}", Value::Object(fields))?;
            }
            Err(failure) => write_error(out, &failure.to_string())?,
        }
        // Whoever asks over a pipe waits for the answer.
        out.flush()?;
    }
}

fn write_error(out: &mut impl Write, sentence: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "{}", json!({ "error": sentence }))?)
}

fn answer(text: &str) -> Result<Map<String, Value>, Failure> {
    let query: Query = serde_json::from_str(text)
        .map_err(|error| Failure::Input(format!("the line is not a valid query: {error}")))?;
    let adjacency = query.adjacency()?;
    let choice =
        || AccountantChoice::new(query.accountant.unwrap_or(AccountantName::Pld), adjacency, query.orders.as_deref());
    let target = || Ok::<_, Failure>(target_epsilon(needed("epsilon", query.epsilon)?, Place::Field)?);
    let described = query.described();
    let mut dataset_size = query.dataset_size;
    let mut event = || {
        let (event, largest) = query.event()?;
        dataset_size = largest;
        Ok::<_, Failure>(event)
    };
    let mut delta = query.delta;
    let mut answer = match query.query {
        Question::Epsilon => {
            let delta = needed("delta", delta)?;
            with_method("epsilon", choice()?.compose(&event()?)?.certified_epsilon(delta)?)
        }
        Question::Delta => {
            let epsilon = needed("epsilon", query.epsilon)?;
            let composed = choice()?.compose(&event()?)?;
            let answer = composed.certified_delta(epsilon)?;
            delta = Some(answer.value);
            with_method("delta", answer)
        }
        Question::NoiseMultiplier => {
            let (rate, delta) = (described.rate(Place::Field)?, needed("delta", delta)?);
            let steps = described.length(rate, Place::Field)?;
            let make = |noise| run(rate, noise, steps);
            single("noise_multiplier", choice()?.noise_multiplier(make, target()?, delta)?)
        }
        Question::Steps => {
            let (rate, noise) = (described.rate(Place::Field)?, needed("noise_multiplier", query.noise_multiplier)?);
            let steps = choice()?.steps(|steps| run(rate, noise, steps), target()?, needed("delta", delta)?)?;
            Map::from_iter([("steps".to_owned(), json!(steps))])
        }
        Question::Rdp => {
            let order = needed("order", query.order)?;
            let mut accountant = RdpAccountant::new(adjacency);
            accountant.compose(&event()?, 1)?;
            fields("rdp", Certified::upper(accountant.divergence(order)?, accountant.name()))
        }
        Question::GaussianSigma => {
            let (epsilon, delta) = (needed("epsilon", query.epsilon)?, needed("delta", delta)?);
            single("gaussian_sigma", gaussian_sigma(epsilon, delta, query.sensitivity.unwrap_or(1.0))?)
        }
        Question::ZcdpEpsilon => {
            let (rho, delta) = (needed("rho", query.rho)?, needed("delta", delta)?);
            fields("zcdp_epsilon", Certified::upper(zcdp_epsilon(rho, delta)?, "zCDP"))
        }
    };
    if let Some(warning) = delta.and_then(|delta| delta_check::warning(delta, dataset_size)) {
        answer.insert("warning".to_owned(), json!(warning));
    }
    Ok(answer)
}

/// The fields of an answer, with the method that proved it.
fn with_method(name: &str, certified: Certified<'_>) -> Map<String, Value> {
    let mut answer = fields(name, certified);
    answer.insert("accountant".to_owned(), json!(certified.method.to_lowercase()));
    answer
}

fn single(name: &str, value: f64) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert(name.to_owned(), number(value));
    fields
}

fn needed<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::Input(format!("the query needs the field `{name}`")))
}

impl Query {
    fn adjacency(&self) -> Result<Adjacency, Failure> {
        match self.adjacency.as_deref() {
            None | Some("add_or_remove_one" | "add-or-remove-one") => Ok(Adjacency::AddOrRemoveOne),
            Some("replace_one" | "replace-one") => Ok(Adjacency::ReplaceOne),
            Some("zero_out" | "zero-out") => Ok(Adjacency::ZeroOut),
            Some(other) => Err(Failure::Input(format!(
                "the adjacency is {other:?}, but must be add_or_remove_one, replace_one or zero_out"
            ))),
        }
    }

    /// The run of the flat fields.
    fn described(&self) -> RunDescription {
        RunDescription {
            sampling_rate: self.sampling_rate,
            dataset_size: self.dataset_size,
            batch_size: self.batch_size,
            noise_multiplier: self.noise_multiplier,
            steps: self.steps,
            epochs: self.epochs,
        }
    }

    /// The mechanism: an event tree, a list of phases, or the flat fields; with the number of records, if it is said.
    fn event(&self) -> Result<(DpEvent, Option<u64>), Failure> {
        let described = self.described();
        // The number of records and the batch may be for phases, and the number is for delta, too.
        let flat = RunDescription { dataset_size: None, batch_size: None, ..described };
        let flat = [flat.sampling_rate, flat.noise_multiplier, flat.epochs].iter().any(Option::is_some)
            || flat.steps.is_some();
        match (&self.event, &self.phases) {
            (Some(_), None) | (None, Some(_)) if flat => Err(several()),
            (Some(_), Some(_)) => Err(several()),
            (Some(_), None) if self.batch_size.is_some() => Err(several()),
            (Some(event), None) => {
                let event = with_whole_numbers(event.clone());
                let event = if event.get("schema").is_some() {
                    DpEvent::from_json(&event.to_string())?
                } else {
                    serde_json::from_value(event)
                        .map_err(|error| Failure::Input(format!("the field `event` is not an event: {error}")))?
                };
                Ok((event, self.dataset_size))
            }
            (None, Some(phases)) => phases_event(phases, described),
            (None, None) => {
                // A plain Gaussian unless a rate says otherwise, once unless the length says otherwise.
                let drawn = described.sampling_rate.is_some() || described.batch_size.is_some();
                let rate = if drawn { described.rate(Place::Field)? } else { 1.0 };
                let once = described.steps.is_none() && described.epochs.is_none();
                let steps = if once { 1 } else { described.length(rate, Place::Field)? };
                let noise = needed("noise_multiplier", described.noise_multiplier)?;
                Ok((run(rate, noise, steps)?, self.dataset_size))
            }
        }
    }
}

fn several() -> Failure {
    Failure::Input(
        "the query describes its mechanism twice: give one of `event`, `phases`, or the fields sampling_rate (or \
         dataset_size and batch_size), noise_multiplier and steps (or epochs)"
            .to_owned(),
    )
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
