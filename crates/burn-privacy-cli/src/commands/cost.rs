//! `burn-privacy epsilon` and `burn-privacy delta`.

use std::io::Write;

use burn_privacy_accounting::Adjacency;
use serde_json::{Value, json};

use crate::accountants::{Certified, Filled, chosen};
use crate::answer::Answer;
use crate::args::{DeltaArgs, EpsilonArgs, HowArgs, RunArgs};
use crate::failure::Failure;
use crate::mechanism::{run, sampling_rate, steps};

/// `burn-privacy epsilon`.
pub fn epsilon(args: &EpsilonArgs, out: &mut impl Write) -> Result<(), Failure> {
    let ask = |filled: &Filled| filled.certified_epsilon(args.delta);
    let given = ("delta", json!(args.delta));
    cost("epsilon", given, &args.run, &args.how, ask, out)
}

/// `burn-privacy delta`.
pub fn delta(args: &DeltaArgs, out: &mut impl Write) -> Result<(), Failure> {
    let ask = |filled: &Filled| filled.certified_delta(args.epsilon);
    let given = ("epsilon", crate::answer::number(args.epsilon));
    cost("delta", given, &args.run, &args.how, ask, out)
}

fn cost(
    name: &str,
    given: (&'static str, Value),
    args: &RunArgs,
    how: &HowArgs,
    ask: impl Fn(&Filled) -> burn_privacy_accounting::Result<Certified>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let noise = args.noise.noise_multiplier;
    let rate = sampling_rate(&args.sampling)?;
    let steps = steps(&args.length, rate)?;
    let adjacency = Adjacency::from(how.adjacency);
    let accountants = chosen(how, &run(rate, noise, steps)?)?;
    let results = accountants.iter().map(|filled| Ok((filled, ask(filled)?))).collect::<Result<_, Failure>>()?;
    let context = vec![
        given,
        ("sampling_rate", json!(rate)),
        ("noise_multiplier", json!(noise)),
        ("steps", json!(steps)),
        ("adjacency", json!(adjacency.to_string())),
    ];
    Answer { name, results, context }.print(how.json, out)
}
