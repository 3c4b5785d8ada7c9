//! A stock CNN with BatchNorm, made private step by step: what is refused, in which words, and what is done about it.
//!
//! ```text
//! cargo run --release --example convert_dp
//! ```

mod network;

use std::process::ExitCode;

use burn::data::dataset::InMemDataset;
use burn::nn::{BatchNorm, GroupNorm};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, ImageDataset, ImageItem, Normalization, generated_with};
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::fine_tune::{freeze_batch_norms, with_group_norms};
use burn_privacy::prelude::*;
use burn_privacy_examples::{Result, RunsTogether};
use burn_privacy_train::{correct_predictions, percent};

use crate::network::{Network, batch_norms, group_norms};

/// Images to train on, drawn by this program.
const IMAGES: usize = 2_000;

const DELTA: f64 = 1e-5;

/// Of each run.
fn plan() -> std::result::Result<PrivacyPlan, Error> {
    Ok(PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(200, IMAGES))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::target(8.0, DELTA))
        .with_steps(30)
        .build()?)
}

/// A private run of a few steps, or the words of its refusal.
fn attempt<N: network::Norm>(
    model: Network<N>,
    images: &ImageDataset,
    device: &Device,
    average: bool,
) -> std::result::Result<(Network<N>, PrivacyStatement), Error> {
    let plan = plan()?;
    let batcher = ImageBatcher::new(Normalization::SYMMETRIC);
    let items: Vec<ImageItem> = (0..images.len()).filter_map(|index| images.get(index)).collect();
    let mut session = plan.start(InMemDataset::new(items), batcher, device, Entropy::os())?;
    let mut optimizer = SgdConfig::new().init();
    let mut model = model;
    while let Some(step) = session.next_step()? {
        let update = step.gradients(&model, |model, batch: ImageBatch| {
            let losses = cross_entropy(model.forward(batch.images), batch.labels);
            Ok(if average { losses.mean() } else { losses })
        })?;
        model = optimizer.step(1.0, model, update.into());
    }
    Ok((model, session.finish()?))
}

fn accuracy<N: network::Norm>(model: &Network<N>, test: &ImageDataset, device: &Device) -> Result<f64> {
    let model = model.valid();
    let scores = |batch: ImageBatch| (model.forward(batch.images), batch.labels);
    let batcher = ImageBatcher::new(Normalization::SYMMETRIC);
    let right = correct_predictions(test, &batcher, &device.clone().without_autodiff(), 250, scores)?;
    Ok(right as f64 / test.len() as f64)
}

/// What was to be refused, and the words.
fn refused<T>(outcome: std::result::Result<T, Error>) -> Result<String> {
    match outcome {
        Ok(_) => Err("a step that must be refused was not".into()),
        Err(error) => Ok(format!("   refused: {error}")),
    }
}

fn run() -> Result<()> {
    let device = select_device(DeviceChoice::Cpu)?.device.autodiff();
    device.seed(1);
    let images = generated_with(3, IMAGES, 500);
    let (train, test) = (images.train, images.test);

    println!("1. The network as it is: stock layers, a BatchNorm behind each convolution.");
    println!("{}\n", refused(attempt(batch_norms(&device), &train, &device, false))?);

    println!("2. Frozen, which suits a network with public statistics. This one is fresh, and the report says so.");
    let (frozen, report) = freeze_batch_norms(batch_norms(&device));
    println!("{}\n", indented(&report));

    println!("3. With the loss that it was trained with, a mean over the batch:");
    println!("{}\n", refused(attempt(frozen.clone(), &train, &device, true))?);

    println!("4. With one loss for each image it trains; its BatchNorms normalize nothing.");
    let (model, statement) = attempt(frozen, &train, &device, false)?;
    println!("   {}\n   Accuracy {}\n", statement.headline(), percent(accuracy(&model, &test, &device)?));

    println!(
        "5. Group norms in the place of the BatchNorms, which normalize each image by itself: the network is generic in its norm."
    );
    let from: Network<BatchNorm> = batch_norms(&device);
    let (model, report): (Network<GroupNorm>, _) = with_group_norms(&from, group_norms(&device))?;
    println!("{}\n", indented(&report));

    println!("6. It trains.");
    let (model, statement) = attempt(model, &train, &device, false)?;
    println!("   accuracy {}\n\n{statement}", percent(accuracy(&model, &test, &device)?));
    // Steps 4 and 6; what was refused released nothing.
    let mut together = RunsTogether::new(true);
    together.add(&plan()?)?;
    together.add(&plan()?)?;
    println!("\n{}", together.sentence(DELTA)?);
    Ok(())
}

fn indented(text: &impl ToString) -> String {
    text.to_string().lines().map(|line| format!("   {line}")).collect::<Vec<_>>().join("\n")
}

fn main() -> ExitCode {
    burn_privacy::keep_freed_memory();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
