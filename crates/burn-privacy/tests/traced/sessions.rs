//! What a session promises holds on the operation graph, too: views, physical batches, empty batches, excluded examples,
//! randomness, and what the statement says.

use std::cell::Cell;

use burn::data::dataset::InMemDataset;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn_privacy::prelude::*;

use crate::support::{
    Ask, Batch, Example, Rows, Values, assert_says, clipped_sum, difference_relative_to, distance, flex, norm,
    try_clipped_sum, with_values,
};

#[derive(Module, Debug)]
struct Model {
    first: Linear,
    dropout: Dropout,
    second: Linear,
}

fn model(dropout: f64) -> Model {
    let device = flex();
    let model = Model {
        first: LinearConfig::new(4, 6).init(&device),
        dropout: DropoutConfig::new(dropout).init(),
        second: LinearConfig::new(6, 2).init(&device),
    };
    with_values(model, 1)
}

fn losses(model: &Model, batch: Batch) -> Tensor<1> {
    let hidden = model.dropout.forward(model.first.forward(batch.input).tanh());
    distance(model.second.forward(hidden), batch.target)
}

#[test]
fn stock_layers_are_traced_by_default_and_wrapped_ones_are_not() {
    let examples = Values::new(1).examples(6, 4, 2);
    let expected = clipped_sum(&Ask::flex(0.5).loop_over_examples(), &model(0.0), &examples, losses);
    let found = clipped_sum(&Ask::flex(0.5).automatic(), &model(0.0), &examples, losses);
    assert!(difference_relative_to(&found, &expected, 0.0) < 1e-5);
    // One backward pass alone has no rule for them.
    let refused = try_clipped_sum(&Ask::flex(0.5), &model(0.0), &examples, losses);
    assert!(matches!(refused, Err(Error::UntrackedParameter { .. })));
}

#[test]
fn views_of_a_record_are_clipped_as_one() {
    let examples = Values::new(2).examples(6, 4, 2);
    // Another view each time a record is in the batch.
    let augmented = |model: &Model, batch: Batch| {
        let [n, d] = batch.input.dims();
        let shift = Tensor::<1>::from_floats([0.0, 0.3, -0.2], &batch.input.device());
        let shift = shift.reshape([1, 3, 1]).expand([n / 3, 3, d]).reshape([n, d]);
        losses(model, Batch { input: batch.input + shift, ..batch })
    };
    for clip in [1e-2, 1.0, 1e3] {
        let ask = Ask::flex(clip).views(3);
        let expected = clipped_sum(&ask.clone().loop_over_examples(), &model(0.0), &examples, augmented);
        for physical_batch in [3, 6, 18] {
            let found =
                clipped_sum(&ask.clone().traced().physical_batch(physical_batch), &model(0.0), &examples, augmented);
            assert!(difference_relative_to(&found, &expected, 0.0) < 1e-5);
        }
    }
}

#[test]
fn examples_that_are_not_finite_contribute_nothing() {
    let mut examples = Values::new(3).examples(6, 4, 2);
    let expected = clipped_sum(&Ask::flex(0.5).loop_over_examples(), &model(0.0), &examples, losses);
    for value in [f32::NAN, f32::INFINITY] {
        examples.push(Example::new(vec![value, 0.0, 0.0, 0.0], vec![0.0, 0.0]));
    }
    let found = clipped_sum(&Ask::flex(0.5).traced(), &model(0.0), &examples, losses);
    assert!(difference_relative_to(&found, &expected, 0.0) < 1e-5);
}

/// No contribution is longer than the clipping norm: one example's gradient of any size.
#[test]
fn no_example_contributes_more_than_the_clipping_norm() {
    let mut values = Values::new(4);
    for scale in [1e-12, 1e-3, 1.0, 1e5, 1e15] {
        let input = values.normals(4).iter().map(|value| value * scale as f32).collect();
        let examples = [Example::new(input, vec![1e3, -1e3])];
        for clip in [1e-3, 1.0] {
            let found = norm(clipped_sum(&Ask::flex(clip).traced(), &model(0.0), &examples, losses).values());
            assert!(found <= clip, "{found} > {clip}");
        }
    }
}

#[test]
fn masks_of_dropout_are_drawn_anew_at_every_step() {
    let examples = Values::new(5).examples(8, 4, 2);
    let ask = Ask::flex(1e6).traced();
    let first = clipped_sum(&ask, &model(0.5), &examples, losses);
    let second = clipped_sum(&ask, &model(0.5), &examples, losses);
    assert!(difference_relative_to(&first, &second, 0.0) > 1e-3);
}

/// Means over many draws of masks are those of the loop.
#[test]
fn dropout_has_the_loops_distribution() {
    let examples = Values::new(6).examples(3, 4, 2);
    let mean = |ask: Ask| {
        let mut total = vec![0.0; 2];
        let draws = 400;
        for _ in 0..draws {
            let found = clipped_sum(&ask, &model(0.5), &examples, losses);
            total.iter_mut().zip(&found["second.bias"]).for_each(|(total, next)| *total += next / f64::from(draws));
        }
        total
    };
    let (traced, looped) = (mean(Ask::flex(1e6).traced()), mean(Ask::flex(1e6).loop_over_examples()));
    // Each entry's standard deviation is about 1: six of the difference of two means of 400.
    let difference = traced.iter().zip(&looped).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(difference < 6.0 * (2.0_f64 / 400.0).sqrt(), "{traced:?} {looped:?}");
}

/// Time-major rows `[time * batch, width]` have each example's draws apart: every draw is still one example's.
#[test]
fn dropout_of_time_major_rows_is_traced() {
    let examples = Values::new(6).examples(5, 6, 2);
    let mean = |ask: Ask| {
        let mut total = 0.0;
        for _ in 0..100 {
            let found = clipped_sum(&ask, &model(0.5), &examples, |model, batch| {
                let n = batch.size();
                let rows = batch.input.reshape([n, 3, 2]).swap_dims(0, 1).reshape([3 * n, 2]);
                let rows = model.dropout.forward(rows).reshape([3, n, 2]).swap_dims(0, 1).reshape([n, 6]);
                losses(model, Batch { input: rows.narrow(1, 0, 4), ..batch })
            });
            total += found["second.bias"][0] / 100.0;
        }
        total
    };
    let (traced, looped) = (mean(Ask::flex(1e6).traced()), mean(Ask::flex(1e6).loop_over_examples()));
    assert!(traced.is_finite() && (traced - looped).abs() < 6.0 * 3.0 * (2.0_f64 / 100.0).sqrt(), "{traced} {looped}");
}

#[test]
fn an_empty_batch_calls_no_closure_and_releases_noise_alone() {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(1, 100_000))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-6)
        .with_steps(1)
        .build()
        .unwrap();
    let examples = Values::new(7).examples(10, 4, 2);
    let mut session = plan
        .start(InMemDataset::new(examples), Rows, &flex(), Entropy::seeded(1))
        .unwrap()
        .with_per_example(PerExample::Traced);
    let called = Cell::new(false);
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model(0.0), |model, batch| {
        called.set(true);
        Ok(losses(model, batch))
    });
    assert!(update.is_ok() && !called.get());
}

fn stated<M: Module>(mode: PerExample, model: &M, loss: impl Fn(&M, Batch) -> Tensor<1>) -> String {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(12))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(2)
        .build()
        .unwrap();
    let examples = Values::new(8).examples(12, 4, 2);
    let mut session =
        plan.start(InMemDataset::new(examples), Rows, &flex(), Entropy::seeded(1)).unwrap().with_per_example(mode);
    while let Some(step) = session.next_step().unwrap() {
        let _ = step.gradients(model, |model, batch| Ok(loss(model, batch))).unwrap();
    }
    session.finish().unwrap().assumptions.join("\n")
}

#[test]
fn the_statement_says_how_independence_is_known() {
    assert_says(&stated(PerExample::Automatic, &model(0.0), losses), &["proved on the operation graph at every step"]);
    let wrapped: burn_privacy::nn::Linear = with_values(burn_privacy::nn::LinearConfig::new(4, 2).init(&flex()), 1);
    let of_wrapped =
        |model: &burn_privacy::nn::Linear, batch: Batch| distance(model.forward(batch.input), batch.target);
    let text = stated(PerExample::Automatic, &wrapped, of_wrapped);
    assert_says(&text, &["proved on the operation graph at the first step"]);
    let text = stated(PerExample::Loop, &model(0.0), losses);
    assert_says(&text, &["checked in part, on records drawn at random"]);
    assert!(!text.contains("proved on the operation graph"));
    // A value read on the host hides the graph of a wrapped model.
    let text = stated(PerExample::Automatic, &wrapped, |model, batch| {
        let scale = if of_wrapped(model, batch.clone()).sum().into_scalar::<f32>().is_finite() { 1.0 } else { 2.0 };
        of_wrapped(model, batch) * scale
    });
    assert_says(&text, &["checked in part, on records drawn at random"]);
}
