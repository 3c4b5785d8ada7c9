use std::hash::{BuildHasher, RandomState};

use burn::data::dataloader::DataLoaderBuilder;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::GradientsParams;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, ImageDataset};

use super::{Classifier, Settings, sgd};
use crate::Result;

/// The same model trained in Burn's ordinary way, to see what privacy costs: `steps` shuffled batches, each image once an
/// epoch. Protects nobody. `go_on` is asked before the first step and after each.
///
/// # Errors
///
/// If a batch can't be loaded, and those of `go_on`.
pub fn train_plain<M: Classifier>(
    mut model: M,
    images: &ImageDataset,
    batcher: ImageBatcher,
    device: &Device,
    settings: &Settings,
    steps: u64,
    mut go_on: impl FnMut(&M) -> Result<bool>,
) -> Result<M> {
    // Batches need no cryptographic randomness here.
    let seed = settings.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    let loader = DataLoaderBuilder::<_, ImageBatch>::new(batcher)
        .batch_size(settings.batch_size)
        .shuffle(seed)
        .set_device(device.clone())
        .build(images.clone());
    let loss = CrossEntropyLossConfig::new().init(device);
    let mut optimizer = sgd(settings.momentum);
    let mut done = 0;
    loop {
        for batch in loader.iter() {
            if !go_on(&model)? || done == steps {
                return Ok(model);
            }
            let batch = batch?;
            let gradients = loss.forward(model.forward(batch.images), batch.labels).backward();
            let update = GradientsParams::from_grads(gradients, &model);
            model = optimizer.step(settings.learning_rate, model, update);
            done += 1;
        }
    }
}
