//! One record changes the sum by no more than the clipping norm, rounding included (Casacuberta et al. 2022, arXiv
//! 2207.10635).
//!
//! Full batches without noise; the neighbour has the record's contribution at its place set to zero, as a record that is
//! absent there. A sum is released in f32, whose rounding follows the noise and is post-processing: it is allowed for.

use burn::prelude::*;
use burn_privacy::nn::{Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};

use crate::support::{Ask, Batch, ByPath, Example, clipped_sum, flex, given, norm};

const SIZES: [usize; 4] = [1, 7, 256, 65_536];

/// `n / 2 + 1` examples of size 1, and the rest so that each is three quarters of an ulp of the sum so far, downwards.
fn adversarial(n: usize, example: impl Fn(f32) -> Example) -> [Vec<Example>; 2] {
    let ulp = (n / 2) as f32 * f32::EPSILON;
    let values = |first: f32| -> Vec<Example> {
        let size = |i| {
            if i == 0 {
                first
            } else if i <= n / 2 {
                1.0
            } else {
                -0.75 * ulp
            }
        };
        (0..n).map(|i| example(size(i))).collect()
    };
    [values(1.0), values(0.0)]
}

fn difference(a: &ByPath, b: &ByPath) -> f64 {
    norm(&a.iter().map(|(path, values)| values.iter().zip(&b[path]).map(|(x, y)| x - y).collect()).collect::<Vec<_>>())
}

/// The norm of what the release's rounding to f32 can add to the difference of two sums.
fn of_release(a: &ByPath, b: &ByPath) -> f64 {
    1.5 * f64::from(f32::EPSILON) * (norm(a.values()) + norm(b.values()))
}

fn assert_sensitivity<M: Module>(
    what: &str,
    ask: &Ask,
    model: &M,
    [with, without]: &[Vec<Example>; 2],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    let [with, without] = [with, without].map(|examples| clipped_sum(ask, model, examples, &loss));
    let found = difference(&with, &without);
    let allowed = ask.clip + of_release(&with, &without);
    assert!(found <= allowed, "{what}, {ask:?}: one record changes the sum by {found}, of {allowed}");
    // Where positions cancel, the bound of the norm is far above it.
    assert!(found >= 0.05 * ask.clip, "{what}, {ask:?}: {found}");
}

#[test]
fn of_one_weight_in_every_physical_batch_and_mode() {
    let model: Linear = LinearConfig::new(1, 1).with_bias(false).init(&flex());
    let loss = |model: &Linear, batch: Batch| given(model.forward(batch.input), batch.target);
    for n in [4_096, 16_384, 65_536] {
        let data = adversarial(n, |size| Example::new(vec![1.0], vec![size]));
        for size in SIZES.into_iter().filter(|&size| size > 1 || n == 4_096) {
            assert_sensitivity("a weight", &Ask::flex(1.0).physical_batch(size), &model, &data, loss);
        }
        if n <= 16_384 {
            assert_sensitivity("a weight", &Ask::flex(1.0).loop_over_examples(), &model, &data, loss);
        }
    }
}

#[test]
fn of_wide_layers() {
    // More entries than the products in registers take.
    let model: Linear = LinearConfig::new(20, 30).with_bias(false).init(&flex());
    let side = (1.0 / 600.0_f32).sqrt();
    let data = adversarial(4_096, |size| Example::new(vec![1.0; 20], vec![size * side; 30]));
    for size in [7, 256, 65_536] {
        assert_sensitivity("wide", &Ask::flex(1.0).physical_batch(size), &model, &data, |model: &Linear, batch| {
            given(model.forward(batch.input), batch.target)
        });
    }
}

/// Positions that cancel: a large value, its opposite, and what is left.
fn cancelling(size: f32, inputs: usize) -> Example {
    Example::new(vec![1.0; 3 * inputs], vec![1_000.0, -1_000.0, size])
}

#[test]
fn of_sequences_whose_positions_cancel() {
    for d_input in [1, 300] {
        let model: Linear = LinearConfig::new(d_input, 1).with_bias(false).init(&flex());
        let side = (1.0 / d_input as f32).sqrt();
        let data = adversarial(4_096, |size| {
            let example = cancelling(size, d_input);
            Example::new(example.input.iter().map(|x| x * side).collect(), example.target)
        });
        for size in [7, 256, 65_536] {
            let ask = Ask::flex(0.9).physical_batch(size);
            assert_sensitivity("a sequence", &ask, &model, &data, |model: &Linear, batch| {
                given(model.forward(batch.shaped::<3>(&[3, d_input])), batch.target)
            });
        }
    }
}

#[test]
fn of_convolutions_whose_positions_cancel() {
    let model: Conv2d = Conv2dConfig::new([1, 1], [1, 1]).with_bias(false).init(&flex());
    let data = adversarial(4_096, |size| cancelling(size, 1));
    for size in [7, 256, 65_536] {
        let ask = Ask::flex(0.9).physical_batch(size);
        assert_sensitivity("an image", &ask, &model, &data, |model: &Conv2d, batch| {
            given(model.forward(batch.shaped(&[1, 1, 3])), batch.target)
        });
    }
}

#[test]
fn of_tables_whose_tokens_cancel() {
    let model: Embedding = EmbeddingConfig::new(3, 1).init(&flex());
    let data = adversarial(4_096, |size| Example { tokens: vec![1, 1, 1], ..cancelling(size, 1) });
    for size in [7, 256, 65_536] {
        let ask = Ask::flex(0.9).physical_batch(size);
        assert_sensitivity("a table", &ask, &model, &data, |model: &Embedding, batch| {
            given(model.forward(batch.tokens), batch.target)
        });
    }
}

#[test]
fn of_shared_layers_and_views_that_cancel() {
    let model: Linear = LinearConfig::new(1, 1).with_bias(false).init(&flex());
    let data = adversarial(4_096, |size| Example::new(vec![1.0], vec![size]));
    for size in [7, 256, 65_536] {
        let ask = Ask::flex(0.9).physical_batch(size);
        assert_sensitivity("a shared layer", &ask, &model, &data, |model: &Linear, batch| {
            let of = |scale: f32| given(model.forward(batch.input.clone() * scale), batch.target.clone());
            of(1.0) + of(100.0) - of(100.0)
        });
        assert_sensitivity("views", &ask.views(2), &model, &data, |model: &Linear, batch| {
            given(model.forward(batch.input), batch.target)
        });
    }
}

/// Two uses of a layer whose large gradients cancel: added up apart from each other, they would round away, or up, every other
/// example's.
#[test]
fn of_shared_layers_whose_large_gradients_cancel() {
    let model: Linear = LinearConfig::new(1, 1).with_bias(false).init(&flex());
    let large = 2.0_f32.powi(24);
    let ask = Ask::flex(1.0).physical_batch(32);
    // Just below and just above half an ulp of what the bound of its error leaves of the large one.
    for half in (2..10).map(|power| 0.5_f32.powi(power)) {
        let of = |first: f32| -> Vec<Example> {
            let size = |i| if i == 0 { vec![first; 2] } else { vec![0.998 * half, 1.002 * half] };
            (0..32).map(|i| Example::new(size(i), vec![1.0])).collect()
        };
        let [with, without] = [of(large), of(0.0)].map(|examples| {
            clipped_sum(&ask, &model, &examples, |model: &Linear, batch: Batch| {
                let of = |column| given(model.forward(batch.input.clone().narrow(1, column, 1)), batch.target.clone());
                of(0) - of(1)
            })
        });
        let found = difference(&with, &without);
        assert!(found <= ask.clip + of_release(&with, &without), "{half}: one record changes the sum by {found}");
    }
}
