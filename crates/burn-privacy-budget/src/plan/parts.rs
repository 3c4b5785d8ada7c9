//! The parts of a plan: how records are sampled, and how much noise there is.

use serde::{Deserialize, Serialize};

/// How the records of a step are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Sampling {
    /// Each record is in a step's batch independently with probability `expected_batch_size / nominal_size`.
    Poisson {
        /// Public expected number of records a step: what sums are divided by, never the realized number.
        expected_batch_size: usize,
        /// Public nominal number of records. Under add/remove adjacency the true number is private and may
        /// differ.
        nominal_size: usize,
    },
    /// Every record in every step (no amplification by sampling).
    FullBatch {
        /// Public nominal number of records.
        nominal_size: usize,
    },
}

impl Sampling {
    /// Poisson subsampling: `expected_batch_size` records a step, on average, out of `nominal_size`.
    pub fn poisson(expected_batch_size: usize, nominal_size: usize) -> Self {
        Sampling::Poisson { expected_batch_size, nominal_size }
    }

    /// Every record in every step.
    pub fn full_batch(nominal_size: usize) -> Self {
        Sampling::FullBatch { nominal_size }
    }

    /// Public nominal number of records.
    pub fn nominal_size(&self) -> usize {
        match *self {
            Sampling::Poisson { nominal_size, .. } | Sampling::FullBatch { nominal_size } => nominal_size,
        }
    }

    /// Public expected number of records a step.
    pub fn expected_batch_size(&self) -> usize {
        match *self {
            Sampling::Poisson { expected_batch_size, .. } => expected_batch_size,
            Sampling::FullBatch { nominal_size } => nominal_size,
        }
    }

    /// Probability that a record is in a step's batch.
    pub fn rate(&self) -> f64 {
        self.expected_batch_size() as f64 / self.nominal_size() as f64
    }
}

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
