//! `burn-privacy recommend`: how to spend an epsilon and some minutes.
//!
//! A run of T steps with B expected records each adds up T mean gradients, whose signal grows with T and whose noise with sqrt(T): per
//! coordinate, in units of the clipping norm, the noise is sigma / (B sqrt(T)) of the sum of signals. At a fixed number of
//! records that can be processed, larger batches make it smaller, until there are too few steps for the optimizer to arrive.

use std::io::Write;

use burn_privacy_accounting::{Adjacency, DpEvent, PldAccountant, calibrate_noise_multiplier, round_up_for_display};
use burn_privacy_output::{InvalidValue, grouped};
use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::flags::{DeltaArg, EpsilonArg};
use crate::numbers::{real, shortest, whole};

/// `recommend`.
#[derive(Debug, Args)]
pub struct RecommendArgs {
    /// Number of records (public)
    #[arg(long, value_name = "N", value_parser = whole)]
    pub dataset_size: u64,
    #[command(flatten)]
    pub target: EpsilonArg,
    #[command(flatten)]
    pub delta: DeltaArg,
    /// Records that training processes in a second, as a run's report says it
    #[arg(long, value_name = "R", value_parser = real, allow_hyphen_values = true)]
    pub records_per_second: f64,
    /// Minutes of training
    #[arg(long, value_name = "M", value_parser = real, allow_hyphen_values = true)]
    pub minutes: f64,
    /// Fewest steps in which the optimizer arrives: 300 to 600 for linear heads, more for networks
    #[arg(long, value_name = "T", value_parser = whole, default_value = "400")]
    pub fewest_steps: u64,
    /// One JSON object, with all numbers at full precision
    #[arg(long)]
    pub json: bool,
}

/// One way to spend the time.
struct Choice {
    batch: u64,
    steps: u64,
    noise_multiplier: f64,
    relative_noise: f64,
}

/// Smallest batch that is looked at.
const SMALLEST_BATCH: u64 = 64;

/// `burn-privacy recommend`.
pub fn recommend(args: &RecommendArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (size, delta) = (args.dataset_size, args.delta.delta);
    let records = args.records_per_second * args.minutes * 60.0;
    for (name, value) in [("--records-per-second", args.records_per_second), ("--minutes", args.minutes)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(InvalidValue::new(name, value, "a finite number above 0").into());
        }
    }
    if size == 0 {
        return Err(InvalidValue::new("--dataset-size", size, "at least 1").into());
    }
    if !(delta > 0.0 && delta < 1.0 / size as f64) {
        let given = shortest(delta);
        return Err(InvalidValue::new("--delta", given, "above 0 and below 1 / (number of records)").into());
    }
    let mut choices = Vec::new();
    let batches = std::iter::successors(Some(SMALLEST_BATCH), |batch| batch.checked_mul(2));
    for batch in batches.take_while(|&batch| batch < size).chain([size]) {
        let steps = (records / batch as f64) as u64;
        if steps < args.fewest_steps.max(1) {
            break;
        }
        let rate = batch as f64 / size as f64;
        let noise_multiplier = calibrate_noise_multiplier(
            |noise| DpEvent::self_composed(DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise)?)?, steps),
            args.target.epsilon,
            delta,
            || PldAccountant::new(Adjacency::AddOrRemoveOne),
        )?;
        let relative_noise = noise_multiplier / (batch as f64 * (steps as f64).sqrt());
        choices.push(Choice { batch, steps, noise_multiplier, relative_noise });
    }
    let best = choices.iter().min_by(|a, b| a.relative_noise.total_cmp(&b.relative_noise));
    let Some(best) = best else {
        let needed = (SMALLEST_BATCH.min(size) * args.fewest_steps.max(1)) as f64 / args.records_per_second / 60.0;
        let allowed = format!("at least {needed:.2} for {} steps of the smallest batch", args.fewest_steps.max(1));
        return Err(InvalidValue::new("--minutes", args.minutes, allowed).into());
    };
    if args.json {
        let row = |choice: &Choice| {
            json!({
                "batch_size": choice.batch,
                "steps": choice.steps,
                "noise_multiplier": choice.noise_multiplier,
                "relative_noise": choice.relative_noise,
            })
        };
        let rows: Vec<_> = choices.iter().map(row).collect();
        writeln!(out, "{}", json!({ "recommended": row(best), "choices": rows }))?;
        return Ok(());
    }
    let (epsilon, delta) = (round_up_for_display(args.target.epsilon), shortest(delta));
    writeln!(out, "For epsilon {epsilon} at delta {delta} with {} records:\n", grouped(size as usize))?;
    writeln!(out, "   batch      steps   epochs  noise multiplier  relative noise")?;
    for choice in &choices {
        let mark = if std::ptr::eq(choice, best) { "  <- the least" } else { "" };
        writeln!(
            out,
            "{:8} {:>10} {:8.1}  {:16.4}  {:14.3}{mark}",
            grouped(choice.batch as usize),
            grouped(choice.steps as usize),
            choice.steps as f64 * choice.batch as f64 / size as f64,
            choice.noise_multiplier,
            choice.relative_noise / best.relative_noise,
        )?;
    }
    writeln!(
        out,
        "\nRelative noise is that of the sum of all steps' gradients. Clip far below the gradients' norms (0.1 for a linear head on\n\
         rows of norm 1), and choose learning rate times clipping norm on records that are held out: 5, 10, 20 with momentum 0.9\n\
         for a linear head. Trying settings on the private records costs, too."
    )?;
    Ok(())
}
