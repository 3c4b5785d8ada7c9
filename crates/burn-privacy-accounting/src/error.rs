//! The one error type of the crate.

use std::borrow::Cow;

use burn_privacy_output::InvalidValue;

use crate::Adjacency;

/// Everything that can go wrong in this crate.
///
/// Each message says what was given, what is allowed and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountingError {
    /// A number or a list is outside of what the formula is defined for.
    #[error(transparent)]
    InvalidParameter(#[from] InvalidValue),

    /// The accountant has no theorem for this event under this adjacency.
    #[error("the {accountant} accountant does not support `{event}` under {adjacency} adjacency: {advice}")]
    Unsupported {
        /// Name of the accountant.
        accountant: String,
        /// Name of the event as in its JSON form.
        event: String,
        /// The adjacency that the accountant was made for.
        adjacency: Adjacency,
        /// Why, and what to do instead.
        advice: String,
    },

    /// An event contains events that contain events, too many levels down.
    #[error(
        "the event is nested {depth} levels deep, but at most {max} are allowed: flatten it, or use a \
         self-composition with a count instead of nesting"
    )]
    TooDeep {
        /// Nesting depth of the refused event.
        depth: usize,
        /// The allowed depth.
        max: usize,
    },

    /// The number of compositions is beyond what can be counted exactly.
    #[error("the number of compositions exceeds {max}: use fewer steps, or an event that covers more of them")]
    TooManySteps {
        /// The allowed number of compositions.
        max: u64,
    },

    /// A document is not a JSON event or statement.
    #[error("the JSON text is not a valid document: {reason}")]
    MalformedJson {
        /// What the parser said, with line and column where it knows them.
        reason: String,
    },

    /// A document has a schema name or version that this crate doesn't read.
    #[error(
        "the document's schema is {schema:?} version {version}, but this crate reads {expected_schema:?} version \
         {expected_version}: write the document anew, or use the release of the crate that wrote it"
    )]
    WrongSchema {
        /// The schema name that was found.
        schema: String,
        /// The version that was found.
        version: u64,
        /// The schema name that is read.
        expected_schema: &'static str,
        /// The version that is read.
        expected_version: u64,
    },

    /// An estimate could not be computed to its accuracy.
    #[error("no estimate by contour integral: {reason}")]
    NoEstimate {
        /// What went wrong, and what to use instead.
        reason: String,
    },

    /// A filter's budget does not cover an event.
    #[error(
        "the privacy budget does not cover this event: at Renyi order {order} it needs {needed} nats, and {left} are \
         left; stop here, or ask for a smaller event"
    )]
    BudgetExhausted {
        /// The filter's Renyi order.
        order: f64,
        /// The divergence that is left.
        left: f64,
        /// The event's divergence.
        needed: f64,
    },

    /// A filter's budget does not cover the probability that events fail.
    #[error(
        "the privacy budget does not cover this event: it fails with probability {needed}, and {left} are left of the \
         {set_aside} that the budget sets aside for failures; use an event with a smaller delta, or one that names its noise"
    )]
    FailuresExhausted {
        /// What the filter set aside.
        set_aside: f64,
        /// What is left of it.
        left: f64,
        /// What the event needs.
        needed: f64,
    },

    /// No value of the calibrated parameter meets the target.
    #[error(
        "no {parameter} reaches epsilon {target_epsilon} at delta {delta}: at {limit}, the most protective one tried, epsilon \
         is still {epsilon}; ask for a larger epsilon or delta, or weaken the event otherwise (fewer steps, less sampling, \
         more noise)"
    )]
    UnreachableTarget {
        /// What was being calibrated.
        parameter: &'static str,
        /// The most protective value that was tried.
        limit: f64,
        /// The epsilon that was asked for.
        target_epsilon: f64,
        /// The delta that was asked for.
        delta: f64,
        /// The epsilon at the most protective value.
        epsilon: f64,
    },
}

/// The crate's result type.
pub type Result<T, E = AccountingError> = core::result::Result<T, E>;

/// Refuses a parameter.
pub(crate) fn invalid(
    name: &'static str,
    given: impl std::fmt::Display,
    allowed: impl Into<Cow<'static, str>>,
) -> AccountingError {
    InvalidValue::new(name, given, allowed).into()
}

/// Refuses an estimate.
pub(crate) fn no_estimate(reason: &str) -> AccountingError {
    AccountingError::NoEstimate { reason: reason.to_owned() }
}

/// Lets a finite number of at least zero pass.
pub(crate) fn finite_at_least_zero(name: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() && value >= 0.0 {
        // `-0.0` becomes `0.0`, so that equal events compare and print equal.
        Ok(value + 0.0)
    } else {
        Err(invalid(name, value, "a finite number of at least 0"))
    }
}

/// Lets a finite number above zero pass.
pub(crate) fn finite_above_zero(name: &'static str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(invalid(name, value, "a finite number above 0")) }
}

/// Lets a probability pass, with both ends.
pub(crate) fn probability(name: &'static str, value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) { Ok(value + 0.0) } else { Err(invalid(name, value, "a probability from 0 to 1")) }
}

/// Lets a delta pass: strictly between 0 and 1.
pub(crate) fn open_delta(value: f64) -> Result<f64> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(invalid(
            "delta",
            value,
            "strictly between 0 and 1; choose it well below one over the number of protected units",
        ))
    }
}

/// Lets an epsilon pass: zero or above, infinity allowed.
pub(crate) fn any_epsilon(name: &'static str, value: f64) -> Result<f64> {
    if value >= 0.0 {
        Ok(value + 0.0)
    } else {
        Err(invalid(name, value, "a number of at least 0 (infinity is allowed)"))
    }
}
