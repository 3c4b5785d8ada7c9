//! What this crate refuses.

use std::path::PathBuf;

use burn_privacy_budget::BudgetError;
use burn_privacy_output::{InvalidValue, OutputError};

/// `std::result::Result` with this crate's [`FeatureError`].
pub type Result<T, E = FeatureError> = std::result::Result<T, E>;

/// Why there are no features. Each message says what was given, what is allowed and what to do; values of records are never
/// printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A public parameter has a value it can't have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// Something has another length than it must have.
    #[error("{given} {what} were given, but {expected} are needed")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A cached file is not what was written.
    #[error("{path} is damaged ({why}): delete it, and the features are computed anew", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// Another process computes the same features.
    #[error("another process is computing the same features into {}: wait for it", path.display())]
    InUse {
        /// The unfinished file.
        path: PathBuf,
    },
    /// Reading or writing failed.
    #[error("can't {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The plan or its ledger refused.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

impl FeatureError {
    /// A refusal of `given` for `name`.
    pub(crate) fn invalid(name: &'static str, given: impl std::fmt::Display, allowed: &'static str) -> Self {
        Self::Invalid(InvalidValue::new(name, given, allowed))
    }
}

/// Lets pixels of whole images pass, of so many bytes each.
pub(crate) fn whole_images(pixels: &[u8], bytes: usize) -> Result<()> {
    let (given, expected) = (pixels.len(), pixels.len().next_multiple_of(bytes));
    if given == expected { Ok(()) } else { Err(FeatureError::Length { what: "bytes of pixels", given, expected }) }
}
