//! `burn-privacy noise` and `burn-privacy steps`.

use std::io::Write;

use burn_privacy_accounting::Adjacency;
use serde_json::{Map, json};

use crate::accountants::Filled;
use crate::answer::{fields, shortest};
use crate::args::{HowArgs, NoiseArgs, StepsArgs};
use crate::failure::Failure;
use crate::mechanism::{run, sampling_rate, steps as number_of_steps};

/// `burn-privacy noise`.
pub fn noise(args: &NoiseArgs, out: &mut impl Write) -> Result<(), Failure> {
    let rate = sampling_rate(&args.sampling)?;
    let steps = number_of_steps(&args.length, rate)?;
    let counting = args.how.counting()?;
    let make = |noise| run(rate, noise, steps);
    let found = counting.noise_multiplier(make, args.epsilon, args.delta)?;
    let filled = counting.count(&make(found)?)?;
    report(out, &args.how, &filled, ("noise_multiplier", found), rate, ("steps", steps as f64), args.delta)
}

/// `burn-privacy steps`.
pub fn steps(args: &StepsArgs, out: &mut impl Write) -> Result<(), Failure> {
    let rate = sampling_rate(&args.sampling)?;
    let counting = args.how.counting()?;
    let noise = args.noise.noise_multiplier;
    let make = |steps| run(rate, noise, steps);
    let found = counting.steps(make, args.epsilon, args.delta)?;
    let filled = counting.count(&make(found)?)?;
    report(out, &args.how, &filled, ("steps", found as f64), rate, ("noise_multiplier", noise), args.delta)
}

fn report(
    out: &mut impl Write,
    how: &HowArgs,
    filled: &Filled,
    (name, found): (&str, f64),
    rate: f64,
    (other, value): (&str, f64),
    delta: f64,
) -> Result<(), Failure> {
    let reached = filled.certified_epsilon(delta)?;
    let accountant = filled.accountant();
    if how.json {
        let mut object = Map::new();
        object.insert(name.to_owned(), json!(found));
        object.append(&mut fields("epsilon", reached));
        object.insert("delta".to_owned(), json!(delta));
        object.insert("sampling_rate".to_owned(), json!(rate));
        object.insert(other.to_owned(), json!(value));
        object.insert("accountant".to_owned(), json!(accountant.name().to_lowercase()));
        writeln!(out, "{}", serde_json::Value::Object(object))?;
        return Ok(());
    }
    let adjacency: Adjacency = accountant.adjacency();
    let kind = if accountant.is_bound() { "upper bound" } else { "an estimate, not a bound" };
    writeln!(out, "{:18}{found}", name.replace('_', " "))?;
    writeln!(
        out,
        "epsilon {} at delta {} by {} ({kind}), sampling rate {rate}, {} {value}, {adjacency}",
        burn_privacy_accounting::round_up_for_display(reached.value),
        shortest(delta),
        accountant.name(),
        other.replace('_', " "),
    )?;
    Ok(())
}
