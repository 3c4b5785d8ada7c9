//! Tensors that a forward pass changes without training them: a statistic of the batch, released without noise.

use burn::module::{Param, RunningState};
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};

use crate::support::{Ask, Batch, Values, assert_equals_loop, assert_says, distance, flex, refusal};

/// A layer of one's own that keeps a moving average of its inputs.
#[derive(Module, Debug)]
struct MovingAverage {
    average: RunningState<Tensor<1>>,
    #[module(skip)]
    enabled: bool,
}

impl MovingAverage {
    fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        if self.enabled {
            let [_, width] = input.dims();
            let mean = input.clone().detach().mean_dim(0).reshape([width]);
            self.average.update(self.average.value_sync() * 0.9 + mean * 0.1);
        }
        input
    }
}

#[derive(Module, Debug)]
struct Model {
    first: Linear,
    tracker: MovingAverage,
    head: Linear,
    steps: Param<Tensor<1, Int>>,
    mask: Param<Tensor<1, Bool>>,
}

impl Model {
    fn new(enabled: bool) -> Self {
        let device = flex();
        Self {
            first: LinearConfig::new(4, 5).init(&device),
            tracker: MovingAverage { average: RunningState::new(Tensor::zeros([5], &device)), enabled },
            head: LinearConfig::new(5, 2).init(&device),
            steps: Param::initialized(burn::module::ParamId::new(), Tensor::from_ints([1, 2], &device)),
            mask: Param::initialized(burn::module::ParamId::new(), Tensor::from_bool([true, false], &device)),
        }
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let hidden = self.tracker.forward(self.first.forward(batch.input).tanh());
        distance(self.head.forward(hidden), batch.target)
    }
}

#[test]
fn a_moving_average_that_moves() {
    let examples = Values::new(1).examples(6, 4, 2);
    for ask in [Ask::flex(1.0), Ask::flex(1.0).physical_batch(2), Ask::flex(1.0).loop_over_examples()] {
        let message = refusal(&ask, &Model::new(true), &examples, Model::losses);
        assert_says(&message, &["`tracker.average`", "changed during the forward pass", "released without noise"]);
    }
}

#[test]
fn buffers_that_stay_as_they_are_are_allowed() {
    assert_equals_loop(&flex(), &Model::new(false), &Values::new(1).examples(6, 4, 2), Model::losses);
}
