//! Flags that several subcommands share.

use burn_privacy_accounting::Adjacency;
use clap::{Args, ValueEnum};

use crate::numbers::{real, whole};

/// Which accountant counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountantName {
    /// Privacy loss distributions: tight, with a lower bound
    Pld,
    /// Renyi divergences: an upper bound, in microseconds
    Rdp,
    /// Contour integral: an estimate, not a bound
    Contour,
}

/// Which data sets are neighbors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AdjacencyName {
    /// One record more or less
    AddOrRemoveOne,
    /// One record exchanged for another
    ReplaceOne,
    /// One record's contribution set to zero
    ZeroOut,
}

impl From<AdjacencyName> for Adjacency {
    fn from(name: AdjacencyName) -> Self {
        match name {
            AdjacencyName::AddOrRemoveOne => Self::AddOrRemoveOne,
            AdjacencyName::ReplaceOne => Self::ReplaceOne,
            AdjacencyName::ZeroOut => Self::ZeroOut,
        }
    }
}

/// How the answer is made and printed.
#[derive(Clone, Debug, Args)]
pub struct AccountantArgs {
    /// Accountant of the answer [default: pld, with rdp shown beside it]
    #[arg(long, value_enum)]
    pub accountant: Option<AccountantName>,
    /// Which data sets are neighbors
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
    /// Renyi orders to use, separated by commas, instead of the best real one (accountant rdp)
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = real, allow_hyphen_values = true)]
    pub orders: Option<Vec<f64>>,
    /// One JSON object, with all numbers at full precision
    #[arg(long)]
    pub json: bool,
}

/// How records are drawn.
#[derive(Clone, Copy, Debug, Args)]
pub struct SamplingArgs {
    /// Probability of each record to be in a step's batch
    #[arg(long, value_name = "Q", value_parser = real, allow_hyphen_values = true, required_unless_present_all = ["dataset_size", "batch_size"], conflicts_with = "batch_size")]
    pub sampling_rate: Option<f64>,
    /// Number of records (public); with --batch-size, instead of the sampling rate
    #[arg(long, value_name = "N", value_parser = whole)]
    pub dataset_size: Option<u64>,
    /// Expected number of records in a batch, instead of the sampling rate
    #[arg(long, value_name = "B", value_parser = real, allow_hyphen_values = true, requires = "dataset_size")]
    pub batch_size: Option<f64>,
}

/// How long the run is.
#[derive(Clone, Copy, Debug, Args)]
pub struct LengthArgs {
    /// Number of steps
    #[arg(long, value_name = "T", value_parser = whole, required_unless_present = "epochs", conflicts_with = "epochs")]
    pub steps: Option<u64>,
    /// Number of passes over the data, instead of the steps
    #[arg(long, value_name = "E", value_parser = real, allow_hyphen_values = true)]
    pub epochs: Option<f64>,
}

/// Standard deviation of the noise over the sensitivity.
#[derive(Clone, Copy, Debug, Args)]
pub struct NoiseArg {
    /// Standard deviation of the noise divided by the sensitivity of the clipped sum
    #[arg(long, value_name = "SIGMA", value_parser = real, allow_hyphen_values = true)]
    pub noise_multiplier: f64,
}

/// Probability with which a guarantee may fail.
#[derive(Clone, Copy, Debug, Args)]
pub struct DeltaArg {
    /// Probability with which the guarantee may fail; well below one over the number of records
    #[arg(long, value_parser = real, allow_hyphen_values = true)]
    pub delta: f64,
}

/// Privacy loss.
#[derive(Clone, Copy, Debug, Args)]
pub struct EpsilonArg {
    /// The privacy loss, in nats
    #[arg(long, value_parser = real, allow_hyphen_values = true)]
    pub epsilon: f64,
}

/// A whole run.
#[derive(Clone, Copy, Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub noise: NoiseArg,
    #[command(flatten)]
    pub length: LengthArgs,
}
