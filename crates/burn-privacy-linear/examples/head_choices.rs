//! What each choice about a private linear head buys at equal epsilon, on MNIST's scattering features, for the documentation.
//!
//! ```text
//! cargo run --release -p burn-privacy-linear --example head_choices -- DIR options --epsilon 3
//! cargo run --release -p burn-privacy-linear --example head_choices -- DIR methods --epsilon 1
//! cargo run --release -p burn-privacy-linear --example head_choices -- DIR bands
//! ```
//!
//! `DIR` holds the published files (`.gz`). `options` switches one of the free options off at a time, and `adam` tries rates of
//! DP-AdamBC; `methods` compares DP-SGD with least squares in closed form and gradients preconditioned by the features' second
//! moments; `bands` prints accuracies by number of records and epsilon. All are trained on the first training images and
//! measured on the last 5,000 of them.

#[path = "support/images.rs"]
mod images;

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn_privacy_accounting::gaussian_sigma;
use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{PhaseConfig, PhaseNoise, PhasedPlanConfig, Sampling};
use burn_privacy_features::normalization::channel_statistics::{NORMS_PHASE, PHASE as STATISTICS_PHASE};
use burn_privacy_features::normalization::{ChannelBounds, ChannelStatistics, norms_phase, statistics_phase};
use burn_privacy_features::{FeatureTable, ImageFeatures, dead_leaves};
use burn_privacy_linear::second_moments::{
    Preconditioner, SecondMoments, least_squares_with, moments_phase, targets_phase,
};
use burn_privacy_linear::{Averaging, HeadLoss, HeadTraining, LinearHead, Normalizer, Records, UpdateRule, head_phase};
use burn_privacy_mechanisms::Entropy;

use images::Result;

/// Noise multipliers of the norms and of the channels' statistics.
const STATISTICS: [f64; 2] = [32.0, 6.0];

const DELTA: f64 = 1e-5;

/// Images that settings are chosen by.
const HELD_OUT: usize = 5_000;

/// Features and labels to train on, and to measure on.
struct Task {
    train: (FeatureTable, Vec<u8>),
    test: (FeatureTable, Vec<u8>),
    bounds: ChannelBounds,
}

/// One way to train a head.
#[derive(Clone)]
struct Choice {
    name: String,
    clip: f64,
    training: HeadTraining,
    method: Method,
}

#[derive(Clone, Copy)]
enum Method {
    Gradients,
    /// Part of the budget of the second moments, in squared noise, and the ridge.
    Preconditioned {
        share: f64,
        ridge: f64,
    },
    ClosedForm {
        ridge: f64,
    },
}

/// Steps and batch of a run.
#[derive(Clone, Copy)]
struct Length {
    batch: usize,
    steps: u64,
}

impl Task {
    fn load(folder: &Path, records: usize) -> Result<Self> {
        let images = images::mnist(folder, "train")?;
        let extract = ImageFeatures::new(1, images.side, false)?;
        let all = extract.cached(&PathBuf::from("target/features"), &images.pixels, |_| ())?;
        let (before, test) = all.split_at(images.labels.len() - HELD_OUT);
        let (train, _) = before.split_at(records.min(images.labels.len() - HELD_OUT));
        let bounds = ChannelBounds::of_public_records(&extract.table(&dead_leaves(1_000, 1, images.side))?)?;
        let labels = (images.labels[..train.rows()].to_vec(), images.labels[images.labels.len() - HELD_OUT..].to_vec());
        Ok(Self { train: (train, labels.0), test: (test, labels.1), bounds })
    }

    /// Accuracy of one run in percent, with the operating system's randomness and paid channel statistics.
    fn run(&self, choice: &Choice, length: Length, epsilon: f64) -> Result<f64> {
        let (features, labels) = &self.train;
        let size = features.rows();
        let plan = PhasedPlanConfig::new(DELTA)
            .with_phase(norms_phase(size, PhaseNoise::Multiplier(STATISTICS[0])))
            .with_phase(statistics_phase(size, PhaseNoise::Multiplier(STATISTICS[1])))
            .with_phase(head_steps(choice, length, size)?);
        let mut run = PhasedRun::new(plan.with_target(epsilon).build()?, Entropy::os())?;
        self.bounds.check(features)?;
        let bounds = self.bounds.fitted(features, run.charge(NORMS_PHASE)?)?;
        let statistics = ChannelStatistics::release(features, &bounds, run.charge(STATISTICS_PHASE)?)?;
        let normalizer = Normalizer::Channels(statistics);
        let records = normalizer.records(features, labels, 10)?;
        let head = choice.training.train(&records, &mut run, None, |_, _| true)?;
        accuracy(&head, &normalizer.records(&self.test.0, &self.test.1, 10)?)
    }

    /// Records normalized by groups of their own channels, which is free.
    fn grouped(&self) -> Result<(Records, Records)> {
        let normalizer = Normalizer::Groups(GROUPS);
        let (train, test) = (&self.train, &self.test);
        Ok((normalizer.records(&train.0, &train.1, 10)?, normalizer.records(&test.0, &test.1, 10)?))
    }
}

/// Groups of channels.
const GROUPS: usize = 27;

fn head_steps(choice: &Choice, length: Length, size: usize) -> Result<PhaseConfig> {
    let sampling = Sampling::poisson(length.batch, size);
    Ok(head_phase(sampling, choice.clip, PhaseNoise::Calibrated(1.0), length.steps)?)
}

fn accuracy(head: &LinearHead, test: &Records) -> Result<f64> {
    Ok(100.0 * head.accuracy(test)?.unwrap_or(f64::NAN))
}

/// One run of a method on records that were normalized for free.
fn run_method(
    choice: &Choice,
    (train, test): (&Records, &Records),
    moments: &SecondMoments,
    length: Length,
    epsilon: f64,
) -> Result<f64> {
    let size = train.len();
    let plan = PhasedPlanConfig::new(DELTA);
    let calibrated = PhaseNoise::Calibrated(1.0);
    let plan = match choice.method {
        Method::Gradients => plan.with_phase(head_steps(choice, length, size)?),
        Method::Preconditioned { share, .. } => {
            // As much noise as a mechanism with this share of the squared budget has.
            let noise = gaussian_sigma(epsilon, DELTA, 1.0)? / share.sqrt();
            let moments = moments_phase(size, PhaseNoise::Multiplier(noise));
            plan.with_phase(moments).with_phase(head_steps(choice, length, size)?)
        }
        Method::ClosedForm { .. } => {
            plan.with_phase(moments_phase(size, calibrated)).with_phase(targets_phase(size, calibrated))
        }
    };
    let mut run = PhasedRun::new(plan.with_target(epsilon).build()?, Entropy::os())?;
    let head: LinearHead = match choice.method {
        Method::Gradients => choice.training.train(train, &mut run, None, |_, _| true)?,
        Method::Preconditioned { ridge, .. } => {
            let inverse = Preconditioner::release_of(moments, &mut run, ridge)?;
            choice.training.train(train, &mut run, Some(&inverse), |_, _| true)?
        }
        Method::ClosedForm { ridge } => {
            let inverse = Preconditioner::release_of(moments, &mut run, ridge)?;
            least_squares_with(inverse, train, &mut run)?
        }
    };
    accuracy(&head, test)
}

/// Mean and standard deviation.
fn summary(scores: &[f64]) -> (f64, f64) {
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
    (mean, if scores.len() > 1 { (squares / (count - 1.0)).sqrt() } else { f64::NAN })
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(table)) = (arguments.next(), arguments.next()) else {
        return Err("usage: head_choices DIR options|adam|methods|bands [--epsilon E] [--seeds N] [--rate R] ..".into());
    };
    let given: Vec<String> = arguments.collect();
    let number = |name: &str, default: f64| -> Result<f64> {
        let at = given.iter().position(|argument| argument == name);
        Ok(at.and_then(|at| given.get(at + 1)).map_or(Ok(default), |value| value.parse())?)
    };
    let (epsilon, seeds) = (number("--epsilon", 3.0)?, number("--seeds", 5.0)? as usize);
    let records = number("--records", 55_000.0)? as usize;
    let length = Length { batch: number("--batch", 2_048.0)? as usize, steps: number("--steps", 300.0)? as u64 };
    let rate = number("--rate", 15.0)?;
    let folder = Path::new(&folder);
    eprintln!("epsilon {epsilon}, {records} records, batch {}, {} steps", length.batch, length.steps);
    match table.as_str() {
        "bands" => bands(folder, seeds),
        "methods" => {
            let choices = methods(rate, number("--ridge", 2e-2)?, number("--share", 0.2)?, number("--fast", 1.0)?);
            let (train, test) = Task::load(folder, records)?.grouped()?;
            let begun = Instant::now();
            let moments = SecondMoments::of(&train)?;
            eprintln!("second moments after {:.0} s", begun.elapsed().as_secs_f64());
            print(&choices, seeds, |choice| run_method(choice, (&train, &test), &moments, length, epsilon))
        }
        "options" => {
            let task = Task::load(folder, records)?;
            print(&options(rate, number("--adam-rate", 0.5)?), seeds, |choice| task.run(choice, length, epsilon))
        }
        "adam" => {
            let task = Task::load(folder, records)?;
            let choices: Vec<Choice> = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0].map(adam).into();
            print(&choices, seeds, |choice| task.run(choice, length, epsilon))
        }
        other => Err(format!("{other} is no table: options, adam, methods or bands").into()),
    }
}

/// The recipe.
fn recipe(rate: f64) -> Choice {
    let training = HeadTraining {
        loss: HeadLoss::CrossEntropy,
        rate,
        rule: UpdateRule::Momentum(0.9),
        averaging: Averaging::Exponential(0.98),
    };
    Choice { name: "the recipe".into(), clip: 0.1, training, method: Method::Gradients }
}

/// The recipe with one thing changed at a time. Without momentum a rate is ten times as large, so that a gradient moves the weights
/// by as much in the end.
fn options(rate: f64, adam_rate: f64) -> Vec<Choice> {
    let base = recipe(rate);
    let with = |name: &str, change: &dyn Fn(&mut Choice)| {
        let mut choice = base.clone();
        choice.name = name.into();
        change(&mut choice);
        choice
    };
    vec![
        base.clone(),
        with("no weight averaging", &|choice| choice.training.averaging = Averaging::Last),
        with("uniform tail average (last 30 %)", &|choice| choice.training.averaging = Averaging::Tail(0.3)),
        with("no momentum, 10 times the rate", &|choice| {
            choice.training.rule = UpdateRule::Momentum(0.0);
            choice.training.rate = 10.0 * rate;
        }),
        with("DOPPLER's filter for momentum, 10 times the rate", &|choice| {
            choice.training.rule = UpdateRule::LowPass(0.9);
            choice.training.rate = 10.0 * rate;
        }),
        with("DP-AdamBC for momentum", &|choice| *choice = adam(adam_rate)),
        with("clipping norm 1, above most gradients", &|choice| choice.clip = 1.0),
    ]
}

/// DP-AdamBC in the place of momentum, whose rate is not that of SGD: `adam` tries some.
fn adam(rate: f64) -> Choice {
    let mut choice = recipe(rate);
    choice.name = format!("DP-AdamBC for momentum, rate {rate}");
    choice.training.rule = UpdateRule::AdamBc { first: 0.9, second: 0.99, floor: 1.0 };
    choice
}

/// DP-SGD, and what second moments offer.
fn methods(rate: f64, ridge: f64, share: f64, fast: f64) -> Vec<Choice> {
    let base = recipe(rate);
    let mut preconditioned = base.clone();
    preconditioned.name = "gradients preconditioned by second moments (DP-FC)".into();
    preconditioned.method = Method::Preconditioned { share, ridge };
    preconditioned.training.rate = fast * rate;
    let mut closed = base.clone();
    closed.name = "least squares in closed form (DP-LS)".into();
    closed.method = Method::ClosedForm { ridge };
    vec![base, preconditioned, closed]
}

fn print(choices: &[Choice], seeds: usize, run: impl Fn(&Choice) -> Result<f64>) -> Result<()> {
    println!("| choice | accuracy (%) | standard deviation of a run | seconds a run |\n|---|---|---|---|");
    for choice in choices {
        let begun = Instant::now();
        let scores: Vec<f64> = (0..seeds).map(|_| run(choice)).collect::<Result<_>>()?;
        let (mean, deviation) = summary(&scores);
        let seconds = begun.elapsed().as_secs_f64() / seeds as f64;
        println!("| {} | {mean:.2} | {deviation:.2} | {seconds:.0} |", choice.name);
    }
    Ok(())
}

/// Accuracies by number of records and epsilon.
fn bands(folder: &Path, seeds: usize) -> Result<()> {
    println!("records,epsilon,batch,steps,low,mean,high");
    for records in [1_000, 5_000, 20_000, 55_000] {
        let task = Task::load(folder, records)?;
        // Expected batches of a tenth of the records, 30 epochs.
        let length = Length { batch: records / 10, steps: 300 };
        for epsilon in [0.5, 2.0, 8.0] {
            let rate = 15.0 * (epsilon * records as f64 / (3.0 * 55_000.0)).clamp(0.05, 1.0);
            let scores: Vec<f64> =
                (0..seeds).map(|_| task.run(&recipe(rate), length, epsilon)).collect::<Result<_>>()?;
            let (mean, _) = summary(&scores);
            let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
            let high = scores.iter().copied().fold(0.0, f64::max);
            println!("{records},{epsilon},{},{},{low:.2},{mean:.2},{high:.2}", length.batch, length.steps);
        }
    }
    Ok(())
}
