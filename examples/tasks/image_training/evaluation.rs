//! How many images a model gets right.

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use burn_privacy::datasets::{ImageBatcher, ImageDataset};

use super::Classifier;
use crate::Result;

/// Images at once.
const BATCH: usize = 250;

/// The share of images whose class gets the highest score; `None` without images.
///
/// # Errors
///
/// If the device fails.
pub fn accuracy<M: Classifier>(
    model: &M,
    images: &ImageDataset,
    batcher: &ImageBatcher,
    autodiff_device: &Device,
) -> Result<Option<f64>> {
    let right = right_guesses(model, images, batcher, autodiff_device)?;
    Ok((!images.is_empty()).then(|| right as f64 / images.len() as f64))
}

/// The number of images whose class gets the highest score. Without autodiff: no gradient is ever needed here.
///
/// # Errors
///
/// If the device fails.
pub fn right_guesses<M: Classifier>(
    model: &M,
    images: &ImageDataset,
    batcher: &ImageBatcher,
    autodiff_device: &Device,
) -> Result<i64> {
    let (model, device) = (model.valid(), autodiff_device.clone().without_autodiff());
    let mut right = 0;
    for start in (0..images.len()).step_by(BATCH) {
        let items = (start..images.len().min(start + BATCH)).filter_map(|index| images.get(index)).collect();
        let batch = batcher.batch(items, &device);
        let count = batch.labels.dims()[0];
        let guesses = model.forward(batch.images).argmax(1).reshape([count]);
        right += guesses.equal(batch.labels).int().sum().try_into_scalar::<i64>()?;
    }
    Ok(right)
}
