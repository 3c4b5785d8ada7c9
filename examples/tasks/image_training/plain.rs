//! Training without privacy, to see what privacy costs.

use std::hash::{BuildHasher, RandomState};

use burn::data::dataloader::DataLoaderBuilder;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, ImageDataset};

use super::{Classifier, sgd};
use crate::Result;

/// What plain training needs, besides a model.
pub struct PlainTraining<'a> {
    /// Not protected.
    pub images: ImageDataset,
    /// With public constants.
    pub batcher: ImageBatcher,
    /// With autodiff.
    pub device: &'a Device,
    /// Images a step.
    pub batch_size: usize,
    /// Updates.
    pub steps: u64,
    /// Of SGD.
    pub learning_rate: f64,
    /// Of SGD.
    pub momentum: f64,
    /// Of the shuffling.
    pub seed: Option<u64>,
}

/// The same model trained in Burn's ordinary way, to see what privacy costs: shuffled batches, each image once an
/// epoch. Protects nobody. `go_on` is asked before the first step and after each.
///
/// # Errors
///
/// If a batch can't be loaded, and those of `go_on`.
pub fn train_plain<M: Classifier>(
    mut model: M,
    training: PlainTraining<'_>,
    mut go_on: impl FnMut(&M) -> Result<bool>,
) -> Result<M> {
    // Batches need no cryptographic randomness here.
    let seed = training.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let loader = DataLoaderBuilder::<_, ImageBatch>::new(training.batcher)
        .batch_size(training.batch_size)
        .shuffle(seed)
        .set_device(training.device.clone())
        .build(training.images);
    let loss = CrossEntropyLossConfig::new().init(training.device);
    let mut optimizer = sgd(training.momentum);
    let mut done = 0;
    loop {
        for batch in loader.iter() {
            if !go_on(&model)? || done == training.steps {
                return Ok(model);
            }
            let batch = batch?;
            let gradients = loss.forward(model.forward(batch.images), batch.labels).backward();
            let update = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(training.learning_rate, model, update);
            done += 1;
        }
    }
}
