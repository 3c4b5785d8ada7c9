//! Training the handout's network, privately or not.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::loss::{MseLoss, Reduction};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::prelude::*;

use super::Network;
use super::data::{Batch, Household, Households};
use crate::Result;

/// Updates of plain training, each on all households at once, and their learning rate, which falls to 0.
const PLAIN_STEPS: usize = 2_000;
const PLAIN_RATE: f64 = 0.02;

/// Updates of private training.
pub const STEPS: u64 = 1_000;

/// Of how many households one joins an update of private training, on average.
pub const SAMPLED: usize = 20;

/// Learning rate of private training at its start.
pub const LEARNING_RATE: f64 = 0.03;

/// Clipping norm of a household's gradient.
pub const CLIPPING_NORM: f64 = 0.1;

/// Ordinary training on all households at once.
pub fn train_plain(mut network: Network, households: Vec<Household>, device: &Device) -> Network {
    if households.is_empty() {
        // A shard may be.
        return network;
    }
    let batch = Households.batch(households, device);
    let mut optimizer = AdamConfig::new().init();
    for step in 0..PLAIN_STEPS {
        let left = 1.0 - step as f64 / PLAIN_STEPS as f64;
        let found = network.forward(batch.features.clone());
        let gradients = MseLoss::new().forward(found, batch.targets.clone(), Reduction::Mean).backward();
        let update = GradientsParams::from_grads(gradients, &network);
        network = optimizer.step(PLAIN_RATE * left, network, update);
    }
    network
}

/// DP-SGD with Adam and a learning rate that falls to 0, charged to a ledger, if one is given, under a run's name.
///
/// # Errors
///
/// Those of the session and its ledger.
pub fn train_private(
    mut network: Network,
    households: Vec<Household>,
    device: &Device,
    plan: &PrivacyPlan,
    learning_rate: f64,
    entropy: Entropy,
    ledger: Option<(Ledger, &str)>,
) -> Result<(Network, PrivacyStatement)> {
    let mut optimizer = AdamConfig::new().init();
    let mut session =
        plan.start(InMemDataset::new(households), Households, device, entropy)?.with_physical_batch(4_096);
    if let Some((ledger, run)) = ledger {
        session = session.with_ledger(ledger, run)?;
    }
    let mut done = 0.0;
    while let Some(step) = session.next_step()? {
        let update = step.gradients(&network, |network, batch: Batch| {
            Ok(mean_squared_error(network.forward(batch.features), batch.targets))
        })?;
        let left = 1.0 - done / plan.steps() as f64;
        network = optimizer.step(learning_rate * left, network, update.into());
        done += 1.0;
    }
    Ok((network, session.finish()?))
}
