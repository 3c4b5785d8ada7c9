//! One accountant's epsilon, for statements and reports.

use serde::{Deserialize, Serialize};

use crate::{Accountant, Result};

/// One accountant's figure at the statement's delta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpsilonReport {
    /// The accountant's name, such as `"RDP"`.
    pub accountant: String,
    /// In nats; infinity is the string `"inf"` in JSON.
    #[serde(with = "number_or_inf")]
    pub epsilon: f64,
    /// True for an upper bound, false for an estimate.
    pub is_bound: bool,
}

impl EpsilonReport {
    /// Asks an accountant for its epsilon at `delta`.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn of(accountant: &(impl Accountant + ?Sized), delta: f64) -> Result<Self> {
        Ok(Self {
            accountant: accountant.name().to_owned(),
            epsilon: accountant.epsilon(delta)?,
            is_bound: accountant.is_bound(),
        })
    }
}

/// Numbers in JSON where infinity is the string `"inf"`.
mod number_or_inf {
    use serde::de::{Deserializer, Error};
    use serde::{Deserialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum NumberOrText {
        Number(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        // NaN never is a result of this crate; written by a caller, it must not read as private.
        if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(value) => Ok(value),
            NumberOrText::Text(text) if text == "inf" => Ok(f64::INFINITY),
            NumberOrText::Text(text) => Err(D::Error::custom(format!("{text:?} is neither a number nor \"inf\""))),
        }
    }
}
