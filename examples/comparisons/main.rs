//! Comparisons that the documentation rests on: which style of clipping when, and what protecting users costs.
//!
//! ```text
//! cargo run --release --example comparisons -- clipping
//! cargo run --release --example comparisons -- users
//! ```
//!
//! Short runs with a fixed seed each, so that nothing of them is private: on generated households, on MNIST, and on CIFAR-10 at a
//! quarter of its pixels. A data set that is not here is left out.

mod clipping;
mod tasks;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Errors of these programs are for people: one sentence each.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Comparisons that the documentation rests on.
#[derive(Parser)]
pub struct Arguments {
    /// What is compared
    #[arg(value_enum)]
    comparison: Comparison,
    /// Folder of MNIST
    #[arg(long, value_name = "FOLDER")]
    mnist: Option<PathBuf>,
    /// Folder of CIFAR-10
    #[arg(long, value_name = "FOLDER")]
    cifar: Option<PathBuf>,
    /// Runs of each setting
    #[arg(long, default_value_t = 5)]
    seeds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Comparison {
    /// Styles of clipping at one epsilon
    Clipping,
    /// Users drawn whole, and users whose records are drawn one by one
    Users,
}

fn run(arguments: &Arguments) -> Result<()> {
    match arguments.comparison {
        Comparison::Clipping => clipping::compare(arguments),
        Comparison::Users => users::compare(arguments),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Mean and standard deviation, as a cell of a table.
fn cell(values: &[f64], digits: usize) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    format!("{mean:.digits$} ± {:.digits$}", variance.sqrt())
}
