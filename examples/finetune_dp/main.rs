//! A network that was trained on public images goes on with private ones: its head, small matrices beside its weights (LoRA), its
//! biases or all of it, under differential privacy.
//!
//! ```text
//! cargo run --release --example finetune_dp
//! cargo run --release --example finetune_dp -- --pretrained efficientnet-lite0.safetensors --data cifar10 --epsilon 1,3
//! ```
//!
//! Without `--pretrained` the public network is trained here, in seconds, on images that the program draws: stripes, rings and
//! triangles, declared public. The private images show five other classes. With it, EfficientNet-Lite0's features are computed once, kept
//! on disk, and a head is trained on them.

mod data;
mod network;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, Normalization};
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::fine_tune::freeze_batch_norms;
use burn_privacy::prelude::*;
use burn_privacy_examples::{NominalSize, Result, RunsTogether};
use burn_privacy_train::{OrdinaryTrainer, Trainer, correct_predictions, percent};
use clap::{Parser, ValueEnum};

use crate::data::{Features, PublicAndPrivate};
use crate::network::{Head, SmallCnn};

/// Fine-tune a public network on private images.
#[derive(Parser)]
struct Arguments {
    /// What is trained, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "scratch,all,biases,lora,head")]
    train: Vec<Part>,
    /// Weights of EfficientNet-Lite0, whose features are then the head's input
    #[arg(long, value_name = "FILE")]
    pretrained: Option<PathBuf>,
    /// Side in pixels to which images are enlarged for it
    #[arg(long, value_name = "N", default_value_t = burn_privacy_examples::cifar::SIDE, requires = "pretrained")]
    side: u64,
    /// CIFAR-10's folder or archive, for --pretrained [default: generated images]
    #[arg(long, value_name = "DIR", requires = "pretrained")]
    data: Option<PathBuf>,
    /// Folder that features are kept in. They are as private as the images
    #[arg(long, value_name = "DIR", default_value = "runs/features")]
    features: PathBuf,
    /// Epsilons, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "3")]
    epsilon: Vec<f64>,
    /// Runs of each
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Updates
    #[arg(long, default_value_t = 40)]
    steps: u64,
    /// Expected number of images in a batch
    #[arg(long, default_value_t = 400)]
    batch: usize,
    /// Learning rate [default: 0.01 for what is trained in full, 0.02 for parts]
    #[arg(long)]
    rate: Option<f64>,
    /// Rank of LoRA's matrices
    #[arg(long, default_value_t = 4)]
    rank: usize,
    /// Use the first images only (for tests)
    #[arg(long, value_name = "N", hide = true)]
    limit: Option<usize>,
    /// Repeats a run: nothing is private then
    #[arg(long)]
    seed: Option<u64>,
    /// The device
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

impl Arguments {
    /// What a run of so much is worth: nothing if it is seeded.
    fn epsilon_of(&self, planned: f64) -> f64 {
        if self.seed.is_none() { planned } else { f64::INFINITY }
    }
}

/// What is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Everything, from random weights: without public images
    Scratch,
    /// Everything, from public weights
    All,
    /// Biases and the norms' shifts
    Biases,
    /// Matrices of low rank beside the hidden layer's weight, and the head
    Lora,
    /// The head alone
    Head,
}

fn run(arguments: &Arguments) -> Result<()> {
    let device = select_device(arguments.device)?.device.autodiff();
    device.seed(arguments.seed.unwrap_or(1));
    match &arguments.pretrained {
        Some(weights) => on_public_features(weights, arguments, &device),
        None => on_own_network(arguments, &device),
    }
}

/// The columns of what follows.
fn table() {
    println!("\n| trained | parameters | epsilon | accuracy on held-out images | seconds |");
    println!("|---|---|---|---|---|");
}

fn row(part: &str, parameters: usize, epsilon: f64, accuracies: &[f64], seconds: f64, arguments: &Arguments) {
    let (epsilon, seconds) = (arguments.epsilon_of(epsilon), seconds / arguments.runs as f64);
    let each: Vec<String> = accuracies.iter().map(|accuracy| percent(*accuracy)).collect();
    println!("| {part} | {parameters} | {epsilon:.2} | {} | {seconds:.1} |", each.join(", "));
}

/// A network that is trained here on images declared public, and then on others.
fn on_own_network(arguments: &Arguments, device: &Device) -> Result<()> {
    let PublicAndPrivate { public, private, test, nominal } = PublicAndPrivate::generated()?;
    let batcher = ImageBatcher::new(Normalization::SYMMETRIC);
    let started = Instant::now();
    let loss = burn::nn::loss::CrossEntropyLossConfig::new().init(device);
    let mean = |model: &SmallCnn, batch: ImageBatch| Ok(loss.forward(model.forward(batch.images), batch.labels));
    let trainer = OrdinaryTrainer::new(public.clone(), batcher, device, 100, 300).with_learning_rate(3e-3);
    let trained = trainer.with_seed(Some(1)).train(
        SmallCnn::new(public.classes().len(), device),
        AdamConfig::new().init(),
        mean,
        |_| Ok(true),
    )?;
    println!(
        "Public:  {} generated images, declared public: {}. Trained without privacy for {:.1} s.",
        public.len(),
        public.classes().join(", "),
        started.elapsed().as_secs_f64()
    );
    let (trained, report) = freeze_batch_norms(trained);
    println!("{report}");
    println!("Private: nominally {} generated images: {}.", nominal.get(), private.classes().join(", "));
    table();
    let (mut last, mut together) = (None, RunsTogether::new(arguments.seed.is_none()));
    for epsilon in &arguments.epsilon {
        for part in &arguments.train {
            let started = Instant::now();
            let (mut accuracies, mut parameters) = (Vec::new(), 0);
            for _ in 0..arguments.runs {
                let model = trained.clone().prepared(*part, private.classes().len(), arguments.rank, device)?;
                parameters = network::trainable(&model);
                let loss =
                    |model: &SmallCnn, batch: ImageBatch| Ok(cross_entropy(model.forward(batch.images), batch.labels));
                let images = private.clone();
                let (model, statement) = trained_privately(
                    model,
                    images,
                    batcher,
                    &nominal,
                    *epsilon,
                    *part,
                    arguments,
                    device,
                    &mut together,
                    loss,
                )?;
                let model = model.valid();
                last = Some(statement);
                let scores = |batch: ImageBatch| (model.forward(batch.images), batch.labels);
                let right = correct_predictions(&test, &batcher, &device.clone().without_autodiff(), 250, scores)?;
                accuracies.push(right as f64 / test.len() as f64);
            }
            let name = part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
            row(&name, parameters, *epsilon, &accuracies, started.elapsed().as_secs_f64(), arguments);
        }
    }
    let public = "the network before was trained on images that this program drew and declares public";
    say_statement(last, public, &nominal, &together)
}

/// A head on EfficientNet-Lite0's features.
fn on_public_features(weights: &Path, arguments: &Arguments, device: &Device) -> Result<()> {
    let started = Instant::now();
    let (train, test, nominal) = data::features(
        weights,
        arguments.side as usize,
        arguments.data.as_deref(),
        &arguments.features,
        arguments.limit,
    )?;
    println!(
        "Features of {}, of images enlarged to {side} x {side}: {:.1} s.",
        burn_privacy_pretrained::EfficientNetLite0::NAME,
        started.elapsed().as_secs_f64(),
        side = arguments.side
    );
    table();
    let (mut last, mut together) = (None, RunsTogether::new(arguments.seed.is_none()));
    for epsilon in &arguments.epsilon {
        let started = Instant::now();
        let (mut accuracies, mut parameters) = (Vec::new(), 0);
        for _ in 0..arguments.runs {
            let model = Head::new(train.width(), train.classes(), device);
            parameters = network::trainable(&model);
            let loss = |model: &Head, (features, labels): (Tensor<2>, Tensor<1, Int>)| {
                Ok(cross_entropy(model.forward(features), labels))
            };
            let (model, statement) = trained_privately(
                model,
                train.clone(),
                Features::batcher(),
                &nominal,
                *epsilon,
                Part::Head,
                arguments,
                device,
                &mut together,
                loss,
            )?;
            let model = model.valid();
            last = Some(statement);
            let scores = |(features, labels): (Tensor<2>, Tensor<1, Int>)| (model.forward(features), labels);
            let device = device.clone().without_autodiff();
            let right = correct_predictions(&test, &Features::batcher(), &device, 1_000, scores)?;
            accuracies.push(right as f64 / Dataset::len(&test) as f64);
        }
        row("head", parameters, *epsilon, &accuracies, started.elapsed().as_secs_f64(), arguments);
    }
    let public = format!("the weights of {} are public", burn_privacy_pretrained::EfficientNetLite0::NAME);
    say_statement(last, &public, &nominal, &together)
}

/// What all runs cost together, and the last one's statement, with what was public before it.
fn say_statement(
    statement: Option<PrivacyStatement>,
    public: &str,
    nominal: &NominalSize,
    together: &RunsTogether,
) -> Result<()> {
    if let Some(mut statement) = statement {
        println!("\n{}", together.sentence(delta(nominal))?);
        statement.assumptions.push(nominal.assumption());
        statement.assumptions.push(format!("{public}, and none of what it was trained on is among the private images"));
        statement.assumptions.push("the held-out images are declared public: their accuracy is not protected".into());
        println!("\nOf the last run:\n{statement}");
    }
    Ok(())
}

/// Of every run.
fn delta(nominal: &NominalSize) -> f64 {
    1e-5_f64.min(0.1 / nominal.get() as f64)
}

#[allow(clippy::too_many_arguments)] // A run is that many things, and there are two callers.
fn trained_privately<M: Module, I, O, D: Dataset<I>, B: Batcher<I, O>>(
    model: M,
    images: D,
    batcher: B,
    nominal: &NominalSize,
    epsilon: f64,
    part: Part,
    arguments: &Arguments,
    device: &Device,
    together: &mut RunsTogether,
    loss: impl FnMut(&M, O) -> burn_privacy::session::LossResult,
) -> Result<(M, PrivacyStatement)> {
    let (delta, nominal) = (delta(nominal), nominal.get());
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(arguments.batch.min(nominal), nominal))
        .with_clipping(Clipping::flat(0.3))
        .with_noise(NoiseLevel::target(epsilon, delta))
        .with_delta(delta)
        .with_steps(arguments.steps)
        .build()?;
    // Before anything is released.
    together.add(&plan)?;
    let entropy = arguments.seed.map_or_else(Entropy::os, Entropy::seeded);
    let session = plan.start(images, batcher, device, entropy)?;
    let rate = arguments.rate.unwrap_or(if matches!(part, Part::Scratch | Part::All) { 0.01 } else { 0.02 });
    let steps = arguments.steps as f64;
    let trainer =
        Trainer::new(session, rate).with_learning_rate_schedule(move |step| rate * (1.0 - step as f64 / steps));
    let (model, statement) = trainer.train(model, AdamConfig::new().init(), loss, |_, _| Ok(true))?;
    Ok((model, statement))
}

fn main() -> ExitCode {
    burn_privacy::keep_freed_memory();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
