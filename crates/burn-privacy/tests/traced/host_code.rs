//! Code on the host that a graph can't show: what of it is refused when a program is proved, and how a batcher that is called once for
//! each record can couple nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn_privacy::prelude::*;
use burn_privacy::session::BatcherCalls;

use crate::support::{
    Batch, ByPath, Example, Rows, Values, assert_says, by_path, difference_relative_to, distance, flex, with_values,
};

const RECORDS: usize = 12;

fn model() -> Linear {
    with_values(LinearConfig::new(4, 3).init(&flex()), 1)
}

fn examples() -> Vec<Example> {
    Values::new(1).examples(RECORDS, 4, 3)
}

/// One step on all records, with next to no noise.
fn step<B: Batcher<Example, Batch>>(
    batcher: B,
    calls: BatcherCalls,
    loss: impl Fn(&Linear, Batch) -> Tensor<1>,
) -> Result<ByPath, Error> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::flat(1e3))
        .with_noise(NoiseLevel::multiplier(1e-9))
        .with_delta(1e-5)
        .with_steps(1)
        .build()?;
    let session = plan.start(InMemDataset::new(examples()), batcher, &flex(), Entropy::seeded(7))?;
    let mut session = session.with_per_example(PerExample::Traced).with_batcher_calls(calls);
    let step = session.next_step()?.unwrap();
    let update = step.gradients(&model(), |model, batch| Ok(loss(model, batch)))?;
    Ok(by_path(&model(), &update.into(), RECORDS as f64))
}

fn losses(model: &Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input).tanh(), batch.target)
}

fn with_factors(model: &Linear, batch: Batch, factors: impl Fn(usize, usize) -> f32) -> Tensor<1> {
    let count = batch.size();
    let factors: Vec<f32> = (0..count).map(|place| factors(place, count)).collect();
    let factors = Tensor::<1>::from_floats(factors.as_slice(), &batch.input.device());
    losses(model, batch) * factors
}

#[test]
fn numbers_of_places_are_refused_from_either_end() {
    let by_place: [fn(usize, usize) -> f32; 4] = [
        |place, _| 1.0 + place as f32,
        |place, count| (count - place) as f32,
        // Only the last one, only every second one from the end.
        |place, count| if place + 1 == count { 2.0 } else { 1.0 },
        |place, count| 1.0 + ((count - place) % 2) as f32,
    ];
    for (number, factors) in by_place.into_iter().enumerate() {
        let found = step(Rows, BatcherCalls::OncePerBatch, |model, batch| with_factors(model, batch, factors));
        let message = found.expect_err(&format!("program {number} is refused")).to_string();
        assert_says(&message, &["depends on other examples of the batch"]);
    }
    assert!(step(Rows, BatcherCalls::OncePerBatch, |model, batch| with_factors(model, batch, |_, _| 2.0)).is_ok());
}

/// A statistic of the batch that every batch of this data set has, since one record decides it and is in all of them.
#[test]
fn a_statistic_that_is_the_same_in_all_batches_is_refused() {
    let found = step(Rows, BatcherCalls::OncePerBatch, |model, batch| {
        let largest = batch.input.clone().into_data().iter::<f32>().fold(0.0, f32::max);
        losses(model, batch) / f64::from(largest)
    });
    assert_says(
        &found.unwrap_err().to_string(),
        &["changes with the number of examples in the batch or with its records"],
    );
}

#[derive(Clone)]
struct DividedByTheLargest;

impl Batcher<Example, Batch> for DividedByTheLargest {
    fn batch(&self, mut items: Vec<Example>, device: &Device) -> Batch {
        let largest = items.iter().flat_map(|item| &item.input).fold(0.0_f32, |largest, x| largest.max(x.abs()));
        items.iter_mut().for_each(|item| item.input.iter_mut().for_each(|x| *x /= largest));
        Rows.batch(items, device)
    }
}

#[test]
fn a_batcher_that_divides_by_the_batchs_largest_value_is_refused() {
    let found = step(DividedByTheLargest, BatcherCalls::OncePerBatch, losses);
    assert_says(&found.unwrap_err().to_string(), &["depends on other examples of the batch"]);
}

/// Counts what it is handed.
#[derive(Default)]
struct Counting {
    alone: AtomicUsize,
    together: AtomicUsize,
}

impl Batcher<Example, Batch> for &Counting {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        let counter = if items.len() == 1 { &self.alone } else { &self.together };
        counter.fetch_add(1, Ordering::Relaxed);
        Rows.batch(items, device)
    }
}

#[test]
fn a_batcher_that_is_called_once_for_each_record_gives_the_same_step() {
    let [once, each] = [Counting::default(), Counting::default()];
    let together = step(&once, BatcherCalls::OncePerBatch, losses).unwrap();
    let joined = step(&each, BatcherCalls::OncePerRecord, losses).unwrap();
    assert!(difference_relative_to(&joined, &together, 0.0) < 1e-6);
    let [alone_once, alone_each] = [&once, &each].map(|counting| counting.alone.load(Ordering::Relaxed));
    assert_eq!(alone_each, alone_once + RECORDS, "each record is loaded alone, beside what validation loads");
}
