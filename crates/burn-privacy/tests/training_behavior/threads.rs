//! Several sessions at once, in threads of one process.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use burn::data::dataset::InMemDataset;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Rows, Values, distance, flex, with_values};

/// Clones share their leaves in Burn's autodiff, where two threads that differentiate one leaf can wait for each other forever: at the
/// first use of a leaf, now and then, so that there are many models.
#[test]
fn clones_of_one_model_are_trained_side_by_side() {
    const MODELS: u64 = 500;
    let (done, all) = channel();
    thread::spawn(move || {
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::full_batch(16))
            .with_noise(NoiseLevel::multiplier(1.0))
            .with_delta(1e-4)
            .with_steps(1)
            .build()
            .unwrap();
        for number in 0..MODELS {
            let model: Linear = with_values(LinearConfig::new(3, 2).init(&flex()), number);
            thread::scope(|scope| {
                for seed in 0..4 {
                    let (model, plan) = (model.clone(), &plan);
                    scope.spawn(move || {
                        let data = InMemDataset::new(Values::new(seed).examples(16, 3, 2));
                        let session = plan.start(data, Rows, &flex(), Entropy::os()).unwrap();
                        let mut session = session.with_per_example(PerExample::Loop);
                        let step = session.next_step().unwrap().unwrap();
                        let losses =
                            |model: &Linear, batch: Batch| Ok(distance(model.forward(batch.input), batch.target));
                        let _ = step.gradients(&model, losses).unwrap();
                    });
                }
            });
        }
        done.send(MODELS).unwrap();
    });
    // Some seconds, where nobody waits.
    assert_eq!(all.recv_timeout(Duration::from_secs(50)), Ok(MODELS), "threads wait for each other");
}
