//! Linear layers on vectors and on sequences, by instantiation and by ghost norm, against the batch-of-one loop.

use burn::nn::LinearLayout;
use burn::prelude::*;
use burn::tensor::activation::tanh;
use burn_privacy::nn::{Linear, LinearConfig};
use proptest::prelude::*;

use crate::support::{Ask, Values, assert_equals_loop, clipped_sum, distance, flex, relative_difference, with_values};

#[derive(Module, Debug)]
struct Stack {
    first: Linear,
    second: Linear,
}

impl Stack {
    fn new(widths: [usize; 3], bias: bool, layout: LinearLayout, seed: u64) -> Self {
        let layer = |from, to| LinearConfig::new(from, to).with_bias(bias).with_layout(layout).init(&flex());
        with_values(Self { first: layer(widths[0], widths[1]), second: layer(widths[1], widths[2]) }, seed)
    }

    fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.second.forward(tanh(self.first.forward(input)))
    }
}

/// `axes` lie between the example axis and the features: none for rank 2.
fn check<const D: usize>(axes: &[usize], widths: [usize; 3], bias: bool, layout: LinearLayout, examples: usize) {
    assert_eq!(D, axes.len() + 2);
    let positions: usize = axes.iter().product();
    let examples = Values::new(7).examples(examples, positions * widths[0], positions * widths[2]);
    let model = Stack::new(widths, bias, layout, 1);
    assert_equals_loop(&flex(), &model, &examples, |model, batch| {
        let dims: Vec<usize> = axes.iter().copied().chain([widths[0]]).collect();
        distance(model.forward(batch.shaped::<D>(&dims)), batch.target)
    });
}

#[test]
fn vectors() {
    check::<2>(&[], [5, 6, 3], true, LinearLayout::Row, 8);
    check::<2>(&[], [5, 6, 3], false, LinearLayout::Row, 8);
    check::<2>(&[], [5, 6, 3], true, LinearLayout::Col, 8);
    check::<2>(&[], [1, 1, 1], true, LinearLayout::Row, 4);
}

#[test]
fn short_sequences_by_the_ghost_norm() {
    // 2 T^2 = 32 is at most every layer's weight count.
    check::<3>(&[4], [8, 10, 7], true, LinearLayout::Row, 7);
    check::<3>(&[4], [8, 10, 7], false, LinearLayout::Row, 7);
    check::<4>(&[2, 2], [8, 10, 7], true, LinearLayout::Col, 7);
}

#[test]
fn long_sequences_by_instantiation() {
    // 2 T^2 = 288 is above every layer's weight count.
    check::<3>(&[12], [5, 6, 4], true, LinearLayout::Row, 7);
    check::<3>(&[12], [5, 6, 4], false, LinearLayout::Row, 7);
    check::<4>(&[3, 4], [5, 6, 4], true, LinearLayout::Row, 7);
}

#[test]
fn a_sequence_of_one_is_a_vector() {
    check::<3>(&[1], [6, 5, 3], true, LinearLayout::Row, 5);
    check::<4>(&[1, 1], [6, 5, 3], false, LinearLayout::Row, 5);
}

#[test]
fn more_gradient_entries_than_are_formed_at_once() {
    // 4,160 entries an example: 4,033 examples fill 2^24 entries.
    let (examples, tokens, width) = (4_100, 46, 64);
    let model = with_values(LinearConfig::new(width, width).init(&flex()), 3);
    let examples = Values::new(9).examples(examples, tokens * width, 1);
    let sum = |physical_batch| {
        let ask = Ask::flex(1.0).physical_batch(physical_batch);
        clipped_sum(&ask, &model, &examples, |model: &Linear, batch| {
            let n = batch.size();
            model
                .forward(batch.shaped::<3>(&[tokens, width]))
                .square()
                .reshape([n, tokens * width])
                .mean_dim(1)
                .reshape([n])
        })
    };
    let difference = relative_difference(&sum(examples.len()), &sum(500));
    assert!(difference < 1e-4, "{difference:e}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes(
        axes in prop::collection::vec(1_usize..6, 0..3),
        widths in [2_usize..12, 2..12, 2..12],
        bias: bool,
        column: bool,
        examples in 4_usize..9,
    ) {
        let layout = if column { LinearLayout::Col } else { LinearLayout::Row };
        match axes.len() {
            0 => check::<2>(&axes, widths, bias, layout, examples),
            1 => check::<3>(&axes, widths, bias, layout, examples),
            _ => check::<4>(&axes, widths, bias, layout, examples),
        }
    }
}
