//! Why an audit is refused.

use burn_privacy_accounting::AccountingError;
use burn_privacy_output::InvalidValue;

/// `std::result::Result` with this crate's [`AuditError`].
pub type Result<T, E = AuditError> = std::result::Result<T, E>;

/// What an audit refuses. It has no answer then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// A value out of its range.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// Scores that can't be compared.
    #[error("score {index} of the {part} is {given}, but must be a number: leave the example out of both parts")]
    Score {
        /// "members" or "non-members".
        part: &'static str,
        /// Place in the list, from 0.
        index: usize,
        /// What was given.
        given: f64,
    },
    /// Too few scores.
    #[error("{given} {part} were given, but at least {least} are needed")]
    TooFew {
        /// "members", "non-members" or "reference models".
        part: &'static str,
        /// How many there are.
        given: usize,
        /// How many are needed.
        least: usize,
    },
    /// Lists that must be as long as each other.
    #[error("{what}: {given} were given where {needed} are needed")]
    Lengths {
        /// What the lists hold.
        what: &'static str,
        /// Given length.
        given: usize,
        /// Needed length.
        needed: usize,
    },
    /// Accounting refused.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
}

/// Refuses a significance that is no probability of error.
pub(crate) fn check_significance(significance: f64) -> Result<()> {
    if significance > 0.0 && significance < 0.5 {
        Ok(())
    } else {
        Err(InvalidValue::new("significance", significance, "above 0 and below 0.5, such as 0.05").into())
    }
}

/// Refuses a delta that is no probability below 1.
pub(crate) fn check_delta(delta: f64) -> Result<()> {
    if (0.0..1.0).contains(&delta) {
        Ok(())
    } else {
        Err(InvalidValue::new("delta", delta, "at least 0 and below 1").into())
    }
}
