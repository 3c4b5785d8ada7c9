//! A layer used more than once contributes one gradient, the sum over its uses, whose norm is clipped.

use std::ops::Range;

use burn::module::{Param, ParamId};
use burn::nn::PaddingConfig2d;
use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn_privacy::per_example::{
    ClipFactors, ParameterGradients, PerExampleRule, Rounding, is_recording, record, sum_of_squares_bound,
};

use crate::support::{
    Ask, Batch, Example, Values, assert_equals_loop, clipped_sum, distance, flex, given, norm, with_values,
};

#[derive(Module, Debug)]
struct Twice {
    shared: Linear,
    norm: LayerNorm,
    head: Linear,
}

impl Twice {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            shared: LinearConfig::new(5, 5).init(&device),
            norm: LayerNormConfig::new(5).init(&device),
            head: LinearConfig::new(5, 2).init(&device),
        };
        with_values(model, 6)
    }

    fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let x = self.norm.forward(self.shared.forward(input).tanh());
        self.head.forward(self.norm.forward(self.shared.forward(x)).tanh())
    }
}

#[test]
fn a_linear_layer_and_a_norm_called_twice() {
    assert_equals_loop(&flex(), &Twice::new(), &Values::new(1).examples(7, 5, 2), |model, batch| {
        distance(model.forward(batch.input), batch.target)
    });
    assert_equals_loop(&flex(), &Twice::new(), &Values::new(1).examples(7, 4 * 5, 4 * 2), |model, batch| {
        distance(model.forward(batch.shaped::<3>(&[4, 5])), batch.target)
    });
}

#[test]
fn a_layer_called_at_two_ranks() {
    assert_equals_loop(&flex(), &Twice::new(), &Values::new(2).examples(7, 3 * 5, 2), |model, batch| {
        let n = batch.size();
        let sequence = model.forward(batch.shaped::<3>(&[3, 5])).sum_dim(1).reshape([n, 2]);
        let vector = model.forward(batch.input.slice([0..n, 0..5]));
        distance(sequence + vector, batch.target)
    });
}

#[derive(Module, Debug)]
struct TwiceConvolved {
    shared: Conv2d,
    norm: GroupNorm,
}

#[test]
fn a_convolution_and_a_group_norm_called_twice() {
    let device = flex();
    let shared = |padding: PaddingConfig2d, groups| {
        Conv2dConfig::new([4, 4], [3, 2]).with_padding(padding).with_groups(groups).init(&device)
    };
    for (padding, groups) in [(PaddingConfig2d::Same, 1), (PaddingConfig2d::Explicit(1, 0, 1, 1), 2)] {
        let model = TwiceConvolved { shared: shared(padding, groups), norm: GroupNormConfig::new(2, 4).init(&device) };
        let loss = |model: &TwiceConvolved, batch: Batch| {
            let x = model.norm.forward(model.shared.forward(batch.shaped(&[4, 5, 4])).tanh());
            distance(model.norm.forward(model.shared.forward(x)), batch.target)
        };
        assert_equals_loop(&device, &with_values(model, 7), &Values::new(3).examples(6, 80, 80), loss);
    }
}

#[test]
fn an_embedding_called_twice() {
    let model = with_values(EmbeddingConfig::new(7, 4).init(&flex()), 8);
    let examples = Values::new(4).token_examples(7, 6, 7, 6 * 4);
    assert_equals_loop(&flex(), &model, &examples, |model: &Embedding, batch| {
        let forwards = model.forward(batch.tokens.clone());
        distance(forwards * model.forward(batch.tokens.flip([1])).tanh(), batch.target)
    });
}

/// Logits from the embedding's own table, `h W^T + b`: weights tied *through a rule*, so that the norm sees them.
#[derive(Module, Debug)]
struct Decoder {
    bias: Param<Tensor<1>>,
}

impl Decoder {
    fn forward(&self, hidden: Tensor<2>, table: &Param<Tensor<2>>) -> Tensor<2> {
        let [words, _] = table.val().dims();
        let (weight, bias) = (table.val(), self.bias.val().reshape([1, words]));
        if !is_recording() {
            return hidden.matmul(weight.transpose()) + bias;
        }
        let rule = DecoderRule { table: table.id, bias: self.bias.id, words, hidden: hidden.clone().inner() };
        record(hidden.matmul(weight.detach().transpose()) + bias.detach(), rule)
    }
}

struct DecoderRule {
    table: ParamId,
    bias: ParamId,
    words: usize,
    hidden: Tensor<2>,
}

impl PerExampleRule<2> for DecoderRule {
    fn parameters(&self) -> Vec<ParamId> {
        vec![self.table, self.bias]
    }

    fn rows(&self) -> usize {
        self.hidden.dims()[0]
    }

    fn entries(&self) -> usize {
        self.words * (self.hidden.dims()[1] + 1)
    }

    fn gradients(&self, output_gradient: Tensor<2>, range: Range<usize>) -> Vec<ParameterGradients> {
        let (rows, width) = (range.len(), self.hidden.dims()[1]);
        let hidden = self.hidden.clone().slice([range]).reshape([rows, 1, width]);
        let table = output_gradient.clone().reshape([rows, self.words, 1]) * hidden;
        vec![
            ParameterGradients { id: self.table, values: table.reshape([rows, self.words * width]) },
            ParameterGradients { id: self.bias, values: output_gradient },
        ]
    }

    fn squared_error(&self, output_gradient: &Tensor<2>, rounding: Rounding) -> Tensor<1> {
        let product = sum_of_squares_bound(self.hidden.clone(), rounding);
        product * sum_of_squares_bound(output_gradient.clone(), rounding) * rounding.sum(1).powi(2)
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.hidden = factors.select(self.hidden.clone());
    }
}

#[derive(Module, Debug)]
struct Tied {
    words: Embedding,
    decoder: Decoder,
    other: Linear,
}

#[test]
fn a_layer_called_twice_and_another_that_shares_its_weight() {
    let device = flex();
    let model = Tied {
        words: EmbeddingConfig::new(6, 4).init(&device),
        decoder: Decoder { bias: Param::from_tensor(Tensor::zeros([6], &device)) },
        other: LinearConfig::new(4, 4).init(&device),
    };
    let loss = |model: &Tied, batch: Batch| {
        let n = batch.size();
        let forwards = model.words.forward(batch.tokens.clone()).sum_dim(1).reshape([n, 4]);
        let backwards = model.words.forward(batch.tokens.flip([1])).slice([0..n, 0..2]).sum_dim(1).reshape([n, 4]);
        let hidden = model.other.forward(forwards).tanh() * backwards;
        distance(model.decoder.forward(hidden, &model.words.weight), batch.target)
    };
    let examples = Values::new(5).token_examples(7, 5, 6, 6);
    assert_equals_loop(&device, &with_values(model, 9), &examples, loss);
}

/// Two uses whose gradients cancel: norms of the uses alone say nothing about the norm of their sum.
#[test]
fn opposite_uses_cancel_before_the_norm_is_taken() {
    let model = with_values(LinearConfig::new(3, 2).init(&flex()), 1);
    let examples = [Example::new(vec![3.0, -1.0, 2.0], vec![1.0, 2.0])];
    let sum = clipped_sum(&Ask::flex(1e3), &model, &examples, |model: &Linear, batch| {
        let here = model.forward(batch.input.clone());
        // The second use sees 1.5 times the input with the opposite sign of gradient.
        given(here - model.forward(batch.input * 1.5), batch.target)
    });
    // G = a g^T - 1.5 a g^T, and the bias cancels altogether.
    let expected = 0.5 * 14.0_f64.sqrt() * 5.0_f64.sqrt();
    assert!((norm([&sum["weight"]]) / expected - 1.0).abs() < 1e-5);
    assert_eq!(sum["bias"], [0.0, 0.0]);
}

/// A recurrent network of wrapped layers: each is used at every step.
#[derive(Module, Debug)]
struct Recurrent {
    input: Linear,
    hidden: Linear,
}

#[test]
fn linear_layers_called_at_every_step_of_a_sequence() {
    let device = flex();
    let model =
        Recurrent { input: LinearConfig::new(3, 4).init(&device), hidden: LinearConfig::new(4, 4).init(&device) };
    // Steps as ghost norms take them (2 * 2^2 <= 3 * 4), and too many for that.
    for steps in [2, 9] {
        let loss = |model: &Recurrent, batch: Batch| {
            let n = batch.size();
            let x = batch.shaped::<3>(&[steps, 3]);
            let mut state = Tensor::<2>::zeros([n, 4], &x.device());
            for step in 0..steps {
                let x = x.clone().slice([0..n, step..step + 1, 0..3]).reshape([n, 3]);
                state = (model.input.forward(x) + model.hidden.forward(state)).tanh();
            }
            distance(state, batch.target)
        };
        let examples = Values::new(6).examples(7, steps * 3, 4);
        assert_equals_loop(&device, &with_values(model.clone(), 5), &examples, loss);
    }
}
