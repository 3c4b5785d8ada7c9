//! Mechanisms whose Renyi divergence is known at every order, as data: terms, and lists of them with counts.

use std::collections::BTreeMap;

use crate::sample_noise::checked_count;
use crate::{Result, RunCount};

/// A mechanism whose Renyi divergence is known at every order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    /// No finite bound at any order.
    Infinite,
    /// Divergence offset + slope x order.
    Linear { slope: f64, offset: f64 },
    /// Poisson-sampled Gaussian with 0 < rate < 1.
    SampledGaussian { rate: f64, noise: f64 },
    /// Gaussian on a sample of fixed size, of which one record is exchanged, with 0 < rate < 1.
    ExchangedGaussian { rate: f64, noise: f64 },
    /// Laplace with this sensitivity / scale.
    Laplace { inverse_scale: f64 },
    /// Discrete Laplace with 1 / scale and sensitivity.
    DiscreteLaplace { inverse_scale: f64, sensitivity: u64 },
    /// Randomized response with this probability of the true answer, and its log ratio to any other answer's.
    RandomizedResponse { truth: f64, loss: f64 },
    /// Any mechanism with this pure epsilon.
    Pure { epsilon: f64 },
    /// Any mechanism whose loss lies in a range of this width.
    BoundedRange { epsilon: f64 },
    /// The best of a random number of runs of all of these.
    Selection { runs: RunCount, run: Terms },
}

/// Identifies equal terms.
type Key = Vec<u64>;

impl Term {
    fn key(&self) -> Key {
        match self {
            Self::Infinite => vec![0],
            Self::Linear { slope, offset } => vec![1, slope.to_bits(), offset.to_bits()],
            Self::SampledGaussian { rate, noise } => vec![2, rate.to_bits(), noise.to_bits()],
            Self::Laplace { inverse_scale } => vec![3, inverse_scale.to_bits()],
            Self::DiscreteLaplace { inverse_scale, sensitivity } => vec![4, inverse_scale.to_bits(), *sensitivity],
            Self::RandomizedResponse { truth, loss } => vec![5, truth.to_bits(), loss.to_bits()],
            Self::Pure { epsilon } => vec![6, epsilon.to_bits()],
            Self::BoundedRange { epsilon } => vec![7, epsilon.to_bits()],
            Self::ExchangedGaussian { rate, noise } => vec![8, rate.to_bits(), noise.to_bits()],
            Self::Selection { runs, run } => {
                let mut key = match runs {
                    RunCount::Poisson { mean } => vec![9, mean.to_bits()],
                    RunCount::TruncatedNegativeBinomial { shape, gamma } => {
                        vec![10, shape.to_bits(), gamma.to_bits()]
                    }
                };
                for (part, (_, count)) in &run.counted {
                    key.extend([part.len() as u64, *count]);
                    key.extend(part);
                }
                key
            }
        }
    }

    /// Gaussian noise with this multiplier: divergence order / (2 multiplier^2) (Mironov, arXiv 1702.07476,
    /// proposition 7).
    /// True if it reveals nothing at all.
    pub(super) fn is_silent(&self) -> bool {
        match self {
            Self::Linear { slope, offset } => *slope == 0.0 && *offset == 0.0,
            Self::Pure { epsilon } | Self::BoundedRange { epsilon } => *epsilon == 0.0,
            Self::Selection { runs: RunCount::Poisson { mean }, .. } => *mean == 0.0,
            _ => false,
        }
    }

    pub(super) fn gaussian(noise_multiplier: f64) -> Self {
        let precision = 1.0 / noise_multiplier;
        Self::linear(0.5 * precision * precision)
    }

    pub(super) fn linear(slope: f64) -> Self {
        if slope == f64::INFINITY {
            Self::Infinite
        } else {
            // A slope that underflowed is still above 0.
            Self::Linear { slope: slope.max(f64::MIN_POSITIVE), offset: 0.0 }
        }
    }
}

/// Terms with counts; equal terms are merged, so that k calls are the same as one call with count k.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    counted: BTreeMap<Key, (Term, u64)>,
}

impl Terms {
    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Term, u64)> {
        self.counted.values().map(|(term, count)| (term, *count))
    }

    /// Adds all of `other`; unchanged if that exceeds what can be counted.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        let mut merged = self.clone();
        for (term, count) in other.iter() {
            merged.add(term.clone(), count)?;
        }
        *self = merged;
        Ok(())
    }

    pub(super) fn add(&mut self, term: Term, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let entry = self.counted.entry(term.key()).or_insert((term, 0));
        entry.1 = checked_count(entry.1.checked_add(count))?;
        Ok(())
    }
}
