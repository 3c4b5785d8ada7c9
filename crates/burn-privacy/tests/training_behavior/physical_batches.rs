//! Physical batches that find themselves: halved where the device is out of memory, never the logical batch; and Burn's gradient
//! checkpointing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy::session::PhysicalBatch;

use crate::support::{Batch, ByPath, Example, Rows, Values, by_path, distance, flex, with_values};

const RECORDS: usize = 150;

#[derive(Module, Debug)]
struct Network {
    first: Linear,
    second: Linear,
}

impl Network {
    fn on(device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        with_values(Self { first: linear(4, 6), second: linear(6, 2) }, 3)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        distance(self.second.forward(self.first.forward(batch.input).tanh()), batch.target)
    }
}

fn session(
    device: &Device,
    physical: impl Into<PhysicalBatch>,
) -> Session<Example, Batch, InMemDataset<Example>, Rows> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::flat(0.3))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-9)
        .with_steps(2)
        .build()
        .unwrap();
    let records = Values::new(8).examples(RECORDS, 4, 2);
    plan.start(InMemDataset::new(records), Rows, device, Entropy::os()).unwrap().with_physical_batch(physical)
}

/// The update of the next step, on a device that holds so many records at once.
fn update(
    session: &mut Session<Example, Batch, InMemDataset<Example>, Rows>,
    model: &Network,
    holds: usize,
    fails: impl Fn() -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Result<ByPath, Error> {
    let step = session.next_step()?.expect("a step is left");
    let gradients = step.gradients(model, |model, batch: Batch| {
        if batch.size() > holds {
            fails()?;
        }
        Ok(model.losses(batch))
    })?;
    Ok(by_path(model, &gradients.into(), RECORDS as f64))
}

#[test]
fn out_of_memory_halves_what_is_computed_at_once_and_changes_nothing_else() {
    let model = Network::on(&flex());
    let expected = update(&mut session(&flex(), 16), &model, RECORDS, || Ok(())).unwrap();
    type Failing = fn() -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
    // As Burn's backends panic, and as a closure may report it.
    let panics: Failing = || panic!("can't allocate buffer of size: 17179869184");
    let reports: Failing = || Err("out of device memory allocating 17 bytes".into());
    for fails in [panics, reports] {
        let mut automatic = session(&flex(), PhysicalBatch::Auto);
        let found = update(&mut automatic, &model, 20, fails).unwrap();
        assert_eq!(found, expected, "bit for bit that of physical batches of 16");
        assert_eq!(automatic.examples_at_once(), 16);
        assert_eq!(automatic.charged_steps(), 1, "the step is computed anew, not charged anew");
        // It is not tried again.
        let second = update(&mut automatic, &model, 20, || panic!("more than 16 at once")).unwrap();
        assert_eq!(second, expected);
    }
}

#[test]
fn where_no_record_fits_the_failure_is_what_it_was() {
    let model = Network::on(&flex());
    let mut automatic = session(&flex(), PhysicalBatch::Auto);
    let error = update(&mut automatic, &model, 0, || Err("out of memory".into())).unwrap_err();
    assert!(error.to_string().contains("out of memory") || format!("{error:?}").contains("out of memory"), "{error:?}");
    assert_eq!(automatic.examples_at_once(), 1);
    // Other failures are not repeated, and a number that was said is kept.
    let mut calls = session(&flex(), PhysicalBatch::Auto);
    let other = catch_unwind(AssertUnwindSafe(|| update(&mut calls, &model, 0, || panic!("a bug"))));
    assert!(other.is_err() && calls.examples_at_once() == 256);
    let mut said = session(&flex(), 64);
    assert!(update(&mut said, &model, 20, || Err("out of memory".into())).is_err());
    assert_eq!(said.examples_at_once(), 64);
}

#[test]
fn gradient_checkpointing_changes_no_update() {
    let plain = update(&mut session(&flex(), 64), &Network::on(&flex()), RECORDS, || Ok(())).unwrap();
    let device = Device::flex().autodiff().gradient_checkpointing();
    for physical in [PhysicalBatch::AtMost(64), PhysicalBatch::Auto] {
        let mut session = session(&device, physical);
        let found = update(&mut session, &Network::on(&device), RECORDS, || Ok(())).unwrap();
        for (path, values) in &plain {
            for (value, other) in values.iter().zip(&found[path]) {
                assert!((value - other).abs() < 1e-6, "{path}: {value} {other}");
            }
        }
    }
}
