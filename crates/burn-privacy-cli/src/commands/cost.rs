//! `burn-privacy epsilon` and `burn-privacy delta`.

use std::io::Write;

use burn_privacy_accounting::Adjacency;
use clap::Args;
use serde_json::{Value, json};

use crate::accountants::{Certified, ComposedAccountant, accountants_shown};
use crate::answer::Answer;
use crate::delta_check;
use crate::failure::Failure;
use crate::flags::{AccountantArgs, DeltaArg, EpsilonArg, RunArgs};
use crate::mechanism::{Place, RunDescription, run};
use crate::numbers::number;

/// `epsilon`.
#[derive(Debug, Args)]
pub struct EpsilonArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub delta: DeltaArg,
    #[command(flatten)]
    pub accountant: AccountantArgs,
}

/// `delta`.
#[derive(Debug, Args)]
pub struct DeltaArgs {
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub epsilon: EpsilonArg,
    #[command(flatten)]
    pub accountant: AccountantArgs,
}

/// `burn-privacy epsilon`.
pub fn epsilon(args: &EpsilonArgs, out: &mut impl Write) -> Result<(), Failure> {
    let delta = args.delta.delta;
    let question = Question { name: "epsilon", given: ("delta", json!(delta)), delta: Some(delta) };
    cost(&question, &args.run, &args.accountant, |composed| composed.certified_epsilon(delta), out)
}

/// `burn-privacy delta`.
pub fn delta(args: &DeltaArgs, out: &mut impl Write) -> Result<(), Failure> {
    let epsilon = args.epsilon.epsilon;
    let question = Question { name: "delta", given: ("epsilon", number(epsilon)), delta: None };
    cost(&question, &args.run, &args.accountant, |composed| composed.certified_delta(epsilon), out)
}

struct Question {
    name: &'static str,
    given: (&'static str, Value),
    /// The delta, where it is no answer.
    delta: Option<f64>,
}

fn cost(
    question: &Question,
    run_args: &RunArgs,
    accountant: &AccountantArgs,
    ask: impl Fn(&ComposedAccountant) -> burn_privacy_accounting::Result<Certified<'_>>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let described = RunDescription::from(run_args);
    let noise = run_args.noise.noise_multiplier;
    let rate = described.rate(Place::Flag)?;
    let steps = described.length(rate, Place::Flag)?;
    let adjacency = Adjacency::from(accountant.adjacency);
    let accountants = accountants_shown(accountant, &run(rate, noise, steps)?)?;
    let results = accountants.iter().map(ask).collect::<burn_privacy_accounting::Result<Vec<_>>>()?;
    let delta = question.delta.or_else(|| results.first().map(|answer| answer.value));
    let warning = delta.and_then(|delta| delta_check::warning(delta, described.dataset_size));
    let context = vec![
        question.given.clone(),
        ("sampling_rate", json!(rate)),
        ("noise_multiplier", json!(noise)),
        ("steps", json!(steps)),
        ("adjacency", json!(adjacency.to_string())),
    ];
    Answer { name: question.name, results, context, warning }.print(accountant.json, out)
}
