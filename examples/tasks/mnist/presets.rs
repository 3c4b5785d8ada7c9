//! Settings for MNIST that others published, by name.

use burn_privacy::plan::NoiseTarget;
use clap::ValueEnum;

use super::ModelName;
use crate::image_training::{FeatureScaling, Preset, Recipe, Scaling};

/// Fixed features of these images.
pub const FEATURES: Recipe =
    Recipe { mirrored: false, scaling: FeatureScaling::Channels { norms_noise: 32.0, statistics_noise: 6.0 } };

/// Settings as others published them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // `description` says it
pub enum PresetName {
    #[value(name = "tf-1")]
    Tf1,
    #[value(name = "tf-2")]
    Tf2,
    #[value(name = "tf-3")]
    Tf3,
    #[value(name = "opacus-1")]
    Opacus1,
    #[value(name = "opacus-2")]
    Opacus2,
    #[value(name = "opacus-3")]
    Opacus3,
    Tanh,
    ScatterLinear,
}

impl PresetName {
    /// In words, for `--help`.
    pub fn description(self) -> &'static str {
        match self {
            Self::Tf1 => "TensorFlow Privacy's tutorial, first row: 95.0 % at epsilon 1.19 (theirs)",
            Self::Tf2 => "second row: 96.6 % at 3.01",
            Self::Tf3 => "third row: 97.0 % at 7.10",
            Self::Opacus1 => "Opacus's example, first row: 94.63 % at epsilon 1.16 (theirs)",
            Self::Opacus2 => "second row: 96.78 % at 2.91",
            Self::Opacus3 => "third row: 97.09 % at 6.86",
            Self::Tanh => "Tramer and Boneh (ICLR 2021), end to end: 98.1 % at epsilon 3 (theirs)",
            Self::ScatterLinear => {
                "a linear head on scattering features: minutes on two cores, and the most accurate here"
            }
        }
    }

    /// What it stands for.
    pub fn settings(self) -> Preset<ModelName> {
        // The rows of both tables: noise multiplier, clipping norm, learning rate, epochs.
        let row = |noise, clip, learning_rate, epochs| Preset {
            model: ModelName::Keras,
            scaling: Scaling::Unit,
            noise: NoiseTarget::NoiseMultiplier(noise),
            delta: 1e-5,
            clip,
            batch_size: 256,
            epochs,
            learning_rate,
            momentum: 0.0,
            average: None,
            views: 1,
            plain_learning_rate: 0.1,
        };
        let first = row(1.3, 1.5, 0.25, 15);
        let second = row(1.1, 1.0, 0.15, 60);
        let third = row(0.7, 1.5, 0.25, 45);
        let opacus = |row| Preset { model: ModelName::Relu, scaling: Scaling::Mnist, batch_size: 240, ..row };
        match self {
            Self::Tf1 => first,
            Self::Tf2 => second,
            Self::Tf3 => third,
            Self::Opacus1 => opacus(first),
            Self::Opacus2 => opacus(second),
            Self::Opacus3 => opacus(third),
            Self::Tanh => Preset {
                model: ModelName::Tanh,
                batch_size: 512,
                momentum: 0.9,
                plain_learning_rate: 0.05,
                ..row(1.23, 0.1, 0.5, 40)
            },
            Self::ScatterLinear => Preset {
                model: ModelName::ScatterLinear,
                noise: NoiseTarget::Epsilon(3.0),
                batch_size: 4_096,
                momentum: 0.9,
                average: Some(0.98),
                plain_learning_rate: 20.0,
                ..row(0.0, 0.1, 150.0, 40)
            },
        }
    }
}
