//! Trains an image classifier on CIFAR-10, or on generated images of its shape, under differential privacy.
//!
//! ```text
//! cargo run --release --example cifar_dp
//! cargo run --release --example cifar_dp -- --help
//! ```
//!
//! Read `models.rs` for what a model needs (other imports), and `private.rs` for what a training loop needs.

mod cli;
mod data;
mod evaluation;
mod interrupt;
mod models;
mod monitor;
mod plain;
mod presets;
mod private;
mod progress;
mod run;
mod settings;

use std::process::ExitCode;

/// Errors of this program are for people: one sentence each.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The exit status of a run that a signal interrupted, as shells have it: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Wrong usage ends in here, with status 2.
    let arguments = cli::parse();
    match run::run(&arguments) {
        Ok(run::End::Finished) => ExitCode::SUCCESS,
        Ok(run::End::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            progress::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
