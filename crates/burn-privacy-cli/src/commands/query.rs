//! `burn-privacy query`: one JSON object a line in, one a line out.

use std::io::{BufRead, Read, Write};

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant, gaussian_sigma, zcdp_epsilon};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::compose::{Phase, phases_event};
use crate::accountants::{Certified, Counting};
use crate::answer::{fields, number};
use crate::args::AccountantName;
use crate::failure::Failure;
use crate::mechanism::run;

/// Longer lines are refused without being read whole.
const LONGEST_LINE: u64 = 16 << 20;

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
    #[serde(default, deserialize_with = "number_or_inf")]
    sampling_rate: Option<f64>,
    #[serde(default, deserialize_with = "number_or_inf")]
    noise_multiplier: Option<f64>,
    steps: Option<u64>,
    phases: Option<Vec<Phase>>,
    event: Option<Value>,
    adjacency: Option<String>,
    #[serde(default, deserialize_with = "number_or_inf")]
    delta: Option<f64>,
    #[serde(default, deserialize_with = "number_or_inf")]
    epsilon: Option<f64>,
    #[serde(default, deserialize_with = "number_or_inf")]
    order: Option<f64>,
    orders: Option<Vec<f64>>,
    #[serde(default, deserialize_with = "number_or_inf")]
    sensitivity: Option<f64>,
    #[serde(default, deserialize_with = "number_or_inf")]
    rho: Option<f64>,
}

/// `burn-privacy query`: answers in the order of the questions; a bad line gets an error of its own.
pub fn query(mut input: impl BufRead, out: &mut impl Write) -> Result<(), Failure> {
    let mut line = Vec::new();
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
            Ok(fields) => writeln!(out, "{}", Value::Object(fields))?,
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
    let counting =
        || Counting::new(query.accountant.unwrap_or(AccountantName::Pld), adjacency, query.orders.as_deref());
    match query.query {
        Question::Epsilon => {
            let delta = needed("delta", query.delta)?;
            Ok(fields("epsilon", counting()?.count(&query.event()?)?.certified_epsilon(delta)?))
        }
        Question::Delta => {
            let epsilon = needed("epsilon", query.epsilon)?;
            Ok(fields("delta", counting()?.count(&query.event()?)?.certified_delta(epsilon)?))
        }
        Question::NoiseMultiplier => {
            let (rate, steps) = (needed("sampling_rate", query.sampling_rate)?, needed("steps", query.steps)?);
            let (epsilon, delta) = (needed("epsilon", query.epsilon)?, needed("delta", query.delta)?);
            let make = |noise| run(rate, noise, steps);
            Ok(single("noise_multiplier", counting()?.noise_multiplier(make, epsilon, delta)?))
        }
        Question::Steps => {
            let (rate, noise) =
                (needed("sampling_rate", query.sampling_rate)?, needed("noise_multiplier", query.noise_multiplier)?);
            let (epsilon, delta) = (needed("epsilon", query.epsilon)?, needed("delta", query.delta)?);
            let found = counting()?.steps(|steps| run(rate, noise, steps), epsilon, delta)?;
            let mut fields = Map::new();
            fields.insert("steps".to_owned(), json!(found));
            Ok(fields)
        }
        Question::Rdp => {
            let order = needed("order", query.order)?;
            let mut accountant = RdpAccountant::new(adjacency);
            accountant.compose(&query.event()?, 1)?;
            let value = accountant.divergence(order)?;
            Ok(fields("rdp", Certified::upper(value)))
        }
        Question::GaussianSigma => {
            let (epsilon, delta) = (needed("epsilon", query.epsilon)?, needed("delta", query.delta)?);
            Ok(single("gaussian_sigma", gaussian_sigma(epsilon, delta, query.sensitivity.unwrap_or(1.0))?))
        }
        Question::ZcdpEpsilon => {
            let (rho, delta) = (needed("rho", query.rho)?, needed("delta", query.delta)?);
            let value = zcdp_epsilon(rho, delta)?;
            Ok(fields("zcdp_epsilon", Certified::upper(value)))
        }
    }
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

    /// The mechanism: an event tree, a list of phases, or the flat fields.
    fn event(&self) -> Result<DpEvent, Failure> {
        let flat = self.sampling_rate.is_some() || self.noise_multiplier.is_some() || self.steps.is_some();
        match (&self.event, &self.phases) {
            (Some(_), None) | (None, Some(_)) if flat => Err(several()),
            (Some(_), Some(_)) => Err(several()),
            (Some(event), None) if event.get("schema").is_some() => Ok(DpEvent::from_json(&event.to_string())?),
            (Some(event), None) => serde_json::from_value(event.clone())
                .map_err(|error| Failure::Input(format!("the field `event` is not an event: {error}"))),
            (None, Some(phases)) => Ok(phases_event(phases)?),
            (None, None) => Ok(run(
                // A plain Gaussian unless a rate says otherwise, once unless the steps say otherwise.
                self.sampling_rate.unwrap_or(1.0),
                needed("noise_multiplier", self.noise_multiplier)?,
                self.steps.unwrap_or(1),
            )?),
        }
    }
}

fn several() -> Failure {
    Failure::Input(
        "the query describes its mechanism twice: give one of `event`, `phases`, or the fields sampling_rate, \
         noise_multiplier and steps"
            .to_owned(),
    )
}

/// A number, or the string "inf".
fn number_or_inf<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(f64),
        Text(String),
    }
    match Option::<NumberOrText>::deserialize(deserializer)? {
        None => Ok(None),
        Some(NumberOrText::Number(value)) => Ok(Some(value)),
        Some(NumberOrText::Text(text)) if text == "inf" => Ok(Some(f64::INFINITY)),
        Some(NumberOrText::Text(text)) => {
            Err(serde::de::Error::custom(format!("{text:?} is neither a number nor \"inf\"")))
        }
    }
}
