//! How many images a model gets right.

use burn::prelude::*;
use burn_privacy::datasets::{ImageBatch, ImageBatcher, ImageDataset};
use burn_privacy_train::correct_predictions;

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
    let scores = |batch: ImageBatch| (model.forward(batch.images), batch.labels);
    Ok(correct_predictions(images, batcher, &device, BATCH, scores)?)
}
