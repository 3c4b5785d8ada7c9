//! One step: a base mechanism, on a sample or on all records.

use super::base::Base;
use super::truncation::Truncation;

/// A step that isn't Gaussian without sampling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) base: Base,
    /// Sampling rate, above 0 and at most 1.
    pub(crate) rate: f64,
    /// How the sample is drawn.
    pub(crate) drawn: Drawn,
}

/// How a sample is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Drawn {
    /// Each record by itself, or all.
    Poisson,
    /// A fixed number of records, one of which is exchanged.
    FixedSize,
    /// As Poisson, then cut.
    Truncated(Truncation),
    /// Each record by itself, of which at most so many are one unit's: see [`super::group`].
    Groups { size: u64 },
}

/// Identifies equal steps.
pub(super) type Key = (u8, u64, u64, u64, [u64; 4]);

impl Step {
    /// Without sampling.
    pub(crate) fn unsampled(base: Base) -> Self {
        Self { base, rate: 1.0, drawn: Drawn::Poisson }
    }

    /// True if exchanging the two neighbors changes nothing.
    pub(crate) fn is_symmetric(&self) -> bool {
        self.rate == 1.0 || self.drawn == Drawn::FixedSize
    }

    pub(super) fn key(&self) -> Key {
        let (kind, first, second) = match self.base {
            Base::Gaussian { noise } => (0, noise.to_bits(), 0),
            Base::Laplace { inverse_scale } => (1, inverse_scale.to_bits(), 0),
            Base::DiscreteLaplace { inverse_scale, sensitivity } => (2, inverse_scale.to_bits(), sensitivity),
            Base::DiscreteGaussian { sigma } => (3, sigma.to_bits(), 0),
            // The two determine the probability of the true answer.
            Base::RandomizedResponse { loss, categories, .. } => (4, loss.to_bits(), categories),
            Base::EpsilonDelta { epsilon, delta } => (5, epsilon.to_bits(), delta.to_bits()),
            Base::BoundedRange { epsilon } => (6, epsilon.to_bits(), 0),
        };
        let drawn = match self.drawn {
            Drawn::Poisson => [0; 4],
            Drawn::FixedSize => [1, 0, 0, 0],
            Drawn::Groups { size } => [4, size, 0, 0],
            Drawn::Truncated(cut) => {
                [2 + u64::from(cut.exchange), cut.rate.to_bits(), cut.least.to_bits(), cut.most.to_bits()]
            }
        };
        (kind, first, second, self.rate.to_bits(), drawn)
    }
}
