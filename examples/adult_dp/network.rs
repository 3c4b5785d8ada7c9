//! Logistic regression as a Burn module, for training by gradients.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_privacy::mechanisms::local::RandomizedResponse;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy_convex::TrainingSet;

use crate::Result;
use crate::records::Records;

/// Updates, records of a batch, and the learning rate, which falls to 0.
const STEPS: u64 = 600;
const BATCH: usize = 1_000;
const RATE: f64 = 1.0;

/// Clipping norm of a record's gradient.
const CLIPPING_NORM: f64 = 0.5;

/// A clipped row in the unit ball and its label, 0 or 1.
#[derive(Clone, Debug)]
struct Row {
    features: Vec<f32>,
    label: f32,
}

/// Puts rows on a device.
#[derive(Clone, Copy)]
struct Rows;

impl Batcher<Row, (Tensor<2>, Tensor<2>)> for Rows {
    fn batch(&self, rows: Vec<Row>, device: &Device) -> (Tensor<2>, Tensor<2>) {
        let shape = [rows.len(), rows.first().map_or(0, |row| row.features.len())];
        let labels: Vec<f32> = rows.iter().map(|row| row.label).collect();
        let features: Vec<f32> = rows.into_iter().flat_map(|row| row.features).collect();
        let count = labels.len();
        (
            Tensor::from_data(TensorData::new(features, shape), device),
            Tensor::from_data(TensorData::new(labels, [count, 1]), device),
        )
    }
}

/// A linear score.
#[derive(Module, Debug)]
struct Score {
    linear: Linear,
}

impl Score {
    fn new(set: &TrainingSet, device: &Device) -> Self {
        // The set's vectors hold the intercept.
        Self { linear: LinearConfig::new(set.dimension(), 1).with_bias(false).init(device) }
    }

    fn weights(&self) -> Vec<f64> {
        let weights = self.linear.weight.val().into_data().convert::<f32>();
        weights.iter::<f32>().map(f64::from).collect()
    }
}

fn rows(set: &TrainingSet, records: &Records) -> Vec<Row> {
    let row = |(x, label): (&[f64], f64)| Row {
        features: x.iter().map(|v| *v as f32).collect(),
        label: f32::from(u8::from(label > 0.0)),
    };
    set.features().vectors().zip(records.labels()).map(row).collect()
}

fn rate(step: u64) -> f64 {
    RATE * (1.0 - step as f64 / STEPS as f64)
}

/// Weights by DP-SGD; add-or-remove-one adjacency, with a public, nominal number of records.
pub fn by_gradients(
    records: &Records,
    nominal: usize,
    epsilon: f64,
    delta: f64,
    seed: u64,
    device: &Device,
) -> Result<Vec<f64>> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(BATCH, nominal))
        .with_clipping(Clipping::flat(CLIPPING_NORM))
        .with_steps(STEPS)
        .with_noise(NoiseLevel::target(epsilon, delta))
        .build()?;
    let set = records.training_set()?;
    let mut score = Score::new(&set, device);
    let mut optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    let data = InMemDataset::new(rows(&set, records));
    let mut session = plan.start(data, Rows, device, Entropy::seeded(seed))?.with_physical_batch(4_096);
    while let Some(step) = session.next_step()? {
        let rate = rate(step.index());
        let update = step.gradients(&score, |score, (features, labels)| {
            Ok(binary_cross_entropy_with_logits(score.linear.forward(features), labels))
        })?;
        score = optimizer.step(rate, score, update.into());
    }
    let _ = session.finish()?;
    Ok(score.weights())
}

/// Weights by training on labels from randomized response, with the loss corrected by the inverse of what the response does,
/// so that it is right on average (backward correction, Patrini et al., arXiv 1609.03683).
pub fn with_corrected_loss(noisy: &Records, epsilon: f64, device: &Device) -> Result<Vec<f64>> {
    let correction = RandomizedResponse::new(2, epsilon)?.loss_correction();
    let set = noisy.training_set()?;
    let rows = rows(&set, noisy);
    let mut score = Score::new(&set, device);
    let mut optimizer = SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    for step in 0..STEPS {
        // Batches in turn: nothing here is secret any more.
        let start = step as usize * BATCH;
        let batch = (start..start + BATCH).map(|at| rows[at % rows.len()].clone()).collect();
        let (features, labels) = Rows.batch(batch, device);
        let scores = score.linear.forward(features);
        let loss_of = |label: Tensor<2>| binary_cross_entropy_with_logits(scores.clone(), label).reshape([-1, 1]);
        let (zero, one) = (loss_of(labels.zeros_like()), loss_of(labels.ones_like()));
        let weight = |of: usize| labels.clone() * (correction[1][of] - correction[0][of]) + correction[0][of];
        let loss = (zero * weight(0) + one * weight(1)).mean();
        let update = GradientsParams::from_grads(loss.backward(), &score);
        score = optimizer.step(rate(step), score, update);
    }
    Ok(score.weights())
}
