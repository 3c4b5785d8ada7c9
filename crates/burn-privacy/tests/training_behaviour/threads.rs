//! Several sessions at once, in threads of one process.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use burn::data::dataset::InMemDataset;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Rows, Values, distance, flex, with_values};

/// Clones share their leaves in Burn's autodiff, where two threads that differentiate one leaf can wait for each other forever.
#[test]
fn clones_of_one_model_are_trained_side_by_side() {
    const THREADS: u64 = 4;
    let model: Linear = with_values(LinearConfig::new(3, 2).init(&flex()), 9);
    let (done, threads) = channel();
    for seed in 0..THREADS {
        let (model, done) = (model.clone(), done.clone());
        thread::spawn(move || {
            let plan = PrivacyPlanConfig::new()
                .with_sampling(Sampling::full_batch(8))
                .with_noise(NoiseLevel::multiplier(1.0))
                .with_delta(1e-4)
                .with_steps(150)
                .build()
                .unwrap();
            let data = InMemDataset::new(Values::new(seed).examples(8, 3, 2));
            let session = plan.start(data, Rows, &flex(), Entropy::os()).unwrap();
            let mut session = session.with_per_example(PerExample::Loop);
            while let Some(step) = session.next_step().unwrap() {
                let losses = |model: &Linear, batch: Batch| Ok(distance(model.forward(batch.input), batch.target));
                let _ = step.gradients(&model, losses).unwrap();
            }
            done.send(session.finish().unwrap().charged_steps).unwrap();
        });
    }
    for _ in 0..THREADS {
        // Seconds, where nobody waits.
        assert_eq!(threads.recv_timeout(Duration::from_secs(50)), Ok(150), "threads wait for each other");
    }
}
