//! Axis 0 must be the example axis of everything a layer sees.

use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
};
use burn_privacy::per_example::per_example;

use crate::support::{Ask, Batch, Values, assert_equals_loop, assert_says, distance, flex, refusal};

const ADVICE: [&str; 3] = ["axis 0 must be the example axis", "[batch, .., features]", "[batch * tokens, features]"];

fn linear() -> Linear {
    LinearConfig::new(4, 2).init(&flex())
}

#[test]
fn positions_folded_into_the_batch() {
    let loss = |model: &Linear, batch: Batch| {
        let n = batch.size();
        distance(model.forward(batch.input.reshape([n * 3, 4])).reshape([n, 6]), batch.target)
    };
    let message = refusal(&Ask::flex(1.0), &linear(), &Values::new(1).examples(6, 12, 6), loss);
    assert_says(&message, &ADVICE);
    assert_says(&message, &["3 rows for each"]);
    // The remedy: keep the batch axis.
    assert_equals_loop(&flex(), &linear(), &Values::new(1).examples(6, 12, 6), |model, batch| {
        distance(model.forward(batch.shaped::<3>(&[3, 4])), batch.target)
    });
}

#[test]
fn time_first() {
    // Also as many positions as the batch, or the validator, has examples.
    for (examples, positions) in [(6, 3), (5, 5), (4, 4), (6, 4)] {
        let loss = |model: &Linear, batch: Batch| {
            let time_first = batch.shaped::<3>(&[positions, 4]).swap_dims(0, 1);
            distance(model.forward(time_first).swap_dims(0, 1), batch.target)
        };
        let examples = Values::new(1).examples(examples, positions * 4, positions * 2);
        let message = refusal(&Ask::flex(1.0), &linear(), &examples, loss);
        assert!(message.contains(ADVICE[0]) || message.contains("axis 0 is the batch axis"), "{message}");
    }
}

#[test]
fn one_position_table_for_the_whole_batch() {
    // A table of positions that goes through a layer once, as many positions as examples.
    let examples = Values::new(1).examples(4, 16, 8);
    let message = refusal(&Ask::flex(1.0), &linear(), &examples, |model: &Linear, batch| {
        let table = Tensor::<2>::ones([4, 4], &flex());
        let positions: Tensor<3> = model.forward(table).unsqueeze_dim(0);
        distance(model.forward(batch.shaped::<3>(&[4, 4])) + positions, batch.target)
    });
    assert_says(&message, &ADVICE);
}

#[test]
fn a_vector_without_axes() {
    let message = refusal(&Ask::flex(1.0), &linear(), &Values::new(1).examples(6, 4, 2), |model: &Linear, batch| {
        let n = batch.size();
        let row: Tensor<1> = batch.input.slice([0..1, 0..4]).reshape([4]);
        distance(model.forward(row).reshape([1, 2]).expand([n, 2]), batch.target)
    });
    assert_says(&message, &ADVICE);
}

#[test]
fn other_layers() {
    let norm: LayerNorm = LayerNormConfig::new(4).init(&flex());
    let message = refusal(&Ask::flex(1.0), &norm, &Values::new(1).examples(6, 8, 8), |model: &LayerNorm, batch| {
        let n = batch.size();
        distance(model.forward(batch.input.reshape([n * 2, 4])).reshape([n, 8]), batch.target)
    });
    assert_says(&message, &ADVICE);

    let words: Embedding = EmbeddingConfig::new(5, 4).init(&flex());
    let examples = Values::new(1).token_examples(6, 3, 5, 12);
    let message = refusal(&Ask::flex(1.0), &words, &examples, |model: &Embedding, batch| {
        let n = batch.size();
        distance(model.forward(batch.tokens.swap_dims(0, 1)).swap_dims(0, 1).reshape([n, 12]), batch.target)
    });
    assert_says(&message, &ADVICE);

    // Patches of an image folded into the batch.
    let patches: Conv2d = Conv2dConfig::new([1, 2], [2, 2]).init(&flex());
    let message = refusal(&Ask::flex(1.0), &patches, &Values::new(1).examples(6, 8, 4), |model: &Conv2d, batch| {
        let n = batch.size();
        distance(model.forward(batch.input.reshape([n * 2, 1, 2, 2])).reshape([n, 4]), batch.target)
    });
    assert_says(&message, &ADVICE);
}

#[test]
fn a_wrong_count_of_copies_of_a_bare_parameter() {
    let model = burn::module::Param::from_tensor(Tensor::<1>::ones([3], &flex()));
    let examples = Values::new(1).examples(6, 1, 3);
    let message = refusal(&Ask::flex(1.0), &model, &examples, |model: &burn::module::Param<Tensor<1>>, batch| {
        let copies: Tensor<2> = per_example(model, 1);
        distance(copies.expand([batch.size(), 3]), batch.target)
    });
    assert_says(&message, &ADVICE);
}
