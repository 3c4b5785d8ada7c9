//! What this crate refuses.

use burn_privacy_budget::BudgetError;
use burn_privacy_output::{InvalidValue, OutputError};

/// `std::result::Result` with this crate's [`LinearError`].
pub type Result<T, E = LinearError> = std::result::Result<T, E>;

/// Why there is no head. Each message says what was given, what is allowed and what to do; values of records are never
/// printed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinearError {
    /// A public parameter has a value it can't have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// Lists that belong together have different lengths.
    #[error("{given} {what} were given, but {expected} are needed")]
    Length {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there must be.
        expected: usize,
    },
    /// The weights have run away.
    #[error(
        "training diverged: a class's weights became longer than {limit}. Lower the learning rate or add noise; what was \
         charged stays charged"
    )]
    Diverged {
        /// The longest that sums stay exact for.
        limit: f64,
    },
    /// More records were drawn than an exact sum can hold.
    #[error(
        "a step drew more than {limit} records, for which sums are exact: lower the expected batch size (what was charged \
         stays charged, and nothing was released)"
    )]
    TooManyRecords {
        /// The most.
        limit: usize,
    },
    /// A matrix that was released can't be inverted.
    #[error("the noisy matrix of second moments is not positive definite with ridge {ridge}: raise the ridge")]
    NotPositive {
        /// The ridge that was asked for.
        ridge: f64,
    },
    /// A file could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Features or their normalization were refused.
    #[error(transparent)]
    Features(#[from] burn_privacy_features::FeatureError),
    /// The plan or its ledger refused.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

impl LinearError {
    /// A refusal of `given` for `name`.
    pub(crate) fn invalid(name: &'static str, given: impl std::fmt::Display, allowed: &'static str) -> Self {
        Self::Invalid(InvalidValue::new(name, given, allowed))
    }
}
