//! The whole recipe: fixed features, normalized, with a linear head, under one plan.

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{NoiseTarget, PhaseNoise, PhasedPlan, PhasedPlanConfig, Sampling};
use burn_privacy_features::FeatureTable;
use burn_privacy_features::normalization::channel_statistics::{NORMS_PHASE, PHASE as STATISTICS_PHASE};
use burn_privacy_features::normalization::{
    ChannelBounds, ChannelStatistics, normalize_groups_of_parts, norms_phase, statistics_phase, unit_rows,
};

use crate::{HeadTraining, LinearError, LinearHead, Records, Result, head_phase};

/// How features are brought to comparable sizes before rows are divided by their norms.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Normalization {
    /// By each channel's mean and variance over all records, released first.
    Channels {
        /// Units, and what is assumed of norms.
        bounds: ChannelBounds,
        /// Noise multiplier of the two mean norms.
        norms_noise: f64,
        /// Noise multiplier of the statistics.
        statistics_noise: f64,
    },
    /// By the record's own mean and variance in groups of channels, so many in each part of the table, which is free.
    Groups(usize),
}

/// What a linear head on fixed features is trained with.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedFeatureTraining {
    /// Of the features.
    pub normalization: Normalization,
    /// Of the head.
    pub head: HeadTraining,
    /// Clipping norm of a record's gradient.
    pub clip: f64,
    /// How records are drawn in a step.
    pub sampling: Sampling,
    /// Steps of the head.
    pub steps: u64,
}

impl FixedFeatureTraining {
    /// The plan of all phases: norms and statistics of channels (unless groups are normalized) and the head, which gets as much noise as all
    /// phases together need for an epsilon. A noise multiplier is the head's alone; 0, with which the statistics have no noise either,
    /// is not private.
    ///
    /// # Errors
    ///
    /// Those of [`PhasedPlanConfig::build`] and [`head_phase`].
    pub fn plan(&self, noise: NoiseTarget, delta: f64) -> Result<PhasedPlan> {
        let mut plan = PhasedPlanConfig::new(delta);
        let size = self.sampling.nominal_size();
        if let Normalization::Channels { norms_noise, statistics_noise, .. } = self.normalization {
            let share = |given: f64| {
                PhaseNoise::Multiplier(if noise == NoiseTarget::NoiseMultiplier(0.0) { 0.0 } else { given })
            };
            plan = plan.with_phase(norms_phase(size, share(norms_noise)));
            plan = plan.with_phase(statistics_phase(size, share(statistics_noise)));
        }
        let own = match noise {
            NoiseTarget::Epsilon(_) => PhaseNoise::Calibrated(1.0),
            NoiseTarget::NoiseMultiplier(multiplier) => PhaseNoise::Multiplier(multiplier),
        };
        plan = plan.with_phase(head_phase(self.sampling, self.clip, own, self.steps)?);
        if let NoiseTarget::Epsilon(epsilon) = noise {
            plan = plan.with_target(epsilon);
        }
        Ok(plan.build()?)
    }

    /// Makes all releases of a run of [`plan`](Self::plan), in their order. `go_on` is asked after each step of the head with the
    /// number of steps made and the model so far; it must not look at private records.
    ///
    /// # Errors
    ///
    /// Those of the features, of the head and of the ledger. What can be refused for its arguments is refused before anything is
    /// charged.
    pub fn train(
        &self,
        features: &FeatureTable,
        labels: &[u8],
        classes: usize,
        run: &mut PhasedRun,
        mut go_on: impl FnMut(u64, &dyn Fn() -> FeatureClassifier) -> bool,
    ) -> Result<FeatureClassifier> {
        self.head.check()?;
        check_labels(features, labels, classes)?;
        HeadTraining::check_run(run, features.rows())?;
        let normalizer = match &self.normalization {
            Normalization::Channels { bounds, .. } => {
                bounds.check(features)?;
                for phase in [norms_phase, statistics_phase].map(|phase| phase(1, PhaseNoise::Multiplier(0.0))) {
                    run.require_sum_of_all(&phase.name, phase.contribution)?;
                }
                let bounds = bounds.fitted(features, run.charge(NORMS_PHASE)?)?;
                Normalizer::Channels(ChannelStatistics::release(features, &bounds, run.charge(STATISTICS_PHASE)?)?)
            }
            Normalization::Groups(groups) => Normalizer::Groups(*groups),
        };
        let model = |head: LinearHead| FeatureClassifier { normalizer: normalizer.clone(), head };
        let records = normalizer.records(features, labels, classes)?;
        let head = self.head.train(&records, run, None, |step, head| go_on(step, &|| model(head())))?;
        Ok(model(head))
    }
}

/// A normalization as it was released.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Normalizer {
    /// By channel.
    Channels(ChannelStatistics),
    /// By groups of a record's own channels.
    Groups(usize),
}

impl Normalizer {
    /// Normalized rows of norm 1.
    ///
    /// # Errors
    ///
    /// Those of [`Records::new`], [`ChannelStatistics::check_parts`] and [`normalize_groups_of_parts`]; [`LinearError::Invalid`] unless there is a label for each row.
    pub fn records(&self, features: &FeatureTable, labels: &[u8], classes: usize) -> Result<Records> {
        check_labels(features, labels, classes)?;
        // Refused here, so that it can't fail below.
        match self {
            Self::Channels(statistics) => statistics.check_parts(features.parts())?,
            Self::Groups(groups) => {
                normalize_groups_of_parts(&mut vec![0.0; features.width()], features.parts(), *groups)?;
            }
        }
        Records::new(features.width(), classes, labels.to_vec(), |at, row| {
            features.read_row(at, row);
            match self {
                Self::Channels(statistics) => statistics.normalize(row),
                // Checked above.
                Self::Groups(groups) => _ = normalize_groups_of_parts(row, features.parts(), *groups),
            }
            unit_rows(row);
        })
    }
}

/// There must be a label for each row, and a class for each label.
fn check_labels(features: &FeatureTable, labels: &[u8], classes: usize) -> Result<()> {
    if labels.len() != features.rows() {
        // How many records there are is private.
        return Err(LinearError::invalid(
            "the list of labels",
            "of another length",
            "one label for each row of features",
        ));
    }
    Records::check(features.width(), classes, labels)
}

/// A classifier of features: a normalization and a head.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureClassifier {
    /// What comes before the head.
    pub normalizer: Normalizer,
    /// The head.
    pub head: LinearHead,
}
