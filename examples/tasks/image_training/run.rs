//! A run of a program, from its start to the files that it leaves.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use burn::prelude::*;
use burn_privacy::accounting::round_up_for_display;
use burn_privacy::datasets::ImageBatcher;
use burn_privacy::device::select_device;
use burn_privacy::ledger::Ledger;
use burn_privacy::plan::{PrivacyPlan, ProtectedUnit};
use burn_privacy::report::{
    ModelDescription, Protection, REPORT_SCHEMA, REPORT_VERSION, RunReport, Timing, Versions, utc_timestamp,
    write_atomically,
};
use burn_privacy_linear::Normalizer;
use burn_privacy_output::grouped;
use burn_privacy_train::{Checkpoints, Interrupt, Monitor, RunLength, RunSummary};

use super::{
    Classifier, End, FeatureSource, ImageData, PlainTraining, PretrainedArguments, PrivacySettings, PrivateTraining,
    Recipe, Settings, TrainingArguments, accuracy, fixed_features, percent, say, train_plain, train_private,
};
use crate::{Result, require_writable};

/// Steps between the checkpoints of a resumed run, if nothing else is said.
const CHECKPOINT_EVERY: u64 = 100;

/// A run of a program, from its start on.
pub struct Run {
    program: &'static str,
    out: PathBuf,
    interrupt: Interrupt,
    moment: SystemTime,
    clock: Instant,
}

impl Run {
    /// Starts the clock, listens for Ctrl-C and sets the process up for training.
    ///
    /// # Errors
    ///
    /// If results can't be written to the folder `out`.
    pub fn begin(program: &'static str, out: &Path) -> Result<Self> {
        let (moment, clock) = (SystemTime::now(), Instant::now());
        require_writable(out)?;
        burn_privacy::keep_freed_memory();
        Ok(Self { program, out: out.to_owned(), interrupt: Interrupt::listen()?, moment, clock })
    }

    /// Says what will be trained on, and where.
    ///
    /// # Errors
    ///
    /// If the device is not available.
    pub fn job(self, settings: Settings, data: ImageData, arguments: &TrainingArguments) -> Result<Job> {
        say(&data.headline());
        let selected = select_device(arguments.device)?;
        say(&format!("Device:      {}", selected.description));
        let device = selected.device.autodiff();
        if let Some(seed) = settings.seed {
            device.seed(seed);
        }
        // One ledger counts one data set.
        let named = || self.out.join(format!("privacy-ledger-{}.jsonl", data.short_name()));
        let folder = Checkpoints::in_folder(self.out.join("checkpoints"));
        let name = if arguments.resume {
            folder.newest()?.run().to_owned()
        } else {
            format!("{} {} {} {}", self.program, settings.preset, utc_timestamp(self.moment), std::process::id())
        };
        // A resumed run goes on writing them.
        let every = arguments.checkpoint_every.or(arguments.resume.then_some(CHECKPOINT_EVERY));
        let checkpoints = every.map(|every| (folder, every, arguments.resume));
        Ok(Job {
            name,
            checkpoints,
            ledger: arguments.ledger.clone().unwrap_or_else(named),
            batcher: ImageBatcher::new(settings.pixel_scaling.normalization()),
            interrupt: self.interrupt.clone(),
            device_name: selected.description,
            weights: arguments.weights.clone(),
            settings,
            data,
            device,
            run: self,
        })
    }
}

/// What all parts of a run need.
pub struct Job {
    run: Run,
    /// The run's name in the ledger.
    name: String,
    ledger: PathBuf,
    /// Where checkpoints go, after how many steps each, and whether to go on from them.
    checkpoints: Option<(Checkpoints, u64, bool)>,
    weights: PretrainedArguments,
    settings: Settings,
    data: ImageData,
    batcher: ImageBatcher,
    /// With autodiff.
    device: Device,
    device_name: String,
    interrupt: Interrupt,
}

/// A model, how good it is, and what can be said about its privacy.
struct Trained<M> {
    model: M,
    results: RunSummary,
    test_accuracy: Option<f64>,
    validation_accuracy: Option<f64>,
    protection: Protection,
}

impl Job {
    /// Where models belong: with autodiff, and seeded if the run is.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Trains a model, described in words, evaluates it and writes everything.
    ///
    /// # Errors
    ///
    /// Those of training, of the ledger and of the folder.
    pub fn finish_with<M: Classifier>(&self, model: M, description: &str) -> Result<End> {
        let model = self.weights.load_into(model)?;
        let described = ModelDescription { name: description.to_owned(), parameters: model.num_params() };
        say(&format!("Model:       {}, {} parameters", described.name, grouped(described.parameters)));
        let trained = self.train(model)?;
        let Trained { model, results, test_accuracy, validation_accuracy, protection } = trained;
        write_atomically(self.run.out.join("model.bpk"), &*model.into_record().into_bytes()?)?;
        self.write_report(described, results, [validation_accuracy, test_accuracy], protection, "model.bpk")
    }

    /// Makes fixed features, trains a linear head on them, evaluates it and writes everything.
    ///
    /// # Errors
    ///
    /// Those of the features, of training, of the ledger and of the folder.
    pub fn finish_with_features(
        &self,
        recipe: Recipe,
        source: FeatureSource<'_>,
        cache: &Path,
        description: &str,
    ) -> Result<End> {
        if self.checkpoints.is_some() {
            return Err(
                "--checkpoint-every and --resume: a head on fixed features is trained in minutes, from the start"
                    .into(),
            );
        }
        let ledger = (self.ledger.as_path(), self.name.as_str());
        let recipe = (recipe, source);
        let trained = fixed_features::train(recipe, &self.settings, &self.data, ledger, cache, &self.interrupt)?;
        let fixed_features::Trained { model, results, test_accuracy, validation_accuracy, protection } = trained;
        let described = ModelDescription { name: description.to_owned(), parameters: model.head.weights().len() };
        let out = &self.run.out;
        model.head.write_npy(&out.join("head.npy"))?;
        let mut files = "head.npy";
        if let Normalizer::Channels(statistics) = &model.normalizer {
            let statistics = serde_json::json!({
                "means": statistics.means(),
                "standard_deviations": statistics.deviations(),
            });
            write_atomically(out.join("normalization.json"), statistics.to_string())?;
            files = "head.npy, normalization.json";
        }
        self.write_report(described, results, [validation_accuracy, test_accuracy], protection, files)
    }

    fn write_report(
        &self,
        described: ModelDescription,
        results: RunSummary,
        [validation_accuracy, test_accuracy]: [Option<f64>; 2],
        protection: Protection,
        model_files: &str,
    ) -> Result<End> {
        let out = &self.run.out;
        let report = RunReport {
            schema: REPORT_SCHEMA.into(),
            version: REPORT_VERSION,
            program: self.run.program.into(),
            run: self.name.clone(),
            interrupted: results.interrupted,
            epsilon: protection.epsilon(),
            test_accuracy,
            validation_accuracy,
            settings: serde_json::to_value(&self.settings)?,
            data: self.data.describe(),
            model: described,
            device: self.device_name.clone(),
            protection,
            curve: results.curve,
            timing: Timing {
                started: utc_timestamp(self.run.moment),
                total_seconds: self.run.clock.elapsed().as_secs_f64(),
                training_seconds: results.training.as_secs_f64(),
                evaluation_seconds: results.evaluation.as_secs_f64(),
                examples_per_second: results.examples_per_second,
            },
            versions: Versions::current(),
        };
        let files = report.write(out)?;
        if results.interrupted {
            let (done, planned) = (grouped(results.steps as usize), grouped(results.planned as usize));
            say(&format!(
                "\nInterrupted after {done} of {planned} steps; the figures below are those of the steps made."
            ));
        }
        conclude(&report, out, &files, model_files);
        Ok(if self.interrupt.is_pressed() { End::Interrupted } else { End::Finished })
    }

    fn train<M: Classifier>(&self, model: M) -> Result<Trained<M>> {
        let settings = &self.settings;
        let mut optimizer =
            format!("{}, learning rate {}, momentum {}", settings.optimizer, settings.learning_rate, settings.momentum);
        if let Some(decay) = settings.average {
            optimizer.push_str(&format!("; weights averaged with decay {decay}"));
        }
        let Some(privacy) = &settings.privacy else {
            say("Plan:        NOT PRIVATE (--no-privacy): no clipping, no noise, epsilon = inf, nothing in a ledger");
            say(&format!(
                "             {} epochs of shuffled batches of {}",
                settings.epochs,
                grouped(settings.batch_size)
            ));
            say(&format!("Optimizer:   {optimizer}"));
            self.say_evaluation();
            return self.train_plain(model);
        };
        let units = privacy.users.map_or(self.data.nominal_size().get(), |users| users as usize);
        let plan = settings.plan(privacy, units)?;
        let ledger = Ledger::open(&self.ledger, self.data.train.name())?;
        say_plan(&plan, settings)?;
        say(&format!("Optimizer:   {optimizer}"));
        if privacy.views > 1 {
            say(&format!("Views:       {} of each image, clipped as one", privacy.views));
        }
        say(&format!("Ledger:      {}", self.ledger.display()));
        self.say_evaluation();
        self.train_private(model, &plan, privacy, ledger)
    }

    fn train_private<M: Classifier>(
        &self,
        model: M,
        plan: &PrivacyPlan,
        privacy: &PrivacySettings,
        ledger: Ledger,
    ) -> Result<Trained<M>> {
        let mut monitor = self.monitor(plan.steps(), 1.0 / plan.sampling().rate(), true);
        let training = PrivateTraining {
            plan,
            images: self.data.train.clone(),
            batcher: self.batcher,
            device: &self.device,
            entropy: self.settings.entropy(),
            ledger: Some((ledger, &self.name)),
            users: privacy.users,
            physical_batch: privacy.physical_batch,
            views: privacy.views,
            learning_rate: self.settings.learning_rate,
            momentum: self.settings.momentum,
            average: self.settings.average,
            checkpoints: self.checkpoints.clone(),
            history: monitor.history(),
        };
        let (model, mut statement) = train_private(model, training, |model, epsilon| {
            Ok(monitor.watch(model, epsilon, |model| self.monitored_accuracy(model))?)
        })?;
        statement.assumptions.push(self.data.nominal_size().assumption());
        statement.assumptions.extend(self.weights.assumption());
        let (plan, statement) = (Box::new(plan.clone()), Box::new(statement));
        self.evaluated(model, monitor, Protection::DifferentialPrivacy { plan, statement })
    }

    fn train_plain<M: Classifier>(&self, model: M) -> Result<Trained<M>> {
        let settings = &self.settings;
        let batches = self.data.train.len().div_ceil(settings.batch_size) as u64;
        let steps = (settings.epochs * batches).min(settings.max_steps.unwrap_or(u64::MAX));
        let mut monitor = self.monitor(steps, batches as f64, false);
        let training = PlainTraining {
            images: self.data.train.clone(),
            batcher: self.batcher,
            device: &self.device,
            batch_size: settings.batch_size,
            steps,
            learning_rate: settings.learning_rate,
            momentum: settings.momentum,
            seed: settings.seed,
        };
        let model = train_plain(model, training, |model| {
            Ok(monitor.watch(model, f64::INFINITY, |model| self.monitored_accuracy(model))?)
        })?;
        self.evaluated(model, monitor, Protection::NotPrivate)
    }

    fn monitor(&self, steps: u64, steps_per_epoch: f64, private: bool) -> Monitor {
        let Settings { epochs, batch_size, .. } = self.settings;
        let length = RunLength { steps, steps_per_epoch, epochs, batch_size, private };
        let column = format!("{} accuracy", self.data.monitored().0.name());
        Monitor::start(length, "images", &column, &self.device, &self.interrupt)
    }

    /// On the images that are evaluated on after each epoch.
    fn monitored_accuracy<M: Classifier>(&self, model: &M) -> Result<Option<f64>> {
        accuracy(model, self.data.monitored().1, &self.batcher, &self.device)
    }

    /// The last evaluations.
    fn evaluated<M: Classifier>(&self, model: M, mut monitor: Monitor, protection: Protection) -> Result<Trained<M>> {
        monitor.finish(&model, |model| self.monitored_accuracy(model))?;
        let of_test = self.data.validation.is_some();
        let test =
            of_test.then(|| monitor.evaluating(|| accuracy(&model, &self.data.test, &self.batcher, &self.device)));
        let test = test.transpose()?;
        let results = monitor.summary();
        let (validation_accuracy, test_accuracy) = match test {
            Some(test) => (results.score, test),
            None => (None, results.score),
        };
        Ok(Trained { model, results, test_accuracy, validation_accuracy, protection })
    }

    fn say_evaluation(&self) {
        let (part, _) = self.data.monitored();
        say(&format!(
            "Evaluation:  {} images, {};\n             no figure of the training images is shown\n",
            part.name(),
            self.data.evaluation()
        ));
    }
}

fn say_plan(plan: &PrivacyPlan, settings: &Settings) -> Result<()> {
    let sampling = plan.sampling();
    let target = plan.target_epsilon().map_or(String::new(), |target| format!("; calibrated to epsilon {target}"));
    say(&format!(
        "Plan:        {} steps; each {} joins a step with probability {:.5} ({} expected)",
        grouped(plan.steps() as usize),
        if plan.protected_unit() == ProtectedUnit::User { "user" } else { "image" },
        sampling.rate(),
        grouped(sampling.expected_batch_size()),
    ));
    say(&format!("             {}; noise multiplier {:.4}{target}", plan.clipping(), plan.noise_multiplier()));
    let planned = plan.epsilon_report(plan.delta())?;
    say(&format!(
        "             epsilon {} at delta {} in the end ({}, upper bound; {} adjacency)",
        round_up_for_display(planned.epsilon),
        round_up_for_display(plan.delta()),
        planned.accountant,
        plan.adjacency(),
    ));
    if let Some(seed) = settings.seed {
        say(&format!("             NOT PRIVATE: fixed seed {seed}, so none of these figures holds"));
    }
    Ok(())
}

/// The last lines of the output.
fn conclude(report: &RunReport, out: &Path, files: &[PathBuf], model_files: &str) {
    if let Some(accuracy) = report.validation_accuracy {
        say(&format!("\nValidation accuracy: {} ({} images)", percent(accuracy), grouped(report.data.validation)));
    }
    if let Some(accuracy) = report.test_accuracy {
        let space = if report.validation_accuracy.is_some() { "" } else { "\n" };
        say(&format!("{space}Test accuracy: {} ({} images)", percent(accuracy), grouped(report.data.test)));
    }
    match &report.protection {
        Protection::DifferentialPrivacy { statement, .. } => say(&format!("\n{statement}")),
        Protection::PhasedDifferentialPrivacy { statement } => say(&format!("\n{statement}")),
        Protection::NotPrivate => {
            say(
                "\nNOT PRIVATE: trained without differential privacy, epsilon = inf. The model may reveal any of its training images.\n",
            );
        }
    }
    let names: Vec<&str> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    say(&format!("Wrote {}, {model_files} into {}", names.join(", "), out.display()));
}
