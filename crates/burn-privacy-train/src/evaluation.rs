//! How many examples a classifier gets right.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::prelude::*;

use crate::{Result, TrainError};

/// The number of examples of `dataset` whose class gets the highest score, `batch_size` of them at once (zero counts as one).
///
/// `scores` gives the logits, `[batch, classes]`, and the classes, `[batch]`, of a batch. No gradient is needed: give a `device`
/// without autodiff, and use the model's [`valid`](burn::module::Module::valid) form.
///
/// # Errors
///
/// [`TrainError::Data`] if an item can't be loaded, [`TrainError::Device`] if the device fails.
pub fn correct_predictions<I, O>(
    dataset: &impl Dataset<I>,
    batcher: &impl Batcher<I, O>,
    device: &Device,
    batch_size: usize,
    mut scores: impl FnMut(O) -> (Tensor<2>, Tensor<1, Int>),
) -> Result<i64> {
    let (count, batch_size) = (dataset.len(), batch_size.max(1));
    let mut correct = 0;
    for start in (0..count).step_by(batch_size) {
        let items = (start..count.min(start + batch_size)).map(|index| dataset.get(index));
        let items =
            items.collect::<std::result::Result<Vec<I>, _>>().map_err(|error| TrainError::Data(error.into()))?;
        let (logits, labels) = scores(batcher.batch(items, device));
        let guesses = logits.argmax(1).reshape([labels.dims()[0]]);
        let sum = guesses.equal(labels).int().sum().try_into_scalar::<i64>();
        correct += sum.map_err(|error| TrainError::Device(error.into()))?;
    }
    Ok(correct)
}
