//! The plan of each setting, and its figures.

use burn_privacy_accounting::{Accountant, RdpAccountant};
use serde::{Deserialize, Serialize};

use super::config::{Setting, SweepConfig};
use super::error::SweepError;
use burn_privacy_budget::Result;
use burn_privacy_budget::plan::{Clipping, NoiseLevel, PrivacyPlan, PrivacyPlanConfig, Sampling};

/// A plan's figures, as tables and plots show them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFigures {
    /// Noise standard deviation divided by the sensitivity.
    pub noise_multiplier: f64,
    /// Expected records a step.
    pub batch_size: usize,
    /// Updates.
    pub steps: u64,
    /// Epsilon of one run by privacy loss distributions, an upper bound.
    pub epsilon_pld: f64,
    /// Epsilon of one run by Renyi divergences, an upper bound.
    pub epsilon_rdp: f64,
}

impl PlanFigures {
    fn of(plan: &PrivacyPlan) -> Result<Self> {
        let mut renyi = RdpAccountant::new(plan.adjacency());
        renyi.compose(plan.event(), 1)?;
        Ok(Self {
            noise_multiplier: plan.noise_multiplier(),
            batch_size: plan.sampling().expected_batch_size(),
            steps: plan.steps(),
            epsilon_pld: plan.epsilon(plan.delta())?,
            epsilon_rdp: renyi.epsilon(plan.delta())?,
        })
    }
}

/// A setting with the plan that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedSetting {
    /// What was asked for.
    pub setting: Setting,
    /// What runs: the setting itself, or its simulation at a smaller batch.
    pub plan: PrivacyPlan,
    /// Its figures.
    pub figures: PlanFigures,
    /// The large run that a simulation stands for.
    pub predicted: Option<(PrivacyPlan, PlanFigures)>,
}

impl SweepConfig {
    /// A plan for each setting, its noise calibrated where an epsilon is asked for.
    ///
    /// # Errors
    ///
    /// [`SweepError::Empty`], [`SweepError::Value`] or [`SweepError::Setting`], the same as at the start of a sweep.
    pub fn planned(&self) -> Result<Vec<PlannedSetting>, SweepError> {
        self.check()?;
        let plan = |(index, setting): (usize, Setting)| {
            PlannedSetting::new(self, setting).map_err(|error| {
                let (number, setting) = (index + 1, setting.to_string());
                SweepError::Setting { number, setting, source: error }
            })
        };
        self.settings().into_iter().enumerate().map(plan).collect()
    }
}

impl PlannedSetting {
    pub(super) fn new(config: &SweepConfig, setting: Setting) -> Result<Self> {
        let noise = setting.noise.with_delta(config.delta);
        let of = |batch_size, noise| {
            PrivacyPlanConfig::new()
                .with_sampling(Sampling::poisson(batch_size, config.nominal_size))
                .with_clipping(Clipping::flat(setting.clip))
                .with_noise(noise)
                .with_delta(config.delta)
        };
        let asked = of(setting.batch_size, noise).with_epochs(config.epochs).build()?;
        let figures = PlanFigures::of(&asked)?;
        let Some(small) = config.simulate_at_batch else {
            return Ok(Self { setting, plan: asked, figures, predicted: None });
        };
        let scale = small as f64 / setting.batch_size as f64;
        let noise = NoiseLevel::multiplier(asked.noise_multiplier() * scale);
        let plan = of(small, noise).with_steps(asked.steps()).build()?;
        Ok(Self { setting, figures: PlanFigures::of(&plan)?, plan, predicted: Some((asked, figures)) })
    }

    /// The plan that a score is about, and its figures: the large run's, if this is a simulation.
    pub fn shown(&self) -> (&PrivacyPlan, PlanFigures) {
        self.predicted.as_ref().map_or((&self.plan, self.figures), |(plan, figures)| (plan, *figures))
    }
}
