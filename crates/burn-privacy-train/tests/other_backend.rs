//! A run that was saved on the CPU goes on on another backend. A program of its own: a process brings a GPU up once.
#![cfg(all(feature = "flex", feature = "wgpu"))]

#[path = "running/line/mod.rs"]
mod line;
#[path = "../../burn-privacy-kernels/src/backends/cube/on_adapter.rs"]
mod on_adapter;

use burn::optim::SgdConfig;
use burn::optim::momentum::MomentumConfig;
use burn::prelude::*;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy_train::{Checkpoints, Trainer};
use line::{RECORDS, data, device, losses, model, weights};

/// Trains for at most so many updates in a folder.
fn train(folder: &std::path::Path, device: &Device, updates: u64, resume: bool) -> (Vec<f32>, u64) {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::flat(0.5))
        .with_steps(14)
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-4)
        .build()
        .unwrap();
    let ledger = Ledger::open(folder.join("ledger.jsonl"), "points").unwrap();
    let session = plan.start(data(), line::PointBatcher, device, Entropy::os()).unwrap();
    let session = session.with_physical_batch(RECORDS).with_ledger(ledger, "line").unwrap();
    let mut trainer =
        Trainer::new(session, 0.2).with_checkpoints(Checkpoints::in_folder(folder.join("checkpoints")), 4);
    if resume {
        trainer = trainer.resuming();
    }
    let optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    let mut asked = 0;
    let trained = trainer.train(model(device), optimizer, losses, |_, _| {
        asked += 1;
        Ok(asked <= updates)
    });
    let (model, statement) = trained.unwrap();
    (weights(&model), statement.charged_steps)
}

#[test]
fn saved_on_the_cpu_resumed_on_a_gpu_and_back() {
    let adapter = select_device(DeviceChoice::Wgpu);
    let adapter = adapter.map(|selected| (selected.description, selected.device.autodiff()));
    on_adapter::on_adapter("saved_on_the_cpu_resumed_on_a_gpu_and_back", adapter, |gpu| {
        let whole = tempfile::tempdir().unwrap();
        let (expected, _) = train(whole.path(), &device(), u64::MAX, false);
        let moved = tempfile::tempdir().unwrap();
        train(moved.path(), &device(), 5, false);
        train(moved.path(), &gpu, 4, true);
        let (found, charged) = train(moved.path(), &device(), u64::MAX, true);
        assert_eq!(charged, 14);
        // Without noise nothing is random; a GPU rounds otherwise.
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        assert!((expected[0] - 0.25).abs() > 0.1, "something was learned: {expected:?}");
    });
}
