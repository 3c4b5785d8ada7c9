//! Poisson subsampling: who is in a step's batch.

use std::fmt;
use std::sync::{Arc, Weak};

use burn_privacy_mechanisms::{Entropy, PrivacyKey, poisson_sample};

use crate::charges::Charges;
use crate::error::{Error, Result};
use crate::plan::PrivacyPlan;

/// The records of one step, as a session's sampler drew them. It is used once, in that session.
///
/// Its fields are private and it is no [`Clone`]: a batch that no sampler drew does not exist, so a shuffled, weighted,
/// chosen or repeated batch can't be accounted as a fresh Poisson sample. Its [`Debug`](fmt::Debug) shows no record.
///
/// ```compile_fail,E0599
/// fn twice(batch: burn_privacy::sampler::DrawnBatch) -> burn_privacy::sampler::DrawnBatch {
///     batch.clone()
/// }
/// ```
#[must_use = "drawing it charged a step: give it to step_with()"]
pub struct DrawnBatch {
    session: Weak<Charges>,
    pub(crate) step: u64,
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

    /// The batch was drawn by the session's own sampler, for this step.
    pub(crate) fn require_drawn_for(&self, session: &Arc<Charges>, step: u64) -> Result<()> {
        let difference = if !std::ptr::eq(self.session.as_ptr(), Arc::as_ptr(session)) {
            "another session's sampler drew it".to_string()
        } else if self.step != step {
            format!("it is for step {}, the session is at step {step}", self.step)
        } else {
            return Ok(());
        };
        Err(Error::ForeignSampler { difference })
    }
}

impl fmt::Debug for DrawnBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrawnBatch").field("step", &self.step).finish_non_exhaustive()
    }
}

/// Draws each step's batch of one session: every record independently with the plan's sampling rate.
///
/// Only a [`Session`](crate::session::Session) makes one, and only that session takes its batches.
///
/// # Formal guarantee
///
/// Coins are independent across records and steps (ChaCha20 streams), each comes up with probability
/// `floor(q 2^64) / 2^64 <= q`, and an empty batch is a batch like any other. A step is charged before its coins are
/// tossed, so that nobody can look at batches and pay for the ones that he likes.
pub struct PoissonSampler {
    session: Weak<Charges>,
    plan: Arc<PrivacyPlan>,
    key: PrivacyKey,
    population: usize,
    /// Which records take part, where a user's are capped.
    kept: Option<Vec<bool>>,
}

impl PoissonSampler {
    pub(crate) fn new(
        session: &Arc<Charges>,
        plan: Arc<PrivacyPlan>,
        population: usize,
        kept: Option<Vec<bool>>,
        entropy: Entropy,
    ) -> Result<Self> {
        plan.check_population(population)?;
        let key = PrivacyKey::draw(entropy)?;
        Ok(Self { session: Arc::downgrade(session), plan, key, population, kept })
    }

    /// Charges the next step (durably, if the session has a ledger) and draws its batch; `None` after the last planned
    /// step. The batch stays charged whether it is used or not.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`] if the ledger can't be written: then nothing was drawn. [`Error::ForeignSampler`] after the
    /// session's end.
    pub fn next_batch(&mut self) -> Result<Option<DrawnBatch>> {
        let Some(session) = self.session.upgrade() else {
            return Err(Error::ForeignSampler { difference: "its session has ended".into() });
        };
        let Some(step) = session.charge_next(self.plan.steps())? else { return Ok(None) };
        let mut indices = poisson_sample(&self.key, step, self.population as u64, self.plan.sampling().rate())?;
        // Coins are tossed for all, so that a record's coin does not depend on who is capped.
        if let Some(kept) = &self.kept {
            indices.retain(|index| kept[*index]);
        }
        Ok(Some(DrawnBatch { session: self.session.clone(), step, indices }))
    }
}

impl fmt::Debug for PoissonSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoissonSampler").field("plan", &self.plan).finish_non_exhaustive()
    }
}
