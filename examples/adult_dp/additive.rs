//! A boosted additive model: a curve for each column, as DP-EBM has.

use burn_privacy::mechanisms::Entropy;
use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{PhaseNoise, PhasedPlanConfig};
use burn_privacy_linear::additive::{AdditiveModel, AdditiveTraining, boosting_phase, counts_phase};

use crate::Result;
use crate::records::Records;

/// Part of the budget, in squared noise, that the counts of the bins get.
const COUNTS_SHARE: f64 = 0.05;

/// Chosen on the last fifth of adult.data.
const ROUNDS: u64 = 20;
const TRAINING: AdditiveTraining = AdditiveTraining { rate: 0.5, leaves: 8, ridge: 1.0, offset: -1.2 };

/// Boosts under add-or-remove-one adjacency; one plan pays for counts and residuals.
pub fn boosted(records: &Records, nominal: usize, epsilon: f64, delta: f64, seed: u64) -> Result<AdditiveModel> {
    let binned = records.binned()?;
    let columns = binned.columns();
    // Precisions add up: that of the counts' single release is to be its share of all.
    let releases = (ROUNDS * columns.len() as u64) as f64;
    let boosting_noise = (releases * COUNTS_SHARE / (1.0 - COUNTS_SHARE)).sqrt();
    let plan = PhasedPlanConfig::new(delta)
        .with_phase(counts_phase(columns, nominal, PhaseNoise::Calibrated(1.0)))
        .with_phase(boosting_phase(columns, nominal, PhaseNoise::Calibrated(boosting_noise), ROUNDS))
        .with_target(epsilon)
        .build()?;
    Ok(TRAINING.train(&binned, &mut PhasedRun::new(plan, Entropy::seeded(seed))?)?)
}
