//! Bare parameters, and layers of the user's own with a rule of their own.

use std::ops::Range;

use burn::module::{Param, ParamId};
use burn::prelude::*;
use burn::tensor::activation::softmax;
use burn_privacy::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn_privacy::per_example::{
    ClipFactors, ParameterGradients, PerExampleRule, Rounding, is_recording, per_example, record, sum_of_squares_bound,
};
use burn_privacy::prelude::*;

use crate::support::{Batch, Values, assert_equals_loop, distance, flex, with_values};

const TOKENS: usize = 5;
const WIDTH: usize = 6;

/// A small transformer with a class token, positions and a learned scale.
#[derive(Module, Debug)]
struct Transformer {
    words: Embedding,
    positions: Param<Tensor<2>>,
    class_token: Param<Tensor<2>>,
    scale: Param<Tensor<1>>,
    norm: LayerNorm,
    queries: Linear,
    keys: Linear,
    values: Linear,
    head: Linear,
}

impl Transformer {
    fn new(device: &Device) -> Self {
        let linear = |to| LinearConfig::new(WIDTH, to).init(device);
        let model = Self {
            words: EmbeddingConfig::new(9, WIDTH).init(device),
            positions: Param::from_tensor(Tensor::zeros([TOKENS + 1, WIDTH], device)),
            class_token: Param::from_tensor(Tensor::zeros([1, WIDTH], device)),
            scale: Param::from_tensor(Tensor::ones([1], device)),
            norm: LayerNormConfig::new(WIDTH).init(device),
            queries: linear(WIDTH),
            keys: linear(WIDTH),
            values: linear(WIDTH),
            head: linear(4),
        };
        with_values(model, 3)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let n = batch.size();
        let classes = batch.classes();
        let class_token: Tensor<3> = per_example(&self.class_token, n);
        let x = Tensor::cat(vec![class_token, self.words.forward(batch.tokens)], 1);
        let x = x + per_example::<2, 3>(&self.positions, n);
        let y = self.norm.forward(x.clone());
        let scores = self.queries.forward(y.clone()).matmul(self.keys.forward(y.clone()).swap_dims(1, 2));
        let x = x + softmax(scores, 2).matmul(self.values.forward(y));
        let scale: Tensor<2> = per_example(&self.scale, n);
        let first = x.slice([0..n, 0..1]).reshape([n, WIDTH]) * scale;
        cross_entropy(self.head.forward(first), classes)
    }
}

#[test]
fn bare_parameters_of_a_transformer() {
    let mut examples = Values::new(8).token_examples(8, TOKENS, 9, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 4) as f32]);
    assert_equals_loop(&flex(), &Transformer::new(&flex()), &examples, Transformer::losses);
}

#[test]
fn a_bare_parameter_outside_a_recording_scope_is_broadcast() {
    let param = Param::from_tensor(Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &flex()));
    let copies: Tensor<3> = per_example(&param, 3);
    assert_eq!(copies.dims(), [3, 2, 2]);
    assert_eq!(copies.clone().slice([2..3]).into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
    // Autodiff still reaches the parameter itself.
    let gradients = copies.sum().backward();
    assert_eq!(param.val().grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap(), [3.0; 4]);
}

/// `y = x * w`, one weight a feature: a layer this library does not have.
#[derive(Module, Debug)]
struct Gain {
    weight: Param<Tensor<1>>,
}

impl Gain {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let [_, width] = input.dims();
        let weight = self.weight.val().reshape([1, width]);
        if !is_recording() {
            return input * weight;
        }
        let rule = GainRule { id: self.weight.id, input: input.clone().inner() };
        record(input * weight.detach(), rule)
    }
}

struct GainRule {
    id: ParamId,
    input: Tensor<2>,
}

impl PerExampleRule<2> for GainRule {
    fn parameters(&self) -> Vec<ParamId> {
        vec![self.id]
    }

    fn rows(&self) -> usize {
        self.input.dims()[0]
    }

    fn entries(&self) -> usize {
        self.input.dims()[1]
    }

    fn gradients(&self, output_gradient: Tensor<2>, range: Range<usize>) -> Vec<ParameterGradients> {
        vec![ParameterGradients { id: self.id, values: self.input.clone().slice([range]) * output_gradient }]
    }

    fn squared_error(&self, output_gradient: &Tensor<2>, rounding: Rounding) -> Tensor<1> {
        sum_of_squares_bound(self.input.clone() * output_gradient.clone(), rounding) * rounding.sum(1).powi(2)
    }

    fn select_finite(&mut self, factors: &ClipFactors) {
        self.input = factors.select(self.input.clone());
    }
}

#[derive(Module, Debug)]
struct WithGain {
    first: Linear,
    gain: Gain,
    second: Linear,
}

#[test]
fn a_rule_written_by_the_user() {
    let device = flex();
    let model = WithGain {
        first: LinearConfig::new(4, 5).init(&device),
        gain: Gain { weight: Param::from_tensor(Tensor::ones([5], &device)) },
        second: LinearConfig::new(5, 3).init(&device),
    };
    let loss = |model: &WithGain, batch: Batch| {
        // Twice, so that a rule without shortcuts is also used in a group.
        let x = model.gain.forward(model.first.forward(batch.input.clone()));
        distance(model.second.forward(model.gain.forward(x.tanh())), batch.target)
    };
    assert_equals_loop(&device, &with_values(model, 4), &Values::new(5).examples(8, 4, 3), loss);
}
