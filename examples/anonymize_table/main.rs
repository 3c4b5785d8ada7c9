//! A table of households with names and e-mail addresses: as hashes and plain noise, done right from end to end, and a
//! network trained on it at each level of protection.
//!
//! ```text
//! cargo run --release --example anonymize_table
//! cargo run --release --example anonymize_table -- --help
//! ```
//!
//! Read `release.rs` for the tables and `levels.rs` for what is trained on them.

mod attack;
mod levels;
mod release;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_examples::Result;
use burn_privacy_examples::affordability::data::Row;
use burn_privacy_examples::affordability::generated;
use burn_privacy_train::{complain, say};
use clap::Parser;

use levels::Job;

/// Releases a table of households in several ways, attacks each release, and trains a small network on each.
#[derive(Debug, Parser)]
#[command(max_term_width = 100)]
struct Arguments {
    /// k of the releases, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "5,50,500")]
    k: Vec<usize>,
    /// Epsilon of the private models, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,4,8")]
    epsilon: Vec<f64>,
    /// Probability with which a private model's guarantee may fail
    #[arg(long, default_value_t = 1e-5)]
    delta: f64,
    /// How often each model is trained
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Folder for the tables, their statements, the results and the plot
    #[arg(long, value_name = "FOLDER", default_value = "runs/anonymize_table")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    std::fs::create_dir_all(&arguments.out)?;
    let raw = arguments.out.join("households.csv");
    // Every fifth household is held out, raw, to test on. No release holds it.
    type Numbered = Vec<(usize, Row)>;
    let (test, train): (Numbered, Numbered) =
        generated::households()?.into_iter().enumerate().partition(|(number, _)| number % 5 == 4);
    generated::write_some(&raw, train.iter().copied())?;
    say(&format!(
        "{} invented households with names, addresses and post codes in {}; {} others to test on\n",
        train.len(),
        raw.display(),
        test.len()
    ));

    let hashed = release::as_the_handout_does(&raw, &arguments.out)?;
    say("1. Hashes without a key, and noise of a standard deviation of 1,000 on the income:");
    say(&attack::by_dictionary(&hashed)?);
    let key = PseudonymKey::generate()?;
    let keyed = release::done_right(&raw, &arguments.out, &key, arguments.k.first().copied().unwrap_or(5))?;
    say("2. Keyed pseudonyms, coarse numbers, classes counted:");
    say(&attack::by_dictionary(&keyed)?);
    say(&attack::by_homogeneity(&keyed)?);

    let selected = select_device(DeviceChoice::Cpu)?;
    let test = test.into_iter().map(|(_, row)| row).collect();
    let train = train.into_iter().map(|(_, row)| row).collect();
    let job =
        Job { train, test, device: selected.device.autodiff(), delta: arguments.delta, repeats: arguments.repeats };
    let mut results = vec![job.on_rows("no protection", None, &job.train)];
    results.push(job.on_rows("hashes and noise on the income", None, &release::rows_of(&hashed)?));
    for &k in &arguments.k {
        let rounded = release::done_right(&raw, &arguments.out, &key, k)?;
        results.push(job.on_rows(
            "k-anonymous by rounding, small classes left out",
            Some(k as f64),
            &release::rows_of(&rounded)?,
        ));
        let grouped = release::grouped(&raw, &arguments.out, k)?;
        results.push(job.on_rows(
            "k-anonymous by means of groups (MDAV)",
            Some(k as f64),
            &release::rows_of(&grouped)?,
        ));
        complain(&format!("k = {k} done"));
    }
    for &epsilon in &arguments.epsilon {
        results.push(job.with_privacy(epsilon, &arguments.out)?);
        complain(&format!("epsilon = {epsilon} done"));
    }
    say(report::table(&results).trim_end());
    report::write(&arguments.out, &results, job.test.len())?;
    say(&format!(
        "\nA k protects a table against whoever knows no more than the coarse numbers; an epsilon protects a household, whoever knows \
         what. Wrote tables, statements, table.md, r2.png and r2.svg into {}",
        arguments.out.display()
    ));
    Ok(())
}
