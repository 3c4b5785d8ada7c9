//! The command line, and the same as a file.

use std::path::{Path, PathBuf};

use burn_privacy::sweep::Setting;
use burn_privacy_examples::Result;
use clap::{Parser, ValueEnum};
use serde::Deserialize;

/// Trains one task at several noise multipliers or epsilons, several times each, and draws the privacy-utility curve.
///
/// Every trial is charged to the ledger before it starts. A sweep that was interrupted, even by force, goes on when the same
/// command is run again.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
pub struct Arguments {
    /// TOML file with any of the options below that belong to the sweep, written with underscores, and `settings`, a list of
    /// tables with noise, clip, learning_rate and batch_size; the command line has the last word
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub options: Options,
    /// Folder for trials, tables, plots and report
    #[arg(long, value_name = "FOLDER", default_value = "runs/sweep_noise")]
    pub out: PathBuf,
    /// Ledger of the data set [default: OUT/privacy-ledger.jsonl]
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Trials at a time [default: as many as cores and memory allow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// First fetch the task's data, where they are public, if they aren't there
    #[arg(long)]
    pub download: bool,
    /// Take MNIST files with other contents than the published ones
    #[arg(long)]
    pub unverified: bool,
    /// Use the first training images only (for tests)
    #[arg(long, value_name = "N", hide = true)]
    pub limit_train: Option<usize>,
}

/// What is swept.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What is trained [default: affordability]
    #[arg(long, value_enum)]
    pub task: Option<TaskName>,
    /// Settings to start from, by name: those of cifar_dp or mnist_dp
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Where the data are, as for cifar_dp and mnist_dp
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Public number of records in the data, before any are held out: everything that depends on a number of records is made with
    /// it, and none is counted [default: the published number; --unverified needs it]
    #[arg(long, value_name = "N")]
    pub nominal_size: Option<usize>,
    /// Noise multipliers to try
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub noise_multipliers: Option<Vec<f64>>,
    /// Epsilons to try, each with the noise that it needs
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub epsilons: Option<Vec<f64>>,
    /// Clipping norms to try [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub clips: Option<Vec<f64>>,
    /// Learning rates to try [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub learning_rates: Option<Vec<f64>>,
    /// Expected batch sizes to try [default: the preset's]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub batch_sizes: Option<Vec<usize>>,
    /// Settings to try besides all combinations of these; in files only
    #[arg(skip)]
    pub settings: Option<Vec<Setting>>,
    /// Passes over the training set [default: the preset's]
    #[arg(long, value_name = "N")]
    pub epochs: Option<f64>,
    /// Score and keep the average of the weights over the steps, with this decay: post-processing, which costs nothing
    /// [default: the preset's; images only]
    #[arg(long, value_name = "D")]
    pub average: Option<f64>,
    /// Delta of all epsilons [default: 1e-5]
    #[arg(long, value_name = "D")]
    pub delta: Option<f64>,
    /// How often each setting is trained [default: 1]
    #[arg(long, value_name = "N")]
    pub seeds: Option<u32>,
    /// First of the fixed seeds, for a table that can be reproduced. NOT private: whoever knows it can subtract the noise
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Simulate every setting at this smaller batch, at the same ratio of batch to noise and in as many steps (Sander et al.
    /// 2023), and predict the large runs
    #[arg(long, value_name = "N")]
    pub simulate_at_batch: Option<usize>,
    /// `all` tries every setting and shows everything; `private` releases the best of a secret number of runs alone (Papernot
    /// and Steinke 2022) [default: all]
    #[arg(long, value_enum)]
    pub select: Option<Select>,
    /// Mean number of runs of a private selection [default: 10]
    #[arg(long, value_name = "N")]
    pub expected_trials: Option<f64>,
    /// In a private selection, score on a private tenth of the training set, with Gaussian noise of this standard deviation on
    /// the number of right answers, paid for; without it, test data are declared public and score for free
    #[arg(long, value_name = "S")]
    pub score_noise: Option<f64>,
    /// Leave out the trials without privacy, which no epsilon covers
    #[arg(long)]
    #[serde(default)]
    pub no_baseline: bool,
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// A small network on generated households
    Affordability,
    /// A CNN on CIFAR-10, or on generated images if it is not there
    Cifar,
    /// The tutorials' CNN on MNIST
    Mnist,
    /// The same on Fashion-MNIST
    FashionMnist,
}

/// What is done with the trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Select {
    /// Every setting is tried, and everything is shown
    All,
    /// Only the winner is released
    Private,
}

impl Arguments {
    /// The options, those of the file included.
    pub fn resolved(&mut self) -> Result<Options> {
        let given = std::mem::take(&mut self.options);
        let file = self.config.as_deref().map_or(Ok(Options::default()), Options::read)?;
        Ok(given.or(file))
    }
}

impl Options {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// Noise on the command line replaces all noise of the file.
    fn or(self, file: Self) -> Self {
        let noise_given = self.noise_multipliers.is_some() || self.epsilons.is_some();
        let file_noise = |values: Option<Vec<f64>>| values.filter(|_| !noise_given);
        Self {
            task: self.task.or(file.task),
            preset: self.preset.or(file.preset),
            data: self.data.or(file.data),
            nominal_size: self.nominal_size.or(file.nominal_size),
            noise_multipliers: self.noise_multipliers.or(file_noise(file.noise_multipliers)),
            epsilons: self.epsilons.or(file_noise(file.epsilons)),
            clips: self.clips.or(file.clips),
            learning_rates: self.learning_rates.or(file.learning_rates),
            batch_sizes: self.batch_sizes.or(file.batch_sizes),
            settings: self.settings.or(file.settings),
            epochs: self.epochs.or(file.epochs),
            average: self.average.or(file.average),
            delta: self.delta.or(file.delta),
            seeds: self.seeds.or(file.seeds),
            seed: self.seed.or(file.seed),
            simulate_at_batch: self.simulate_at_batch.or(file.simulate_at_batch),
            select: self.select.or(file.select),
            expected_trials: self.expected_trials.or(file.expected_trials),
            score_noise: self.score_noise.or(file.score_noise),
            no_baseline: self.no_baseline || file.no_baseline,
        }
    }
}
