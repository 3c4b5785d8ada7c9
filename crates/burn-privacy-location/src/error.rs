//! What can be wrong with places, in sentences.

use std::borrow::Cow;
use std::fmt::Display;

use burn_privacy_accounting::AccountingError;
use burn_privacy_budget::BudgetError;
use burn_privacy_budget::ledger::LedgerError;
use burn_privacy_mechanisms::MechanismError;
use burn_privacy_mechanisms::local::LocalError;
use burn_privacy_output::{InvalidValue, OutputError};

use burn_privacy_anonymize::AnonymizeError;

/// Why places were not masked, counted, attacked or drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// Two numbers are no place.
    #[error("latitude {latitude}, longitude {longitude} is no place: {problem}")]
    NoPlace {
        /// The latitude given, in degrees.
        latitude: f64,
        /// The longitude given, in degrees.
        longitude: f64,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// A line of a file holds no place.
    #[error("{file}: line {line}: {problem}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1; 0 where it is not known.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] InvalidValue),
    /// Nothing reaches what was asked for.
    #[error("nothing reaches the target: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
    /// A GeoJSON document is none, or holds what is not understood.
    #[error("{file}: {problem}")]
    GeoJson {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A table was refused.
    #[error(transparent)]
    Table(#[from] AnonymizeError),
    /// Randomness was refused.
    #[error(transparent)]
    Mechanism(#[from] MechanismError),
    /// A mechanism of local differential privacy was refused.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// An event was refused.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
    /// A run was refused.
    #[error(transparent)]
    Budget(#[from] BudgetError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file was not written or a picture not drawn.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl LocationError {
    /// A parameter that is refused.
    pub(crate) fn parameter(name: &'static str, given: impl Display, allowed: impl Into<Cow<'static, str>>) -> Self {
        InvalidValue::new(name, given, allowed).into()
    }
}

/// A length in meters that must be above zero and at most `most`.
pub(crate) fn check_meters(name: &'static str, given: f64, most: f64) -> Result<f64, LocationError> {
    if given > 0.0 && given <= most {
        Ok(given)
    } else {
        Err(LocationError::parameter(name, given, format!("above 0 and at most {most} meters")))
    }
}
