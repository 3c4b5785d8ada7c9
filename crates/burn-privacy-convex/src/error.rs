//! The one error type of the crate.

use std::borrow::Cow;

use burn_privacy_accounting::AccountingError;
use burn_privacy_mechanisms::MechanismError;
use burn_privacy_output::InvalidValue;

/// Everything that can go wrong in this crate.
///
/// Each message says what was given, what is allowed and what to do. Values of records are never printed, only where
/// they are. That an error occurs can still depend on the data, and is not protected: show errors to the data's owner
/// only.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvexError {
    /// A public parameter is outside of what the theorem is proved for.
    #[error(transparent)]
    InvalidParameter(#[from] InvalidValue),

    /// There is nothing to train on.
    #[error("there are no {what}: at least one is needed, and the number of records counts as public")]
    Empty {
        /// What is missing.
        what: &'static str,
    },

    /// Lists that belong together have different lengths.
    #[error("{what} has {given} entries, but {expected} are needed")]
    WrongLength {
        /// The list.
        what: &'static str,
        /// How many entries it has.
        given: usize,
        /// How many it needs.
        expected: usize,
    },

    /// A record holds a number that is NaN or infinite.
    #[error(
        "row {row}, column {column} is not a finite number: clean the data first, in a way that treats each record by \
         itself"
    )]
    NotFinite {
        /// The record, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
    },

    /// A label is not one of those that the loss knows.
    #[error("the label of row {row} is not allowed: {allowed}")]
    Label {
        /// The record, from 0.
        row: usize,
        /// The allowed labels.
        allowed: &'static str,
    },

    /// The mechanism has no theorem for the loss.
    #[error("{mechanism} has no guarantee for {loss}: {advice}")]
    UnsupportedLoss {
        /// The mechanism.
        mechanism: &'static str,
        /// The loss.
        loss: &'static str,
        /// What to do instead.
        advice: &'static str,
    },

    /// The optimizer did not come as close to the minimum as the guarantee needs. Nothing was released.
    #[error(
        "the optimizer could not certify a distance to the minimum of at most {needed:e}: nothing was released; use a larger \
         lambda"
    )]
    NotConverged {
        /// The distance that is needed.
        needed: f64,
    },

    /// The noise could not be calibrated.
    #[error(transparent)]
    Accounting(#[from] AccountingError),

    /// The noise could not be drawn.
    #[error(transparent)]
    Mechanism(#[from] MechanismError),
}

/// The crate's result type.
pub type Result<T, E = ConvexError> = core::result::Result<T, E>;

/// Refuses a parameter.
pub(crate) fn invalid(
    name: &'static str,
    given: impl std::fmt::Display,
    allowed: impl Into<Cow<'static, str>>,
) -> ConvexError {
    InvalidValue::new(name, given, allowed).into()
}

/// Lets a finite number above zero pass.
pub(crate) fn finite_above_zero(name: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(invalid(name, value, "a finite number above 0")) }
}
