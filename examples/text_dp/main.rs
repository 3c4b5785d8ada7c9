//! Text classifiers of stock Burn layers, trained privately as they are: a TransformerEncoder and an Lstm beside a bag of words.
//!
//! ```text
//! cargo run --release --example text_dp
//! cargo run --release --example text_dp -- --data reviews.csv --nominal-size 20000
//! ```
//!
//! Without `--data` it trains on sentences that it makes up, of which the order of the words decides the class of most. A CSV file has a header with
//! the columns `text` and `label`. Words are hashed into a fixed number of rows of a table: no vocabulary is read from the
//! records.

mod networks;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::prelude::*;
use burn_privacy_examples::{NominalSize, Result, RunsTogether};
use clap::{Parser, ValueEnum};

use crate::networks::{Bag, Encoder, Network, Recurrent};
use crate::text::{Batch, Sentences, Text};

/// Private classifiers of text, of stock layers.
#[derive(Parser)]
struct Arguments {
    /// Networks, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "bag,lstm,transformer")]
    model: Vec<Model>,
    /// CSV file with the columns text and label [default: generated sentences]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Public number of records to train on
    #[arg(long, value_name = "N")]
    nominal_size: Option<usize>,
    /// Epsilon of each network
    #[arg(long, default_value_t = 3.0)]
    epsilon: f64,
    /// Updates
    #[arg(long, default_value_t = 400)]
    steps: u64,
    /// Expected number of records in a batch
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// Learning rate
    #[arg(long, default_value_t = 5e-3)]
    rate: f64,
    /// Repeats a run: nothing is private then
    #[arg(long)]
    seed: Option<u64>,
    /// The device
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Model {
    /// Sums of the words' vectors
    Bag,
    /// A stock Lstm
    Lstm,
    /// A stock TransformerEncoder
    Transformer,
}

fn run(arguments: &Arguments) -> Result<()> {
    let device = select_device(arguments.device)?.device.autodiff();
    device.seed(arguments.seed.unwrap_or(1));
    let sentences = match &arguments.data {
        Some(file) => Sentences::read(file)?,
        None => Sentences::generated(),
    };
    let published = arguments.data.is_none().then_some((text::GENERATED, "this program, which made the sentences"));
    let nominal = NominalSize::new(arguments.nominal_size, published)?;
    let mut together = RunsTogether::new(arguments.seed.is_none());
    println!("| network | accuracy on held-out text, % | epsilon | seconds |");
    println!("|---|---|---|---|");
    for model in &arguments.model {
        let started = Instant::now();
        let (accuracy, epsilon) = match model {
            Model::Bag => train::<Bag>(&sentences, nominal.get(), arguments, &device, &mut together)?,
            Model::Lstm => train::<Recurrent>(&sentences, nominal.get(), arguments, &device, &mut together)?,
            Model::Transformer => train::<Encoder>(&sentences, nominal.get(), arguments, &device, &mut together)?,
        };
        let name = model.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        println!("| {name} | {accuracy} | {epsilon:.2} | {:.0} |", started.elapsed().as_secs_f64());
    }
    println!("\n{}", together.sentence(delta(nominal.get()))?);
    println!("{}", nominal.assumption());
    Ok(())
}

/// Of each run.
fn delta(nominal: usize) -> f64 {
    1.0 / (10.0 * nominal as f64)
}

fn train<M: Network>(
    sentences: &Sentences,
    nominal: usize,
    arguments: &Arguments,
    device: &Device,
    together: &mut RunsTogether,
) -> Result<(String, f64)> {
    let delta = delta(nominal);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(arguments.batch.min(nominal), nominal))
        .with_clipping(Clipping::flat(1.0))
        .with_noise(NoiseLevel::target(arguments.epsilon, delta))
        .with_delta(delta)
        .with_steps(arguments.steps)
        .build()?;
    // Before anything is released.
    together.add(&plan)?;
    let entropy = || arguments.seed.map_or_else(Entropy::os, Entropy::seeded);
    let dataset = InMemDataset::new(sentences.train.clone());
    let mut session = plan.start(dataset, Text, device, entropy())?;
    let mut model = M::new(sentences.classes, device);
    let mut optimizer = AdamConfig::new().init();
    while let Some(step) = session.next_step()? {
        let rate = arguments.rate * (1.0 - step.index() as f64 / arguments.steps as f64);
        let gradients =
            step.gradients(&model, |model, batch: Batch| Ok(cross_entropy(model.logits(batch.tokens), batch.classes)))?;
        model = optimizer.step(rate, model, gradients.into());
    }
    let _ = session.finish()?;
    let epsilon = if arguments.seed.is_none() { plan.epsilon(delta)? } else { f64::INFINITY };
    Ok((held_out(&model.valid(), sentences, arguments, device)?, epsilon))
}

/// Accuracy on text that was not trained on. Of a user's text it is private, and says so.
fn held_out<M: Network>(model: &M, sentences: &Sentences, arguments: &Arguments, device: &Device) -> Result<String> {
    let device = device.clone().without_autodiff();
    let mut right = 0;
    for part in sentences.test.chunks(256) {
        let batch = Text.batch(part.to_vec(), &device);
        let found = model.logits(batch.tokens).argmax(1).reshape([part.len()]);
        right += found.equal(batch.classes).int().sum().into_scalar::<i64>() as usize;
    }
    if arguments.data.is_none() {
        return Ok(format!("{:.1}", 100.0 * right as f64 / sentences.test.len() as f64));
    }
    Ok(format!("{:.1} (of private text: don't publish)", 100.0 * right as f64 / sentences.test.len().max(1) as f64))
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
