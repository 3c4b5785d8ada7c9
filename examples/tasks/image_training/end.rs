//! How a program ends.

use std::process::ExitCode;

use burn_privacy_train::INTERRUPTED;

use super::complain;
use crate::Result;

/// How a run ended.
pub enum End {
    /// All planned steps were made.
    Finished,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// What a program ends with, after a sentence on standard error if it failed.
pub fn exit_code(outcome: Result<End>) -> ExitCode {
    match outcome {
        Ok(End::Finished) => ExitCode::SUCCESS,
        Ok(End::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}
