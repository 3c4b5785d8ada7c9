//! Stock layers on their operation graph, there, against the loop on the CPU.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm,
    LstmConfig, PaddingConfig2d,
};
use burn::prelude::*;
use burn::tensor::activation::softmax;

use super::on_adapter;
use super::support::{Ask, Batch, Example, Values, clipped_sum, distance, flex, relative_difference, with_values};

fn assert_traced_equals_cpu_loop<M: Module>(
    device: &Device,
    new: impl Fn(&Device) -> M,
    examples: &[Example],
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    let model = |device: &Device| with_values(new(device), 1);
    let expected = clipped_sum(&Ask::flex(0.5).loop_over_examples(), &model(&flex()), examples, &loss);
    let found = clipped_sum(&Ask::on(device, 0.5).traced(), &model(device), examples, &loss);
    let difference = relative_difference(&found, &expected);
    println!("relative difference {difference:.1e}");
    assert!(difference <= 1e-4, "relative difference {difference:e}");
}

#[derive(Module, Debug)]
struct Images {
    image: Conv2d,
    norm: GroupNorm,
    head: Linear,
}

#[test]
fn stock_images_on_their_graph() {
    on_adapter("stock_images_on_their_graph", |device| {
        let new = |device: &Device| Images {
            image: Conv2dConfig::new([2, 4], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device),
            norm: GroupNormConfig::new(2, 4).init(device),
            head: LinearConfig::new(4 * 16, 3).init(device),
        };
        let examples = Values::new(2).examples(4, 32, 3);
        assert_traced_equals_cpu_loop(device, new, &examples, |model, batch| {
            let n = batch.size();
            let x = model.norm.forward(model.image.forward(batch.shaped(&[2, 4, 4]))).tanh();
            distance(model.head.forward(x.reshape([n, 64])), batch.target)
        });
    });
}

#[derive(Module, Debug)]
struct Recurrent {
    embedding: Embedding,
    lstm: Lstm,
    head: Linear,
}

#[test]
fn a_stock_lstm_on_its_graph() {
    on_adapter("a_stock_lstm_on_its_graph", |device| {
        let new = |device: &Device| Recurrent {
            embedding: EmbeddingConfig::new(5, 3).init(device),
            lstm: LstmConfig::new(3, 4, true).init(device),
            head: LinearConfig::new(4, 2).init(device),
        };
        let examples = Values::new(3).token_examples(4, 3, 5, 2);
        assert_traced_equals_cpu_loop(device, new, &examples, |model, batch| {
            let (hidden, _) = model.lstm.forward(model.embedding.forward(batch.tokens), None);
            distance(model.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1)), batch.target)
        });
    });
}

#[derive(Module, Debug)]
struct Attending {
    query: Linear,
    key: Linear,
    norm: LayerNorm,
}

#[test]
fn attention_of_stock_layers_on_its_graph() {
    on_adapter("attention_of_stock_layers_on_its_graph", |device| {
        let new = |device: &Device| Attending {
            query: LinearConfig::new(4, 4).init(device),
            key: LinearConfig::new(4, 4).init(device),
            norm: LayerNormConfig::new(4).init(device),
        };
        let examples = Values::new(4).examples(4, 12, 12);
        assert_traced_equals_cpu_loop(device, new, &examples, |model, batch| {
            let n = batch.size();
            let x = batch.shaped::<3>(&[3, 4]);
            let scores = model.query.forward(x.clone()).matmul(model.key.forward(x.clone()).swap_dims(1, 2)) / 2.0;
            let x = model.norm.forward(softmax(scores, 2).matmul(x.clone()) + x);
            distance(x.reshape([n, 12]), batch.target)
        });
    });
}
