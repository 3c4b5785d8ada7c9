//! How the records of a step are drawn.

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
