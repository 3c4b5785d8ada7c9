//! How much noise there is: said outright, or as what it must achieve.

use serde::{Deserialize, Serialize};

/// How much noise: said outright, or as what it must achieve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum NoiseLevel {
    /// Noise standard deviation divided by the sensitivity of the clipped sum.
    Multiplier(f64),
    /// The smallest multiplier with which the whole plan is (epsilon, delta)-differentially private, by privacy loss
    /// distributions, on the safe side.
    Target {
        /// Target epsilon.
        epsilon: f64,
        /// Target delta.
        delta: f64,
    },
}

impl NoiseLevel {
    /// A noise multiplier. Zero is allowed and gives an infinite epsilon.
    pub fn multiplier(multiplier: f64) -> Self {
        NoiseLevel::Multiplier(multiplier)
    }

    /// Calibrated to a target.
    pub fn target(epsilon: f64, delta: f64) -> Self {
        NoiseLevel::Target { epsilon, delta }
    }
}

/// How much noise, where delta is said elsewhere and once for several: by a preset, or a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseTarget {
    /// As much as this epsilon needs.
    Epsilon(f64),
    /// Noise standard deviation divided by the sensitivity.
    NoiseMultiplier(f64),
}

impl NoiseTarget {
    /// The same with its delta, which a noise multiplier needs none of.
    pub fn with_delta(self, delta: f64) -> NoiseLevel {
        match self {
            Self::Epsilon(epsilon) => NoiseLevel::target(epsilon, delta),
            Self::NoiseMultiplier(multiplier) => NoiseLevel::multiplier(multiplier),
        }
    }
}
