//! An example with a gradient that is not finite contributes exactly zero, and changes no other contribution.

use burn::module::Param;
use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, WeightStandardizedConv2d,
};
use burn_privacy::per_example::per_example;

use crate::support::{Ask, Batch, Example, Values, clipped_sum, flex, given, relative_difference, with_values};

/// Adds one bad example behind ten good ones, in its input and in its output gradient.
fn check<M: Module>(model: &M, good: &[Example], loss: impl Fn(&M, Batch) -> Tensor<1>) {
    for clip in [1e-2, 1e6] {
        let expected = clipped_sum(&Ask::flex(clip), model, good, &loss);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            for in_input in [true, false] {
                let mut example = good[0].clone();
                if in_input && !bad.is_finite() {
                    example.input[0] = bad;
                } else {
                    // The largest f32 is an output gradient whose norm overflows.
                    example.target.iter_mut().for_each(|x| *x = bad);
                }
                let all = [good, &[example]].concat();
                for physical_batch in [all.len(), 4] {
                    let found = clipped_sum(&Ask::flex(clip).physical_batch(physical_batch), model, &all, &loss);
                    let difference = relative_difference(&found, &expected);
                    assert!(difference < 2e-6, "{bad} (input: {in_input}): {difference:e}");
                }
            }
        }
    }
}

#[test]
fn in_linear_layers() {
    let model = with_values(LinearConfig::new(6, 6).init(&flex()), 1);
    for positions in [1, 4, 9] {
        let good = Values::new(1).examples(10, positions * 6, positions * 6);
        check(&model, &good, |model: &Linear, batch| {
            given(model.forward(batch.shaped::<3>(&[positions, 6])), batch.target)
        });
    }
}

#[test]
fn in_a_linear_layer_called_twice() {
    let model = with_values(LinearConfig::new(6, 6).init(&flex()), 1);
    check(&model, &Values::new(1).examples(10, 12, 12), |model: &Linear, batch| {
        let input = batch.shaped::<3>(&[2, 6]);
        given(model.forward(input.clone()) + model.forward(input * 0.5), batch.target)
    });
}

#[test]
fn in_convolutions() {
    let model = with_values(Conv2dConfig::new([2, 3], [2, 2]).init(&flex()), 1);
    check(&model, &Values::new(1).examples(10, 2 * 16, 3 * 9), |model: &Conv2d, batch| {
        given(model.forward(batch.shaped(&[2, 4, 4])), batch.target)
    });
    check(&model, &Values::new(1).examples(10, 2 * 16, 3 * 9), |model: &Conv2d, batch| {
        let input = batch.shaped(&[2, 4, 4]);
        given(model.forward(input.clone()) + model.forward(input * 0.5), batch.target)
    });
}

#[test]
fn in_convolutions_with_standardized_weights() {
    let model = with_values(Conv2dConfig::new([2, 3], [2, 2]).init(&flex()).into(), 1);
    check(&model, &Values::new(1).examples(10, 2 * 16, 3 * 9), |model: &WeightStandardizedConv2d, batch| {
        given(model.forward(batch.shaped(&[2, 4, 4])), batch.target)
    });
}

#[test]
fn in_embeddings() {
    let good: Vec<Example> = Values::new(1).token_examples(10, 3, 7, 3 * 4);
    let model = with_values(EmbeddingConfig::new(7, 4).init(&flex()), 1);
    check(&model, &good, |model: &Embedding, batch| {
        // The input multiplies the output, so that a bad input spoils the output gradient.
        let n = batch.size();
        given(model.forward(batch.tokens) * (batch.input + 1.0).reshape([n, 1, 1]), batch.target)
    });
}

#[test]
fn in_norms() {
    let model = with_values(LayerNormConfig::new(5).init(&flex()), 1);
    check(&model, &Values::new(1).examples(10, 15, 15), |model: &LayerNorm, batch| {
        given(model.forward(batch.shaped::<3>(&[3, 5])), batch.target)
    });
    let model = with_values(GroupNormConfig::new(2, 4).init(&flex()), 1);
    check(&model, &Values::new(1).examples(10, 24, 24), |model: &GroupNorm, batch| {
        given(model.forward(batch.shaped::<3>(&[4, 6])), batch.target)
    });
}

#[test]
fn in_bare_parameters() {
    let model = Param::from_tensor(Tensor::<2>::ones([3, 4], &flex()));
    check(&model, &Values::new(1).examples(10, 12, 12), |model: &Param<Tensor<2>>, batch| {
        let copies: Tensor<3> = per_example(model, batch.size());
        given(copies * batch.shaped(&[3, 4]), batch.target)
    });
}

#[derive(Module, Debug)]
struct Network {
    image: Conv2d,
    norm: GroupNorm,
    head: Linear,
}

#[test]
fn under_a_cross_entropy() {
    let device = flex();
    let model = Network {
        image: Conv2dConfig::new([1, 4], [3, 3]).init(&device),
        norm: GroupNormConfig::new(2, 4).init(&device),
        head: LinearConfig::new(4 * 9, 3).init(&device),
    };
    let mut good = Values::new(1).examples(10, 25, 1);
    good.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 3) as f32]);
    let model = with_values(model, 1);
    let loss = |model: &Network, batch: Batch| {
        let (n, classes) = (batch.size(), batch.classes());
        let x = model.norm.forward(model.image.forward(batch.shaped(&[1, 5, 5])));
        burn_privacy::loss::cross_entropy(model.head.forward(x.tanh().reshape([n, 36])), classes)
    };
    let expected = clipped_sum(&Ask::flex(1.0), &model, &good, loss);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut example = good[0].clone();
        example.input[12] = bad;
        // Also first in the batch, among the examples that the validator looks at.
        for position in [10, 4, 3, 1, 0] {
            let mut all = good.clone();
            all.insert(position, example.clone());
            let difference = relative_difference(&clipped_sum(&Ask::flex(1.0), &model, &all, loss), &expected);
            assert!(difference < 2e-6, "{bad} at {position}: {difference:e}");
        }
    }
}
