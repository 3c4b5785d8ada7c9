//! A run that is killed at random instants and resumed each time: what was charged is never less than what was released, and
//! never more than planned.
//!
//! The child is this test program itself, which runs one training until it is killed.
#![cfg(all(feature = "flex", unix))]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::line::{RECORDS, data, device, losses, model};
use burn::optim::SgdConfig;
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy_train::{Checkpoints, Trainer};

const FOLDER: &str = "BURN_PRIVACY_TEST_FOLDER";
const STEPS: u64 = 4_000;

/// Trains, resumed where there is a checkpoint, and notes every update that it got.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = Path::new(&folder);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(20, RECORDS))
        .with_clipping(Clipping::normalized())
        .with_steps(STEPS)
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .build()
        .unwrap();
    let ledger = Ledger::open(folder.join("ledger.jsonl"), "points").unwrap();
    let session = plan.start(data(), crate::line::PointBatcher, &device(), Entropy::os()).unwrap();
    let session = session.with_ledger(ledger, "line").unwrap();
    let checkpoints = Checkpoints::in_folder(folder.join("checkpoints"));
    let resume = checkpoints.newest().is_ok();
    let mut trainer = Trainer::new(session, 0.01).with_checkpoints(checkpoints, 5);
    if resume {
        trainer = trainer.resuming();
    }
    let mut released = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("released")).unwrap();
    let mut first = true;
    let _statement = trainer
        .train(model(&device()), SgdConfig::new().init(), losses, |_, _| {
            // Asked before the first step, and after each update.
            if !std::mem::take(&mut first) {
                released.write_all(b".")?;
            }
            Ok(true)
        })
        .unwrap();
    std::fs::write(folder.join("done"), "").unwrap();
}

fn kill_again_and_again(kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child", "--quiet"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let released = || std::fs::metadata(at("released")).map_or(0, |file| file.len());
    let charged = || {
        let history = Ledger::read(at("ledger.jsonl")).unwrap();
        history.charges().first().map_or(0, |charge| charge.steps)
    };
    let mut killed_in_training = 0;
    for kill in 0..kills {
        let before = released();
        let mut child = start();
        // Half of the children are let into the training before they are killed, at an instant of which nobody knows what it hits.
        let begun = Instant::now();
        while kill % 2 == 0 && released() == before && !at("done").exists() && begun.elapsed() < Duration::from_secs(20)
        {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(u64::from(std::process::id()) * 7_919 * (kill as u64 + 1) % 40_000));
        child.kill().unwrap();
        child.wait().unwrap();
        killed_in_training += usize::from(released() > before);
        if at("ledger.jsonl").exists() {
            assert!(charged() >= released(), "kill {kill}: {} charged, {} released", charged(), released());
            assert!(charged() <= STEPS);
        }
    }
    assert!(killed_in_training >= kills / 4, "only {killed_in_training} of {kills} kills hit the training");
    assert!(start().wait().unwrap().success(), "the last run ends by itself");
    assert!(at("done").exists());
    assert!(charged() >= released() && charged() <= STEPS, "{} charged, {} released", charged(), released());
}

#[test]
fn what_is_charged_is_never_less_than_what_is_released() {
    kill_again_and_again(20);
}

#[test]
#[ignore = "minutes, the same with 200 kills: cargo test --release --test running -- --ignored killed"]
fn the_same_with_two_hundred_kills() {
    kill_again_and_again(200);
}
