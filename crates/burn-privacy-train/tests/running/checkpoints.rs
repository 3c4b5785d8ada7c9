//! Checkpoints: a resumed run is the run that was not interrupted, spoiled files are found, other runs' are refused by name.
#![cfg(feature = "flex")]

use crate::line::{LineSession, RECORDS, data, device, losses, model, weights};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, SgdConfig};
use burn_privacy::ledger::Ledger;
use burn_privacy::plan::StepFunction;
use burn_privacy::prelude::*;
use burn_privacy_train::{CheckpointError, Checkpoints, TrainError, Trainer, TrainingHistory};
use tempfile::TempDir;

fn config(steps: u64) -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::quantile(1.0, 0.5, 1e-30))
        .with_steps(steps)
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-4)
}

/// A run in a folder: its ledger and its checkpoints.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn session(&self, config: PrivacyPlanConfig, dataset: &str, run: &str) -> LineSession {
        let ledger = Ledger::open(self.0.path().join("ledger.jsonl"), dataset).unwrap();
        let plan = config.build().unwrap();
        let session = plan.start(data(), crate::line::PointBatcher, &device(), Entropy::os()).unwrap();
        session.with_ledger(ledger, run).unwrap()
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::in_folder(self.0.path().join("checkpoints"))
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.checkpoints().folder()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// Trains for at most so many updates; weights (their average), and steps charged.
    fn train(&self, updates: u64, resume: bool) -> Result<(Vec<f32>, u64), TrainError> {
        self.train_session(self.session(config(30), "points", "line"), updates, resume)
    }

    fn train_session(&self, session: LineSession, updates: u64, resume: bool) -> Result<(Vec<f32>, u64), TrainError> {
        let mut trainer = Trainer::new(session, 0.0)
            .with_learning_rate_schedule(|step| 0.2 / (1.0 + step as f64))
            .with_weight_average(0.8)?
            .with_checkpoints(self.checkpoints(), 4);
        if resume {
            trainer = trainer.resuming();
        }
        let optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
        let mut asked = 0;
        let (model, statement) = trainer.train(model(&device()), optimizer, losses, |_, _| {
            asked += 1;
            Ok(asked <= updates)
        })?;
        Ok((weights(&model), statement.charged_steps))
    }
}

#[test]
fn a_resumed_run_is_the_one_that_was_not_interrupted() {
    // Without noise and with all records in each batch nothing is random but the initial model, which has constant weights.
    let whole = Place::new();
    let (expected, charged) = whole.train(u64::MAX, false).unwrap();
    assert_eq!(charged, 30);
    for interruptions in [&[7][..], &[4, 1, 13], &[29]] {
        let place = Place::new();
        let mut resume = false;
        for updates in interruptions {
            place.train(*updates, resume).unwrap();
            resume = true;
        }
        let (found, charged) = place.train(u64::MAX, true).unwrap();
        assert_eq!((&found, charged), (&expected, 30), "{interruptions:?}");
    }
}

#[test]
fn a_run_whose_noise_and_norm_have_schedules_is_resumed_within_a_stretch() {
    let scheduled = |first_norm: f64| {
        config(30)
            .with_clipping(Clipping::flat(0.5))
            .with_clipping_schedule(StepFunction::of([(0, first_norm), (9, 1.0), (21, 0.25)]))
            .with_noise_schedule(StepFunction::of([(0, 2.0), (12, 1.0)]))
    };
    let train = |place: &Place, updates, resume| {
        place.train_session(place.session(scheduled(2.0), "points", "line"), updates, resume).unwrap()
    };
    let (expected, charged) = train(&Place::new(), u64::MAX, false);
    assert_eq!(charged, 30);
    for interruptions in [&[5][..], &[10, 1, 2], &[12], &[22]] {
        let place = Place::new();
        for (index, updates) in interruptions.iter().enumerate() {
            train(&place, *updates, index > 0);
        }
        assert_eq!(train(&place, u64::MAX, true), (expected.clone(), 30), "{interruptions:?}");
    }
    // Another schedule is another plan.
    let place = Place::new();
    train(&place, 5, false);
    let other = place.session(scheduled(3.0), "points", "other");
    let refusal = place.train_session(other, u64::MAX, true).unwrap_err().to_string();
    assert!(refusal.contains("plan (clipping_schedule)"), "{refusal}");
}

#[test]
fn a_run_whose_plan_is_spent_has_nothing_to_resume() {
    let place = Place::new();
    place.train(u64::MAX, false).unwrap();
    let ledger = Ledger::open(place.0.path().join("ledger.jsonl"), "points").unwrap();
    let session =
        config(30).build().unwrap().start(data(), crate::line::PointBatcher, &device(), Entropy::os()).unwrap();
    let error = session.with_ledger(ledger, "line").unwrap_err().to_string();
    assert!(error.contains("30"), "{error}");
}

#[test]
fn the_last_few_are_kept_and_they_name_what_they_belong_to() {
    let place = Place::new();
    place.train(18, false).unwrap();
    let steps: Vec<String> =
        place.files().iter().map(|path| path.file_stem().unwrap().to_string_lossy().into()).collect();
    assert_eq!(steps, ["checkpoint-000000000012", "checkpoint-000000000016", "checkpoint-000000000018"]);
    let newest = place.checkpoints().newest().unwrap();
    assert_eq!((newest.steps(), newest.charged_steps(), newest.run(), newest.dataset()), (18, 18, "line", "points"));
}

#[test]
fn a_spoiled_file_is_found_and_the_one_before_it_taken() {
    let place = Place::new();
    place.train(18, false).unwrap();
    let newest = place.files().pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    let spoil = |bytes: &[u8]| {
        std::fs::write(&newest, bytes).unwrap();
        place.checkpoints().newest()
    };
    // Cut off anywhere.
    for length in [0, 1, 20, 60, 95, 200, bytes.len() / 2, bytes.len() - 1] {
        assert_eq!(spoil(&bytes[..length]).unwrap().steps(), 16, "{length}");
    }
    // One bit anywhere after the version.
    for at in (25..bytes.len()).step_by(bytes.len() / 200 + 1) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert_eq!(spoil(&flipped).unwrap().steps(), 16, "{at}");
    }
    // The run goes on from the file before it.
    spoil(&bytes[..99]).unwrap();
    let (_, charged) = place.train(u64::MAX, true).unwrap();
    assert_eq!(charged, 30);
    for path in place.files() {
        std::fs::write(path, "torn").unwrap();
    }
    // The last three, and the one that was cut off, which names no run that could remove it.
    assert!(matches!(place.checkpoints().newest(), Err(CheckpointError::AllDamaged { count: 4, .. })));
}

#[test]
fn another_version_plan_data_set_or_run_is_refused_by_name() {
    let place = Place::new();
    assert!(matches!(place.checkpoints().newest(), Err(CheckpointError::None { .. })));
    place.train(8, false).unwrap();
    let refused = |session: LineSession, words: &[&str]| {
        let message = place.train_session(session, u64::MAX, true).unwrap_err().to_string();
        for word in words {
            assert!(message.contains(word), "{word}: {message}");
        }
    };
    refused(place.session(config(31), "points", "other"), &["plan (steps)", "30", "31"]);
    let clipping = config(30).with_clipping(Clipping::flat(1.0));
    refused(place.session(clipping, "points", "flat"), &["plan (clipping)"]);
    refused(place.session(config(30), "points", "other run"), &["run in the ledger", "line", "other run"]);
    let elsewhere = Place::new();
    refused(elsewhere.session(config(30), "lines", "line"), &["data set", "points", "lines"]);
    let without_ledger =
        config(30).build().unwrap().start(data(), crate::line::PointBatcher, &device(), Entropy::os()).unwrap();
    refused(without_ledger, &["ledger"]);

    let newest = place.files().pop().unwrap();
    let bytes = std::fs::read(&newest).unwrap();
    for (version, words) in [("checkpoint 3", "version 3"), ("checkpoint 1", "version 1")] {
        let other = String::from_utf8_lossy(&bytes).replacen("checkpoint 2", version, 1);
        std::fs::write(&newest, other).unwrap();
        refused(place.session(config(30), "points", "line"), &[words, "version 2"]);
    }
}

#[test]
fn another_optimizer_setting_or_average_is_refused_by_name() {
    let place = Place::new();
    place.train(8, false).unwrap();
    let momentum = |factor| SgdConfig::new().with_momentum(Some(MomentumConfig::new().with_momentum(factor))).init();
    let (optimizer, decay) = ("another optimizer", "another decay of the weight average");
    for (given, average, words) in [
        (AdamConfig::new().init(), Some(0.8), optimizer),
        (SgdConfig::new().init(), Some(0.8), optimizer),
        (momentum(0.8), Some(0.8), optimizer),
        (momentum(0.9), Some(0.99), decay),
        (momentum(0.9), None, decay),
    ] {
        let session = place.session(config(30), "points", "line");
        let mut trainer = Trainer::new(session, 0.1).with_checkpoints(place.checkpoints(), 4).resuming();
        if let Some(decay) = average {
            trainer = trainer.with_weight_average(decay).unwrap();
        }
        let outcome = trainer.train(model(&device()), given, losses, |_, _| Ok(true));
        let refusal = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains(words), "{average:?}, {words}: {refusal}");
    }
    assert_eq!(place.train(u64::MAX, true).unwrap().1, 30);

    // An average where the file has none.
    let place = Place::new();
    let trainer = |average: bool| {
        let session = place.session(config(30), "points", "line");
        let trainer = Trainer::new(session, 0.1).with_checkpoints(place.checkpoints(), 4);
        if average { trainer.resuming().with_weight_average(0.8).unwrap() } else { trainer }
    };
    let mut asked = 0;
    let go_on = |_: &burn_privacy::nn::Linear, _| {
        asked += 1;
        Ok(asked <= 5)
    };
    let _ = trainer(false).train(model(&device()), momentum(0.9), losses, go_on).unwrap();
    let outcome = trainer(true).train(model(&device()), momentum(0.9), losses, |_, _| Ok(true));
    let refusal = outcome.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refusal.contains(decay) && refusal.contains("no average"), "{refusal}");
}

#[test]
fn a_new_run_in_an_old_folder_keeps_what_it_writes() {
    let place = Place::new();
    place.train(18, false).unwrap();
    for path in place.files() {
        std::fs::write(path, "torn").unwrap();
    }
    place.train(8, false).unwrap();
    assert_eq!(place.checkpoints().newest().unwrap().steps(), 8);
    assert_eq!(place.files().len(), 5, "what names no run stays");

    // The same where the files before are whole: the newest is the one after most charged steps.
    let place = Place::new();
    place.train(18, false).unwrap();
    place.train(8, false).unwrap();
    let newest = place.checkpoints().newest().unwrap();
    assert_eq!((newest.steps(), newest.charged_steps()), (8, 26));
    assert_eq!(place.files().len(), 3);
}

#[test]
fn each_run_in_a_folder_goes_on_from_its_own() {
    let place = Place::new();
    place.train(18, false).unwrap();
    let other = || place.session(config(30), "points", "other");
    place.train_session(other(), 8, false).unwrap();
    let found = place.train_session(other(), 2, true).unwrap();
    assert_eq!(found, Place::new().train(10, false).unwrap());
    assert_eq!(place.checkpoints().newest().unwrap().run(), "line", "it is not removed");
}

#[test]
fn a_model_that_does_not_fit_is_refused() {
    let place = Place::new();
    place.train(8, false).unwrap();
    let wider: burn_privacy::nn::Linear = burn_privacy::nn::LinearConfig::new(3, 1).init(&device());
    let error = place.checkpoints().newest().unwrap().model(wider).unwrap_err();
    assert!(matches!(error, CheckpointError::Model { .. }), "{error}");
}

#[test]
fn the_file_holds_no_key_and_its_tensors_no_device() {
    let place = Place::new();
    place.train(4, false).unwrap();
    let bytes = std::fs::read(place.files().pop().unwrap()).unwrap();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    for word in ["key", "seed", "entropy", "flex", "cpu", "device", "sample"] {
        // "sampling" is the plan's.
        assert!(!text.replace("sampling", "").contains(word), "{word}");
    }
}

#[test]
fn the_curve_goes_on() {
    let place = Place::new();
    let history = TrainingHistory::default();
    let session = place.session(config(30), "points", "line");
    let trainer = Trainer::new(session, 0.1).with_checkpoints(place.checkpoints(), 4).with_history(history.clone());
    let _ = trainer.train(model(&device()), SgdConfig::new().init(), losses, |_, _| Ok(true)).unwrap();
    assert!(history.curve().is_empty());
    assert!(place.checkpoints().newest().unwrap().curve().is_empty());
}
