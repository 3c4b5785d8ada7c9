//! The tasks: data, and settings to start from.

use burn::prelude::*;
use burn_privacy::WeightAverage;
use burn_privacy::datasets::{Checksum, ImageBatcher, ImageDataset, MnistVariant};
use burn_privacy::plan::{Clipping, NoiseLevel, NoiseTarget, PrivacyPlan, PrivacyPlanConfig, Sampling};
use burn_privacy_examples::affordability::data::{Data, Household};
use burn_privacy_examples::affordability::{CLIPPING_NORM, LEARNING_RATE, SAMPLED, STEPS, generated};
use burn_privacy_examples::image_training::{ImageSource, Preset, value_name};
use burn_privacy_examples::{NominalSize, Result, cifar, mnist};
use clap::ValueEnum;

use crate::options::{Arguments, Options, TaskName};

/// Settings to start from.
pub struct Defaults {
    pub noises: Vec<NoiseTarget>,
    pub clip: f64,
    pub learning_rate: f64,
    pub batch_size: usize,
    pub epochs: f64,
}

/// How a trained model is scored.
#[derive(Clone, Copy)]
pub enum Scoring {
    /// On test data that are declared public.
    Public,
    /// On records that were held out of the training set and are private: the sum of scores from 0 to 1, one a record, has
    /// sensitivity 1, and gets Gaussian noise of this standard deviation.
    Paid(f64),
}

/// What is trained, with its data.
pub struct Task {
    pub defaults: Defaults,
    /// What a score is.
    pub score: &'static str,
    /// What public scores are computed on.
    pub scored_on: &'static str,
    /// In words.
    pub model: String,
    /// Bytes that one trial needs, as measured, on the safe side.
    pub memory: u64,
    pub kind: Kind,
    /// With autodiff.
    pub device: Device,
    pub scoring: Scoring,
}

pub enum Kind {
    Households(Box<HouseholdTask>),
    Images(Box<ImageTask>),
}

pub struct HouseholdTask {
    pub data: Data,
    pub train: Vec<Household>,
    /// Private, and scores if scoring is paid.
    pub held_out: Vec<Household>,
    /// Public numbers of both.
    pub nominal: NominalSize,
    pub nominal_held_out: usize,
}

pub struct ImageTask {
    pub train: ImageDataset,
    /// Private, and scores if scoring is paid.
    pub held_out: ImageDataset,
    /// Public numbers of both.
    pub nominal: NominalSize,
    pub nominal_held_out: usize,
    pub test: ImageDataset,
    pub batcher: ImageBatcher,
    pub momentum: f64,
    /// Decay of the average of the weights, if they are averaged.
    pub average: Option<f64>,
    /// Augmented views of each image.
    pub views: usize,
    pub plain_learning_rate: f64,
    pub plain_epochs: u64,
    pub model: Model,
}

impl HouseholdTask {
    /// The defaults with a clipping norm that clips nothing, without noise, and three times as long: steps cost nothing then, and what
    /// privacy costs is measured against a network that has arrived.
    pub fn plan_without_privacy(&self, defaults: &Defaults) -> Result<PrivacyPlan> {
        Ok(PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(defaults.batch_size, self.nominal.get()))
            .with_clipping(Clipping::flat(1e6))
            .with_noise(NoiseLevel::multiplier(0.0))
            .with_delta(1e-5)
            .with_epochs(3.0 * defaults.epochs)
            .build()?)
    }
}

/// Why fixed features are not swept.
pub const NO_SWEEP: &str = "presets on fixed features can't be swept: a sweep charges one kind of step, and their plans have \
     phases, or their features are made first. Run mnist_dp or cifar_dp with them, once for each setting";

#[derive(Clone, Copy)]
pub enum Model {
    Cifar(cifar::ModelName),
    Mnist(mnist::ModelName),
}

impl Task {
    /// Loads the data of a task.
    pub fn load(arguments: &Arguments, options: &Options, scoring: Scoring, device: Device) -> Result<Self> {
        let name = options.task.unwrap_or(TaskName::Affordability);
        let data = options.data.as_deref();
        let checksum = if arguments.unverified { Checksum::Skip } else { Checksum::Verify };
        let of_mnist = |variant| -> Result<Self> {
            let preset = preset::<mnist::PresetName>(options, mnist::PresetName::Tf1)?.settings();
            let source = mnist::source(variant, data, arguments.download, checksum)?;
            if preset.model == mnist::ModelName::ScatterLinear {
                return Err(NO_SWEEP.into());
            }
            let words = preset.model.description();
            Self::images(source, preset, Model::Mnist(preset.model), words, (arguments, options), scoring, &device)
        };
        match name {
            TaskName::Affordability => Self::households(options, scoring, &device),
            TaskName::Cifar => {
                let preset = preset::<cifar::PresetName>(options, cifar::PresetName::Quick)?.settings();
                let source = cifar::source(data, arguments.download)?;
                if matches!(
                    preset.model,
                    cifar::ModelName::ScatterLinear
                        | cifar::ModelName::ScatterPatches
                        | cifar::ModelName::ScatterCnn
                        | cifar::ModelName::PublicLinear
                ) {
                    return Err(NO_SWEEP.into());
                }
                let words = preset.model.description();
                Self::images(source, preset, Model::Cifar(preset.model), words, (arguments, options), scoring, &device)
            }
            TaskName::Mnist => of_mnist(MnistVariant::Digits),
            TaskName::FashionMnist => of_mnist(MnistVariant::Fashion),
        }
    }

    fn households(options: &Options, scoring: Scoring, device: &Device) -> Result<Self> {
        let given = [
            ("--preset", options.preset.is_some()),
            ("--average", options.average.is_some()),
            ("--data", options.data.is_some()),
        ];
        if let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) {
            return Err(format!("the task affordability knows no {flag}: leave it out, or give another --task").into());
        }
        let data = generated::generated_data_of(options.nominal_size)?;
        let mut train = data.households();
        let (nominal, nominal_held_out) = held_in(scoring, &data.nominal);
        let held_out = train.split_off(train.len().saturating_sub(nominal_held_out));
        let batch_size = nominal.get() / SAMPLED;
        Ok(Self {
            defaults: Defaults {
                noises: [0.5, 1.0, 2.0, 4.0, 8.0].map(NoiseTarget::Epsilon).into(),
                clip: CLIPPING_NORM,
                learning_rate: LEARNING_RATE,
                batch_size,
                epochs: STEPS as f64 * batch_size as f64 / nominal.get() as f64,
            },
            score: "Test R²",
            scored_on: "test households",
            model: "4 features, dense 10, ReLU, dense 1 (61 parameters)".into(),
            memory: 100 << 20,
            kind: Kind::Households(Box::new(HouseholdTask { data, train, held_out, nominal, nominal_held_out })),
            device: device.clone(),
            scoring,
        })
    }

    fn images<M>(
        source: ImageSource,
        preset: Preset<M>,
        model: Model,
        words: &str,
        (arguments, options): (&Arguments, &Options),
        scoring: Scoring,
        device: &Device,
    ) -> Result<Self> {
        if let Some(decay) = options.average {
            WeightAverage::new(decay)?;
        }
        let nominal = NominalSize::new(options.nominal_size, source.published)?.at_most(arguments.limit_train);
        let train = source.train;
        let train = train.slice(0..arguments.limit_train.map_or(train.len(), |limit| train.len().min(limit)))?;
        let (train, nominal, test, scored_on) = match source.test {
            Some(test) => (train, nominal, test, "test images"),
            None => {
                let tenth = nominal.get() / 10;
                let (train, test) = train.split_at(train.len().saturating_sub(tenth))?;
                let nominal = nominal.derived(nominal.get() - tenth, "nine tenths of");
                (train, nominal, test, "the last tenth of the training images, which are held out")
            }
        };
        let (nominal, nominal_held_out) = held_in(scoring, &nominal);
        let (train, held_out) = train.split_at(train.len().saturating_sub(nominal_held_out))?;
        Ok(Self {
            defaults: Defaults {
                noises: vec![preset.noise],
                clip: preset.clip,
                learning_rate: preset.learning_rate,
                batch_size: preset.batch_size,
                epochs: preset.epochs as f64,
            },
            score: "Test accuracy (%)",
            scored_on,
            model: words.to_owned(),
            memory: 1 << 30,
            kind: Kind::Images(Box::new(ImageTask {
                train,
                held_out,
                nominal,
                nominal_held_out,
                test,
                batcher: ImageBatcher::new(preset.scaling.normalization()),
                momentum: preset.momentum,
                average: options.average.or(preset.average),
                views: preset.views as usize,
                plain_learning_rate: preset.plain_learning_rate,
                // Without noise, more than the tutorials' 20 only take time.
                plain_epochs: preset.epochs.min(20),
                model,
            })),
            device: device.clone(),
            scoring,
        })
    }

    /// Name of the training data, and how many there are nominally.
    pub fn dataset(&self) -> (&str, &NominalSize) {
        match &self.kind {
            Kind::Households(households) => (&households.data.name, &households.nominal),
            Kind::Images(images) => (images.train.name(), &images.nominal),
        }
    }
}

/// The preset of that name.
fn preset<P: ValueEnum>(options: &Options, default: P) -> Result<P> {
    let Some(name) = &options.preset else { return Ok(default) };
    P::from_str(name, false).map_err(|_| {
        let known: Vec<String> = P::value_variants().iter().map(|preset| value_name(preset.clone())).collect();
        format!("there is no preset {name:?} for this task: use one of {}", known.join(", ")).into()
    })
}

/// The public numbers of records that are trained on and that score: all and none, or nine tenths and a tenth.
///
/// The last records of the data set score, as many as follow from its public number. One that leaves changes at most one of
/// those that are trained on, and at most one of those that score.
fn held_in(scoring: Scoring, nominal: &NominalSize) -> (NominalSize, usize) {
    match scoring {
        Scoring::Public => (nominal.clone(), 0),
        Scoring::Paid(_) => {
            let tenth = nominal.get() / 10;
            (nominal.derived(nominal.get() - tenth, "nine tenths of"), tenth)
        }
    }
}
