//! One run from the command line to the files it leaves.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use burn::prelude::*;
use burn_privacy::accounting::round_up_for_display;
use burn_privacy::datasets::ImageBatcher;
use burn_privacy::device::select_device;
use burn_privacy::ledger::Ledger;
use burn_privacy::plan::PrivacyPlan;
use burn_privacy::report::{
    ModelDescription, Protection, REPORT_SCHEMA, REPORT_VERSION, RunReport, Timing, Versions, utc_timestamp,
    write_atomically,
};

use crate::Result;
use crate::cli::Arguments;
use crate::data::Data;
use crate::interrupt::Interrupt;
use crate::models::{Classifier, HandoutCnn, LinearModel, QuickCnn, TanhCnn};
use crate::monitor::Results;
use crate::presets::{ModelName, value_name};
use crate::progress::{grouped, percent, say};
use crate::settings::Settings;
use crate::{plain, private};

/// How a run ended.
pub enum End {
    Finished,
    Interrupted,
}

/// What all parts of a run need.
pub struct Job<'a> {
    /// The run's name in the ledger.
    pub name: String,
    pub settings: &'a Settings,
    pub data: &'a Data,
    pub batcher: ImageBatcher,
    /// With autodiff.
    pub device: Device,
    pub interrupt: Interrupt,
}

/// A model, how good it is, and what can be said about its privacy.
pub struct Trained<M> {
    pub model: M,
    pub results: Results,
    pub protection: Protection,
}

/// Does all of it.
pub fn run(arguments: &Arguments) -> Result<End> {
    let start = Start { moment: SystemTime::now(), clock: Instant::now() };
    let interrupt = Interrupt::listen()?;
    let settings = Settings::resolve(arguments);
    require_writable(&arguments.out)?;
    let data = Data::load(arguments)?;
    say(&data.headline());

    let selected = select_device(arguments.device)?;
    say(&format!("Device:      {}", selected.description));
    let device = selected.device.autodiff();
    if let Some(seed) = settings.seed {
        device.seed(seed);
    }
    let job = Job {
        name: format!(
            "cifar_dp {} {} {}",
            value_name(settings.preset),
            utc_timestamp(start.moment),
            std::process::id()
        ),
        settings: &settings,
        data: &data,
        batcher: ImageBatcher::new(settings.pixel_scaling.normalization()),
        device: device.clone(),
        interrupt,
    };
    let place = Place { arguments, device: &selected.description, start };
    match settings.model {
        ModelName::Quick => job.finish_with(QuickCnn::new(&device), &place),
        ModelName::Tanh => job.finish_with(TanhCnn::new(&device), &place),
        ModelName::Handout => job.finish_with(HandoutCnn::new(&device), &place),
        ModelName::Linear => job.finish_with(LinearModel::new(&device), &place),
    }
}

/// Fails now and not after the training, if results can't be written to `folder`.
fn require_writable(folder: &Path) -> Result<()> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| format!("{}: {error}; give another folder with --out", folder.display()).into())
}

struct Start {
    moment: SystemTime,
    clock: Instant,
}

/// Where a run takes place, and when.
struct Place<'a> {
    arguments: &'a Arguments,
    device: &'a str,
    start: Start,
}

impl Place<'_> {
    /// One ledger counts one data set.
    fn ledger(&self, data: &Data) -> PathBuf {
        let named = || self.arguments.out.join(format!("privacy-ledger-{}.jsonl", data.short_name()));
        self.arguments.ledger.clone().unwrap_or_else(named)
    }
}

impl Job<'_> {
    fn finish_with<M: Classifier>(&self, model: M, place: &Place<'_>) -> Result<End> {
        let described =
            ModelDescription { name: self.settings.model.description().to_owned(), parameters: model.num_params() };
        say(&format!("Model:       {}, {} parameters", described.name, grouped(described.parameters)));
        let trained = self.train(model, place)?;
        let results = trained.results;
        let out = &place.arguments.out;

        write_atomically(out.join("model.bpk"), &*trained.model.into_record().into_bytes()?)?;
        let report = RunReport {
            schema: REPORT_SCHEMA.into(),
            version: REPORT_VERSION,
            program: "cifar_dp".into(),
            run: self.name.clone(),
            interrupted: results.interrupted,
            epsilon: trained.protection.epsilon(),
            test_accuracy: results.test_accuracy,
            validation_accuracy: results.validation_accuracy,
            settings: serde_json::to_value(self.settings)?,
            data: self.data.describe(),
            model: described,
            device: place.device.to_owned(),
            protection: trained.protection,
            curve: results.curve,
            timing: Timing {
                started: utc_timestamp(place.start.moment),
                total_seconds: place.start.clock.elapsed().as_secs_f64(),
                training_seconds: results.training.as_secs_f64(),
                evaluation_seconds: results.evaluation.as_secs_f64(),
                images_per_second: results.images_per_second,
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
        conclude(&report, out, &files);
        Ok(if self.interrupt.is_pressed() { End::Interrupted } else { End::Finished })
    }

    fn train<M: Classifier>(&self, model: M, place: &Place<'_>) -> Result<Trained<M>> {
        let settings = self.settings;
        let optimizer =
            format!("{}, learning rate {}, momentum {}", settings.optimizer, settings.learning_rate, settings.momentum);
        let Some(privacy) = &settings.privacy else {
            say("Plan:        NOT PRIVATE (--no-privacy): no clipping, no noise, epsilon = inf, nothing in a ledger");
            say(&format!(
                "             {} epochs of shuffled batches of {}",
                settings.epochs,
                grouped(settings.batch_size)
            ));
            say(&format!("Optimiser:   {optimizer}"));
            self.say_evaluation();
            return plain::train(model, self);
        };
        let plan = settings.plan(privacy, self.data.train.len())?;
        let path = place.ledger(self.data);
        let ledger = Ledger::open(&path, self.data.train.name())?;
        say_plan(&plan, settings)?;
        say(&format!("Optimiser:   {optimizer}"));
        say(&format!("Ledger:      {}", path.display()));
        self.say_evaluation();
        private::train(model, self, privacy, &plan, ledger)
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
        "Plan:        {} steps; each image joins a step with probability {:.5} ({} expected)",
        grouped(plan.steps() as usize),
        sampling.rate(),
        grouped(sampling.expected_batch_size()),
    ));
    say(&format!(
        "             clipping norm {}; noise multiplier {:.4}{target}",
        plan.clipping().norm(),
        plan.noise_multiplier()
    ));
    say(&format!(
        "             epsilon {} at delta {} in the end (PLD, upper bound; {} adjacency)",
        round_up_for_display(plan.epsilon(plan.delta())?),
        round_up_for_display(plan.delta()),
        plan.adjacency(),
    ));
    if let Some(seed) = settings.seed {
        say(&format!("             NOT PRIVATE: fixed seed {seed}, so none of these figures holds"));
    }
    Ok(())
}

/// The last lines of the output.
fn conclude(report: &RunReport, out: &Path, files: &[PathBuf]) {
    if let Some(accuracy) = report.validation_accuracy {
        say(&format!("\nValidation accuracy: {} ({} images)", percent(accuracy), grouped(report.data.validation)));
    }
    if let Some(accuracy) = report.test_accuracy {
        let space = if report.validation_accuracy.is_some() { "" } else { "\n" };
        say(&format!("{space}Test accuracy: {} ({} images)", percent(accuracy), grouped(report.data.test)));
    }
    match &report.protection {
        Protection::DifferentialPrivacy { statement, .. } => say(&format!("\n{statement}")),
        Protection::NotPrivate => {
            say(
                "\nNOT PRIVATE: trained without differential privacy, epsilon = inf. The model may reveal any of its training images.\n",
            );
        }
    }
    let names: Vec<&str> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    say(&format!("Wrote {}, model.bpk into {}", names.join(", "), out.display()));
}
