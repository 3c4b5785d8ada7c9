//! Training without privacy, to see what privacy costs.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, ImageDataset};
use burn_privacy_train::OrdinaryTrainer;

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
    model: M,
    training: PlainTraining<'_>,
    go_on: impl FnMut(&M) -> Result<bool>,
) -> Result<M> {
    let loss = CrossEntropyLossConfig::new().init(training.device);
    let PlainTraining { images, batcher, device, batch_size, steps, learning_rate, momentum, seed } = training;
    let trainer = OrdinaryTrainer::new(images, batcher, device, batch_size, steps);
    let mean = |model: &M, batch: ImageBatch| Ok(loss.forward(model.forward(batch.images), batch.labels));
    Ok(trainer.with_learning_rate(learning_rate).with_seed(seed).train(model, sgd(momentum), mean, go_on)?)
}
