//! The command line.

use std::path::PathBuf;

use burn_privacy_examples::image_training::ClippingStyle;
use clap::{Parser, ValueEnum};

/// Trains a small network (Dense 10, ReLU, Dense 1) to predict affordability from age, income, annual expenditure and
/// house price, with the privacy noise on the data, on the gradients, or on the predictions.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
pub struct Arguments {
    /// Where the noise goes
    #[arg(long, value_enum, default_value = "all")]
    pub mode: Mode,
    /// Privacy losses to compare, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "0.5,1,2,4,8", value_parser = epsilon)]
    pub epsilon: Vec<f64>,
    /// Probability with which a guarantee may fail; below one over the number of records
    #[arg(long, default_value_t = 1e-5, value_parser = delta)]
    pub delta: f64,
    /// How often each setting is trained, each time with new randomness
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
    /// CSV file with the columns age, income, expenditure, house_price, affordability, instead of generated households; needs
    /// --nominal-size
    #[arg(long, value_name = "FILE", conflicts_with = "scf")]
    pub data: Option<PathBuf>,
    /// Schema of --data in TOML, as `burn-privacy perturb` reads it, of which the public bounds (lo, hi) are used
    #[arg(long, value_name = "FILE", requires = "data")]
    pub schema: Option<PathBuf>,
    /// Survey of Consumer Finances 2019, summary extract (SCFP2019.csv or .csv.gz), instead of generated households
    #[arg(long, value_name = "FILE")]
    pub scf: Option<PathBuf>,
    /// Public number of households in the data, a published or a round one. Sampling, averages and everything that is printed
    /// are made with it, and no household is counted: under add-or-remove-one adjacency the number is private itself
    /// [default: 25000 generated households, 5777 families of the survey; --data needs it]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    pub nominal_size: Option<u32>,
    /// Predictions that the output modes answer, over all of which their epsilon is spent
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub queries: u64,
    /// Teachers of the mode output-networks, each trained on a shard of its own (output takes as many as suit epsilon)
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    pub teachers: u64,
    /// How gradients are bounded in the gradient mode
    #[arg(long, value_name = "STYLE", value_enum, default_value_t)]
    pub clipping: ClippingStyle,
    /// Folder for the table, the plot, the statements and the ledger
    #[arg(long, value_name = "FOLDER", default_value = "runs/affordability_dp")]
    pub out: PathBuf,
    /// Writes the generated households as CSV, with invented names, e-mail addresses and post codes, and ends
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "scf"])]
    pub write_data: Option<PathBuf>,
}

/// Where the noise goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Mode {
    /// Nowhere: what privacy costs is measured against this
    None,
    /// On the data, before anybody collects them (local differential privacy): each household sends a perturbed gradient, once
    Input,
    /// On every cell of each household's row, and a line fitted with the known noise subtracted (errors in variables)
    InputRows,
    /// On every cell of each household's row, from which a network is trained as usual: what `input` improves on
    InputCells,
    /// On the gradients: DP-SGD, which some call objective perturbation
    #[value(alias = "objective")]
    Gradient,
    /// On the predictions of an ensemble of many small models, from which a student learns
    Output,
    /// On the predictions of an ensemble of networks: what `output` improves on
    OutputNetworks,
    /// Plain obfuscation: a fixed noise on the raw columns, and what it amounts to
    Obfuscation,
    /// All of these but the obfuscation and, on data of your own or a survey's, `none`, whose figures nothing protects
    All,
}

impl Mode {
    /// In tables and plots.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no privacy",
            Self::Input => "input (local gradients)",
            Self::InputRows => "input (every cell, corrected)",
            Self::InputCells => "input (every cell)",
            Self::Gradient => "gradient (DP-SGD)",
            Self::Output => "output (small teachers, student)",
            Self::OutputNetworks => "output (networks)",
            Self::Obfuscation => "obfuscation",
            Self::All => "all",
        }
    }

    /// Whether no epsilon covers what is shown of it.
    pub const fn is_unprotected(self) -> bool {
        matches!(self, Self::None | Self::Obfuscation)
    }

    /// Whether each household perturbs what it sends, which no ledger counts.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Input | Self::InputRows | Self::InputCells)
    }
}

impl Arguments {
    /// The modes to run. Of people's data, all are those that protect them.
    pub fn modes(&self) -> Vec<Mode> {
        use Mode::{All, Gradient, Input, InputCells, InputRows, None, Output, OutputNetworks};
        let of_people = self.data.is_some() || self.scf.is_some();
        match self.mode {
            All if of_people => vec![Gradient, Output, OutputNetworks, Input, InputRows, InputCells],
            All => vec![None, Gradient, Output, OutputNetworks, Input, InputRows, InputCells],
            mode => vec![mode],
        }
    }
}

fn epsilon(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("must be a finite number above 0".to_owned()),
    }
}

fn delta(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err("must be strictly between 0 and 1".to_owned()),
    }
}
