//! Why an ensemble's answers are refused.

use std::borrow::Cow;
use std::fmt::Display;

use burn_privacy_output::InvalidValue;

/// `std::result::Result` with this crate's [`EnsembleError`].
pub type Result<T, E = EnsembleError> = std::result::Result<T, E>;

/// What a query plan or a predictor refuses. Nothing was released then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsembleError {
    /// A value that can't be used.
    #[error(transparent)]
    Plan(#[from] InvalidValue),
    /// Every planned answer was charged.
    #[error("the plan's {steps} answers are spent. Make a new plan; its cost adds to this one.")]
    BudgetSpent {
        /// Planned answers.
        steps: u64,
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
}

impl EnsembleError {
    pub(crate) fn plan(field: &'static str, given: impl Display, allowed: impl Into<Cow<'static, str>>) -> Self {
        InvalidValue::new(field, given, allowed).into()
    }
}
