//! Layers of the sizes that people train.
//!
//! The bound of a norm's rounding error grows with the number of terms that are added up, so that the clip factor lies
//! further below the exact one than for small shapes: by up to 1e-3 here, always on the side of privacy.

use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, WeightStandardizedConv2d,
};
use burn_privacy::prelude::*;

use crate::support::witness::{Witnessed, checked_factor, linear_norm, witness_loss, witnessed};
use crate::support::{
    Ask, Batch, Example, Values, clipped_sum, distance, flex, given, relative_difference, with_values,
};

fn assert_close_to_loop<M: Module>(
    name: &str,
    model: M,
    [inputs, outputs]: [usize; 2],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    let (model, examples) = (with_values(model, 1), Values::new(1).examples(4, inputs, outputs));
    assert_sums_are_close(name, &model, &examples, loss);
}

fn assert_sums_are_close<M: Module>(
    name: &str,
    model: &M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    // A tiny norm: all are clipped, and the sum is as far off as the factors are.
    let expected = clipped_sum(&Ask::flex(1e-3).loop_over_examples(), model, examples, &loss);
    let difference = relative_difference(&clipped_sum(&Ask::flex(1e-3), model, examples, &loss), &expected);
    println!("{name}: {difference:.1e}");
    assert!(difference < 1e-3, "{name}: {difference:e}");
}

#[test]
fn images() {
    for side in [16, 32] {
        let pixels = side * side;
        let conv = |channels: [usize; 2], groups| {
            let config = Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Same).with_groups(groups);
            config.init(&flex())
        };
        let loss = |channels: usize| {
            move |model: &Conv2d, batch: Batch| {
                distance(model.forward(batch.shaped(&[channels, side, side])), batch.target)
            }
        };
        assert_close_to_loop(
            &format!("convolution, {side} x {side}"),
            conv([3, 16], 1),
            [3 * pixels, 16 * pixels],
            loss(3),
        );
        let sizes = [16 * pixels, 16 * pixels];
        assert_close_to_loop(&format!("depthwise, {side} x {side}"), conv([16, 16], 16), sizes, loss(16));
        // Its gains are 1, as training finds them.
        let config = Conv2dConfig::new([16, 16], [3, 3]).with_padding(PaddingConfig2d::Same);
        let mut standardized: WeightStandardizedConv2d = config.init(&flex()).into();
        standardized.convolution = with_values(standardized.convolution, 1);
        let examples = Values::new(1).examples(4, sizes[0], sizes[1]);
        let name = format!("standardized, {side} x {side}");
        assert_sums_are_close(&name, &standardized, &examples, |model: &WeightStandardizedConv2d, batch| {
            distance(model.forward(batch.shaped(&[16, side, side])), batch.target)
        });
        let norm: GroupNorm = GroupNormConfig::new(4, 16).init(&flex());
        assert_close_to_loop(&format!("group norm, {side} x {side}"), norm, sizes, |model, batch| {
            distance(model.forward(batch.shaped::<4>(&[16, side, side])), batch.target)
        });
    }
}

#[test]
fn sequences() {
    // The ghost norm, and instantiation.
    for [tokens, width] in [[32, 64], [64, 128], [128, 256], [256, 64]] {
        let model: Linear = LinearConfig::new(width, width).init(&flex());
        let sizes = [tokens * width; 2];
        assert_close_to_loop(&format!("linear, {tokens} tokens of {width}"), model, sizes, |model, batch| {
            distance(model.forward(batch.shaped::<3>(&[tokens, width])), batch.target)
        });
        let norm: LayerNorm = LayerNormConfig::new(width).init(&flex());
        assert_close_to_loop(&format!("layer norm, {tokens} tokens of {width}"), norm, sizes, |model, batch| {
            distance(model.forward(batch.shaped::<3>(&[tokens, width])), batch.target)
        });
        let words = 20 * tokens;
        let model: Embedding = with_values(EmbeddingConfig::new(words, width).init(&flex()), 1);
        let examples = Values::new(1).token_examples(4, tokens, words, tokens * width);
        assert_sums_are_close(&format!("embedding, {tokens} tokens of {width}"), &model, &examples, |model, batch| {
            distance(model.forward(batch.tokens), batch.target)
        });
    }
}

/// Nine million entries: a sum of so many squares in one piece would have no finite error bound, and every example
/// would be excluded.
#[test]
fn a_layer_of_millions_of_entries() {
    let width = 3_000;
    let mut values = Values::new(4);
    let (input, gradient) = (values.normals(width), values.normals(width));
    let true_norm = linear_norm(&input, &gradient, [1, width, width], true);
    let model = witnessed(&flex(), LinearConfig::new(width, width).init(&flex()));
    let examples = [Example::new(input, gradient)];
    let exact = 1.0 / true_norm.hypot(1.0);
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let ask = Ask { mode, ..Ask::flex(1.0) };
        let sum = clipped_sum(&ask, &model, &examples, |model: &Witnessed<Linear>, batch| {
            witness_loss(model, &batch, 1.0) + given(model.1.forward(batch.input), batch.target)
        });
        let factor = checked_factor(&sum, 1.0, true_norm, 1.0);
        assert!(factor > exact * (1.0 - 1e-4), "{mode:?}: {factor:e} instead of {exact:e}");
    }
}
