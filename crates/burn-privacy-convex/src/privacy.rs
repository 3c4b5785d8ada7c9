//! How much privacy a release may cost.

use crate::Result;
use crate::error::{finite_above_zero, invalid};

/// The guarantee that is asked of a release: pure epsilon, or (epsilon, delta).
///
/// It decides the noise: with a norm of Gamma distribution for pure epsilon, Gaussian for (epsilon, delta).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrivacyBudget {
    epsilon: f64,
    delta: Option<f64>,
}

impl PrivacyBudget {
    /// Pure epsilon-differential privacy; `epsilon` in nats.
    ///
    /// # Errors
    ///
    /// If `epsilon` is not a finite number above 0.
    pub fn pure(epsilon: f64) -> Result<Self> {
        Ok(Self { epsilon: finite_above_zero("epsilon", epsilon)?, delta: None })
    }

    /// (epsilon, delta)-differential privacy; `epsilon` in nats.
    ///
    /// # Errors
    ///
    /// If `epsilon` is not a finite number above 0, or `delta` not strictly between 0 and 1.
    pub fn approximate(epsilon: f64, delta: f64) -> Result<Self> {
        let epsilon = finite_above_zero("epsilon", epsilon)?;
        if delta > 0.0 && delta < 1.0 {
            Ok(Self { epsilon, delta: Some(delta) })
        } else {
            Err(invalid("delta", delta, "strictly between 0 and 1, well below one over the number of records"))
        }
    }

    /// Epsilon, in nats.
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Delta; none for pure epsilon.
    pub const fn delta(&self) -> Option<f64> {
        self.delta
    }

    /// Two parts whose epsilons and deltas sum to at most this: `share` of it, and the rest.
    pub(crate) fn split(&self, share: f64) -> (Self, Self) {
        let part =
            |fraction: f64| Self { epsilon: self.epsilon * fraction, delta: self.delta.map(|delta| delta * fraction) };
        // The rest is rounded down by more than three roundings can add up to.
        (part(share), part((1.0 - share) * (1.0 - 4.0 * f64::EPSILON)))
    }
}
