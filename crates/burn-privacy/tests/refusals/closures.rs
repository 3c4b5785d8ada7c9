//! What a loss closure may return, and that a failing one leaves nothing behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::Error;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::per_example::is_recording;
use burn_privacy::prelude::*;

use crate::support::{Ask, Batch, Example, Rows, Values, assert_says, distance, flex, refusal};

fn model() -> Linear {
    LinearConfig::new(4, 2).init(&flex())
}

fn examples() -> Vec<Example> {
    Values::new(1).examples(6, 4, 2)
}

fn losses(model: &Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input), batch.target)
}

fn session(steps: u64) -> Session<Example, Batch, InMemDataset<Example>, Rows> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(6))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(steps)
        .build()
        .unwrap();
    plan.start(InMemDataset::new(examples()), Rows, &flex(), Entropy::os()).unwrap()
}

#[test]
fn a_mean_or_a_sum() {
    let advice = ["returned 1 value", "one loss per example", "do not average or sum"];
    let mean = |model: &Linear, batch: Batch| losses(model, batch).mean();
    let sum = |model: &Linear, batch: Batch| losses(model, batch).sum();
    assert_says(&refusal(&Ask::flex(1.0), &model(), &examples(), mean), &advice);
    assert_says(&refusal(&Ask::flex(1.0), &model(), &examples(), sum), &advice);
    // One loss an output, not an example.
    let message = refusal(&Ask::flex(1.0), &model(), &examples(), |model, batch| {
        let n = batch.size();
        (model.forward(batch.input) - batch.target).square().reshape([n * 2])
    });
    assert_says(&message, &["one loss per example"]);
    let message = refusal(&Ask::flex(1.0).loop_over_examples(), &model(), &examples(), |model, batch| {
        (model.forward(batch.input) - batch.target).square().reshape([2])
    });
    assert_says(&message, &["returned 2 values for each example"]);
}

#[test]
fn a_detached_loss() {
    let advice = ["not connected to the model", "detach()"];
    for ask in [Ask::flex(1.0), Ask::flex(1.0).loop_over_examples()] {
        let detached = |model: &Linear, batch: Batch| losses(model, batch).detach();
        assert_says(&refusal(&ask, &model(), &examples(), detached), &advice);
        let inner = |model: &Linear, batch: Batch| losses(model, batch).inner();
        assert_says(&refusal(&ask, &model(), &examples(), inner), &advice);
    }
}

#[test]
fn a_loss_of_another_model() {
    // A clone that the closure has captured: its weights are the same, and it is not the model that is trained.
    let captured = model();
    let ask = Ask::flex(1.0).loop_over_examples();
    let message = refusal(&ask, &captured, &examples(), |_, batch| losses(&captured, batch));
    assert_says(&message, &["not connected to the model", "the model that the loss closure is given"]);
}

#[derive(Debug, thiserror::Error)]
#[error("label 17 is not a class")]
struct BadLabel;

#[test]
fn an_error_of_the_closure_is_passed_on() {
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let mut session = session(1).with_per_example(mode);
        let step = session.next_step().unwrap().unwrap();
        let error = step.gradients(&model(), |_, _| Err(Box::new(BadLabel))).unwrap_err();
        assert_says(&error.to_string(), &["the loss closure failed", "label 17 is not a class"]);
        let Error::Loss(source) = error else { panic!("{error}") };
        assert!(source.downcast_ref::<BadLabel>().is_some());
    }
}

#[test]
fn a_failing_closure_leaves_no_scope_open() {
    let mut session = session(4);
    let step = session.next_step().unwrap().unwrap();
    assert!(step.gradients(&model(), |_, _| Err("no".into())).is_err());
    assert!(!is_recording());

    let step = session.next_step().unwrap().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        step.gradients(&model(), |model, batch| {
            assert!(is_recording());
            let losses = losses(model, batch);
            if losses.dims()[0] > 0 {
                panic!("in the middle of a forward pass");
            }
            Ok(losses)
        })
    }));
    assert!(panicked.is_err());
    assert!(!is_recording());

    let step = session.next_step().unwrap().unwrap();
    assert!(step.gradients(&model(), |model, batch| Ok(losses(model, batch))).is_ok());
    assert!(!is_recording());
    // The failed steps stay charged.
    assert_eq!(session.charged_steps(), 3);
}

#[test]
fn a_step_inside_a_step() {
    let mut outer = session(1);
    let step = outer.next_step().unwrap().unwrap();
    let error = step
        .gradients(&model(), |model, batch| {
            let mut inner = session(1);
            let step = inner.next_step()?.expect("a step");
            let _ = step.gradients(model, |model, batch| Ok(losses(model, batch)))?;
            Ok(losses(model, batch))
        })
        .unwrap_err();
    assert_says(&error.to_string(), &["does not nest"]);
    assert!(!is_recording());
}

#[test]
fn the_closure_sees_every_example_once_a_step_after_validation() {
    let mut session = session(2).with_physical_batch(4);
    let mut sizes = Vec::new();
    for _ in 0..2 {
        let step = session.next_step().unwrap().unwrap();
        let update = step.gradients(&model(), |model, batch| {
            sizes.push(batch.size());
            Ok(losses(model, batch))
        });
        assert!(update.is_ok());
        // 6 examples a step, in two halves of a fixed range of places; what came before is the validation.
        assert_eq!(sizes[sizes.len() - 2..], [3, 3]);
        assert!(sizes.iter().all(|size| *size <= 4), "no batch is larger than a physical one: {sizes:?}");
    }
}
