//! A plan of several phases: Gaussian mechanisms of different sampling, sensitivity, noise and length on one data set, composed
//! in one epsilon, so that what prepares the training is paid for with it.

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant, calibrate_noise_multiplier};

use super::config::{check_delta, check_sampling};
use super::sampling::Sampling;
use super::stretch::step_event;
use crate::error::{BudgetError, Result, refuse};

/// How much noise a phase gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PhaseNoise {
    /// Noise standard deviation divided by the sensitivity.
    Multiplier(f64),
    /// This times the number that brings the whole plan to its target: 1 for the only phase of this kind.
    Calibrated(f64),
}

/// One phase before it is checked: some releases of a sum, one after another.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseConfig {
    /// For the statement and for the ledger.
    pub name: String,
    /// How records are drawn for each release.
    pub sampling: Sampling,
    /// The largest L2 norm that one record adds to the sum.
    pub contribution: f64,
    /// How much noise is added.
    pub noise: PhaseNoise,
    /// Number of releases.
    pub steps: u64,
}

/// A checked phase.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    name: String,
    sampling: Sampling,
    contribution: f64,
    sensitivity: f64,
    noise_multiplier: f64,
    steps: u64,
    first_step: u64,
    step_event: DpEvent,
}

impl Phase {
    /// For the statement and for the ledger.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How records are drawn for each release.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// The largest L2 norm that one record may add to the sum. Whoever makes the sum keeps to it.
    pub fn contribution(&self) -> f64 {
        self.contribution
    }

    /// Whether it pays for the sum of all records' vectors, each of norm at most `contribution`.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] if it samples, as the sum of a sample would be amplified, or if it is planned for smaller vectors.
    pub fn require_sum_of_all(&self, contribution: f64) -> Result<()> {
        let (name, rate) = (&self.name, self.sampling.rate());
        if rate < 1.0 {
            let given = format!("{name:?} at sampling rate {rate}");
            return Err(refuse("phase", given, "the full batch, of which this releases the sum"));
        }
        if self.contribution < contribution {
            let given = format!("{name:?} for contributions of norm {}", self.contribution);
            return Err(refuse("phase", given, format!("at least {contribution}, which a record contributes here")));
        }
        Ok(())
    }

    /// L2 sensitivity of the sum under the plan's adjacency.
    pub fn sensitivity(&self) -> f64 {
        self.sensitivity
    }

    /// Noise standard deviation divided by the sensitivity.
    pub fn noise_multiplier(&self) -> f64 {
        self.noise_multiplier
    }

    /// Standard deviation of the noise on each entry of the sum.
    pub fn noise_standard_deviation(&self) -> f64 {
        self.noise_multiplier * self.sensitivity
    }

    /// Number of releases.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Releases of all earlier phases: no two steps of a plan share a stream of randomness.
    pub fn first_step(&self) -> u64 {
        self.first_step
    }

    /// The event of one release.
    pub fn step_event(&self) -> &DpEvent {
        &self.step_event
    }
}

/// Unchecked parameters of a [`PhasedPlan`].
///
/// ```
/// use burn_privacy_budget::plan::*;
///
/// // Statistics of all records with a fixed noise, then 500 steps of training with what is left of epsilon 3.
/// let plan = PhasedPlanConfig::new(1e-5)
///     .with_phase(PhaseConfig {
///         name: "statistics".into(),
///         sampling: Sampling::full_batch(50_000),
///         contribution: 1.0,
///         noise: PhaseNoise::Multiplier(6.0),
///         steps: 1,
///     })
///     .with_phase(PhaseConfig {
///         name: "training".into(),
///         sampling: Sampling::poisson(4_096, 50_000),
///         contribution: 0.1,
///         noise: PhaseNoise::Calibrated(1.0),
///         steps: 500,
///     })
///     .with_target(3.0)
///     .build()?;
/// assert!(plan.epsilon()? <= 3.0 && plan.epsilon()? > 2.99);
/// # Ok::<(), burn_privacy_budget::BudgetError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PhasedPlanConfig {
    adjacency: Adjacency,
    delta: f64,
    target: Option<f64>,
    phases: Vec<PhaseConfig>,
}

impl PhasedPlanConfig {
    /// Add/remove adjacency, no phase, no target.
    pub fn new(delta: f64) -> Self {
        Self { adjacency: Adjacency::AddOrRemoveOne, delta, target: None, phases: Vec::new() }
    }

    /// Which pairs of data sets are neighbors.
    pub fn with_adjacency(mut self, adjacency: Adjacency) -> Self {
        self.adjacency = adjacency;
        self
    }

    /// One more phase, after the others.
    pub fn with_phase(mut self, phase: PhaseConfig) -> Self {
        self.phases.push(phase);
        self
    }

    /// Epsilon of the whole, which [`PhaseNoise::Calibrated`] phases are brought to.
    pub fn with_target(mut self, epsilon: f64) -> Self {
        self.target = Some(epsilon);
        self
    }

    /// Checks everything and calibrates the noise.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] names the field, what was given and what is allowed; [`BudgetError::Accounting`] where no
    /// noise reaches the target, which is also so if the phases with a fixed noise alone spend it.
    pub fn build(self) -> Result<PhasedPlan> {
        let Some(first) = self.phases.first() else {
            return Err(refuse("phases", "none", "say with_phase(..) at least once"));
        };
        let nominal_size = first.sampling.nominal_size();
        check_delta(self.delta, nominal_size)?;
        for phase in &self.phases {
            check_sampling(phase.sampling, self.adjacency)?;
            self.check(phase, nominal_size)?;
        }
        let calibrated = self.phases.iter().any(|phase| matches!(phase.noise, PhaseNoise::Calibrated(_)));
        let scale = match self.target {
            Some(target) if calibrated => calibrate_noise_multiplier(
                |scale| self.event(scale),
                target,
                self.delta,
                || PldAccountant::new(self.adjacency),
            )?,
            None if calibrated => {
                return Err(refuse("target", "none", "say with_target(..), which calibrated phases need"));
            }
            Some(_) => return Err(refuse("target", "one", "no target, or at least one calibrated phase")),
            None => 1.0,
        };
        let mut first_step = 0_u64;
        let phases = self.phases.iter().map(|phase| {
            let start = first_step;
            first_step += phase.steps;
            let noise_multiplier = multiplier(phase.noise, scale);
            Ok(Phase {
                name: phase.name.clone(),
                sampling: phase.sampling,
                contribution: phase.contribution,
                sensitivity: phase.contribution * self.adjacency.sensitivity_factor(),
                noise_multiplier,
                steps: phase.steps,
                first_step: start,
                step_event: step_event(phase.sampling, noise_multiplier)?,
            })
        });
        let plan = PhasedPlan {
            adjacency: self.adjacency,
            delta: self.delta,
            target_epsilon: self.target,
            phases: phases.collect::<Result<_>>()?,
            event: self.event(scale)?,
        };
        plan.epsilon()?;
        Ok(plan)
    }

    /// The whole mechanism at a noise scale.
    fn event(&self, scale: f64) -> burn_privacy_accounting::Result<DpEvent> {
        let events = self.phases.iter().map(|phase| {
            DpEvent::self_composed(step_event(phase.sampling, multiplier(phase.noise, scale))?, phase.steps)
        });
        DpEvent::composed(events.collect::<burn_privacy_accounting::Result<_>>()?)
    }

    fn check(&self, phase: &PhaseConfig, nominal_size: usize) -> Result<()> {
        if phase.name.is_empty() || self.phases.iter().filter(|other| other.name == phase.name).count() > 1 {
            return Err(refuse("phase name", format!("{:?}", phase.name), "not empty, and different in each phase"));
        }
        if phase.sampling.nominal_size() != nominal_size {
            let given = phase.sampling.nominal_size();
            return Err(refuse(
                "nominal size",
                given,
                format!("that of the first phase, {nominal_size}: one data set"),
            ));
        }
        if !(1e-12..=1e12).contains(&phase.contribution) {
            return Err(refuse("contribution", phase.contribution, "a number from 1e-12 to 1e12"));
        }
        if phase.steps == 0 || phase.steps > MAX_STEPS {
            return Err(refuse("steps", phase.steps, "from 1 to 2^40"));
        }
        let (PhaseNoise::Multiplier(noise) | PhaseNoise::Calibrated(noise)) = phase.noise;
        let least = if matches!(phase.noise, PhaseNoise::Calibrated(_)) { f64::MIN_POSITIVE } else { 0.0 };
        if !(noise.is_finite() && noise >= least) {
            return Err(refuse("noise", noise, "a finite number of at least 0, and above 0 if it is calibrated"));
        }
        Ok(())
    }
}

const MAX_STEPS: u64 = 1 << 40;

fn multiplier(noise: PhaseNoise, scale: f64) -> f64 {
    match noise {
        PhaseNoise::Multiplier(multiplier) => multiplier,
        PhaseNoise::Calibrated(relative) => relative * scale,
    }
}

/// What will run, checked: phases of Gaussian mechanisms on one data set, in their order.
///
/// # Formal guarantee
///
/// A run that makes at most [`steps`](Phase::steps) releases of each phase is `(epsilon, delta)`-differentially private under
/// [`adjacency`](Self::adjacency): each release is a (Poisson-subsampled) Gaussian mechanism whose sum has the stated
/// [`sensitivity`](Phase::sensitivity), and privacy loss distributions compose, also where a later phase's sum depends on the
/// releases of earlier ones (adaptive composition: all parameters are fixed here, beforehand).
#[derive(Debug, Clone, PartialEq)]
pub struct PhasedPlan {
    adjacency: Adjacency,
    delta: f64,
    target_epsilon: Option<f64>,
    phases: Vec<Phase>,
    event: DpEvent,
}

impl PhasedPlan {
    /// Which pairs of data sets are neighbors.
    pub fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    /// The delta at which epsilon is reported.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The epsilon that the noise was calibrated to, if it was.
    pub fn target_epsilon(&self) -> Option<f64> {
        self.target_epsilon
    }

    /// All phases, in their order.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phase of this name.
    pub fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// Public nominal number of records.
    pub fn nominal_size(&self) -> usize {
        // A plan has a phase, and all have the same.
        self.phases.first().map_or(0, |phase| phase.sampling.nominal_size())
    }

    /// The event of the whole run.
    pub fn event(&self) -> &DpEvent {
        &self.event
    }

    /// The event of some steps of each phase.
    pub(crate) fn event_of(&self, steps: impl Fn(&Phase) -> u64) -> Result<DpEvent> {
        let events =
            self.phases.iter().map(|phase| Ok(DpEvent::self_composed(phase.step_event.clone(), steps(phase))?));
        Ok(DpEvent::composed(events.collect::<Result<_>>()?)?)
    }

    /// Epsilon of the whole run at the plan's delta, an upper bound, by privacy loss distributions.
    ///
    /// # Errors
    ///
    /// Those of the accountant.
    pub fn epsilon(&self) -> Result<f64> {
        let mut accountant = PldAccountant::new(self.adjacency);
        accountant.compose(&self.event, 1)?;
        Ok(accountant.epsilon(self.delta)?)
    }

    /// Epsilon at the plan's delta after all earlier phases and `steps` releases of the last, for progress displays.
    ///
    /// # Errors
    ///
    /// Those of the accountant.
    pub fn epsilon_after(&self, steps: u64) -> Result<f64> {
        let last = self.phases.len() - 1;
        let first_of_last = self.phases[last].first_step;
        let event = self.event_of(|phase| match phase.first_step == first_of_last {
            true => steps.min(phase.steps),
            false => phase.steps,
        })?;
        let mut accountant = PldAccountant::new(self.adjacency);
        accountant.compose(&event, 1)?;
        Ok(accountant.epsilon(self.delta)?)
    }

    /// Under adjacencies where the number of records is public, it must be the stated one.
    ///
    /// # Errors
    ///
    /// [`BudgetError::DatasetSize`] if it is not.
    pub fn check_population(&self, population: usize) -> Result<()> {
        let stated = self.nominal_size();
        match self.adjacency {
            Adjacency::AddOrRemoveOne => Ok(()),
            _ if population == stated => Ok(()),
            adjacency => Err(BudgetError::DatasetSize { stated, adjacency: adjacency.to_string() }),
        }
    }
}

#[cfg(test)]
#[path = "phased_tests.rs"]
mod tests;
