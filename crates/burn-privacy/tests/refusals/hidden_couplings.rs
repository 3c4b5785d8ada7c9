//! Couplings that show only under some circumstances: randomness, state, later steps, many examples, gradients alone,
//! records that are not finite. Each was released once.
//!
//! Long because: one program a test, each with the coupling that it hides.

use std::cell::{Cell, RefCell};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn::tensor::Distribution;
use burn_privacy::Error;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use burn_privacy::session::LossResult;

use crate::support::{Ask, Batch, Example, Rows, Values, assert_says, distance, flex, refusal, with_values};

const ADVICE: &str = "depends on other examples of the batch";

fn model() -> Linear {
    with_values(LinearConfig::new(4, 3).init(&flex()), 1)
}

fn examples(count: usize) -> Vec<Example> {
    Values::new(1).examples(count, 4, 3)
}

fn losses(model: &Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input).tanh(), batch.target)
}

fn centred(batch: Batch) -> Batch {
    Batch { input: batch.input.clone() - batch.input.mean_dim(0), ..batch }
}

fn noise(like: &Tensor<2>, size: f64) -> Tensor<2> {
    Tensor::random(like.dims(), Distribution::Normal(0.0, size), &like.device())
}

fn plan(sampling: Sampling, steps: u64) -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(sampling)
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(steps)
        .build()
        .unwrap()
}

type TestSession<B> = Session<Example, Batch, InMemDataset<Example>, B>;

fn session_with<B: Batcher<Example, Batch>>(batcher: B, examples: Vec<Example>, steps: u64) -> TestSession<B> {
    let plan = plan(Sampling::full_batch(examples.len()), steps);
    plan.start(InMemDataset::new(examples), batcher, &flex(), Entropy::seeded(7)).unwrap()
}

fn session(steps: u64) -> TestSession<Rows> {
    session_with(Rows, examples(12), steps)
}

fn take<B: Batcher<Example, Batch>>(
    session: &mut TestSession<B>,
    loss: impl FnMut(&Linear, Batch) -> LossResult,
) -> Result<NoisyGradients, Error> {
    take_with(&model(), session, loss)
}

fn take_with<B: Batcher<Example, Batch>>(
    model: &Linear,
    session: &mut TestSession<B>,
    loss: impl FnMut(&Linear, Batch) -> LossResult,
) -> Result<NoisyGradients, Error> {
    session.next_step()?.expect("a step").gradients(model, loss)
}

fn assert_coupled<T: std::fmt::Debug>(result: Result<T, Error>) {
    match result {
        Err(error @ Error::CoupledExamples { .. }) => assert_says(&error.to_string(), &[ADVICE]),
        other => panic!("not refused: {other:?}"),
    }
}

/// A batcher that couples, adds noise, or both.
#[derive(Clone, Copy)]
struct Augmented {
    coupled: bool,
    noise: f64,
}

impl Batcher<Example, Batch> for Augmented {
    fn batch(&self, items: Vec<Example>, device: &Device) -> Batch {
        let batch = Rows.batch(items, device);
        let batch = if self.coupled { centred(batch) } else { batch };
        Batch { input: batch.input.clone() + noise(&batch.input, self.noise), ..batch }
    }
}

mod random {
    use super::*;

    #[test]
    fn batchers() {
        for noise in [0.0, 1e-3, 0.1] {
            let refused = |coupled| {
                let mut session = session_with(Augmented { coupled, noise }, examples(12), 1);
                take(&mut session, |model, batch| Ok(losses(model, batch))).map(drop)
            };
            assert_coupled(refused(true));
            assert!(refused(false).is_ok());
        }
    }

    #[test]
    fn losses_of_a_closure() {
        for size in [1e-3, 0.1] {
            let random = |model: &Linear, batch: Batch| {
                losses(model, Batch { input: batch.input.clone() + noise(&batch.input, size), ..batch })
            };
            assert!(take(&mut session(1), |model, batch| Ok(random(model, batch))).is_ok());
            assert_coupled(take(&mut session(1), |model, batch| Ok(random(model, centred(batch)))));
            assert_coupled(take(&mut session(1), |model, batch| {
                let n = batch.size() as f64;
                Ok(random(model, batch) / n)
            }));
        }
    }

    /// Along a gradient a coupling is seen in one pass, however random the loss.
    #[test]
    fn losses_with_much_noise() {
        assert_coupled(take(&mut session(1), |model, batch| {
            let output = model.forward(batch.input.clone() + noise(&batch.input, 100.0));
            let centred = output.clone() - output.mean_dim(0);
            Ok(distance(centred, batch.target))
        }));
    }

    /// A closure that draws a coin for each call: no coupling, and no drift.
    #[test]
    fn coins_are_no_coupling() {
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            let mut values = Values::new(3);
            let mut session = session(3).with_per_example(mode);
            for _ in 0..3 {
                let update = take(&mut session, |model, batch| {
                    let factor = if values.below(2) == 0 { 1.0 } else { 2.0 };
                    Ok(losses(model, batch) * factor)
                });
                assert!(update.is_ok(), "{update:?}");
            }
        }
    }
}

mod state {
    use super::*;

    /// A moving average of the batches' means, taken off before it moves or after.
    #[test]
    fn a_moving_average_of_the_inputs() {
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            for update_first in [true, false] {
                let mut average: Option<Tensor<2>> = None;
                let mut session = session(1).with_per_example(mode);
                assert_coupled(take(&mut session, |model, batch| {
                    let mean = batch.input.clone().mean_dim(0);
                    let before = average.clone().unwrap_or_else(|| mean.zeros_like());
                    let after = before.clone() * 0.9 + mean * 0.1;
                    average = Some(after.clone());
                    let input = batch.input.clone() - if update_first { after } else { before };
                    Ok(losses(model, Batch { input, ..batch }))
                }));
            }
        }
    }

    /// The number of calls depends on the number of physical batches, which is that of the drawn examples.
    #[test]
    fn a_count_of_calls() {
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            let mut calls = 0.0;
            let mut session = session(1).with_per_example(mode);
            let result = take(&mut session, |model, batch| {
                calls += 1.0;
                Ok(losses(model, batch) / calls)
            });
            assert_coupled(result);
        }
    }

    /// In the model, where no parameter shows it.
    #[test]
    fn the_record_before() {
        let last = RefCell::new(None::<Tensor<2>>);
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            let mut session = session(1).with_per_example(mode).with_physical_batch(1);
            assert_coupled(take(&mut session, |model, batch| {
                let before = last.replace(Some(batch.input.clone())).unwrap_or_else(|| batch.input.clone());
                Ok(losses(model, Batch { input: batch.input.clone() + before, ..batch }))
            }));
        }
    }
}

mod later {
    use super::*;

    /// Another closure is validated like the first.
    #[test]
    fn another_closure() {
        let (mut session, model) = (session(4), model());
        for _ in 0..2 {
            assert!(take_with(&model, &mut session, |model, batch| Ok(losses(model, batch))).is_ok());
        }
        assert_coupled(take_with(&model, &mut session, |model, batch| Ok(losses(model, centred(batch)))));
        assert!(take_with(&model, &mut session, |model, batch| Ok(losses(model, batch))).is_ok());
    }

    /// One closure, whose behavior changes after the first step.
    #[test]
    fn the_same_closure() {
        let (mut session, model) = (session(3), model());
        let step = Cell::new(0);
        let mut next = || {
            step.set(step.get() + 1);
            take_with(&model, &mut session, |model, batch| {
                let batch = if step.get() > 1 { centred(batch) } else { batch };
                Ok(losses(model, batch))
            })
        };
        assert!(next().is_ok());
        assert_coupled(next());
        // A refusal is not forgotten.
        assert_coupled(next());
    }

    /// One closure type, and never the first, second, third, fifth.. step: found before the next that is looked at.
    #[test]
    fn the_same_closure_much_later() {
        let (mut session, model) = (session(300), model());
        let mut refused_at = None;
        for step in 0..300 {
            let result = take_with(&model, &mut session, |model, batch| {
                let batch = if step >= 130 { centred(batch) } else { batch };
                Ok(losses(model, batch))
            });
            if result.is_err() {
                refused_at = Some(step);
                break;
            }
        }
        assert_eq!(refused_at, Some(256));
    }

    #[derive(Module, Debug)]
    struct Switched {
        layer: Linear,
        #[module(skip)]
        coupled: bool,
    }

    #[derive(Module, Debug)]
    struct Renamed {
        layer: Linear,
    }

    #[test]
    fn another_model() {
        let mut session = session(3);
        let loss = |coupled: bool, layer: &Linear, batch: Batch| -> LossResult {
            Ok(losses(layer, if coupled { centred(batch) } else { batch }))
        };
        let layer = model();
        let mut take = |coupled| {
            let model = Switched { layer: layer.clone(), coupled };
            let step = session.next_step().unwrap().unwrap();
            step.gradients(&model, |model: &Switched, batch| loss(model.coupled, &model.layer, batch))
        };
        assert!(take(false).is_ok());
        assert_coupled(take(true));

        let step = session.next_step().unwrap().unwrap();
        let model = Renamed { layer: model() };
        assert_coupled(step.gradients(&model, |model: &Renamed, batch| loss(true, &model.layer, batch)));
    }
}

mod many {
    use super::*;

    /// Four examples or fewer are not coupled.
    #[test]
    fn only_more_than_four_examples() {
        for mode_size in [5, 9] {
            assert_coupled(take(&mut session(1), |model, batch| {
                let batch = if batch.size() >= mode_size { centred(batch) } else { batch };
                Ok(losses(model, batch))
            }));
        }
    }

    /// Each example with its neighbour, in the second half of the batch.
    #[test]
    fn pairs_of_neighbours() {
        assert_coupled(take(&mut session_with(Rows, examples(40), 1), |model, batch| {
            let (n, input) = (batch.size(), batch.input.clone());
            if n < 40 {
                return Ok(losses(model, batch));
            }
            let neighbours = input.clone().reshape([20, 2, 4]).flip([1]).reshape([40, 4]);
            let half = Tensor::cat(vec![input.clone().slice([0..20]) * 0.0, neighbours.slice([20..40])], 0);
            Ok(losses(model, Batch { input: input + half, ..batch }))
        }));
    }
}

mod gradients_alone {
    use super::*;

    /// The value is the loss, the gradient is scaled by a statistic of the batch.
    #[test]
    fn scaled_by_a_detached_statistic() {
        assert_coupled(take(&mut session(1), |model, batch| {
            let scale = batch.input.clone().abs().mean().reshape([1]);
            let own = losses(model, batch);
            let scaled = own.clone() * scale;
            Ok(scaled.clone() - scaled.detach() + own.detach())
        }));
    }

    /// ... by the number of examples in the batch.
    #[test]
    fn scaled_by_the_size_of_the_batch() {
        assert_coupled(take(&mut session(1), |model, batch| {
            let n = batch.size() as f64;
            let own = losses(model, batch);
            Ok(own.clone() / n - own.clone().detach() / n + own.detach())
        }));
    }

    /// ... and in a layer's input, with the gradient of its output as it was.
    #[test]
    fn in_the_input_of_a_layer() {
        assert_coupled(take(&mut session(1), |model, batch| {
            let shown = model.forward(batch.input.clone());
            let moved = model.forward(centred(batch.clone()).input);
            Ok((shown.detach() + moved.clone() - moved.detach()).sum_dim(1).reshape([batch.size()]))
        }));
    }

    /// One example at a time, by the one before.
    #[test]
    fn in_the_loop() {
        let mut before = 1.0;
        let mut session = session(1).with_per_example(PerExample::Loop);
        assert_coupled(take(&mut session, |model, batch| {
            let scale = before;
            before = batch.input.clone().abs().sum().into_scalar::<f32>();
            let own = losses(model, batch);
            Ok(own.clone() * scale - own.clone().detach() * scale + own.detach())
        }));
    }
}

mod not_finite {
    use super::*;

    fn with_nans(first: usize, count: usize) -> Vec<Example> {
        let mut examples = examples(count);
        examples[..first].iter_mut().for_each(|example| example.input[1] = f32::NAN);
        examples
    }

    #[test]
    fn first_records() {
        for first in [1, 4, 8] {
            let centred = |model: &Linear, batch: Batch| {
                // A mean over what is finite.
                let finite = batch.input.clone().is_finite().all_dim(1);
                let masked = batch.input.clone().mask_fill(finite.bool_not().expand(batch.input.dims()), 0.0);
                losses(model, Batch { input: batch.input.clone() - masked.mean_dim(0), ..batch })
            };
            assert_says(&refusal(&Ask::flex(1.0), &model(), &with_nans(first, 12), centred), &[ADVICE]);
            let mut own = session_with(Rows, with_nans(first, 12), 1);
            assert!(take(&mut own, |model, batch| Ok(losses(model, batch))).is_ok());
        }
    }

    #[test]
    fn all_records() {
        for mode in [PerExample::OneBackward, PerExample::Loop] {
            let mut session = session_with(Rows, with_nans(12, 12), 1).with_per_example(mode);
            let error = take(&mut session, |model, batch| Ok(losses(model, batch))).unwrap_err();
            assert!(matches!(error, Error::NothingToValidate { .. }));
            assert_says(&error.to_string(), &["32 records", "NaN or infinity", "learning rate"]);
        }
    }
}

/// The first batch that is not empty is validated, however small.
#[test]
fn a_first_batch_of_one() {
    let records = examples(400);
    let mut session = plan(Sampling::poisson(1, 400), 40)
        .start(InMemDataset::new(records), Rows, &flex(), Entropy::seeded(5))
        .unwrap();
    let mut refused = 0;
    while let Some(step) = session.next_step().unwrap() {
        let drawn = step.unprotected_batch_size();
        let result = step.gradients(&model(), |model, batch| Ok(losses(model, centred(batch))));
        assert_eq!(result.is_err(), drawn > 0, "{drawn} records");
        refused += usize::from(result.is_err());
    }
    assert!(refused > 5);
}
