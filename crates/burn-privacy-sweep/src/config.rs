//! What a sweep runs over.

use std::collections::HashSet;
use std::fmt;

use burn_privacy_budget::plan::NoiseTarget;
use serde::{Deserialize, Serialize};

use super::error::{SweepError, refuse};

/// More trials than this are a slip of the keyboard.
const MOST_TRIALS: usize = 1_000_000;

/// What one trial is made with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// How much noise.
    pub noise: NoiseTarget,
    /// Clipping norm.
    pub clip: f64,
    /// Learning rate, for the trial's optimizer.
    pub learning_rate: f64,
    /// Expected records a step.
    pub batch_size: usize,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.noise {
            NoiseTarget::NoiseMultiplier(value) => write!(f, "noise multiplier {value}")?,
            NoiseTarget::Epsilon(value) => write!(f, "epsilon {value}")?,
        }
        let Self { clip, learning_rate, batch_size, .. } = self;
        write!(f, ", clip {clip}, learning rate {learning_rate}, batch {batch_size}")
    }
}

/// What a sweep runs over: every combination of the lists, then the settings listed one by one, each several times.
///
/// ```
/// use burn_privacy_sweep::SweepConfig;
///
/// let config = SweepConfig::new("patients 2024", 20_000)
///     .with_noise_multipliers([0.5, 1.0, 2.0])
///     .with_learning_rates([0.1, 0.3])
///     .with_batch_sizes([500])
///     .with_epochs(10.0)
///     .with_delta(1e-5)
///     .with_repeats(3);
/// assert_eq!(config.settings().len(), 6);
/// assert_eq!(config.planned()?[0].plan.steps(), 400);
/// # Ok::<(), burn_privacy_sweep::SweepError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepConfig {
    pub(super) dataset: String,
    pub(super) nominal_size: usize,
    noises: Vec<NoiseTarget>,
    clips: Vec<f64>,
    learning_rates: Vec<f64>,
    batch_sizes: Vec<usize>,
    listed: Vec<Setting>,
    pub(super) epochs: f64,
    pub(super) delta: f64,
    pub(super) repeats: u32,
    pub(super) seed: Option<u64>,
    pub(super) simulate_at_batch: Option<usize>,
    label: String,
}

impl SweepConfig {
    /// A sweep over a data set of that name, which its ledger has too, and that public nominal size. One run a setting,
    /// clipping norm 1, learning rate 0.1, one epoch, delta 1e-5 and no setting yet.
    pub fn new(dataset: impl Into<String>, nominal_size: usize) -> Self {
        Self {
            dataset: dataset.into(),
            nominal_size,
            noises: Vec::new(),
            clips: vec![1.0],
            learning_rates: vec![0.1],
            batch_sizes: Vec::new(),
            listed: Vec::new(),
            epochs: 1.0,
            delta: 1e-5,
            repeats: 1,
            seed: None,
            simulate_at_batch: None,
            label: String::new(),
        }
    }

    /// Noise multipliers to try, besides the [epsilons](Self::with_epsilons).
    pub fn with_noise_multipliers(mut self, multipliers: impl IntoIterator<Item = f64>) -> Self {
        self.noises.extend(multipliers.into_iter().map(NoiseTarget::NoiseMultiplier));
        self
    }

    /// Target epsilons to try, each with the noise that it needs.
    pub fn with_epsilons(mut self, epsilons: impl IntoIterator<Item = f64>) -> Self {
        self.noises.extend(epsilons.into_iter().map(NoiseTarget::Epsilon));
        self
    }

    /// Clipping norms to try.
    pub fn with_clips(mut self, clips: impl IntoIterator<Item = f64>) -> Self {
        self.clips = clips.into_iter().collect();
        self
    }

    /// Learning rates to try.
    pub fn with_learning_rates(mut self, rates: impl IntoIterator<Item = f64>) -> Self {
        self.learning_rates = rates.into_iter().collect();
        self
    }

    /// Expected batch sizes to try.
    pub fn with_batch_sizes(mut self, sizes: impl IntoIterator<Item = usize>) -> Self {
        self.batch_sizes = sizes.into_iter().collect();
        self
    }

    /// Settings to try besides the combinations.
    pub fn with_settings(mut self, settings: impl IntoIterator<Item = Setting>) -> Self {
        self.listed.extend(settings);
        self
    }

    /// Passes over the nominal data set; the number of steps follows from the batch size.
    pub fn with_epochs(mut self, epochs: f64) -> Self {
        self.epochs = epochs;
        self
    }

    /// The delta of all epsilons.
    pub fn with_delta(mut self, delta: f64) -> Self {
        self.delta = delta;
        self
    }

    /// How often each setting is run.
    pub fn with_repeats(mut self, repeats: u32) -> Self {
        self.repeats = repeats;
        self
    }

    /// Fixes the randomness: repeat `r` of every setting gets seed `seed + r`. The table can then be reproduced, and *nothing
    /// is protected*: whoever knows the seed can subtract the noise.
    pub fn with_seed(mut self, seed: Option<u64>) -> Self {
        self.seed = seed;
        self
    }

    /// Simulates each setting at a smaller expected batch, with the noise multiplier scaled by the same factor, so that
    /// batch / noise stays as it is, and with the same number of steps: the noise in a step's mean gradient is then the
    /// large run's, for a fraction of its time (Sander, Stock and Sablayrolles, "TAN without a burn: scaling laws of DP-SGD",
    /// ICML 2023). The score predicts the large run's; a simulation's own epsilon is far larger and is what it *costs*.
    pub fn simulated_at_batch(mut self, batch_size: Option<usize>) -> Self {
        self.simulate_at_batch = batch_size;
        self
    }

    /// Whatever else distinguishes this sweep from others, such as task and model: a folder with trials of another label is
    /// refused.
    pub fn with_label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// All settings, in the order of their trials.
    pub fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        for &batch_size in &self.batch_sizes {
            for &clip in &self.clips {
                for &learning_rate in &self.learning_rates {
                    let of = |&noise| Setting { noise, clip, learning_rate, batch_size };
                    settings.extend(self.noises.iter().map(of));
                }
            }
        }
        settings.extend(&self.listed);
        settings
    }

    /// What two sweeps must have in common to be one: everything.
    pub(super) fn to_json(&self) -> serde_json::Value {
        // A structure with string keys can't fail; a number that is not finite becomes null.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// A short name for all of it.
    pub(super) fn fingerprint(&self) -> String {
        burn_privacy_output::fingerprint(self.to_json().to_string().as_bytes())
    }

    /// How the names of this sweep's runs in a ledger begin.
    pub(super) fn ledger_prefix(&self) -> String {
        format!("sweep {}", &self.fingerprint()[..12])
    }

    pub(super) fn check(&self) -> Result<(), SweepError> {
        if self.listed.is_empty() {
            for (what, empty) in [
                ("noise multiplier or epsilon", self.noises.is_empty()),
                ("clipping norm", self.clips.is_empty()),
                ("learning rate", self.learning_rates.is_empty()),
                ("batch size", self.batch_sizes.is_empty()),
            ] {
                if empty {
                    return Err(SweepError::Empty { what });
                }
            }
        }
        let positive = "a finite number above 0";
        for setting in self.settings() {
            let (what, noise) = match setting.noise {
                NoiseTarget::NoiseMultiplier(value) => ("noise multiplier", value),
                NoiseTarget::Epsilon(value) => ("epsilon", value),
            };
            let (clip, rate) = (setting.clip, setting.learning_rate);
            for (what, value) in [(what, noise), ("clipping norm", clip), ("learning rate", rate)] {
                if !(value.is_finite() && value > 0.0) {
                    return Err(refuse(what, value, positive));
                }
            }
            if setting.batch_size == 0 {
                return Err(refuse("batch size", 0, "at least 1"));
            }
            if let Some(small) = self.simulate_at_batch.filter(|small| !(1..=setting.batch_size).contains(small)) {
                let allowed = format!("from 1 to the batch size that it stands for, {}", setting.batch_size);
                return Err(refuse("simulated batch size", small, allowed));
            }
        }
        if !(self.epochs.is_finite() && self.epochs > 0.0) {
            return Err(refuse("epochs", self.epochs, positive));
        }
        if self.repeats == 0 {
            return Err(refuse("number of runs of a setting", 0, "at least 1"));
        }
        let trials = self.settings().len().saturating_mul(self.repeats as usize);
        if trials > MOST_TRIALS {
            return Err(refuse("number of trials", trials, format!("at most {MOST_TRIALS}")));
        }
        // A setting's runs are found by the setting.
        let mut seen = HashSet::new();
        match self.settings().iter().map(|setting| format!("{setting:?}")).find(|setting| !seen.insert(setting.clone()))
        {
            Some(setting) => {
                let allowed = "each setting once: with_repeats(..) runs all of them more often";
                Err(refuse("settings", format!("{setting} twice"), allowed))
            }
            None => Ok(()),
        }
    }
}
