//! Burn's own learner and its dashboard on a private run: digits that a program draws, so that nothing has to be fetched.
//!
//! ```text
//! cargo run --release --package burn-privacy-train --features train --example learner_dp -- runs/learner_dp
//! ```
//!
//! In a terminal Burn shows its dashboard, elsewhere lines. The metrics' logs, the checkpoints and the ledger go into the
//! folder. A second run with `--resume EPOCH` goes on after that epoch's checkpoint. See `docs/src/learner.md`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use burn::data::dataloader::DataLoaderBuilder;
use burn::lr_scheduler::constant::ConstantLr;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainingStrategy};
use burn_privacy::activation::relu;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, Normalization, generated_digits};
use burn_privacy::ledger::Ledger;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy_train::learner::{Private, PrivateLearning, UnreadLoader};

/// Steps of an epoch: a pass over the data, on average.
const STEPS_PER_EPOCH: usize = 40;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Module, Debug)]
struct Network {
    hidden: Linear,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self { hidden: LinearConfig::new(784, 64).init(device), output: LinearConfig::new(64, 10).init(device) }
    }

    fn logits(&self, images: Tensor<4>) -> Tensor<2> {
        let count = images.dims()[0];
        self.output.forward(relu(self.hidden.forward(images.reshape([count, 784]))))
    }
}

/// For the validation split, whose images are declared public.
impl InferenceStep for Network {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> ClassificationOutput {
        let logits = self.logits(batch.images);
        let loss = CrossEntropyLossConfig::new().init(&logits.device()).forward(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }
}

struct Arguments {
    folder: PathBuf,
    epochs: usize,
    resume: Option<usize>,
}

fn arguments() -> Result<Arguments> {
    const USAGE: &str = "usage: learner_dp [FOLDER] [--epochs NUMBER] [--resume EPOCH]";
    let mut found = Arguments { folder: "runs/learner_dp".into(), epochs: 10, resume: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).filter(|number| *number > 0).ok_or(USAGE);
        match word.as_str() {
            "--epochs" => found.epochs = number()?,
            "--resume" => found.resume = Some(number()?),
            folder if !folder.starts_with('-') => found.folder = folder.into(),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(found)
}

fn run(arguments: &Arguments) -> Result<()> {
    let device = Device::flex().autodiff();
    let digits = generated_digits();
    let batcher = ImageBatcher::new(Normalization::SYMMETRIC);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(digits.train.len() / STEPS_PER_EPOCH, digits.train.len()))
        .with_clipping(Clipping::normalized())
        .with_steps((arguments.epochs * STEPS_PER_EPOCH) as u64)
        .with_noise(NoiseLevel::target(3.0, 1e-5))
        .build()?;
    let ledger = Ledger::open(arguments.folder.join("ledger.jsonl"), "generated digits")?;
    let session = plan
        .start(digits.train, batcher, &device, Entropy::os())?
        .with_physical_batch(256)
        .with_ledger(ledger, "learner")?;
    let strategy = Arc::new(PrivateLearning::new(session, |network: &Private<Network>, batch: ImageBatch| {
        Ok(cross_entropy(network.logits(batch.images), batch.labels))
    }));

    let valid = DataLoaderBuilder::new(batcher).batch_size(500).build(digits.test);
    let mut training = SupervisedTraining::new(&arguments.folder, UnreadLoader::of(), valid)
        .num_epochs(strategy.epochs())
        .metric_train_numeric(strategy.epsilon_metric())
        .metric_valid_numeric(AccuracyMetric::new())
        .metric_valid_numeric(LossMetric::new())
        .with_default_checkpointers()
        .with_training_strategy(TrainingStrategy::Custom(strategy.clone()));
    if let Some(epoch) = arguments.resume {
        training = training.checkpoint(epoch);
    }
    let network = Private(Network::new(&device));
    let result = training.launch(Learner::new(network, AdamConfig::new().init(), ConstantLr::new(2e-3)));
    if let Some(interrupted) = result.interrupted {
        println!("interrupted: {}", interrupted.reason.unwrap_or_default());
    }
    println!("{}", strategy.take_outcome().ok_or("the run has no outcome")??);
    Ok(())
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
