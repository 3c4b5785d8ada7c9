//! `burn-privacy statement`.

use std::io::Write;

use burn_privacy_accounting::{Adjacency, EpsilonReport};
use burn_privacy_budget::statement::{PrivacyStatement, RandomnessSource};

use burn_privacy_output::InvalidValue;
use clap::{Args, ValueEnum};

use crate::accountants::pld_and_rdp;
use crate::delta_check::require_meaningful;
use crate::failure::Failure;
use crate::flags::{AdjacencyName, DeltaArg, LengthArgs, NoiseArg};
use crate::mechanism::{Place, RunDescription, run};
use crate::numbers::{real, whole};

/// Form of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StatementFormat {
    /// Plain text
    Text,
    /// A Markdown section
    Markdown,
    /// JSON at full precision
    Json,
}

/// `statement`.
#[derive(Debug, Args)]
pub struct StatementArgs {
    /// Name of the data set
    #[arg(long, default_value = "(not named)")]
    pub dataset: String,
    /// What one record is
    #[arg(long, default_value = "one record")]
    pub unit: String,
    /// Number of records (public)
    #[arg(long, value_name = "N", value_parser = whole)]
    pub dataset_size: u64,
    /// Expected number of records in a batch
    #[arg(long, value_name = "B", value_parser = real, allow_hyphen_values = true)]
    pub batch_size: f64,
    #[command(flatten)]
    pub noise: NoiseArg,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Norm to which each record's contribution is clipped
    #[arg(long, value_name = "C", default_value_t = 1.0, value_parser = real, allow_hyphen_values = true)]
    pub clipping_norm: f64,
    #[command(flatten)]
    pub delta: DeltaArg,
    /// Which data sets are neighbors
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
    /// Form of the statement
    #[arg(long, value_enum, default_value = "text")]
    pub format: StatementFormat,
}

/// `burn-privacy statement`. It refuses a delta that means nothing for the number of records.
pub fn statement(args: &StatementArgs, out: &mut impl Write) -> Result<(), Failure> {
    let described = RunDescription {
        dataset_size: Some(args.dataset_size),
        batch_size: Some(args.batch_size),
        steps: args.length.steps,
        epochs: args.length.epochs,
        ..RunDescription::default()
    };
    let rate = described.rate(Place::Flag)?;
    let steps = described.length(rate, Place::Flag)?;
    let delta = args.delta.delta;
    require_meaningful("--delta", delta, args.dataset_size)?;
    let noise = args.noise.noise_multiplier;
    if !(args.clipping_norm > 0.0 && args.clipping_norm.is_finite()) {
        return Err(InvalidValue::new("--clipping-norm", args.clipping_norm, "a finite number above 0").into());
    }
    let adjacency = Adjacency::from(args.adjacency);
    let accountants = pld_and_rdp(adjacency, &run(rate, noise, steps)?)?;
    let planned_epsilon = accountants
        .iter()
        .map(|composed| EpsilonReport::of(composed.accountant(), delta))
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
        clipping: format!("flat clipping at norm {}", args.clipping_norm),
        clipping_norm: args.clipping_norm,
        sensitivity,
        sensitivity_of: String::new(),
        noise_multiplier: noise,
        noise_standard_deviation: noise * sensitivity,
        planned_steps: steps,
        charged_steps: 0,
        delta,
        planned_epsilon,
        epsilon_so_far: Vec::new(),
        entropy: RandomnessSource::Os,
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
