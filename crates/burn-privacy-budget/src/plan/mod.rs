//! The privacy plan: one immutable value that makes the sampler, the clipping, the noise and the accounting
//! event together, so that what is reported is what runs.

mod clipping;
mod config;
mod parts;
mod phased;
mod protected_unit;
mod record;
#[cfg(test)]
mod tests;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonReport, PlannedSchedule, PldAccountant};

pub use crate::error::{BudgetError, Result};
pub use clipping::{Clipping, ClippingGroup};
pub use config::PrivacyPlanConfig;
pub use parts::{NoiseLevel, Sampling};
pub use phased::{Phase, PhaseConfig, PhaseNoise, PhasedPlan, PhasedPlanConfig};
pub use protected_unit::ProtectedUnit;

/// What will run, checked: adjacency, sampling, clipping, noise and length of one training run.
///
/// Immutable, and serializable: deserializing checks it again. Everything that the guarantee depends on is made
/// from this one value, so the parts can't disagree.
///
/// # Formal guarantee
///
/// A run of at most [`steps`](Self::steps) updates of a training session over a model that passes the coverage checks is
/// `(epsilon(delta), delta)`-differentially private under [`adjacency`](Self::adjacency), for every
/// delta in (0, 1): each update is a Poisson-subsampled Gaussian mechanism (Abadi et al. 2016; Mironov, Talwar
/// and Zhang 2019, arXiv 1908.10530) of L2 sensitivity [`sensitivity`](Self::sensitivity) with noise standard deviation
/// [`noise_standard_deviation`](Self::noise_standard_deviation), and updates compose adaptively.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivacyPlan {
    adjacency: Adjacency,
    protected_unit: ProtectedUnit,
    sampling: Sampling,
    clipping: Clipping,
    noise_multiplier: f64,
    target_epsilon: Option<f64>,
    delta: f64,
    steps: u64,
}

impl PrivacyPlan {
    /// Which pairs of data sets are neighbors.
    pub fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    /// What is protected: what is sampled, clipped as one, and counted by the sizes of the plan.
    pub fn protected_unit(&self) -> ProtectedUnit {
        self.protected_unit
    }

    /// How records are drawn.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// How gradients are bounded.
    pub fn clipping(&self) -> &Clipping {
        &self.clipping
    }

    /// Noise standard deviation divided by the sensitivity, of all that a step releases as one Gaussian mechanism.
    pub fn noise_multiplier(&self) -> f64 {
        self.noise_multiplier
    }

    /// Noise standard deviation on the clipped sum divided by its sensitivity: [`noise_multiplier`](Self::noise_multiplier), but
    /// somewhat more where a count of clipped gradients is released beside it ([`Clipping::Quantile`]).
    pub fn gradient_noise_multiplier(&self) -> f64 {
        // Building refused where there is none.
        self.clipping.gradient_multiplier(self.noise_multiplier).unwrap_or(self.noise_multiplier)
    }

    /// Standard deviation of the noise on the count of gradients below the norm, whose contributions are +1/2 and -1/2, if there
    /// is such a count.
    pub fn count_noise_standard_deviation(&self) -> Option<f64> {
        let factor = self.adjacency.sensitivity_factor();
        // Without noise on the gradients nothing is promised, and the count stays as noisy as it was planned.
        self.clipping.count_multiplier().map(|multiplier| 0.5 * multiplier * factor)
    }

    /// What runs, in words: for statements and for the ledger.
    pub fn mechanism(&self) -> String {
        format!("DP-SGD with {}", self.clipping)
    }

    /// The epsilon that the noise was calibrated to, if it was.
    pub fn target_epsilon(&self) -> Option<f64> {
        self.target_epsilon
    }

    /// The delta at which epsilon is reported.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// Number of updates that the plan allows.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// L2 sensitivity of one step's clipped sum under the adjacency: `C` for add/remove and zero-out, `2 C` for
    /// replace-one.
    ///
    /// That of the sum as it is computed, rounding included: contributions are clipped to `C (1 - 9.3e-5)`, and the rest
    /// bounds what rounding adds. What a record contributes must not depend on the records beside it; in
    /// `PerExample::Loop` it does not, in one backward pass matrix
    /// products may round a row otherwise beside more rows, and that is not part of the bound. Records of other physical batches have no influence, as each is a
    /// fixed range of places in the data set.
    pub fn sensitivity(&self) -> f64 {
        self.clipping.norm() * self.adjacency.sensitivity_factor()
    }

    /// Standard deviation of the noise on each coordinate of the sum: multiplier times sensitivity.
    ///
    /// Under replace-one it is twice that of libraries which multiply by the clipping norm alone.
    pub fn noise_standard_deviation(&self) -> f64 {
        self.noise_standard_deviation_at(self.clipping.norm())
    }

    /// [`noise_standard_deviation`](Self::noise_standard_deviation) in a step whose contributions have at most this norm.
    pub fn noise_standard_deviation_at(&self, norm: f64) -> f64 {
        self.gradient_noise_multiplier() * norm * self.adjacency.sensitivity_factor()
    }

    /// The event of one step.
    ///
    /// # Errors
    ///
    /// Never for a plan that was built; the type is the accounting crate's.
    pub fn step_event(&self) -> Result<DpEvent> {
        Ok(clipped_step_event(self.sampling, &self.clipping, self.noise_multiplier)?)
    }

    /// The event of the whole run.
    ///
    /// # Errors
    ///
    /// As [`step_event`](Self::step_event).
    pub fn event(&self) -> Result<DpEvent> {
        Ok(DpEvent::self_composed(self.step_event()?, self.steps)?)
    }

    /// Epsilon of the whole run at `delta`, an upper bound, by privacy loss distributions.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn epsilon(&self, delta: f64) -> Result<f64> {
        Ok(self.epsilon_report(delta)?.epsilon)
    }

    /// [`epsilon`](Self::epsilon) with the name of the method that proved it.
    ///
    /// # Errors
    ///
    /// As [`epsilon`](Self::epsilon).
    pub fn epsilon_report(&self, delta: f64) -> Result<EpsilonReport> {
        let mut accountant = PldAccountant::new(self.adjacency);
        accountant.compose(&self.event()?, 1)?;
        Ok(EpsilonReport::of(&accountant, delta)?)
    }

    /// Epsilon at the plan's delta after any number of steps, for progress displays and curves.
    ///
    /// # Errors
    ///
    /// As [`step_event`](Self::step_event).
    pub fn schedule(&self) -> Result<PlannedSchedule> {
        Ok(PlannedSchedule::new(self.adjacency, &self.step_event()?, self.steps, self.delta)?)
    }

    /// Under adjacencies where the number of records is public, it must be the stated one.
    ///
    /// # Errors
    ///
    /// [`BudgetError::DatasetSize`] if it is not.
    pub fn check_population(&self, population: usize) -> Result<()> {
        let stated = self.sampling.nominal_size();
        match self.adjacency {
            Adjacency::AddOrRemoveOne => Ok(()),
            Adjacency::ReplaceOne | Adjacency::ZeroOut if population == stated => Ok(()),
            adjacency => Err(BudgetError::DatasetSize { stated, adjacency: adjacency.to_string() }),
        }
    }
}

fn refuse(field: &'static str, given: impl ToString, allowed: impl Into<String>) -> BudgetError {
    BudgetError::Plan { field, given: given.to_string(), allowed: allowed.into() }
}

fn step_event(sampling: Sampling, noise_multiplier: f64) -> burn_privacy_accounting::Result<DpEvent> {
    DpEvent::poisson_sampled(sampling.rate(), DpEvent::gaussian(noise_multiplier)?)
}

/// With the count of clipped gradients, where the clipping has one.
fn clipped_step_event(
    sampling: Sampling,
    clipping: &Clipping,
    noise_multiplier: f64,
) -> burn_privacy_accounting::Result<DpEvent> {
    match (clipping.count_multiplier(), clipping.gradient_multiplier(noise_multiplier)) {
        // Two Gaussian releases about one sample.
        (Some(count), Some(gradients)) if noise_multiplier > 0.0 => {
            let released = vec![DpEvent::gaussian(gradients)?, DpEvent::gaussian(count)?];
            DpEvent::poisson_sampled(sampling.rate(), DpEvent::composed(released)?)
        }
        _ => step_event(sampling, noise_multiplier),
    }
}
