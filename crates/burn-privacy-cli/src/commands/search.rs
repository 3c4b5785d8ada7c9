//! `burn-privacy noise` and `burn-privacy steps`.

use std::io::Write;

use burn_privacy_accounting::{Adjacency, round_up_for_display};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::accountants::{AccountantChoice, ComposedAccountant};
use crate::answer::fields;
use crate::delta_check;
use crate::failure::Failure;
use crate::flags::{AccountantArgs, DeltaArg, EpsilonArg, LengthArgs, NoiseArg, SamplingArgs};
use crate::mechanism::{Place, RunDescription, run, target_epsilon};
use crate::numbers::shortest;

/// `noise`.
#[derive(Debug, Args)]
pub struct NoiseArgs {
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    #[command(flatten)]
    pub target: EpsilonArg,
    #[command(flatten)]
    pub delta: DeltaArg,
    #[command(flatten)]
    pub accountant: AccountantArgs,
}

/// `steps`.
#[derive(Debug, Args)]
pub struct StepsArgs {
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub noise: NoiseArg,
    #[command(flatten)]
    pub target: EpsilonArg,
    #[command(flatten)]
    pub delta: DeltaArg,
    #[command(flatten)]
    pub accountant: AccountantArgs,
}

/// `burn-privacy noise`.
pub fn noise(args: &NoiseArgs, out: &mut impl Write) -> Result<(), Failure> {
    let SamplingArgs { sampling_rate, dataset_size, batch_size } = args.sampling;
    let LengthArgs { steps, epochs } = args.length;
    let described =
        RunDescription { sampling_rate, dataset_size, batch_size, steps, epochs, ..RunDescription::default() };
    let rate = described.rate(Place::Flag)?;
    let steps = described.length(rate, Place::Flag)?;
    let choice = AccountantChoice::from_args(&args.accountant)?;
    let make = |noise| run(rate, noise, steps);
    let delta = args.delta.delta;
    let noise = choice.noise_multiplier(make, target_epsilon(args.target.epsilon, Place::Flag)?, delta)?;
    let composed = choice.compose(&make(noise)?)?;
    let answer = SearchAnswer {
        name: "noise_multiplier",
        value: json!(noise),
        rate,
        other: ("steps", json!(steps)),
        delta,
        warning: delta_check::warning(delta, dataset_size),
    };
    answer.print(&composed, args.accountant.json, out)
}

/// `burn-privacy steps`.
pub fn steps(args: &StepsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let SamplingArgs { sampling_rate, dataset_size, batch_size } = args.sampling;
    let described = RunDescription { sampling_rate, dataset_size, batch_size, ..RunDescription::default() };
    let rate = described.rate(Place::Flag)?;
    let choice = AccountantChoice::from_args(&args.accountant)?;
    let noise = args.noise.noise_multiplier;
    let make = |steps| run(rate, noise, steps);
    let delta = args.delta.delta;
    let steps = choice.steps(make, target_epsilon(args.target.epsilon, Place::Flag)?, delta)?;
    let composed = choice.compose(&make(steps)?)?;
    let answer = SearchAnswer {
        name: "steps",
        value: json!(steps),
        rate,
        other: ("noise_multiplier", json!(noise)),
        delta,
        warning: delta_check::warning(delta, dataset_size),
    };
    answer.print(&composed, args.accountant.json, out)
}

/// A parameter that reaches a target.
struct SearchAnswer {
    name: &'static str,
    value: Value,
    rate: f64,
    /// The parameter that was given.
    other: (&'static str, Value),
    delta: f64,
    warning: Option<String>,
}

impl SearchAnswer {
    /// Prints it, with the epsilon that it reaches.
    fn print(&self, composed: &ComposedAccountant, as_json: bool, out: &mut impl Write) -> Result<(), Failure> {
        let Self { name, value, rate, other: (other, other_value), delta, warning } = self;
        if let Some(warning) = warning {
            delta_check::warn(warning);
        }
        let reached = composed.certified_epsilon(*delta)?;
        let accountant = composed.accountant();
        if as_json {
            let mut object = Map::new();
            object.insert((*name).to_owned(), value.clone());
            object.append(&mut fields("epsilon", reached));
            object.insert("delta".to_owned(), json!(delta));
            object.insert("sampling_rate".to_owned(), json!(rate));
            object.insert((*other).to_owned(), other_value.clone());
            object.insert("accountant".to_owned(), json!(reached.method.to_lowercase()));
            if let Some(warning) = warning {
                object.insert("warning".to_owned(), json!(warning));
            }
            writeln!(out, "{}", Value::Object(object))?;
            return Ok(());
        }
        let adjacency: Adjacency = accountant.adjacency();
        let kind = if accountant.is_bound() { "upper bound" } else { "an estimate, not a bound" };
        writeln!(out, "{:18}{value}", name.replace('_', " "))?;
        writeln!(
            out,
            "epsilon {} at delta {} by {} ({kind}), sampling rate {rate}, {} {other_value}, {adjacency}",
            round_up_for_display(reached.value),
            shortest(*delta),
            reached.method,
            other.replace('_', " "),
        )?;
        Ok(())
    }
}
