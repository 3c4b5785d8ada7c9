//! Whole programs of stock layers and of user's code: parameters used in many ways, other orders of axes, LoRA.

use burn::module::{Lora, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Embedding, EmbeddingConfig, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::prelude::*;
use burn::tensor::activation::{log_softmax, relu};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Distribution, FloatDType, IntDType};

use super::layers::worst_difference;
use crate::support::{Batch, Example, Values, distance, flex, with_values};

fn assert_exact<M: Module>(name: &str, model: &M, examples: &[Example], loss: impl Fn(&M, Batch) -> Tensor<1>) {
    let worst = worst_difference(model, examples, loss);
    println!("{name:32} {worst:.1e}");
    assert!(worst < 1e-5, "{name}: relative difference {worst:e}");
}

fn param<const D: usize>(dims: [usize; D]) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::random(dims, Distribution::Normal(0.0, 0.5), &flex()))
}

fn examples(count: usize, inputs: usize, targets: usize) -> Vec<Example> {
    Values::new(1).examples(count, inputs, targets)
}

#[derive(Module, Debug)]
struct Tied {
    table: Embedding,
    middle: Linear,
}

#[test]
fn tied_weights_of_an_embedding_and_a_head() {
    let device = flex();
    let model = Tied { table: EmbeddingConfig::new(7, 4).init(&device), middle: LinearConfig::new(4, 4).init(&device) };
    let examples = Values::new(2).token_examples(5, 3, 7, 3 * 7);
    assert_exact("tied weights", &with_values(model, 3), &examples, |model, batch| {
        let [n, t] = batch.tokens.dims();
        let hidden = model.middle.forward(model.table.forward(batch.tokens)).tanh();
        let head = model.table.weight.val().transpose();
        distance(hidden.reshape([n * t, 4]).matmul(head).reshape([n, t, 7]), batch.target)
    });
}

#[derive(Module, Debug)]
struct Backbones {
    first: Linear,
    second: Linear,
    head: Linear,
}

#[test]
fn frozen_copies_keep_their_own_values() {
    let first = with_values(LinearConfig::new(6, 5).init(&flex()), 1);
    // One id, other values.
    let second = with_values(first.clone(), 2).no_grad();
    let head = with_values(LinearConfig::new(5, 3).init(&flex()), 3);
    let model = Backbones { first: first.no_grad(), second, head };
    assert_exact("frozen copies", &model, &examples(5, 6, 3), |model, batch| {
        let hidden = model.first.forward(batch.input.clone()).tanh() + model.second.forward(batch.input) * 0.5;
        distance(model.head.forward(hidden), batch.target)
    });
}

#[test]
fn a_convolution_in_double_precision() {
    let kernel = param([2, 1, 2, 2]);
    assert_exact("f64 convolution", &kernel, &examples(5, 16, 18), |kernel: &Param<Tensor<4>>, batch| {
        let n = batch.size();
        let x = batch.input.reshape([n, 1, 4, 4]).cast(FloatDType::F64);
        let options = ConvOptions::new([1, 1], [0, 0], [1, 1], 1);
        let y = burn::tensor::module::conv2d(x, kernel.val().cast(FloatDType::F64), None, options);
        distance(y.cast(FloatDType::F32).reshape([n, 18]), batch.target)
    });
}

/// Times in milliseconds need 64 bits, where the device's own whole numbers have 32.
#[test]
fn whole_numbers_keep_the_type_that_was_asked_for() {
    let weight = param([4, 3]);
    let examples = Values::new(2).token_examples(5, 4, 7, 3);
    assert_exact("times", &weight, &examples, |weight: &Param<Tensor<2>>, batch| {
        let [n, _] = batch.tokens.dims();
        let times = batch.tokens.cast(IntDType::I64) * 1_000_000_000_000_i64 + 700_000_000_000_i64;
        let days = (times / 86_400_000_i64).cast(IntDType::I32).float() / 1e4;
        distance(days.matmul(weight.val()).reshape([n, 3]), batch.target)
    });
}

#[derive(Module, Debug)]
struct Recurrent {
    lstm: Lstm,
    gru: Gru,
    head: Linear,
}

#[test]
fn two_recurrent_layers_share_a_state() {
    let device = flex();
    let model = Recurrent {
        lstm: LstmConfig::new(3, 4, true).init(&device),
        gru: GruConfig::new(4, 4, true).init(&device),
        head: LinearConfig::new(4, 2).init(&device),
    };
    assert_exact("Lstm, Gru and Linear", &with_values(model, 4), &examples(5, 12, 2), |model, batch| {
        let (hidden, state) = model.lstm.forward(batch.shaped::<3>(&[4, 3]), None);
        let hidden = model.gru.forward(hidden, Some(state.hidden));
        distance(model.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1)), batch.target)
    });
}

#[derive(Module, Debug)]
struct Custom {
    class: Param<Tensor<3>>,
    positions: Param<Tensor<2>>,
    weight: Param<Tensor<2>>,
    down: Param<Tensor<2>>,
    up: Param<Tensor<2>>,
    scale: Param<Tensor<1>>,
    layer: Linear,
}

/// A class token, positions, a standardized weight, LoRA by hand, time-major code, tokens and batch in one axis.
#[test]
fn parameters_that_user_code_composes() {
    let model = Custom {
        class: param([1, 1, 4]),
        positions: param([4, 4]),
        weight: param([4, 4]),
        down: param([4, 2]),
        up: param([2, 4]),
        scale: param([4]),
        layer: LinearConfig::new(4, 4).init(&flex()),
    };
    assert_exact("custom", &model, &examples(5, 12, 4), |model, batch| {
        let [n, t, d] = [batch.size(), 3, 4];
        let x = Tensor::cat(vec![model.class.val().expand([n, 1, d]), batch.shaped::<3>(&[t, d])], 1);
        let x = x + model.positions.val().unsqueeze();
        // [tokens, batch, d]: the examples are in the middle.
        let x = model.layer.forward(x.swap_dims(0, 1)).tanh();
        let flat = x.reshape([(t + 1) * n, d]);
        let weight = model.weight.val();
        let mean = weight.clone().mean_dim(0);
        let variance = (weight.clone() - mean.clone()).square().mean_dim(0);
        let weight = (weight - mean) / (variance + 1e-3).sqrt() + model.down.val().matmul(model.up.val()) * 0.5;
        let x = flat.matmul(weight).reshape([t + 1, n, d]).swap_dims(0, 1);
        let x = x * model.scale.val().unsqueeze();
        distance(x.mean_dim(1).squeeze_dim::<2>(1), batch.target)
    });
}

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
}

fn mlp() -> Mlp {
    let device = flex();
    with_values(Mlp { first: LinearConfig::new(6, 5).init(&device), second: LinearConfig::new(5, 3).init(&device) }, 5)
}

fn mlp_loss(model: &Mlp, batch: Batch) -> Tensor<1> {
    distance(model.second.forward(relu(model.first.forward(batch.input))), batch.target)
}

#[test]
fn burns_own_lora() {
    let model = mlp().apply_lora(Lora::new(2, 4.0));
    // Both factors away from zero.
    assert_exact("apply_lora", &with_values(model, 6), &examples(5, 6, 3), mlp_loss);
}

#[test]
fn frozen_parts_penalties_and_stopped_gradients() {
    let mut model = mlp();
    model.first = model.first.freeze();
    assert_exact("first layer frozen", &model, &examples(5, 6, 3), mlp_loss);
    assert_exact("penalty on the weights", &mlp(), &examples(5, 6, 3), |model, batch| {
        mlp_loss(model, batch) + model.second.weight.val().square().sum() * 0.1
    });
    assert_exact("detach", &mlp(), &examples(5, 6, 3), |model, batch| {
        let hidden = model.first.forward(batch.input).tanh();
        distance(model.second.forward(hidden.clone() * hidden.detach()), batch.target)
    });
}

#[test]
fn positions_looked_up_in_a_shared_table() {
    let device = flex();
    let model = Tied { table: EmbeddingConfig::new(4, 3).init(&device), middle: LinearConfig::new(3, 3).init(&device) };
    assert_exact("learned positions", &with_values(model, 8), &examples(5, 12, 12), |model, batch| {
        let numbers = Tensor::<1, Int>::arange(0..4, &batch.input.device()).reshape([1, 4]);
        let x = batch.shaped::<3>(&[4, 3]) + model.middle.forward(model.table.forward(numbers));
        distance(x.tanh(), batch.target)
    });
}

#[derive(Module, Debug)]
struct Pooled {
    first: Conv2d,
    second: Conv2d,
    head: Linear,
}

#[test]
fn a_convolutional_network_with_cross_entropy() {
    let device = flex();
    let model = Pooled {
        first: Conv2dConfig::new([1, 4], [3, 3]).init(&device),
        second: Conv2dConfig::new([4, 4], [2, 2]).init(&device),
        head: LinearConfig::new(4, 3).init(&device),
    };
    let mut examples = examples(6, 64, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 3) as f32]);
    assert_exact("convolutional network", &with_values(model, 9), &examples, |model, batch| {
        let n = batch.size();
        let x = relu(model.first.forward(batch.shaped::<4>(&[1, 8, 8])));
        let x = burn::nn::pool::MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init().forward(x);
        let x = relu(model.second.forward(x)).mean_dim(3).mean_dim(2).reshape([n, 4]);
        let classes = batch.classes();
        log_softmax(model.head.forward(x), 1).gather(1, classes.reshape([n, 1])).reshape([n]).neg()
    });
}
