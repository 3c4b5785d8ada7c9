//! Settings that belong together, and their table for `--help`.

use std::fmt::Write;

use burn_privacy::datasets::Normalization;
use burn_privacy::plan::{Clipping, NoiseTarget};
use clap::ValueEnum;
use serde::Serialize;

/// A style of clipping, with what the other settings make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ClippingStyle {
    /// Each gradient is scaled to a norm of at most --clip
    #[default]
    Flat,
    /// Each gradient is divided by its norm plus 0.01 (AUTO-S): the default learning rate is the preset's times its --clip
    Normalized,
    /// Per-sample adaptive clipping at --clip: small gradients keep smaller weights than with `normalized`
    Psac,
    /// Each layer by itself, at --clip over all layers
    PerLayer,
    /// At a norm that starts at --clip and follows the median of the gradients' norms, which costs some noise
    Quantile,
}

impl ClippingStyle {
    /// As the plan takes it, at a norm where the style has one, for batches of so many on average.
    pub fn at(self, norm: f64, expected_batch_size: usize) -> Clipping {
        match self {
            Self::Flat => Clipping::flat(norm),
            Self::Normalized => Clipping::normalized(),
            Self::Psac => Clipping::psac(norm),
            Self::PerLayer => Clipping::per_layer(norm),
            Self::Quantile => Clipping::quantile(norm, 0.5, expected_batch_size as f64 / 20.0),
        }
    }
}

/// The pixels' public mean and standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// ImageNet's.
    Imagenet,
    /// MNIST's.
    Mnist,
    /// Pixels from -1 to 1.
    Symmetric,
    /// Pixels from 0 to 1.
    Unit,
}

impl Scaling {
    /// As the batcher takes it.
    pub fn normalization(self) -> Normalization {
        match self {
            Self::Imagenet => Normalization::IMAGENET,
            Self::Mnist => Normalization::MNIST,
            Self::Symmetric => Normalization::SYMMETRIC,
            Self::Unit => Normalization::UNIT,
        }
    }
}

/// Settings that belong together, with the name of the model that they are for.
#[derive(Clone, Copy, Debug)]
pub struct Preset<M> {
    /// What is trained.
    pub model: M,
    /// Of the pixels.
    pub scaling: Scaling,
    /// Of the gradients.
    pub noise: NoiseTarget,
    /// Of the guarantee.
    pub delta: f64,
    /// Clipping norm.
    pub clip: f64,
    /// Expected images a step.
    pub batch_size: usize,
    /// Passes over the training set.
    pub epochs: u64,
    /// Of SGD.
    pub learning_rate: f64,
    /// Of SGD.
    pub momentum: f64,
    /// Decay of the average of the weights, if they are averaged.
    pub average: Option<f64>,
    /// Augmented views of each image; with one the images are taken as they are.
    pub views: u64,
    /// With `--no-privacy`, where nothing clips.
    pub plain_learning_rate: f64,
}

/// Presets side by side, for `--help`: made of their settings, so that it can't be wrong.
pub fn preset_table<P: ValueEnum, M: ValueEnum + Copy>(
    settings: impl Fn(&P) -> Preset<M>,
    description: impl Fn(&P) -> &'static str,
) -> String {
    type Cell<M> = fn(&Preset<M>) -> String;
    let rows: [(&str, Cell<M>); 12] = [
        ("--model", |preset| value_name(preset.model)),
        ("--epsilon", |preset| match preset.noise {
            NoiseTarget::Epsilon(epsilon) => epsilon.to_string(),
            NoiseTarget::NoiseMultiplier(_) => "-".into(),
        }),
        ("--noise-multiplier", |preset| match preset.noise {
            NoiseTarget::Epsilon(_) => "-".into(),
            NoiseTarget::NoiseMultiplier(multiplier) => multiplier.to_string(),
        }),
        ("--delta", |preset| format!("{:e}", preset.delta)),
        ("--clip", |preset| preset.clip.to_string()),
        ("--batch-size", |preset| preset.batch_size.to_string()),
        ("--epochs", |preset| preset.epochs.to_string()),
        ("--learning-rate", |preset| preset.learning_rate.to_string()),
        ("  with --no-privacy", |preset| preset.plain_learning_rate.to_string()),
        ("--momentum", |preset| preset.momentum.to_string()),
        ("--average", |preset| preset.average.map_or("-".into(), |decay| decay.to_string())),
        ("--views", |preset| preset.views.to_string()),
    ];
    let mut text = String::new();
    // Models are named as presets are, or shorter.
    let column = |name: &P| value_name(name.clone()).len().max(8) + 2;
    for name in P::value_variants() {
        let _ = writeln!(text, "  {:<16}{}", value_name(name.clone()), description(name));
    }
    let _ = write!(text, "\n  {:<21}", "");
    for name in P::value_variants() {
        let _ = write!(text, "{:>width$}", value_name(name.clone()), width = column(name));
    }
    for (name, cell) in rows {
        let _ = write!(text, "\n  {name:<21}");
        for preset in P::value_variants() {
            let _ = write!(text, "{:>width$}", cell(&settings(preset)), width = column(preset));
        }
    }
    text
}

/// What a value is called on the command line.
pub fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
