//! What a plan, a ledger or a statement refuses.

/// `std::result::Result` with this crate's [`BudgetError`].
pub type Result<T, E = BudgetError> = std::result::Result<T, E>;

/// Why a plan can't be made, a run not be charged, or a total not be told.
///
/// Each message says what was given, what is allowed and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// A field of the plan has a value it can't have.
    #[error("{field} = {given} is not possible: {allowed}")]
    Plan {
        /// Name of the field.
        field: &'static str,
        /// What was given.
        given: String,
        /// What is allowed and what to do.
        allowed: String,
    },
    /// The data set does not have the public size that the plan states.
    #[error(
        "the data set does not have as many records as the plan states, {stated}. Under {adjacency} adjacency the size is public \
         and must be right: state the true size, or use add/remove adjacency, where it is private."
    )]
    DatasetSize {
        /// The plan's nominal size.
        stated: usize,
        /// The plan's adjacency.
        adjacency: String,
    },
    /// Accounting refused.
    #[error(transparent)]
    Accounting(#[from] burn_privacy_accounting::AccountingError),
    /// Sampling or noise was refused.
    #[error(transparent)]
    Mechanism(#[from] burn_privacy_mechanisms::MechanismError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] crate::ledger::LedgerError),
}

/// [`BudgetError::Plan`].
pub(crate) fn refuse(field: &'static str, given: impl ToString, allowed: impl Into<String>) -> BudgetError {
    BudgetError::Plan { field, given: given.to_string(), allowed: allowed.into() }
}
