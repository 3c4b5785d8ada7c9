//! The mean of the teachers' clipped predictions, plus Gaussian noise.

use std::ops::RangeInclusive;

use burn_privacy_budget::ledger::Ledger;
use burn_privacy_mechanisms::Entropy;

use crate::clipped_mean::{clipped_mean, sensitivity};
use crate::error::{EnsembleError, Result};
use crate::plan::QueryPlan;
use crate::predictor::{Aggregation, Predictor, Queries};

/// The mean of the teachers' clipped predictions, plus Gaussian noise.
///
/// # Formal guarantees
///
/// A record more or less changes one teacher's prediction by no more than the range is wide, and so the mean by range /
/// teachers; the noise is that times the plan's multiplier, both in units of the range's width, so that no rounding of
/// numbers far away from zero is larger than counted (it is scaled back afterwards) (Dwork and Roth, The Algorithmic
/// Foundations of Differential Privacy, 2014, appendix A, with the exact curve of Balle and Wang, arXiv 1805.06530).
pub type NoisyMean = Predictor<ClippedMean>;

/// Predictions are clipped to a range and averaged.
#[derive(Clone, Debug)]
pub struct ClippedMean {
    range: RangeInclusive<f64>,
}

impl Aggregation for ClippedMean {
    fn mechanism(&self, teachers: usize, _: u64, _: u64) -> String {
        let (start, end) = (self.range.start(), self.range.end());
        format!("mean of {teachers} teachers' predictions, clipped to {start} .. {end}, with Gaussian noise")
    }
}

impl NoisyMean {
    /// Opens the run `name` of the ledger, which it holds until it is dropped. `range` is public: predictions are clipped to
    /// it, and NaN counts as its lower end.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for a range that is not finite or empty, or no teachers; [`EnsembleError::Ledger`] if the run's
    /// answers are spent, or it has another plan.
    pub fn open(
        plan: QueryPlan,
        range: RangeInclusive<f64>,
        teachers: usize,
        ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        let width = range.end() - range.start();
        if !(width > 0.0 && width.is_finite()) {
            let given = format!("{} to {}", range.start(), range.end());
            return Err(EnsembleError::plan("range", given, "two finite numbers, the second above the first"));
        }
        let queries = Queries::open(plan, teachers, ledger, name, entropy)?;
        Ok(Self { aggregation: ClippedMean { range }, queries })
    }

    /// The noisy mean of one prediction of each teacher. It may lie outside of the range: clipping it is free.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when all planned answers are spent, or the ledger can't be written: nothing is released then.
    pub fn answer(&mut self, predictions: &[f64]) -> Result<f64> {
        self.queries.check(predictions.len())?;
        self.queries.charge()?;
        let range = &self.aggregation.range;
        let mean = clipped_mean(range, predictions);
        let mut noise = [0.0];
        self.queries.noise(&mut noise, sensitivity(self.queries.teachers) * self.queries.plan.noise_multiplier())?;
        Ok(range.start() + (range.end() - range.start()) * (mean + noise[0]))
    }
}
