//! The privacy plan: one immutable value that makes the sampler, the clipping, the noise and the accounting
//! event together, so that what is reported is what runs.

mod clipping;
mod config;
mod noise_level;
mod phased;
mod protected_unit;
mod record;
mod sampling;
mod step_function;
mod stretch;
#[cfg(test)]
mod tests;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EpsilonReport, PlannedSchedule, PldAccountant};

pub use crate::error::{BudgetError, Result};

use crate::error::refuse;
pub use clipping::{Clipping, ClippingGroup};
pub use config::PrivacyPlanConfig;
pub use noise_level::{NoiseLevel, NoiseTarget};
pub use phased::{Phase, PhaseConfig, PhaseNoise, PhasedPlan, PhasedPlanConfig};
pub use protected_unit::ProtectedUnit;
pub use sampling::Sampling;
pub use step_function::StepFunction;
pub use stretch::Stretch;

/// What will run, checked: adjacency, sampling, clipping, noise and length of one training run.
///
/// Immutable, and serializable: deserializing checks it again. Everything that the guarantee depends on is made
/// from this one value, so the parts can't disagree.
///
/// # Formal guarantee
///
/// A run of at most [`steps`](Self::steps) updates of a training session over a model that passes the coverage checks is
/// `(epsilon(delta), delta)`-differentially private under [`adjacency`](Self::adjacency), for every
/// delta in (0, 1), also where noise and clipping follow [schedules](StepFunction): each update is a Poisson-subsampled Gaussian mechanism (Abadi et al. 2016; Mironov, Talwar
/// and Zhang 2019, arXiv 1908.10530) of L2 sensitivity [`sensitivity`](Self::sensitivity) with noise standard deviation
/// [`noise_standard_deviation`](Self::noise_standard_deviation), and updates compose adaptively.
#[derive(Debug, Clone, PartialEq)]
pub struct PrivacyPlan {
    adjacency: Adjacency,
    protected_unit: ProtectedUnit,
    sampling: Sampling,
    clipping: Clipping,
    noise_multiplier: f64,
    noise_schedule: StepFunction,
    clipping_schedule: StepFunction,
    target_epsilon: Option<f64>,
    delta: f64,
    steps: u64,
    /// The run in stretches of equal steps, in their order.
    stretches: Vec<Stretch>,
    event: DpEvent,
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

    /// How gradients are bounded; with a schedule, before its factor.
    pub fn clipping(&self) -> &Clipping {
        &self.clipping
    }

    /// How gradients are bounded in a step, counted from 0.
    pub fn clipping_in(&self, step: u64) -> Clipping {
        self.clipping.scaled(self.clipping_schedule.at(step))
    }

    /// Noise standard deviation divided by the sensitivity, of all that a step releases as one Gaussian mechanism; with a schedule,
    /// before its factor.
    pub fn noise_multiplier(&self) -> f64 {
        self.noise_multiplier
    }

    /// [`noise_multiplier`](Self::noise_multiplier) in a step, counted from 0.
    pub fn noise_multiplier_in(&self, step: u64) -> f64 {
        self.noise_multiplier * self.noise_schedule.at(step)
    }

    /// What the noise multiplier is multiplied with in each step.
    pub fn noise_schedule(&self) -> &StepFunction {
        &self.noise_schedule
    }

    /// What the clipping's norms are multiplied with in each step.
    pub fn clipping_schedule(&self) -> &StepFunction {
        &self.clipping_schedule
    }

    /// Noise standard deviation on the clipped sum divided by its sensitivity: [`noise_multiplier`](Self::noise_multiplier), but
    /// somewhat more where a count of clipped gradients is released beside it ([`Clipping::Quantile`]).
    pub fn gradient_noise_multiplier(&self) -> f64 {
        // Building refused where there is none.
        self.clipping.gradient_multiplier(self.noise_multiplier).unwrap_or(self.noise_multiplier)
    }

    /// [`gradient_noise_multiplier`](Self::gradient_noise_multiplier) in a step, counted from 0.
    pub fn gradient_noise_multiplier_in(&self, step: u64) -> f64 {
        let multiplier = self.noise_multiplier_in(step);
        self.clipping.gradient_multiplier(multiplier).unwrap_or(multiplier)
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
        let mut words = format!("DP-SGD with {}", self.clipping);
        if !self.clipping_schedule.is_constant() {
            words += &format!("; norms {}", self.clipping_schedule);
        }
        if !self.noise_schedule.is_constant() {
            words += &format!("; noise multiplier {} {}", self.noise_multiplier, self.noise_schedule);
        }
        words
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
    ///
    /// With a schedule of the clipping, the largest of all steps. Where users' records are sampled one by one, it is that to one record.
    pub fn sensitivity(&self) -> f64 {
        self.clipping.norm() * self.clipping_schedule.range().1 * self.adjacency.sensitivity_factor()
    }

    /// Standard deviation of the noise on each coordinate of the sum: multiplier times sensitivity.
    ///
    /// Under replace-one it is twice that of libraries which multiply by the clipping norm alone. With schedules, that of step 0.
    pub fn noise_standard_deviation(&self) -> f64 {
        self.noise_standard_deviation_in(0, self.clipping_in(0).norm())
    }

    /// Standard deviation of the noise in a step, counted from 0, whose contributions have at most this norm.
    pub fn noise_standard_deviation_in(&self, step: u64, norm: f64) -> f64 {
        self.gradient_noise_multiplier_in(step) * norm * self.adjacency.sensitivity_factor()
    }

    /// The event of one step, where all are equal.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] if the noise follows a schedule: then there are [`stretches`](Self::stretches).
    pub fn step_event(&self) -> Result<DpEvent> {
        match self.stretches() {
            [all] => Ok(all.event.clone()),
            several => Err(refuse(
                "noise schedule",
                format!("{} stretches of different steps", several.len()),
                "noise that stays the same, for what counts all steps by one event",
            )),
        }
    }

    /// The run in stretches of equal steps, in their order; one without a schedule of the noise.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The event of the whole run.
    pub fn event(&self) -> &DpEvent {
        &self.event
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
        accountant.compose(&self.event, 1)?;
        Ok(EpsilonReport::of(&accountant, delta)?)
    }

    /// Epsilon at the plan's delta after any number of steps, for progress displays and curves.
    ///
    /// # Errors
    ///
    /// Those of the accountants.
    pub fn schedule(&self) -> Result<PlannedSchedule> {
        let parts: Vec<(DpEvent, u64)> =
            self.stretches.iter().map(|stretch| (stretch.event.clone(), stretch.steps)).collect();
        Ok(PlannedSchedule::of_parts(self.adjacency, &parts, self.delta)?)
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
