//! The command line.

use clap::{Parser, Subcommand};

use crate::commands::anonymize::AnonymizeCommand;
use crate::commands::audit::AuditCommand;
use crate::commands::compose::ComposeArgs;
use crate::commands::cost::{DeltaArgs, EpsilonArgs};
use crate::commands::curve::CurveArgs;
use crate::commands::ledger::LedgerCommand;
use crate::commands::perturb::PerturbCommand;
use crate::commands::query::QueryArgs;
use crate::commands::recommend::RecommendArgs;
use crate::commands::search::{NoiseArgs, StepsArgs};
use crate::commands::statement::StatementArgs;

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

For a file's name, - is standard input, or standard output where a file is written.
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
    /// Batch size, steps and noise for an epsilon and some minutes of training
    #[command(after_help = "Example:
  burn-privacy recommend --dataset-size 60000 --epsilon 3 --delta 1e-5 --records-per-second 100000 --minutes 0.5")]
    Recommend(RecommendArgs),
    /// The epsilon of a list of phases or of any event, read from a JSON file
    #[command(after_help = "The file (- for standard input) holds either phases

  {\"phases\": [{\"sampling_rate\": 0.01, \"noise_multiplier\": 1.0, \"steps\": 500},
              {\"dataset_size\": 5e4, \"batch_size\": 500, \"noise_multiplier\": 2.0, \"epochs\": 10}]}

or the list alone, or one phase (dataset_size and batch_size beside `phases` are for those that lack them), or an event
tree, with or without its schema, such as

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
    /// What was spent on a data set by all runs that were charged to its ledger, and its budget
    #[command(after_help = "A ledger is the file to which programs charge every step before they release it.

Example:
  burn-privacy ledger budget patients.ledger --dataset 'patients 2024' --epsilon 3 --delta 1e-6 \\
      --noise-multiplier 1.1 --sampling-rate 0.005
  burn-privacy ledger show patients.ledger
  burn-privacy ledger verify patients.ledger
  burn-privacy ledger total patients.ledger --delta 1e-6")]
    Ledger {
        /// What to do.
        #[command(subcommand)]
        command: LedgerCommand,
    },
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
    /// Makes a table in which people are hard to find, or tries to find somebody in one
    #[command(after_help = "Example:
  burn-privacy anonymize search people.csv --separator ';' --hierarchies hierarchies --k 5 --metric loss --suppression 0.02
  burn-privacy anonymize mdav salaries.csv --k 5 --output grouped.csv")]
    Anonymize {
        /// What to do.
        #[command(subcommand)]
        command: AnonymizeCommand,
    },
    /// How much leaks, measured: lower bounds on epsilon, and membership inference
    #[command(after_help = "Example:
  burn-privacy audit one-run --canaries 1000 --guesses 100 --correct 80 --delta 1e-5
  burn-privacy audit scores canaries.csv --runs one --delta 1e-5 --claimed 3")]
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Transforms tables that are sent to it: one POST, no session
    #[cfg(feature = "serve")]
    #[command(after_help = "Example:
  burn-privacy serve schema.toml --key secret.key
  curl --data-binary @people.csv http://127.0.0.1:7878/ > released.csv

The answer's header burn-privacy-statement says what the table is worth, as JSON.")]
    Serve(crate::commands::serve::ServeArgs),
    /// Answers questions, one JSON object a line, in order
    #[command(
        after_help = "The file is standard input where none is named. A line is an object with `query` (epsilon, delta,
noise_multiplier, steps, rdp, gaussian_sigma, zcdp_epsilon) and what it needs of: accountant, sampling_rate, dataset_size, batch_size, noise_multiplier, steps,
epochs, phases, event, adjacency, delta, epsilon, order, orders, sensitivity, rho. The answer's field is named as the
query; `lower` and `upper` are added where the accountant certifies them, `warning` where delta is not below one over
dataset_size; infinity is \"inf\". A line that can't be answered gives {\"error\": \"..\"} and doesn't end
the run.

Example:
  echo '{\"query\":\"epsilon\",\"sampling_rate\":0.005,\"noise_multiplier\":1.1,\"steps\":2000,\"delta\":1e-5}' | burn-privacy query"
    )]
    Query(QueryArgs),
    /// Prints a completion script for a shell
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page
    Man,
}
