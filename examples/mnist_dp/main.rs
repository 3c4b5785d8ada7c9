//! Trains a digit classifier on MNIST, or on Fashion-MNIST, with the settings that the tutorials of TensorFlow Privacy and
//! Opacus publish.
//!
//! ```text
//! cargo run --release --example mnist_dp -- --download
//! cargo run --release --example mnist_dp -- --help
//! ```
//!
//! Read `../tasks/mnist/models.rs` for what a model needs (other imports), and `../tasks/image_training/private.rs` for
//! what a training loop needs.

mod cli;

use std::process::ExitCode;

use burn_privacy::datasets::{Checksum, MnistVariant};
use burn_privacy_examples::Result;
use burn_privacy_examples::image_training::{End, FeatureSource, ImageData, Run, Settings, exit_code};
use burn_privacy_examples::mnist::{FEATURES, MnistCnn, ModelName, source};

fn main() -> ExitCode {
    // Wrong usage ends in here, with status 2.
    exit_code(run(&cli::parse()))
}

fn run(arguments: &cli::Arguments) -> Result<End> {
    let run = Run::begin("mnist_dp", &arguments.out)?;
    let training = &arguments.training;
    let preset = arguments.preset.settings();
    let model = arguments.model.unwrap_or(preset.model);
    let settings = Settings::resolve(arguments.preset, preset, model, training);
    let variant = if arguments.fashion { MnistVariant::Fashion } else { MnistVariant::Digits };
    let checksum = if arguments.unverified { Checksum::Skip } else { Checksum::Verify };
    let source = source(variant, arguments.data.as_deref(), arguments.download, checksum)?;
    let job = run.job(settings, ImageData::split(source, training)?, training)?;
    if model == ModelName::ScatterLinear {
        training.weights.refuse("features of the scattering transform, which has no weights to load")?;
        return job.finish_with_features(FEATURES, FeatureSource::Scattering, &training.features, model.description());
    }
    job.finish_with(MnistCnn::new(model, job.device()), model.description())
}
