//! Why a sweep is refused, or can't go on.

use std::path::PathBuf;

use burn_privacy_output::DurableLogError;

/// `std::result::Result` with this crate's [`SweepError`].
pub type Result<T, E = SweepError> = std::result::Result<T, E>;

/// Why a sweep could not start, go on, or be summarized. Each message says what was given, what is allowed and what to do.
///
/// A trial that fails is not among these: it is recorded with its own error, and the others go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A list has nothing in it.
    #[error("the sweep has no {what}: give at least one")]
    Empty {
        /// What is missing.
        what: &'static str,
    },
    /// A value can't be used.
    #[error("{what} = {given} is not possible in a sweep: {allowed}")]
    Value {
        /// What was given.
        what: &'static str,
        /// Its value.
        given: String,
        /// What is allowed, and what to do.
        allowed: String,
    },
    /// A setting makes no plan.
    #[error("setting {number} of the sweep ({setting}): {source}")]
    Setting {
        /// Counted from 1.
        number: usize,
        /// The setting in words.
        setting: String,
        /// What the plan says.
        source: burn_privacy_budget::BudgetError,
    },
    /// The plan or the ledger refused.
    #[error(transparent)]
    Budget(#[from] burn_privacy_budget::BudgetError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] burn_privacy_budget::ledger::LedgerError),
    /// Accounting refused.
    #[error(transparent)]
    Accounting(#[from] burn_privacy_accounting::AccountingError),
    /// Noise or key generation failed.
    #[error(transparent)]
    Mechanism(#[from] burn_privacy_mechanisms::MechanismError),
    /// A report could not be written.
    #[error(transparent)]
    Report(#[from] burn_privacy_report::ReportError),
    /// The folder holds the trials of another sweep.
    #[error(
        "{} holds the trials of another sweep ({difference}): give another folder, or the settings of that sweep to go \
         on with it", path.display()
    )]
    OtherSweep {
        /// The file.
        path: PathBuf,
        /// In what they differ.
        difference: String,
    },
    /// The file is no list of trials, or damaged.
    #[error("{} cannot be resumed (line {line}: {reason}); nothing was changed: give another folder", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// Another process runs this sweep.
    #[error("{} is in use: another process runs this sweep; wait for it, or give another folder", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The list of trials could not be read or written, or is not the one any more that was opened.
    #[error("{0}; open the sweep again to go on with it, or give another folder")]
    Log(DurableLogError),
    /// The system refused a folder.
    #[error("{}: {source}; give a folder that can be written to", path.display())]
    File {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<DurableLogError> for SweepError {
    fn from(error: DurableLogError) -> Self {
        match error {
            DurableLogError::InUse { path } => Self::InUse { path },
            other => Self::Log(other),
        }
    }
}

/// Refuses a value.
pub(super) fn refuse(what: &'static str, given: impl ToString, allowed: impl Into<String>) -> SweepError {
    SweepError::Value { what, given: given.to_string(), allowed: allowed.into() }
}
