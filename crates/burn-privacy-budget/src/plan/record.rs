//! A plan as data, which is checked again when it is read.

use burn_privacy_accounting::Adjacency;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Clipping, NoiseLevel, PrivacyPlan, PrivacyPlanConfig, Sampling, StepFunction};
use crate::error::{BudgetError, Result, refuse};
use crate::plan::ProtectedUnit;

/// What a plan looks like as data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanRecord {
    schema: String,
    version: u32,
    adjacency: Adjacency,
    protected_unit: ProtectedUnit,
    sampling: Sampling,
    clipping: Clipping,
    noise_multiplier: f64,
    #[serde(default, skip_serializing_if = "StepFunction::is_constant")]
    noise_schedule: StepFunction,
    #[serde(default, skip_serializing_if = "StepFunction::is_constant")]
    clipping_schedule: StepFunction,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target_epsilon: Option<f64>,
    delta: f64,
    steps: u64,
}

const SCHEMA: &str = "burn-privacy/plan";
const VERSION: u32 = 1;

impl Serialize for PrivacyPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        PlanRecord::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PrivacyPlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(PlanRecord::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl From<&PrivacyPlan> for PlanRecord {
    fn from(plan: &PrivacyPlan) -> Self {
        Self {
            schema: SCHEMA.into(),
            version: VERSION,
            adjacency: plan.adjacency,
            protected_unit: plan.protected_unit,
            sampling: plan.sampling,
            clipping: plan.clipping.clone(),
            noise_multiplier: plan.noise_multiplier,
            noise_schedule: plan.noise_schedule.clone(),
            clipping_schedule: plan.clipping_schedule.clone(),
            target_epsilon: plan.target_epsilon,
            delta: plan.delta,
            steps: plan.steps,
        }
    }
}

impl TryFrom<PlanRecord> for PrivacyPlan {
    type Error = BudgetError;

    fn try_from(record: PlanRecord) -> Result<Self> {
        if record.schema != SCHEMA || record.version != VERSION {
            return Err(refuse(
                "schema",
                format!("{} version {}", record.schema, record.version),
                format!("{SCHEMA} version {VERSION}"),
            ));
        }
        let mut plan = PrivacyPlanConfig::new()
            .with_adjacency(record.adjacency)
            .with_protected_unit(record.protected_unit)
            .with_sampling(record.sampling)
            .with_clipping(record.clipping)
            .with_noise(NoiseLevel::multiplier(record.noise_multiplier))
            .with_noise_schedule(record.noise_schedule)
            .with_clipping_schedule(record.clipping_schedule)
            .with_delta(record.delta)
            .with_steps(record.steps)
            .build()?;
        if let Some(target) = record.target_epsilon {
            let epsilon = plan.epsilon(plan.delta)?;
            if target.is_nan() || epsilon > target {
                return Err(refuse(
                    "target epsilon",
                    target,
                    format!("at least {epsilon}, which is what this plan's noise multiplier gives"),
                ));
            }
            plan.target_epsilon = Some(target);
        }
        Ok(plan)
    }
}
