//! `burn-privacy statement`.

use std::io::Write;

use burn_privacy_accounting::{Adjacency, Entropy, EpsilonReport, PrivacyStatement};

use crate::accountants::both;
use crate::args::{StatementArgs, StatementFormat};
use crate::failure::Failure;
use crate::mechanism::{rate_of, run, steps};

/// `burn-privacy statement`.
pub fn statement(args: &StatementArgs, out: &mut impl Write) -> Result<(), Failure> {
    let rate = rate_of(args.dataset_size, args.batch_size)?;
    let steps = steps(&args.length, rate)?;
    let noise = args.noise.noise_multiplier;
    if !(args.clipping_norm > 0.0 && args.clipping_norm.is_finite()) {
        return Err(Failure::Input(format!(
            "--clipping-norm is {}, but must be a finite number above 0",
            args.clipping_norm
        )));
    }
    let adjacency = Adjacency::from(args.adjacency);
    let accountants = both(adjacency, &run(rate, noise, steps)?)?;
    let planned_epsilon = accountants
        .iter()
        .map(|filled| EpsilonReport::of(filled.accountant(), args.delta))
        .collect::<burn_privacy_accounting::Result<Vec<_>>>()?;
    let sensitivity = adjacency.sensitivity_factor() * args.clipping_norm;
    let statement = PrivacyStatement {
        protected_unit: args.unit.clone(),
        adjacency,
        mechanism: "DP-SGD with clipped per-example gradients and Gaussian noise".to_owned(),
        sampling: "Poisson: every record independently, anew in every step".to_owned(),
        sampling_rate: rate,
        nominal_dataset_size: args.dataset_size,
        expected_batch_size: args.batch_size,
        clipping_norm: args.clipping_norm,
        sensitivity,
        noise_multiplier: noise,
        noise_standard_deviation: noise * sensitivity,
        planned_steps: steps,
        charged_steps: 0,
        delta: args.delta,
        planned_epsilon,
        epsilon_so_far: Vec::new(),
        entropy: Entropy::Os,
        dataset: args.dataset.clone(),
        assumptions: PrivacyStatement::standard_assumptions(),
        not_covered: PrivacyStatement::standard_exclusions(),
    };
    match args.format {
        StatementFormat::Text => write!(out, "{statement}")?,
        StatementFormat::Markdown => write!(out, "{}", statement.to_markdown())?,
        StatementFormat::Json => writeln!(out, "{}", statement.to_json())?,
    }
    Ok(())
}
