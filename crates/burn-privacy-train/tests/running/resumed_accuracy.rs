//! Runs that were interrupted and resumed end where uninterrupted ones do: the same distribution of the final loss.
#![cfg(feature = "flex")]

use crate::line::{LineSession, PointBatcher, Points, RECORDS, data, device, losses, model};
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy_train::{Checkpoints, TrainError, Trainer};

const RUNS: usize = 20;
const STEPS: u64 = 40;

fn plan() -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(RECORDS / 4, RECORDS))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::multiplier(4.0))
        .with_delta(1e-4)
        .with_steps(STEPS)
        .build()
        .unwrap()
}

/// Half the mean squared distance of the final line, after interruptions once so many updates are made; keys are the system's.
fn final_loss(interruptions: &[u64]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let session = || -> LineSession {
        let ledger = Ledger::open(folder.path().join("ledger.jsonl"), "points").unwrap();
        let session = plan().start(data(), PointBatcher, &device(), Entropy::os()).unwrap();
        session.with_ledger(ledger, "line").unwrap()
    };
    let train = |updates: u64, resuming: bool| -> Result<_, TrainError> {
        let checkpoints = Checkpoints::in_folder(folder.path().join("checkpoints"));
        let mut trainer = Trainer::new(session(), 0.1).with_checkpoints(checkpoints, 3);
        if resuming {
            trainer = trainer.resuming();
        }
        let optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
        let mut asked = 0;
        trainer.train(model(&device()), optimizer, losses, |_, _| {
            asked += 1;
            Ok(asked <= updates)
        })
    };
    let mut resuming = false;
    for updates in interruptions {
        let _ = train(*updates, resuming).unwrap();
        resuming = true;
    }
    let (line, statement) = train(u64::MAX, resuming).unwrap();
    assert_eq!(statement.charged_steps, STEPS);
    let all: Vec<crate::line::Point> = (0..RECORDS).map(|index| data().get(index).unwrap()).collect();
    let points: Points = PointBatcher.batch(all, &device());
    f64::from(losses(&line, points).unwrap().mean().into_scalar::<f32>())
}

/// The rank-sum statistic as a normal variable (Mann and Whitney 1947).
fn rank_sum(first: &[f64], second: &[f64]) -> f64 {
    let below = |value: &f64| second.iter().filter(|other| *other < value).count() as f64;
    let wins: f64 = first.iter().map(below).sum();
    let (n, m) = (first.len() as f64, second.len() as f64);
    (wins - 0.5 * n * m) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[test]
fn resumed_runs_end_where_uninterrupted_ones_do() {
    let whole: Vec<f64> = (0..RUNS).map(|_| final_loss(&[])).collect();
    let interruption = |run: usize| [1 + (run as u64 * 7) % 20, 1 + (run as u64 * 3) % 15];
    let resumed: Vec<f64> = (0..RUNS).map(|run| final_loss(&interruption(run))).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let z = rank_sum(&resumed, &whole);
    println!("final loss: uninterrupted {:.5}, resumed {:.5}; rank sum z = {z:.2}", mean(&whole), mean(&resumed));
    // False failures below 1e-6.
    assert!(z.abs() < 4.9, "{z}");
    let learned = mean(&whole);
    // It begins at 0.396.
    assert!(learned < 0.35, "the line was learned: {learned}");
}
