//! Training with privacy: the loop that Burn users know, with a session in the place of a data loader.

use burn::prelude::*;
use burn_privacy::datasets::{Augmentation, AugmentedBatcher, ImageBatch, ImageBatcher, ImageDataset};
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;
use burn_privacy::session::{UserGradient, Users};
use burn_privacy_train::{Checkpoints, Trainer, TrainingHistory};

use super::{Classifier, sgd};
use crate::Result;

/// What private training needs, besides a model.
pub struct PrivateTraining<'a> {
    /// What is guaranteed.
    pub plan: &'a PrivacyPlan,
    /// Private.
    pub images: ImageDataset,
    /// With public constants.
    pub batcher: ImageBatcher,
    /// With autodiff.
    pub device: &'a Device,
    /// Of the operating system, or nothing is protected.
    pub entropy: Entropy,
    /// Of the data set, and the run's name in it; nothing if the run is charged elsewhere.
    pub ledger: Option<(Ledger, &'a str)>,
    /// Users that the images are dealt out to in turn, if users are protected.
    pub users: Option<u64>,
    /// Most images at once.
    pub physical_batch: usize,
    /// Augmented views of each image; with one the images are taken as they are.
    pub views: usize,
    /// Of SGD.
    pub learning_rate: f64,
    /// Of SGD.
    pub momentum: f64,
    /// Decay of the average of the weights, if they are averaged.
    pub average: Option<f64>,
    /// Where checkpoints go, after how many steps each, and whether to go on from them.
    pub checkpoints: Option<(Checkpoints, u64, bool)>,
    /// Where the curve is kept.
    pub history: TrainingHistory,
}

/// Trains until the plan is spent or `go_on` says no: the loop that Burn users know, with a session in the place of a data
/// loader. `go_on` is asked with the model (its average, if weights are averaged) and epsilon so far, before the
/// first step and after each.
///
/// # Errors
///
/// Those of the session, its ledger and `go_on`.
pub fn train_private<M: Classifier>(
    model: M,
    training: PrivateTraining<'_>,
    go_on: impl FnMut(&M, f64) -> Result<bool>,
) -> Result<(M, PrivacyStatement)> {
    let augmentation = augmentation(&training.images, training.views);
    let batcher = AugmentedBatcher::new(training.batcher, augmentation, training.entropy)?;
    let session = match training.users {
        Some(users) => {
            let users = Users::by((0..training.images.len()).map(|image| image as u64 % users), UserGradient::Mean);
            training.plan.start_with_users(training.images, users, batcher, training.device, training.entropy)?
        }
        None => training.plan.start(training.images, batcher, training.device, training.entropy)?,
    };
    let mut session = session.with_views(training.views).with_physical_batch(training.physical_batch);
    if let Some((ledger, run)) = training.ledger {
        session = session.with_ledger(ledger, run)?;
    }
    let mut trainer = Trainer::new(session, training.learning_rate);
    if let Some(decay) = training.average {
        trainer = trainer.with_weight_average(decay)?;
    }
    trainer = trainer.with_history(training.history);
    if let Some((checkpoints, every, resume)) = training.checkpoints {
        trainer = trainer.with_checkpoints(checkpoints, every);
        if resume {
            trainer = trainer.resuming();
        }
    }
    let loss = |model: &M, batch: ImageBatch| Ok(cross_entropy(model.forward(batch.images), batch.labels));
    Ok(trainer.train(model, sgd(training.momentum), loss, go_on)?)
}

/// Shifts by an eighth of the image (4 pixels of 32, as De et al. 2022 have it); color images, which are no digits, are
/// mirrored too.
fn augmentation(images: &ImageDataset, views: usize) -> Augmentation {
    let [channels, rows, columns] = images.shape();
    match views {
        1 => Augmentation::default(),
        _ => Augmentation { shift: rows.min(columns) / 8, mirror: channels == 3 },
    }
}
