//! Settings for CIFAR-10 that belong together, by name.

use burn_privacy::plan::NoiseTarget;
use clap::ValueEnum;

use crate::image_training::{FeatureScaling, Preset, Recipe, Scaling};

/// Fixed features of these images.
pub const FEATURES: Recipe =
    Recipe { mirrored: true, scaling: FeatureScaling::Channels { norms_noise: 32.0, statistics_noise: 6.0 } };

/// Features of a public network.
pub const PUBLIC_FEATURES: Recipe = Recipe { mirrored: false, scaling: FeatureScaling::Groups(1) };

/// Side in pixels to which images are enlarged for [`PUBLIC_FEATURES`].
pub const SIDE: u64 = 96;

/// A set of settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // `description` says it
pub enum PresetName {
    Quick,
    Tanh,
    Handout,
    Wrn,
    ScatterLinear,
    ScatterPatches,
    ScatterCnn,
    PublicLinear,
}

impl PresetName {
    /// In words, for `--help`.
    pub fn description(self) -> &'static str {
        match self {
            Self::Quick => "a small CNN for the generated images, in 10 to 15 seconds on two cores",
            Self::Tanh => "the end-to-end CNN of Tramer and Boneh (ICLR 2021), for CIFAR-10",
            Self::Handout => "a small CNN as handouts have it, with their settings, for CIFAR-10",
            Self::Wrn => "the WRN-16-4 of De et al. (2022), for CIFAR-10 and a GPU",
            Self::ScatterLinear => "a linear head on scattering features, for CIFAR-10 in minutes on two cores",
            Self::ScatterPatches => {
                "the same on scattering features and patches of generated images, which is more accurate"
            }
            Self::ScatterCnn => {
                "a CNN on scattering features, for CIFAR-10: Tramer and Boneh (ICLR 2021) have 69.3 % at epsilon 3"
            }
            Self::PublicLinear => "a linear head on features of EfficientNet-Lite0, which was trained on ImageNet",
        }
    }
}

/// What can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // `description` says it
pub enum ModelName {
    Quick,
    Tanh,
    Handout,
    Wrn,
    Linear,
    ScatterLinear,
    ScatterPatches,
    ScatterCnn,
    PublicLinear,
}

impl ModelName {
    /// In words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Quick => "quick: CNN 16-32 with ReLU",
            Self::Tanh => "tanh: CNN 32-32-64-64-128-128 with tanh",
            Self::Handout => "handout: CNN 32-64 and a hidden layer, with ReLU",
            Self::Wrn => "wrn: WRN-16-4 with group norm and standardized weights",
            Self::Linear => "linear: no hidden layer",
            Self::ScatterLinear => "scatter-linear: a linear head on scattering features",
            Self::ScatterPatches => {
                "scatter-patches: a linear head on scattering features and patches of generated images"
            }
            Self::ScatterCnn => "scatter-cnn: CNN 64-64 with tanh on scattering features",
            Self::PublicLinear => "public-linear: a linear head on features of EfficientNet-Lite0 (public, ImageNet)",
        }
    }
}

impl PresetName {
    /// What it stands for.
    pub fn settings(self) -> Preset<ModelName> {
        match self {
            Self::Quick => Preset {
                model: ModelName::Quick,
                scaling: Scaling::Symmetric,
                noise: NoiseTarget::Epsilon(3.0),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 500,
                epochs: 4,
                learning_rate: 2.0,
                momentum: 0.9,
                average: None,
                views: 1,
                plain_learning_rate: 0.05,
            },
            Self::Tanh => Preset {
                model: ModelName::Tanh,
                scaling: Scaling::Imagenet,
                noise: NoiseTarget::NoiseMultiplier(1.54),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 1024,
                epochs: 30,
                learning_rate: 1.0,
                momentum: 0.9,
                average: None,
                views: 1,
                plain_learning_rate: 0.05,
            },
            Self::Handout => Preset {
                model: ModelName::Handout,
                scaling: Scaling::Imagenet,
                noise: NoiseTarget::NoiseMultiplier(1.1),
                delta: 1e-5,
                clip: 1.0,
                batch_size: 250,
                epochs: 10,
                learning_rate: 0.01,
                momentum: 0.0,
                average: None,
                views: 1,
                plain_learning_rate: 0.01,
            },
            // At epsilon 3 they take 1593 steps.
            Self::Wrn => Preset {
                model: ModelName::Wrn,
                scaling: Scaling::Imagenet,
                noise: NoiseTarget::Epsilon(3.0),
                delta: 1e-5,
                clip: 1.0,
                batch_size: 4096,
                epochs: 130,
                learning_rate: 2.0,
                momentum: 0.0,
                average: Some(0.9999),
                views: 16,
                plain_learning_rate: 0.1,
            },
            Self::ScatterLinear => Preset {
                model: ModelName::ScatterLinear,
                scaling: Scaling::Unit,
                noise: NoiseTarget::Epsilon(3.0),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 4096,
                epochs: 40,
                learning_rate: 120.0,
                momentum: 0.9,
                average: Some(0.98),
                views: 1,
                plain_learning_rate: 20.0,
            },
            Self::ScatterPatches => Preset { model: ModelName::ScatterPatches, ..Self::ScatterLinear.settings() },
            Self::ScatterCnn => Preset {
                model: ModelName::ScatterCnn,
                scaling: Scaling::Symmetric,
                noise: NoiseTarget::Epsilon(3.0),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 4096,
                epochs: 40,
                learning_rate: 5.0,
                momentum: 0.9,
                average: Some(0.98),
                views: 1,
                plain_learning_rate: 0.05,
            },
            Self::PublicLinear => Preset {
                model: ModelName::PublicLinear,
                scaling: Scaling::Unit,
                noise: NoiseTarget::Epsilon(3.0),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 2048,
                epochs: 27,
                learning_rate: 80.0,
                momentum: 0.9,
                average: Some(0.98),
                views: 1,
                plain_learning_rate: 10.0,
            },
        }
    }
}
