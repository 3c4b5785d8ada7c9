//! Predicts how affordable a house is for a household, with privacy noise in each of the three places where it can go.
//!
//! ```text
//! cargo run --release --example affordability_dp -- --mode all
//! cargo run --release --example affordability_dp -- --help
//! ```
//!
//! Read `modes.rs`: one function for each place of the noise.

mod cli;
mod input;
mod local;
mod modes;
mod report;
mod survey;
mod sweep;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match sweep::run(&cli::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            burn_privacy_train::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
