//! One accountant's epsilon, for statements and reports.

use serde::{Deserialize, Serialize};

use crate::{Accountant, Result};

/// One accountant's figure at the statement's delta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpsilonReport {
    /// The name of the accountant that proved it, such as `"RDP"`.
    pub accountant: String,
    /// In nats; infinity is the string `"inf"` in JSON.
    #[serde(with = "crate::json::number_or_inf")]
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
        let (epsilon, method) = accountant.epsilon_and_method(delta)?;
        Ok(Self { accountant: method.to_owned(), epsilon, is_bound: accountant.is_bound() })
    }
}
