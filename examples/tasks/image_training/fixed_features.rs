//! A linear head on fixed features: the recipe for images that is accurate in minutes without a GPU.
//!
//! Nothing is learned but the head, and in closed form, so that no network is needed: features, their normalization and the head
//! are one plan.

use std::path::Path;
use std::time::{Duration, Instant};

use burn_privacy::ledger::Ledger;
use burn_privacy::report::{CurvePoint, Protection};
use burn_privacy_budget::PhasedRun;
use burn_privacy_budget::plan::{NoiseTarget, PhasedPlan, Sampling};
use burn_privacy_features::FeatureTable;
use burn_privacy_linear::{
    Averaging, FeatureClassifier, FixedFeatureTraining, HeadLoss, HeadTraining, Normalization, UpdateRule,
};
use burn_privacy_output::grouped;
use burn_privacy_train::{Interrupt, RunSummary, percent, say};

use super::extractor::Extractor;
use super::{ClippingStyle, FeatureSource, ImageData, Settings};
use crate::Result;

/// Evaluations in a run.
const EVALUATIONS: u64 = 10;

/// What a data set decides of the recipe, besides a preset's numbers.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Features are the mean of an image's and its mirror image's.
    pub mirrored: bool,
    /// How features are brought to comparable sizes.
    pub scaling: FeatureScaling,
}

/// How features are brought to comparable sizes.
#[derive(Clone, Copy, Debug)]
pub enum FeatureScaling {
    /// By channels' statistics over all images, which are paid for.
    Channels {
        /// Noise multiplier of the two norms of channel statistics.
        norms_noise: f64,
        /// Noise multiplier of the channels' statistics.
        statistics_noise: f64,
    },
    /// By each image's own mean and variance in so many groups of channels, which is free.
    Groups(usize),
}

/// What came out of it.
pub(super) struct Trained {
    pub(super) model: FeatureClassifier,
    pub(super) protection: Protection,
    pub(super) results: RunSummary,
    pub(super) validation_accuracy: Option<f64>,
    pub(super) test_accuracy: Option<f64>,
}

/// Makes features (cached in the folder `cache`), trains and evaluates.
///
/// # Errors
///
/// If images are not square with sides of a multiple of 4 pixels; those of the plan, the ledger and the folder.
pub(super) fn train(
    (recipe, source): (Recipe, FeatureSource<'_>),
    settings: &Settings,
    data: &ImageData,
    (ledger, run_name): (&Path, &str),
    cache: &Path,
    interrupt: &Interrupt,
) -> Result<Trained> {
    let [colors, rows, columns] = data.train.shape();
    if rows != columns {
        return Err(format!("images of {rows} x {columns} pixels are not square, as fixed features need").into());
    }
    let nominal = data.nominal_size().get();
    let extract = Extractor::new(source, colors, rows, recipe.mirrored)?;
    let paid = matches!(recipe.scaling, FeatureScaling::Channels { .. });
    let (recipe, target, delta) = plan_of(recipe, settings, &extract, cache, nominal)?;
    let plan = recipe.plan(target, delta)?;
    let private = settings.privacy.is_some();
    say(&match private {
        true => format!(
            "Plan:        {} phases; epsilon {:.4} at delta {delta:e} in the end, of all together",
            plan.phases().len(),
            plan.epsilon()?
        ),
        false => {
            "Plan:        NOT PRIVATE (--no-privacy): no clipping, no noise, epsilon = inf, nothing in a ledger".into()
        }
    });
    for phase in plan.phases() {
        let (steps, rate) = (grouped(phase.steps() as usize), phase.sampling().rate());
        let noise = phase.noise_multiplier();
        say(&format!(
            "             {}: {steps} releases, sampling rate {rate:.5}, noise multiplier {noise:.4}",
            phase.name()
        ));
    }
    // The ledger is opened first: whoever can't charge must not look.
    let mut run = PhasedRun::new(plan, settings.entropy())?;
    if private {
        say(&format!("Ledger:      {}", ledger.display()));
        run = run.with_ledger(Ledger::open(ledger, data.train.name())?, run_name)?;
    }

    let clock = Instant::now();
    say(&format!("Features:    {}, in {}", extract.description(), cache.display()));
    let train = extract.table(&data.train, cache)?;
    let test = (extract.table(&data.test, cache)?, data.test.labels());
    let validation = match &data.validation {
        Some(images) => Some((extract.table(images, cache)?, images.labels())),
        None => None,
    };
    let accuracy = |model: &FeatureClassifier, (features, labels): &(FeatureTable, &[u8])| -> Result<Option<f64>> {
        let records = model.normalizer.records(features, labels, data.train.classes().len())?;
        Ok(model.head.accuracy(&records)?)
    };
    let (part, _) = data.monitored();
    say(&format!("Evaluation:  {} images, {}\n", part.name(), data.evaluation()));
    say(&format!("  step  epsilon  {} accuracy", part.name()));

    let monitored = validation.as_ref().unwrap_or(&test);
    let features = clock.elapsed();
    let (clock, mut evaluations) = (Instant::now(), Duration::ZERO);
    let plan = run.plan().clone();
    let (mut curve, mut steps, mut failed) = (Vec::new(), 0, None);
    let planned = settings.steps(nominal);
    let every = planned.div_ceil(EVALUATIONS);
    let classes = data.train.classes().len();
    let model = recipe.train(&train, data.train.labels(), classes, &mut run, |step, model| {
        steps = step;
        if step.is_multiple_of(every) || step == planned {
            let evaluating = Instant::now();
            let point = epsilon_after(&plan, step, private && settings.seed.is_none())
                .and_then(|epsilon| Ok((epsilon, accuracy(&model(), monitored)?)));
            match point {
                Ok((epsilon, Some(accuracy))) => {
                    say(&format!("{step:6}  {epsilon:7.4}  {}", percent(accuracy)));
                    curve.push(CurvePoint { step, epoch: step as f64 * rate(settings, nominal), epsilon, accuracy });
                }
                Ok((_, None)) => {}
                Err(error) => failed = Some(error),
            }
            evaluations += evaluating.elapsed();
        }
        failed.is_none() && !interrupt.is_pressed()
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let training = clock.elapsed().saturating_sub(evaluations);
    let other = features + evaluations;
    let validation_accuracy = match &validation {
        Some(images) => accuracy(&model, images)?,
        None => None,
    };
    let test_accuracy = accuracy(&model, &test)?;
    let included = if paid { ", their normalization included" } else { ", each image's normalized by itself" };
    let method = format!("DP-SGD of a linear head on {}{included}", extract.words());
    let mut statement = run.finish(data.train.name(), &method)?;
    statement.assumptions.extend(extract.assumption());
    statement.assumptions.push(data.nominal_size().assumption());
    let units = if paid { ", the images that units are taken from," } else { "" };
    statement.assumptions.push(format!(
        "the features' transform{units} and all settings were chosen without looking at the private images"
    ));
    // The default list of what is left out speaks of normalization statistics, which such a plan pays for.
    for sentence in &mut statement.not_covered {
        if paid && sentence.starts_with("preprocessing") {
            *sentence =
                "preprocessing that looked at the private data, other than the channel statistics of this plan".into();
        }
    }
    let protection = match private {
        true => Protection::PhasedDifferentialPrivacy { statement: Box::new(statement) },
        false => Protection::NotPrivate,
    };
    let results = RunSummary {
        interrupted: steps < planned,
        steps,
        planned,
        score: curve.last().map(|point: &CurvePoint| point.accuracy),
        curve,
        training,
        evaluation: other,
        examples_per_second: settings.batch_size as f64 * steps as f64 / training.as_secs_f64().max(1e-9),
    };
    Ok(Trained { model, protection, results, validation_accuracy, test_accuracy })
}

fn rate(settings: &Settings, nominal: usize) -> f64 {
    settings.batch_size as f64 / nominal as f64
}

/// What the settings say, as the linear crate has it.
fn plan_of(
    recipe: Recipe,
    settings: &Settings,
    extract: &Extractor,
    cache: &Path,
    nominal: usize,
) -> Result<(FixedFeatureTraining, NoiseTarget, f64)> {
    let normalization = match recipe.scaling {
        FeatureScaling::Channels { norms_noise, statistics_noise } => {
            Normalization::Channels { bounds: extract.public_bounds(cache)?, norms_noise, statistics_noise }
        }
        FeatureScaling::Groups(groups) => Normalization::Groups(groups),
    };
    let (target, delta, clip) = match &settings.privacy {
        Some(privacy) => {
            for (given, why) in [
                (privacy.views > 1, "--views: features are fixed, so that there is one view of each image"),
                (
                    privacy.clipping != ClippingStyle::Flat,
                    "--clipping: heads on fixed features know flat clipping alone",
                ),
                (privacy.users.is_some(), "--users: heads on fixed features protect images alone"),
            ] {
                if given {
                    return Err(why.into());
                }
            }
            (privacy.noise, privacy.delta, privacy.clip)
        }
        // Longer than any gradient of cross-entropy on rows of norm 1.
        None => (NoiseTarget::NoiseMultiplier(0.0), 0.5 / nominal as f64, 2.0),
    };
    let training = FixedFeatureTraining {
        normalization,
        head: HeadTraining {
            loss: HeadLoss::CrossEntropy,
            rate: settings.learning_rate * clip,
            rule: UpdateRule::Momentum(settings.momentum),
            averaging: settings.average.map_or(Averaging::Last, Averaging::Exponential),
        },
        clip,
        sampling: Sampling::poisson(settings.batch_size.min(nominal), nominal),
        steps: settings.steps(nominal),
    };
    Ok((training, target, delta))
}

/// Epsilon of all earlier phases and `steps` of the last.
fn epsilon_after(plan: &PhasedPlan, steps: u64, private: bool) -> Result<f64> {
    if private { Ok(plan.epsilon_after(steps)?) } else { Ok(f64::INFINITY) }
}
