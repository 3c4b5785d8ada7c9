//! What the trials of a sweep reached, setting by setting, and what the whole sweep cost.

use burn_privacy_accounting::{Adjacency, EpsilonReport};

use super::config::{Setting, SweepConfig};
use super::log::{TrialEnd, TrialRecord};
use super::planned::PlannedSetting;
use crate::error::Result;
use burn_privacy_budget::ledger::{Charge, epsilons};

/// What one setting reached.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingSummary {
    /// Nothing: the trials without privacy.
    pub planned: Option<PlannedSetting>,
    /// Scores of the trials that ended well, in the order of their repeats.
    pub scores: Vec<f64>,
    /// Errors of the others.
    pub errors: Vec<String>,
}

impl SettingSummary {
    /// Mean score; NaN without any.
    pub fn mean(&self) -> f64 {
        self.scores.iter().sum::<f64>() / self.scores.len() as f64
    }

    /// Standard deviation of the scores, with n - 1; `None` for fewer than two.
    pub fn standard_deviation(&self) -> Option<f64> {
        let (count, mean) = (self.scores.len(), self.mean());
        let squares: f64 = self.scores.iter().map(|score| (score - mean).powi(2)).sum();
        (count > 1).then(|| (squares / (count - 1) as f64).sqrt())
    }

    /// Lowest and highest score; infinite without any.
    pub fn range(&self) -> (f64, f64) {
        let fold = |start, choose: fn(f64, f64) -> f64| self.scores.iter().copied().fold(start, choose);
        (fold(f64::INFINITY, f64::min), fold(f64::NEG_INFINITY, f64::max))
    }
}

/// What a sweep found and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepSummary {
    /// Name of the data set.
    pub dataset: String,
    /// The delta of all epsilons.
    pub delta: f64,
    /// False for a fixed seed: then no epsilon here holds.
    pub private: bool,
    /// Whether scores are of simulations at a smaller batch.
    pub simulated: bool,
    /// By setting, in the order of the sweep; the trials without privacy, if there are any, last.
    pub settings: Vec<SettingSummary>,
    /// How many trials of this sweep were charged, interrupted ones included.
    pub charged_trials: usize,
    /// Epsilon of all of them together.
    pub composed: Vec<EpsilonReport>,
    /// How many other runs the ledger has.
    pub other_runs: usize,
    /// Epsilon of everything in the ledger.
    pub ledger: Vec<EpsilonReport>,
}

impl SweepSummary {
    pub(super) fn new(
        config: &SweepConfig,
        planned: &[PlannedSetting],
        records: &[TrialRecord],
        charges: &[Charge],
    ) -> Result<Self> {
        let collect = |planned: Option<&PlannedSetting>, setting: Option<Setting>| {
            let mut mine: Vec<&TrialRecord> = records.iter().filter(|record| record.setting == setting).collect();
            mine.sort_by_key(|record| record.trial);
            let (mut scores, mut errors) = (Vec::new(), Vec::new());
            for record in mine {
                match &record.end {
                    TrialEnd::Score(score) => scores.push(*score),
                    TrialEnd::Error(error) => errors.push(error.clone()),
                }
            }
            SettingSummary { planned: planned.cloned(), scores, errors }
        };
        let mut settings: Vec<SettingSummary> =
            planned.iter().map(|planned| collect(Some(planned), Some(planned.setting))).collect();
        settings.extend(records.iter().any(|record| record.setting.is_none()).then(|| collect(None, None)));
        let prefix = config.ledger_prefix();
        let own: Vec<&Charge> = charges.iter().filter(|charge| charge.name.starts_with(&prefix)).collect();
        Ok(Self {
            dataset: config.dataset.clone(),
            delta: config.delta,
            private: config.seed.is_none(),
            simulated: config.simulate_at_batch.is_some(),
            settings,
            charged_trials: own.len(),
            other_runs: charges.len() - own.len(),
            composed: epsilons(&own, Adjacency::AddOrRemoveOne, config.delta)?,
            ledger: epsilons(&charges.iter().collect::<Vec<_>>(), Adjacency::AddOrRemoveOne, config.delta)?,
        })
    }
}
