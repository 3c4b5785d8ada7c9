//! Augmentation multiplicity: a record's views give one gradient, that of their mean loss, which is clipped as one.

use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};

use crate::support::{
    Ask, Batch, Values, assert_says, assert_views_equal_loop, clipped_sum, distance, flex, norm, refusal,
    relative_difference, with_values,
};

const VIEWS: usize = 3;

/// What an augmenting batcher would do: the views of a record differ.
fn augmented(batch: &Batch) -> Tensor<2> {
    let rows = batch.size();
    let scales: Vec<f32> = (0..rows).map(|row| 1.0 - 0.4 * (row % VIEWS) as f32).collect();
    batch.input.clone() * Tensor::<1>::from_floats(scales.as_slice(), &batch.input.device()).reshape([rows, 1])
}

#[derive(Module, Debug)]
struct Everything {
    image: Conv2d,
    groups: GroupNorm,
    sequence: Linear,
    norm: LayerNorm,
    tokens: Embedding,
    head: Linear,
}

impl Everything {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            image: Conv2dConfig::new([2, 4], [3, 2]).init(&device),
            groups: GroupNormConfig::new(2, 4).init(&device),
            sequence: LinearConfig::new(4, 5).init(&device),
            norm: LayerNormConfig::new(5).init(&device),
            tokens: EmbeddingConfig::new(7, 5).init(&device),
            head: LinearConfig::new(5, 2).init(&device),
        };
        with_values(model, 3)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let rows = batch.size();
        let images: Tensor<4> = augmented(&batch).reshape([rows, 2, 4, 5]);
        let x = self.groups.forward(self.image.forward(images)).tanh().reshape([rows, 4, 8]).swap_dims(1, 2);
        let x = self.norm.forward(self.sequence.forward(x).tanh());
        let x = x.mean_dim(1) + self.tokens.forward(batch.tokens);
        distance(self.head.forward(x.reshape([rows, 5]).tanh()), batch.target)
    }
}

fn records(count: usize) -> Vec<crate::support::Example> {
    let mut values = Values::new(11);
    let mut records = values.examples(count, 40, 2);
    records.iter_mut().for_each(|record| record.tokens = vec![values.below(7) as i32]);
    records
}

#[test]
fn every_layer_adds_up_the_views_before_the_norm() {
    assert_views_equal_loop(VIEWS, &Everything::new(), &records(6), |model, batch| model.losses(batch));
}

#[derive(Module, Debug)]
struct Dense {
    hidden: Linear,
    head: Linear,
}

fn dense(inputs: usize) -> Dense {
    let device = flex();
    with_values(
        Dense { hidden: LinearConfig::new(inputs, 6).init(&device), head: LinearConfig::new(6, 2).init(&device) },
        4,
    )
}

#[test]
fn dense_layers_and_layers_used_twice() {
    let losses = |model: &Dense, batch: Batch| {
        distance(model.head.forward(model.hidden.forward(augmented(&batch)).tanh()), batch.target)
    };
    assert_views_equal_loop(VIEWS, &dense(8), &Values::new(5).examples(7, 8, 2), losses);
    let twice = |model: &Dense, batch: Batch| {
        let x = model.hidden.forward(augmented(&batch)).tanh();
        distance(model.head.forward(model.hidden.forward(x).tanh()), batch.target)
    };
    assert_views_equal_loop(VIEWS, &dense(6), &Values::new(6).examples(7, 6, 2), twice);
}

#[test]
fn equal_views_are_one_view() {
    let records = Values::new(7).examples(5, 8, 2);
    let losses = |model: &Dense, batch: Batch| {
        distance(model.head.forward(model.hidden.forward(batch.input).tanh()), batch.target)
    };
    let one = clipped_sum(&Ask::flex(0.7), &dense(8), &records, losses);
    let four = clipped_sum(&Ask::flex(0.7).views(4), &dense(8), &records, losses);
    assert!(relative_difference(&four, &one) < 1e-5);
}

#[test]
fn no_record_contributes_more_than_the_clipping_norm() {
    // Views that pull the same way, so that the norm of the sum is that of the views times their number.
    let record = Values::new(8).examples(1, 8, 2);
    let losses = |model: &Dense, batch: Batch| {
        distance(model.head.forward(model.hidden.forward(batch.input * 50.0).tanh()), batch.target * 1e3)
    };
    for views in [1, 2, 16] {
        let found = norm(clipped_sum(&Ask::flex(0.25).views(views), &dense(8), &record, losses).values());
        assert!((0.2499..=0.25).contains(&found), "{views} views: {found}");
    }
}

#[test]
fn losses_must_be_one_a_view_and_views_must_not_see_other_records() {
    let records = Values::new(9).examples(4, 8, 2);
    let ask = Ask::flex(1.0).views(2);
    let averaged = |model: &Dense, batch: Batch| {
        let losses = distance(model.head.forward(model.hidden.forward(batch.input).tanh()), batch.target);
        let records = losses.dims()[0] / 2;
        losses.reshape([records, 2]).mean_dim(1).reshape([records])
    };
    assert_says(&refusal(&ask, &dense(8), &records, averaged), &["one loss"]);

    // Neighbouring rows: of the same record they may meet, of different records not.
    let shifted = |by: usize| {
        move |model: &Dense, batch: Batch| {
            let rows = batch.size();
            let hidden = model.hidden.forward(batch.input.clone()).tanh();
            let mixed = if rows > by {
                let pairs: Tensor<3> = hidden.clone().reshape([rows / 2, 2, 6]);
                match by {
                    0 => pairs.clone() + pairs.flip([1]),
                    _ => pairs.clone() + pairs.flip([0]),
                }
                .reshape([rows, 6])
            } else {
                hidden
            };
            distance(model.head.forward(mixed), batch.target)
        }
    };
    let within = clipped_sum(&ask, &dense(8), &records, shifted(0));
    assert!(norm(within.values()) > 0.0);
    assert_says(&refusal(&ask, &dense(8), &records, shifted(2)), &["example"]);
}
