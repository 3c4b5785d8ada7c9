//! The same model trained in Burn's ordinary way, to see what privacy costs. Protects nobody.

use std::hash::{BuildHasher, RandomState};

use burn::data::dataloader::DataLoaderBuilder;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn_privacy::datasets::ImageBatch;
use burn_privacy::report::Protection;

use crate::Result;
use crate::models::Classifier;
use crate::monitor::Monitor;
use crate::run::{Job, Trained};

/// Trains on shuffled batches, each image once an epoch.
pub fn train<M: Classifier>(mut model: M, job: &Job<'_>) -> Result<Trained<M>> {
    let settings = job.settings;
    let batches = job.data.train.len().div_ceil(settings.batch_size) as u64;
    let steps = (settings.epochs * batches).min(settings.max_steps.unwrap_or(u64::MAX));
    // Batches need no cryptographic randomness here.
    let seed = settings.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let loader = DataLoaderBuilder::<_, ImageBatch>::new(job.batcher)
        .batch_size(settings.batch_size)
        .shuffle(seed)
        .set_device(job.device.clone())
        .build(job.data.train.clone());
    let loss = CrossEntropyLossConfig::new().init(&job.device);
    let mut optimizer = settings.optimizer();
    let mut monitor = Monitor::start(job, steps, batches as f64, false);

    'training: loop {
        for batch in loader.iter() {
            if job.interrupt.is_pressed() || monitor.steps() == steps {
                break 'training;
            }
            monitor.step_begins();
            let batch = batch?;
            let gradients = loss.forward(model.forward(batch.images), batch.labels).backward();
            let update = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(settings.learning_rate, model, update);
            monitor.step_ends(&model, f64::INFINITY)?;
        }
    }

    let results = monitor.finish(&model)?;
    Ok(Trained { model, results, protection: Protection::NotPrivate })
}
