//! The presets, and the models they train.

use std::fmt::Write;

use burn_privacy::datasets::Normalization;
use clap::ValueEnum;
use serde::Serialize;

/// A set of settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PresetName {
    Quick,
    Tanh,
    Handout,
}

impl PresetName {
    /// In words, for `--help`.
    fn description(self) -> &'static str {
        match self {
            Self::Quick => "a small CNN for the generated images, in a minute or two on two cores",
            Self::Tanh => "the end-to-end CNN of Tramer and Boneh (ICLR 2021), for CIFAR-10",
            Self::Handout => "a small CNN as handouts have it, with their settings, for CIFAR-10",
        }
    }
}

/// What can be trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    Quick,
    Tanh,
    Handout,
    Linear,
}

impl ModelName {
    /// In words.
    pub fn description(self) -> &'static str {
        match self {
            Self::Quick => "quick: CNN 16-32 with ReLU",
            Self::Tanh => "tanh: CNN 32-32-64-64-128-128 with tanh",
            Self::Handout => "handout: CNN 32-64 and a hidden layer, with ReLU",
            Self::Linear => "linear: no hidden layer",
        }
    }
}

/// How much noise is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// As much as this epsilon needs.
    Epsilon(f64),
    /// This much, in multiples of the clipping norm.
    Multiplier(f64),
}

/// The pixels' public mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// ImageNet's.
    Imagenet,
    /// Pixels from -1 to 1.
    Symmetric,
}

impl Scaling {
    pub fn normalization(self) -> Normalization {
        match self {
            Self::Imagenet => Normalization::IMAGENET,
            Self::Symmetric => Normalization::SYMMETRIC,
        }
    }
}

/// The settings of a preset.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    pub model: ModelName,
    pub scaling: Scaling,
    pub noise: Noise,
    pub delta: f64,
    pub clip: f64,
    pub batch_size: usize,
    pub epochs: u64,
    pub learning_rate: f64,
    pub momentum: f64,
    /// With `--no-privacy`, where nothing clips.
    pub plain_learning_rate: f64,
}

impl PresetName {
    pub fn settings(self) -> Preset {
        match self {
            Self::Quick => Preset {
                model: ModelName::Quick,
                scaling: Scaling::Symmetric,
                noise: Noise::Epsilon(3.0),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 500,
                epochs: 4,
                learning_rate: 2.0,
                momentum: 0.9,
                plain_learning_rate: 0.05,
            },
            Self::Tanh => Preset {
                model: ModelName::Tanh,
                scaling: Scaling::Imagenet,
                noise: Noise::Multiplier(1.54),
                delta: 1e-5,
                clip: 0.1,
                batch_size: 1024,
                epochs: 30,
                learning_rate: 1.0,
                momentum: 0.9,
                plain_learning_rate: 0.05,
            },
            Self::Handout => Preset {
                model: ModelName::Handout,
                scaling: Scaling::Imagenet,
                noise: Noise::Multiplier(1.1),
                delta: 1e-5,
                clip: 1.0,
                batch_size: 250,
                epochs: 10,
                learning_rate: 0.01,
                momentum: 0.0,
                plain_learning_rate: 0.01,
            },
        }
    }
}

/// The presets side by side, for `--help`: made of their settings, so that it can't be wrong.
pub fn table() -> String {
    type Cell = fn(&Preset) -> String;
    let rows: [(&str, Cell); 10] = [
        ("--model", |preset| value_name(preset.model)),
        ("--epsilon", |preset| match preset.noise {
            Noise::Epsilon(epsilon) => epsilon.to_string(),
            Noise::Multiplier(_) => "-".into(),
        }),
        ("--noise-multiplier", |preset| match preset.noise {
            Noise::Epsilon(_) => "-".into(),
            Noise::Multiplier(multiplier) => multiplier.to_string(),
        }),
        ("--delta", |preset| format!("{:e}", preset.delta)),
        ("--clip", |preset| preset.clip.to_string()),
        ("--batch-size", |preset| preset.batch_size.to_string()),
        ("--epochs", |preset| preset.epochs.to_string()),
        ("--learning-rate", |preset| preset.learning_rate.to_string()),
        ("  with --no-privacy", |preset| preset.plain_learning_rate.to_string()),
        ("--momentum", |preset| preset.momentum.to_string()),
    ];
    let mut text = String::new();
    for &name in PresetName::value_variants() {
        let _ = writeln!(text, "  {:<10}{}", value_name(name), name.description());
    }
    let _ = write!(text, "\n  {:<22}", "");
    for &name in PresetName::value_variants() {
        let _ = write!(text, "{:>10}", value_name(name));
    }
    for (name, cell) in rows {
        let _ = write!(text, "\n  {name:<22}");
        for preset in PresetName::value_variants() {
            let _ = write!(text, "{:>10}", cell(&preset.settings()));
        }
    }
    text
}

/// What a value is called on the command line.
pub fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
