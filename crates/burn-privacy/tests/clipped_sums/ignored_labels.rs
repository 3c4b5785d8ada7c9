//! Labels and tokens that are no index (-100 and 255 are usual): no panic, no contribution, whatever the path.

use burn::prelude::*;
use burn_privacy::loss::{cross_entropy, sequence_cross_entropy};
use burn_privacy::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};

use crate::support::{
    Ask, Batch, Example, Values, assert_equals_loop, clipped_sum, flex, relative_difference, with_values,
};

const UNUSUAL: [i32; 5] = [-100, 255, 3, i32::MAX, i32::MIN];

#[test]
fn an_example_with_such_a_label_contributes_nothing() {
    let model: Linear = with_values(LinearConfig::new(4, 3).init(&flex()), 1);
    let loss = |model: &Linear, batch: Batch| {
        let n = batch.size();
        cross_entropy(model.forward(batch.input), batch.tokens.reshape([n]))
    };
    let labelled = |mut example: Example, label: i32| {
        example.tokens = vec![label];
        example
    };
    let good: Vec<Example> =
        Values::new(1).examples(9, 4, 1).into_iter().enumerate().map(|(i, e)| labelled(e, i as i32 % 3)).collect();
    for ask in [Ask::flex(0.1), Ask::flex(0.1).physical_batch(2), Ask::flex(0.1).loop_over_examples()] {
        let expected = clipped_sum(&ask, &model, &good, loss);
        for label in UNUSUAL {
            let mut all = good.clone();
            all.insert(4, labelled(good[0].clone(), label));
            let found = clipped_sum(&ask, &model, &all, loss);
            let difference = relative_difference(&found, &expected);
            assert!(difference < 2e-6, "label {label}: {difference:e}");
        }
    }
    // A batch of nothing else.
    let none: Vec<Example> = good.iter().map(|example| labelled(example.clone(), -100)).collect();
    let sum = clipped_sum(&Ask::flex(0.1), &model, &none, loss);
    assert!(sum.values().flatten().all(|value| *value == 0.0));
}

#[derive(Module, Debug)]
struct Words {
    words: Embedding,
    head: Linear,
}

#[test]
fn padding_trains_no_word() {
    let model = Words {
        words: EmbeddingConfig::new(5, 4).init(&flex()),
        head: LinearConfig::new(4, 5).with_bias(false).init(&flex()),
    };
    let model = with_values(model, 1);
    // The next token, of short sequences behind padding.
    let loss = |model: &Words, batch: Batch| {
        let [n, length] = batch.tokens.dims();
        let (from, to) = (batch.tokens.clone().slice([0..n, 0..length - 1]), batch.tokens.slice([0..n, 1..length]));
        sequence_cross_entropy(model.head.forward(model.words.forward(from)), to)
    };
    let mut examples = Values::new(1).token_examples(8, 6, 5, 1);
    for (i, example) in examples.iter_mut().enumerate() {
        let kept = 2 + i % 4;
        example.tokens[kept..].fill(UNUSUAL[i % 5].max(-100).min(255));
    }
    examples[1].tokens.fill(-100);
    examples[2].tokens[0] = 5;
    assert_equals_loop(&flex(), &model, &examples, loss);

    // Word 4 is nowhere but in the padding's neighbourhood: its row gets nothing.
    examples.iter_mut().flat_map(|example| &mut example.tokens).filter(|token| **token == 4).for_each(|t| *t = 3);
    let sum = clipped_sum(&Ask::flex(1.0), &model, &examples, loss);
    assert!(sum["words.weight"][16..20].iter().all(|value| *value == 0.0));
    assert!(sum["words.weight"][12..16].iter().any(|value| *value != 0.0));
}
