//! The length, sampling, clipping and noise of a plan before they are checked.

use burn_privacy_accounting::{Adjacency, PldAccountant, calibrate_noise_multiplier, steps_of_epochs};

use super::PrivacyPlan;
use super::clipping::Clipping;
use super::noise_level::NoiseLevel;
use super::sampling::Sampling;
use super::step_function::StepFunction;
use super::stretch::Mechanism;
use crate::error::{BudgetError, Result, refuse};
use crate::plan::ProtectedUnit;

/// How long the plan runs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Length {
    Steps(u64),
    Epochs(f64),
}

/// Unchecked parameters of a [`PrivacyPlan`].
///
/// ```
/// use burn_privacy_budget::plan::*;
///
/// let plan = PrivacyPlanConfig::new()
///     .with_sampling(Sampling::poisson(250, 50_000))
///     .with_clipping(Clipping::flat(1.0))
///     .with_steps(2_000)
///     .with_noise(NoiseLevel::target(3.0, 1e-5))
///     .build()?;
/// assert!(plan.epsilon(1e-5)? <= 3.0);
/// assert!(plan.noise_multiplier() > 0.5);
/// # Ok::<(), burn_privacy_budget::BudgetError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PrivacyPlanConfig {
    adjacency: Adjacency,
    protected_unit: ProtectedUnit,
    sampling: Option<Sampling>,
    clipping: Clipping,
    noise_schedule: StepFunction,
    clipping_schedule: StepFunction,
    noise: Option<NoiseLevel>,
    delta: Option<f64>,
    length: Option<Length>,
}

impl Default for PrivacyPlanConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl PrivacyPlanConfig {
    /// Add/remove adjacency, clipping norm 1; sampling, noise and length must be said.
    pub fn new() -> Self {
        Self {
            adjacency: Adjacency::AddOrRemoveOne,
            protected_unit: ProtectedUnit::Example,
            sampling: None,
            clipping: Clipping::flat(1.0),
            noise_schedule: StepFunction::constant(),
            clipping_schedule: StepFunction::constant(),
            noise: None,
            delta: None,
            length: None,
        }
    }

    /// Which pairs of data sets are neighbors.
    pub fn with_adjacency(mut self, adjacency: Adjacency) -> Self {
        self.adjacency = adjacency;
        self
    }

    /// What is protected: one example unless something else is said. With users, the sampling's sizes count users.
    pub fn with_protected_unit(mut self, unit: ProtectedUnit) -> Self {
        self.protected_unit = unit;
        self
    }

    /// How records are drawn.
    pub fn with_sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self
    }

    /// How gradients are bounded.
    pub fn with_clipping(mut self, clipping: Clipping) -> Self {
        self.clipping = clipping;
        self
    }

    /// How much noise is added.
    pub fn with_noise(mut self, noise: NoiseLevel) -> Self {
        self.noise = Some(noise);
        self
    }

    /// What the noise multiplier is multiplied with in each step, known beforehand. Steps are accounted with the noise that each has,
    /// and a target is met by the whole run.
    pub fn with_noise_schedule(mut self, schedule: StepFunction) -> Self {
        self.noise_schedule = schedule;
        self
    }

    /// What the norms of the clipping are multiplied with in each step, known beforehand. The noise follows the norm, so that it costs
    /// nothing. Not for [`Clipping::Normalized`] and [`Clipping::Quantile`], whose norms are no choice.
    pub fn with_clipping_schedule(mut self, schedule: StepFunction) -> Self {
        self.clipping_schedule = schedule;
        self
    }

    /// The delta at which epsilon is reported. A target brings its own.
    pub fn with_delta(mut self, delta: f64) -> Self {
        self.delta = Some(delta);
        self
    }

    /// Number of updates.
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.length = Some(Length::Steps(steps));
        self
    }

    /// Number of updates, in passes over the nominal data set (rounded up to a whole update: see
    /// [`steps_of_epochs`]).
    pub fn with_epochs(mut self, epochs: f64) -> Self {
        self.length = Some(Length::Epochs(epochs));
        self
    }

    /// Checks everything and calibrates the noise.
    ///
    /// # Errors
    ///
    /// [`BudgetError::Plan`] names the field, what was given and what is allowed; [`BudgetError::Accounting`] where no
    /// noise reaches the target or the accountant does not support the combination.
    pub fn build(self) -> Result<PrivacyPlan> {
        let sampling =
            self.sampling.ok_or_else(|| missing("sampling", "say Sampling::poisson(expected batch, nominal size)"))?;
        let noise = self
            .noise
            .ok_or_else(|| missing("noise", "say NoiseLevel::multiplier(..) or NoiseLevel::target(epsilon, delta)"))?;
        let length = self.length.ok_or_else(|| missing("steps", "say with_steps(..) or with_epochs(..)"))?;
        check_sampling(sampling, self.adjacency)?;
        self.clipping.check()?;
        self.protected_unit.check(self.adjacency)?;
        let steps = match length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) if epochs.is_finite() && epochs > 0.0 => {
                steps_of_epochs(epochs, sampling.expected_batch_size() as f64, sampling.nominal_size() as u64)?
            }
            Length::Epochs(epochs) => return Err(refuse("epochs", epochs, "a finite number above 0")),
        };
        if steps == 0 || steps > MAX_STEPS {
            return Err(refuse("steps", steps, "from 1 to 2^40"));
        }
        self.check_schedules(steps)?;
        let delta = match (noise, self.delta) {
            (NoiseLevel::Target { delta, .. }, None) | (NoiseLevel::Multiplier(_), Some(delta)) => delta,
            (NoiseLevel::Target { delta, .. }, Some(other)) if delta == other => delta,
            (NoiseLevel::Target { .. }, Some(other)) => {
                return Err(refuse("delta", other, "the target's own delta, or leave with_delta out"));
            }
            (NoiseLevel::Multiplier(_), None) => {
                return Err(missing("delta", "say with_delta(..), below 1 / nominal size"));
            }
        };
        check_delta(delta, sampling.nominal_size())?;
        let mechanism = Mechanism {
            unit: self.protected_unit,
            sampling,
            clipping: &self.clipping,
            noise_schedule: &self.noise_schedule,
            steps,
        };
        let (noise_multiplier, target_epsilon) = match noise {
            NoiseLevel::Multiplier(multiplier) if multiplier.is_finite() && multiplier >= 0.0 => (multiplier, None),
            NoiseLevel::Multiplier(multiplier) => {
                return Err(refuse("noise multiplier", multiplier, "a finite number, 0 or above"));
            }
            NoiseLevel::Target { epsilon, delta } => {
                let multiplier = calibrate_noise_multiplier(
                    |multiplier| mechanism.event(multiplier),
                    epsilon,
                    delta,
                    || PldAccountant::new(self.adjacency),
                )?;
                (multiplier, Some(epsilon))
            }
        };
        // The largest multiplier leaves the count the least.
        let largest = noise_multiplier * self.noise_schedule.range().1;
        if self.clipping.gradient_multiplier(largest).is_none() {
            let allowed = format!(
                "above {}: half the noise multiplier, or the count alone says more than a step may (a twentieth of the \
                 expected batch size is usual; larger batches, or another style of clipping)",
                0.5 * largest
            );
            return Err(refuse(
                "noise of the count below the clipping norm",
                self.clipping.count_multiplier().map_or(0.0, |multiplier| 0.5 * multiplier),
                allowed,
            ));
        }
        let (stretches, event) = (mechanism.stretches(noise_multiplier)?, mechanism.event(noise_multiplier)?);
        let plan = PrivacyPlan {
            adjacency: self.adjacency,
            protected_unit: self.protected_unit,
            sampling,
            clipping: self.clipping,
            noise_multiplier,
            noise_schedule: self.noise_schedule,
            clipping_schedule: self.clipping_schedule,
            target_epsilon,
            delta,
            steps,
            stretches,
            event,
        };
        plan.epsilon(delta)?;
        Ok(plan)
    }

    fn check_schedules(&self, steps: u64) -> Result<()> {
        self.noise_schedule.check("noise schedule", steps)?;
        self.clipping_schedule.check("clipping schedule", steps)?;
        if self.clipping_schedule.is_constant() {
            return Ok(());
        }
        if matches!(self.clipping, Clipping::Normalized { .. } | Clipping::Quantile { .. }) {
            let allowed = "flat, per-layer, per-group or PSAC clipping: the norm of this style is no choice";
            return Err(refuse("clipping schedule", &self.clipping, allowed));
        }
        let (least, most) = self.clipping_schedule.range();
        self.clipping.scaled(least).check()?;
        self.clipping.scaled(most).check()
    }
}

const MAX_STEPS: u64 = 1 << 40;

fn missing(field: &'static str, allowed: &str) -> BudgetError {
    BudgetError::Plan { field, given: "nothing".into(), allowed: allowed.into() }
}

/// A delta of 1 / size or more allows publishing whole records.
pub(super) fn check_delta(delta: f64, nominal_size: usize) -> Result<()> {
    let largest = 1.0 / nominal_size as f64;
    if delta > 0.0 && delta < largest {
        return Ok(());
    }
    let allowed = format!(
        "above 0 and below 1 / nominal size = {largest:e} (a delta that large allows publishing whole records)"
    );
    Err(refuse("delta", format!("{delta:e}"), allowed))
}

pub(super) fn check_sampling(sampling: Sampling, adjacency: Adjacency) -> Result<()> {
    if sampling.nominal_size() == 0 {
        return Err(refuse("nominal size", 0, "at least 1 record"));
    }
    if let Sampling::Poisson { expected_batch_size, nominal_size } = sampling {
        if expected_batch_size == 0 || expected_batch_size > nominal_size {
            let allowed = format!("from 1 to the nominal size, {nominal_size}");
            return Err(refuse("expected batch size", expected_batch_size, allowed));
        }
        if adjacency == Adjacency::ReplaceOne && expected_batch_size < nominal_size {
            return Err(refuse(
                "adjacency",
                adjacency,
                "add-or-remove-one or zero-out with Poisson sampling (a replaced record is in both neighbors' batches \
                 with different gradients, which this version does not account), or Sampling::full_batch",
            ));
        }
    }
    Ok(())
}
