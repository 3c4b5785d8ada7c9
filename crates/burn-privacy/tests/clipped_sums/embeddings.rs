//! Embeddings of long and short texts, against the batch-of-one loop.

use burn::prelude::*;
use burn_privacy::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use proptest::prelude::*;

use crate::support::{Example, Values, assert_equals_loop, distance, flex, given, with_values};

fn check(vocabulary: usize, width: usize, tokens: usize, examples: usize) {
    let model = with_values(EmbeddingConfig::new(vocabulary, width).init(&flex()), 1);
    let examples = Values::new(3).token_examples(examples, tokens, vocabulary, tokens * width);
    assert_equals_loop(&flex(), &model, &examples, |model: &Embedding, batch| {
        distance(model.forward(batch.tokens), batch.target)
    });
}

#[test]
fn a_long_text_by_instantiation() {
    // T^2 = 64 is above 3 * 2 table entries, and every token is repeated.
    check(3, 2, 8, 7);
}

#[test]
fn a_short_text_by_the_ghost_norm() {
    check(9, 6, 5, 7);
    check(5, 4, 1, 5);
}

#[test]
fn one_token_all_along() {
    let model = with_values(EmbeddingConfig::new(10, 4).init(&flex()), 1);
    let mut values = Values::new(3);
    let examples: Vec<Example> = (0..6)
        .map(|token| Example { input: vec![0.0], tokens: vec![token; 6], target: values.normals(6 * 4) })
        .collect();
    assert_equals_loop(&flex(), &model, &examples, |model: &Embedding, batch| {
        given(model.forward(batch.tokens), batch.target)
    });
}

#[derive(Module, Debug)]
struct Text {
    words: Embedding,
    head: Linear,
}

#[test]
fn under_a_linear_layer() {
    let device = flex();
    let model = Text { words: EmbeddingConfig::new(12, 6).init(&device), head: LinearConfig::new(6, 5).init(&device) };
    let examples = Values::new(6).token_examples(8, 4, 12, 4 * 5);
    assert_equals_loop(&device, &with_values(model, 2), &examples, |model, batch| {
        distance(model.head.forward(model.words.forward(batch.tokens)), batch.target)
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_shapes(vocabulary in 1_usize..12, width in 4_usize..9, tokens in 1_usize..10, examples in 4_usize..8) {
        check(vocabulary, width, tokens, examples);
    }
}
