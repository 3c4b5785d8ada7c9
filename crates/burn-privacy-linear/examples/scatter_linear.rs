//! MNIST or CIFAR-10 by a private linear head on scattering features, without Burn: for searching settings and for the tables of
//! the documentation.
//!
//! ```text
//! cargo run --release -p burn-privacy-linear --example scatter_linear -- mnist DIR --epsilon 3 --rate 15
//! ```
//!
//! `DIR` holds the published files (`.gz`). With `--hold-out N` the last N training images are evaluated on, and not trained on;
//! settings are chosen so. CIFAR-10 always holds out the last 5,000: the first half of them to choose by (`--hold-out 2500`), the
//! other as the test.

#[path = "support/images.rs"]
mod images;

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{NoiseTarget, Sampling};
use burn_privacy_features::normalization::ChannelBounds;
use burn_privacy_features::{FeatureTable, ImageFeatures, PatchFeatures, dead_leaves};
use burn_privacy_linear::{
    Averaging, FeatureClassifier, FixedFeatureTraining, HeadLoss, HeadTraining, Normalization, UpdateRule,
};
use burn_privacy_mechanisms::Entropy;

use images::{Result, cifar, mnist};

/// The command line: `--name value` pairs after the data.
struct Options(Vec<(String, String)>);

impl Options {
    fn number(&self, name: &str, default: f64) -> Result<f64> {
        let given = self.0.iter().rev().find(|(given, _)| given == name);
        given
            .map_or(Ok(default), |(_, value)| value.parse().map_err(|_| format!("{name} {value}: not a number").into()))
    }
}

/// Scattering, with `--patches N` that many filters learned from generated images in its place, or with `--join 1` both.
struct Extract {
    scattering: Option<ImageFeatures>,
    patches: Option<PatchFeatures>,
}

impl Extract {
    fn new(colors: usize, side: usize, mirrored: bool, filters: usize, join: bool) -> Result<Self> {
        Ok(Self {
            scattering: (join || filters == 0).then(|| ImageFeatures::new(colors, side, mirrored)).transpose()?,
            patches: (filters > 0).then(|| PatchFeatures::new(colors, side, filters, mirrored)).transpose()?,
        })
    }

    fn cached(&self, pixels: &[u8]) -> Result<FeatureTable> {
        let (cache, show) = (PathBuf::from("target/features"), |done| eprint!("\rfeatures of {done} images "));
        let scattering = self.scattering.iter().map(|features| features.cached(&cache, pixels, show));
        let patches = self.patches.iter().map(|features| features.cached(&cache, pixels, show));
        Ok(FeatureTable::joined(&scattering.chain(patches).collect::<std::result::Result<Vec<_>, _>>()?)?)
    }

    fn table(&self, pixels: &[u8]) -> Result<FeatureTable> {
        let scattering = self.scattering.iter().map(|features| features.table(pixels));
        let patches = self.patches.iter().map(|features| features.table(pixels));
        Ok(FeatureTable::joined(&scattering.chain(patches).collect::<std::result::Result<Vec<_>, _>>()?)?)
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(task), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: scatter_linear mnist|cifar DIR [--option number ..]".into());
    };
    let mut options = Options(Vec::new());
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or("an option has no value")?;
        options.0.push((name, value));
    }
    run(&task, Path::new(&folder), &options)
}

fn run(task: &str, folder: &Path, options: &Options) -> Result<()> {
    let start = Instant::now();
    let held_out = options.number("--hold-out", 0.0)? as usize;
    let mirrored = options.number("--mirrored", if task == "cifar" { 1.0 } else { 0.0 })? > 0.0;
    let mut train = if task == "mnist" { mnist(folder, "train")? } else { cifar(folder)? };
    let filters = options.number("--patches", 0.0)? as usize;
    let join = options.number("--join", 0.0)? > 0.0;
    let extract = Extract::new(train.colors, train.side, mirrored, filters, join)?;
    let features = |pixels: &[u8]| extract.cached(pixels);
    let all = features(&train.pixels)?;
    let rows = all.rows();
    let (train_rows, evaluated) = match (task, held_out) {
        ("mnist", 0) => (rows, None),
        ("mnist", count) => (rows - count, Some(rows - count..rows)),
        (_, 0) => (rows - 5_000, Some(rows - 2_500..rows)),
        _ => (rows - 5_000, Some(rows - 5_000..rows - 2_500)),
    };
    let (train_features, rest) = all.split_at(train_rows);
    let rest_labels = train.labels.split_off(train_rows);
    let (test_features, test_labels) = match evaluated {
        Some(range) => {
            let (before, test) = rest.split_at(range.start - train_rows);
            let (test, _) = test.split_at(range.len());
            let skipped = before.rows();
            (test, rest_labels[skipped..skipped + range.len()].to_vec())
        }
        None => {
            let test = mnist(folder, "t10k")?;
            (features(&test.pixels)?, test.labels)
        }
    };
    let extracted = start.elapsed();
    let public = ChannelBounds::of_public_records(&extract.table(&dead_leaves(1_000, train.colors, train.side))?)?;
    let clip = options.number("--clip", 0.1)?;
    let batch = options.number("--batch", 4_096.0)? as usize;
    let groups = options.number("--groups", 0.0)? as usize;
    let training = FixedFeatureTraining {
        normalization: match groups {
            0 => Normalization::Channels {
                bounds: public,
                norms_noise: options.number("--norms-noise", 32.0)?,
                statistics_noise: options.number("--statistics-noise", 6.0)?,
            },
            groups => Normalization::Groups(groups),
        },
        head: HeadTraining {
            loss: if options.number("--least-squares", 0.0)? > 0.0 {
                HeadLoss::LeastSquares
            } else {
                HeadLoss::CrossEntropy
            },
            rate: options.number("--rate", 15.0)?,
            rule: match (options.number("--adam-bc", 0.0)?, options.number("--low-pass", 0.0)?) {
                (floor, _) if floor > 0.0 => UpdateRule::AdamBc { first: 0.9, second: 0.99, floor },
                (_, decay) if decay > 0.0 => UpdateRule::LowPass(decay),
                _ => UpdateRule::Momentum(options.number("--momentum", 0.9)?),
            },
            averaging: match (options.number("--average", 0.98)?, options.number("--tail", 0.0)?) {
                (_, tail) if tail > 0.0 => Averaging::Tail(tail),
                (decay, _) if decay > 0.0 => Averaging::Exponential(decay),
                _ => Averaging::Last,
            },
        },
        clip,
        sampling: Sampling::poisson(batch, train_rows),
        steps: options.number("--steps", 586.0)? as u64,
    };
    let epsilon = options.number("--epsilon", 3.0)?;
    let target = if epsilon.is_finite() { NoiseTarget::Epsilon(epsilon) } else { NoiseTarget::NoiseMultiplier(0.0) };
    let plan = training.plan(target, options.number("--delta", 1e-5)?)?;
    let seed = options.number("--seed", -1.0)?;
    let entropy = if seed < 0.0 { Entropy::os() } else { Entropy::seeded(seed as u64) };
    let mut private = PhasedRun::new(plan, entropy)?;
    let begun = Instant::now();
    let accuracy = |model: &FeatureClassifier| -> Option<f64> {
        let records = model.normalizer.records(&test_features, &test_labels, 10).ok()?;
        model.head.accuracy(&records).ok()?
    };
    let every = options.number("--every", 100.0)? as u64;
    let model = training.train(&train_features, &train.labels, 10, &mut private, |step, model| {
        if step.is_multiple_of(every) {
            eprintln!("step {step}: {:?} after {:.0} s", accuracy(&model()), begun.elapsed().as_secs_f64());
        }
        true
    })?;
    let statement = private.finish(task, "scattering features, linear head")?;
    println!("{statement}");
    let cpu = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: Vec<f64> = cpu.split(' ').skip(13).take(2).filter_map(|field| field.parse().ok()).collect();
    println!(
        "RESULT {task} {:?} accuracy {:.4} of {} | {:.0} s of features, {:.0} s of training, {:.0} s of processor time",
        options.0,
        accuracy(&model).unwrap_or(f64::NAN),
        test_labels.len(),
        extracted.as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        ticks.iter().sum::<f64>() / 100.0
    );
    Ok(())
}
