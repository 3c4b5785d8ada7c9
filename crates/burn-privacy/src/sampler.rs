//! Poisson subsampling: who is in a step's batch.

use std::sync::Arc;

use burn_privacy_mechanisms::{Entropy, PrivacyKey, poisson_sample};

use crate::error::{Error, Result};
use crate::plan::PrivacyPlan;

/// The records of one step, as the plan's sampler drew them.
///
/// Its fields are private: a batch that no sampler drew does not exist, so a shuffled, weighted or ordered batch
/// can't be accounted as a Poisson sample.
#[derive(Debug, Clone)]
pub struct DrawnBatch {
    pub(crate) plan: Arc<PrivacyPlan>,
    pub(crate) step: u64,
    pub(crate) private: bool,
    pub(crate) indices: Vec<usize>,
}

impl DrawnBatch {
    /// Number of the step, from 0.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Indices of the drawn records, ascending. Private data: who was drawn must stay secret.
    pub fn unprotected_indices(&self) -> &[usize] {
        &self.indices
    }
}

/// Draws each step's batch: every record independently with the plan's sampling rate.
///
/// # Formal guarantee
///
/// Coins are independent across records and steps (ChaCha20 streams), each comes up with probability
/// `floor(q 2^64) / 2^64 <= q`, and an empty batch is a batch like any other.
#[derive(Debug)]
pub struct PoissonSampler {
    plan: Arc<PrivacyPlan>,
    key: PrivacyKey,
    private: bool,
    population: usize,
    next_step: u64,
}

impl PoissonSampler {
    pub(crate) fn new(plan: Arc<PrivacyPlan>, population: usize, entropy: Entropy) -> Result<Self> {
        plan.check_population(population)?;
        let private = entropy.is_private();
        let key = PrivacyKey::draw(&entropy)?;
        Ok(Self { plan, key, private, population, next_step: 0 })
    }

    /// Continues at step `step`, where an interrupted run stopped. The key is new, so nothing repeats.
    pub(crate) fn skip_to(&mut self, step: u64) {
        self.next_step = step;
    }

    /// The next step's batch; `None` after the last planned step.
    ///
    /// # Errors
    ///
    /// None in practice: the rate was checked by the plan.
    pub fn next_batch(&mut self) -> Result<Option<DrawnBatch>> {
        if self.next_step >= self.plan.steps() {
            return Ok(None);
        }
        let step = self.next_step;
        let indices = poisson_sample(&self.key, step, self.population as u64, self.plan.sampling().rate())?;
        self.next_step += 1;
        Ok(Some(DrawnBatch { plan: self.plan.clone(), step, private: self.private, indices }))
    }
}

impl DrawnBatch {
    /// The batch was drawn for this plan, this step and a data set that has its records, from entropy as good as
    /// the session's.
    pub(crate) fn require_drawn_for(
        &self,
        plan: &PrivacyPlan,
        step: u64,
        population: usize,
        private: bool,
    ) -> Result<()> {
        let difference = if *self.plan != *plan {
            "it follows another plan".to_string()
        } else if self.step != step {
            format!("it is for step {}, the session is at step {step}", self.step)
        } else if private && !self.private {
            "it was drawn from a fixed seed, and the session is private".to_string()
        } else if self.indices.last().is_some_and(|last| *last >= population) {
            "it was drawn from a larger data set".to_string()
        } else {
            return Ok(());
        };
        Err(Error::ForeignSampler { difference })
    }
}
