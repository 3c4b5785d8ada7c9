//! The command line.

use std::path::PathBuf;

use burn_privacy_accounting::Adjacency;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::accountants::Counting;
use crate::commands::anonymize::AnonymizeCommand;
use crate::failure::Failure;

/// Says what differentially private training costs, and what it takes to cost less.
///
/// A step of DP-SGD draws each record with probability --sampling-rate, clips, sums and adds Gaussian noise of
/// --noise-multiplier times the sensitivity. After --steps steps the model is (epsilon, delta)-differentially private.
/// Every epsilon shown is an upper bound, rounded up, unless it is called an estimate.
#[derive(Debug, Parser)]
#[command(name = "burn-privacy", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  burn-privacy epsilon --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --delta 1e-5
  burn-privacy epsilon --dataset-size 50000 --batch-size 250 --epochs 10 --noise-multiplier 1.1 --delta 1e-5
  burn-privacy noise --sampling-rate 0.005 --steps 2000 --epsilon 3 --delta 1e-5
  echo '{\"query\":\"epsilon\",\"sampling_rate\":0.005,\"noise_multiplier\":1.1,\"steps\":2000,\"delta\":1e-5}' | burn-privacy query

Exit codes: 0 answered, 1 a value refused or a file unreadable, 2 usage, 3 target out of reach.")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The epsilon of a training run at a delta
    #[command(after_help = "Example:
  burn-privacy epsilon --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --delta 1e-5")]
    Epsilon(EpsilonArgs),
    /// The delta of a training run at an epsilon
    #[command(after_help = "Example:
  burn-privacy delta --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --epsilon 1")]
    Delta(DeltaArgs),
    /// The smallest noise multiplier that reaches an (epsilon, delta)
    #[command(after_help = "Example:
  burn-privacy noise --dataset-size 50000 --batch-size 250 --epochs 10 --epsilon 3 --delta 1e-5")]
    Noise(NoiseArgs),
    /// The largest number of steps within an (epsilon, delta)
    #[command(after_help = "Example:
  burn-privacy steps --sampling-rate 0.005 --noise-multiplier 1.1 --epsilon 1 --delta 1e-5")]
    Steps(StepsArgs),
    /// The epsilon of a list of phases or of any event, read from a JSON file
    #[command(after_help = "The file (- for standard input) holds either phases

  {\"phases\": [{\"sampling_rate\": 0.01, \"noise_multiplier\": 1.0, \"steps\": 500},
              {\"sampling_rate\": 0.01, \"noise_multiplier\": 2.0, \"steps\": 1000}]}

or an event tree, with or without its schema, such as

  {\"composed\": {\"events\": [{\"laplace\": {\"noise_multiplier\": 2.0}}, {\"gaussian\": {\"noise_multiplier\": 5.0}}]}}

Example:
  burn-privacy compose phases.json --delta 1e-5")]
    Compose(ComposeArgs),
    /// Epsilon over the steps, or delta over epsilon, as CSV, PNG or SVG
    #[command(after_help = "Example:
  burn-privacy curve --sampling-rate 0.005 --noise-multiplier 1.1 --steps 2000 --delta 1e-5 --output curve.svg")]
    Curve(CurveArgs),
    /// A privacy statement for a planned run, as text, Markdown or JSON
    #[command(after_help = "Example:
  burn-privacy statement --dataset CIFAR-10 --unit 'one training image' --dataset-size 50000 --batch-size 250 \\
      --epochs 10 --noise-multiplier 1.1 --clipping-norm 1 --delta 1e-5 --format markdown")]
    Statement(StatementArgs),
    /// Perturbs a table row by row, for local differential privacy
    #[command(after_help = "Example:
  burn-privacy perturb schema-template --input people.csv > schema.toml
  burn-privacy perturb check --schema schema.toml
  burn-privacy perturb run --schema schema.toml --input people.csv --output perturbed.csv")]
    Perturb {
        /// What to do.
        #[command(subcommand)]
        command: PerturbCommand,
    },
    /// Makes a table in which nobody can be found, or tries to find somebody in one
    #[command(after_help = "Example:
  burn-privacy anonymize search people.csv --separator ';' --hierarchies hierarchies --k 5 --metric loss --suppression 0.02
  burn-privacy anonymize mdav salaries.csv --k 5 --output grouped.csv")]
    Anonymize {
        /// What to do.
        #[command(subcommand)]
        command: AnonymizeCommand,
    },
    /// Answers questions from standard input, one JSON object a line, in order
    #[command(
        after_help = "A line is an object with `query` (epsilon, delta, noise_multiplier, steps, rdp, gaussian_sigma,
zcdp_epsilon) and what it needs of: accountant, sampling_rate, noise_multiplier, steps, phases, event,
adjacency, delta, epsilon, order, orders, sensitivity, rho. The answer's field is named as the query; `lower` and
`upper` are added where the accountant certifies them; infinity is \"inf\". A line that can't be answered gives
{\"error\": \"..\"} and doesn't end the run.

Example:
  echo '{\"query\":\"epsilon\",\"sampling_rate\":0.005,\"noise_multiplier\":1.1,\"steps\":2000,\"delta\":1e-5}' | burn-privacy query"
    )]
    Query,
    /// Prints a completion script for a shell
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    Man,
}

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

/// Which data sets are neighbours.
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
pub struct HowArgs {
    /// Accountant of the answer [default: pld, with rdp shown beside it]
    #[arg(long, value_enum)]
    pub accountant: Option<AccountantName>,
    /// Which data sets are neighbours
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
    /// Renyi orders to use, separated by commas, instead of the best real one (accountant rdp)
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub orders: Option<Vec<f64>>,
    /// One JSON object, with all numbers at full precision
    #[arg(long)]
    pub json: bool,
}

impl HowArgs {
    /// The single accountant that was asked for: rdp where orders are given, else pld by default.
    pub fn counting(&self) -> Result<Counting, Failure> {
        let default = if self.orders.is_some() { AccountantName::Rdp } else { AccountantName::Pld };
        Counting::new(self.accountant.unwrap_or(default), self.adjacency.into(), self.orders.as_deref())
    }
}

/// How records are drawn.
#[derive(Clone, Copy, Debug, Args)]
pub struct SamplingArgs {
    /// Probability of each record to be in a step's batch
    #[arg(long, value_name = "Q", required_unless_present_all = ["dataset_size", "batch_size"], conflicts_with_all = ["dataset_size", "batch_size"])]
    pub sampling_rate: Option<f64>,
    /// Number of records (public), instead of the sampling rate
    #[arg(long, value_name = "N", requires = "batch_size")]
    pub dataset_size: Option<u64>,
    /// Expected number of records in a batch, instead of the sampling rate
    #[arg(long, value_name = "B", requires = "dataset_size")]
    pub batch_size: Option<f64>,
}

/// How long the run is.
#[derive(Clone, Copy, Debug, Args)]
pub struct LengthArgs {
    /// Number of steps
    #[arg(long, value_name = "T", required_unless_present = "epochs", conflicts_with = "epochs")]
    pub steps: Option<u64>,
    /// Number of passes over the data, instead of the steps
    #[arg(long, value_name = "E")]
    pub epochs: Option<f64>,
}

/// Standard deviation of the noise over the sensitivity.
#[derive(Clone, Copy, Debug, Args)]
pub struct NoiseArg {
    /// Standard deviation of the noise divided by the sensitivity of the clipped sum
    #[arg(long, value_name = "SIGMA")]
    pub noise_multiplier: f64,
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

/// `epsilon`.
#[derive(Debug, Args)]
pub struct EpsilonArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Probability with which the guarantee may fail; well below one over the number of records
    #[arg(long)]
    pub delta: f64,
    #[command(flatten)]
    pub how: HowArgs,
}

/// `delta`.
#[derive(Debug, Args)]
pub struct DeltaArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// The privacy loss, in nats
    #[arg(long)]
    pub epsilon: f64,
    #[command(flatten)]
    pub how: HowArgs,
}

/// `noise`.
#[derive(Debug, Args)]
pub struct NoiseArgs {
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub length: LengthArgs,
    /// The target, in nats
    #[arg(long)]
    pub epsilon: f64,
    /// Probability with which the guarantee may fail
    #[arg(long)]
    pub delta: f64,
    #[command(flatten)]
    pub how: HowArgs,
}

/// `steps`.
#[derive(Debug, Args)]
pub struct StepsArgs {
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub noise: NoiseArg,
    /// The target, in nats
    #[arg(long)]
    pub epsilon: f64,
    /// Probability with which the guarantee may fail
    #[arg(long)]
    pub delta: f64,
    #[command(flatten)]
    pub how: HowArgs,
}

/// `compose`.
#[derive(Debug, Args)]
pub struct ComposeArgs {
    /// JSON file with phases or an event; - for standard input
    pub file: PathBuf,
    /// Probability with which the guarantee may fail
    #[arg(long)]
    pub delta: f64,
    #[command(flatten)]
    pub how: HowArgs,
}

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CurveKind {
    /// Epsilon at --delta, over the steps
    EpsilonOverSteps,
    /// Delta over epsilon, after all steps
    DeltaOverEpsilon,
}

/// `curve`.
#[derive(Debug, Args)]
pub struct CurveArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// Probability with which the guarantee may fail
    #[arg(long)]
    pub delta: f64,
    /// What to show
    #[arg(long, value_enum, default_value = "epsilon-over-steps")]
    pub kind: CurveKind,
    /// Number of points
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    pub points: u64,
    /// Where to write: a name ending in .csv, .png or .svg [default: CSV to standard output]
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which data sets are neighbours
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
}

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
    #[arg(long, value_name = "N")]
    pub dataset_size: u64,
    /// Expected number of records in a batch
    #[arg(long, value_name = "B")]
    pub batch_size: f64,
    #[command(flatten)]
    pub noise: NoiseArg,
    #[command(flatten)]
    pub length: LengthArgs,
    /// Norm to which each record's contribution is clipped
    #[arg(long, value_name = "C", default_value_t = 1.0)]
    pub clipping_norm: f64,
    /// Probability with which the guarantee may fail
    #[arg(long)]
    pub delta: f64,
    /// Which data sets are neighbours
    #[arg(long, value_enum, default_value = "add-or-remove-one")]
    pub adjacency: AdjacencyName,
    /// Form of the statement
    #[arg(long, value_enum, default_value = "text")]
    pub format: StatementFormat,
}

/// `perturb`.
#[derive(Debug, Subcommand)]
pub enum PerturbCommand {
    /// Writes a perturbed copy of a CSV file, and beside it what that is worth (.statement.md, .statement.json)
    Run(PerturbRunArgs),
    /// Prints a schema to fill in, from the header of a CSV file alone
    SchemaTemplate {
        /// CSV file; only its first line is read
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
    },
    /// Prints what a schema amounts to
    Check {
        /// Schema in TOML
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// Epsilon of a whole row, instead of the schema's
        #[arg(long)]
        epsilon: Option<f64>,
    },
}

/// `perturb run`.
#[derive(Debug, Args)]
pub struct PerturbRunArgs {
    /// Schema in TOML
    #[arg(long, value_name = "FILE")]
    pub schema: PathBuf,
    /// CSV file to perturb
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// CSV file to write
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Epsilon of a whole row, instead of the schema's
    #[arg(long)]
    pub epsilon: Option<f64>,
    /// Fixed seed, for tests: the result is NOT PRIVATE
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replaces an output that exists
    #[arg(long)]
    pub force: bool,
}
