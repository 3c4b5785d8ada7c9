//! Every setting of a run, as it is in effect.

use std::path::PathBuf;

use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn_privacy::mechanisms::Entropy;
use burn_privacy::plan::{NoiseTarget, PrivacyPlan, PrivacyPlanConfig, ProtectedUnit, Sampling};
use clap::ValueEnum;
use serde::Serialize;

use super::{ClippingStyle, Preset, Scaling, TrainingArguments, value_name};

/// Every setting as it is in effect. Goes into `report.json`.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // named as on the command line
pub struct Settings {
    pub preset: String,
    pub model: String,
    pub pixel_scaling: Scaling,
    /// File of weights that training started from.
    pub pretrained: Option<PathBuf>,
    /// None without privacy.
    pub privacy: Option<PrivacySettings>,
    pub batch_size: usize,
    pub epochs: u64,
    /// Public number of training images, if it was given.
    pub nominal_size: Option<u64>,
    pub optimizer: &'static str,
    pub learning_rate: f64,
    pub momentum: f64,
    /// Decay of the average of the weights, if they are averaged.
    pub average: Option<f64>,
    /// A fixed seed makes everything void.
    pub seed: Option<u64>,
    pub device: String,
    pub holdout: bool,
    pub holdout_size: Option<u64>,
    pub limit_train: Option<u64>,
    pub limit_test: Option<u64>,
    pub max_steps: Option<u64>,
}

/// The part of the settings that `--no-privacy` leaves out.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // named as on the command line
pub struct PrivacySettings {
    pub noise: NoiseTarget,
    pub delta: f64,
    pub clip: f64,
    pub clipping: ClippingStyle,
    /// Users that the images are dealt out to, if users are protected.
    pub users: Option<u64>,
    pub physical_batch: usize,
    pub views: usize,
}

impl Settings {
    /// A preset, and what the command line changes of it.
    pub fn resolve<M: ValueEnum>(
        name: impl ValueEnum,
        preset: Preset<M>,
        model: M,
        arguments: &TrainingArguments,
    ) -> Self {
        let noise = match (arguments.epsilon, arguments.noise_multiplier) {
            (Some(epsilon), _) => NoiseTarget::Epsilon(epsilon),
            (None, Some(multiplier)) => NoiseTarget::NoiseMultiplier(multiplier),
            (None, None) => preset.noise,
        };
        let privacy = PrivacySettings {
            noise,
            delta: arguments.delta.unwrap_or(preset.delta),
            clip: arguments.clip.unwrap_or(preset.clip),
            clipping: arguments.clipping.unwrap_or_default(),
            users: arguments.users,
            physical_batch: arguments.physical_batch as usize,
            views: arguments.views.unwrap_or(preset.views) as usize,
        };
        let private = !arguments.no_privacy;
        let learning_rate = match (private, arguments.clipping) {
            (false, _) => preset.plain_learning_rate,
            // Of gradients of norm 1, in the place of the preset's clipping norm.
            (true, Some(ClippingStyle::Normalized)) => preset.learning_rate * preset.clip,
            (true, _) => preset.learning_rate,
        };
        Self {
            preset: value_name(name),
            model: value_name(model),
            pixel_scaling: preset.scaling,
            pretrained: arguments.weights.pretrained.clone(),
            privacy: private.then_some(privacy),
            batch_size: arguments.batch_size.map_or(preset.batch_size, |size| size as usize),
            epochs: arguments.epochs.unwrap_or(preset.epochs),
            nominal_size: arguments.nominal_size,
            optimizer: "SGD",
            learning_rate: arguments.learning_rate.unwrap_or(learning_rate),
            momentum: arguments.momentum.unwrap_or(preset.momentum),
            average: arguments.average.or(preset.average).filter(|_| private),
            seed: arguments.seed,
            device: format!("{:?}", arguments.device).to_lowercase(),
            holdout: arguments.holdout,
            holdout_size: arguments.holdout_size,
            limit_train: arguments.limit_train,
            limit_test: arguments.limit_test,
            max_steps: arguments.max_steps,
        }
    }

    /// Updates in `epochs` passes over nominally `images` training images, a started one counting as one.
    pub fn steps(&self, images: usize) -> u64 {
        let steps = (self.epochs * images as u64).div_ceil(self.batch_size as u64);
        steps.min(self.max_steps.unwrap_or(u64::MAX))
    }

    /// What runs on nominally `images` training images, or users, which is a public number.
    ///
    /// # Errors
    ///
    /// If the settings make no plan.
    pub fn plan(&self, privacy: &PrivacySettings, images: usize) -> burn_privacy::plan::Result<PrivacyPlan> {
        PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(self.batch_size, images))
            .with_protected_unit(if privacy.users.is_some() { ProtectedUnit::User } else { ProtectedUnit::Example })
            .with_clipping(privacy.clipping.at(privacy.clip, self.batch_size))
            .with_noise(privacy.noise.with_delta(privacy.delta))
            .with_delta(privacy.delta)
            .with_steps(self.steps(images))
            .build()
    }

    /// Of the operating system, unless a seed is given.
    pub fn entropy(&self) -> Entropy {
        self.seed.map_or(Entropy::os(), Entropy::seeded)
    }
}

/// SGD as papers have it.
pub fn sgd(momentum: f64) -> ModuleOptimizer {
    let mut config = SgdConfig::new();
    if momentum > 0.0 {
        // Burn damps by default; papers do not.
        config = config.with_momentum(Some(MomentumConfig::new().with_momentum(momentum).with_dampening(0.0)));
    }
    config.init()
}
