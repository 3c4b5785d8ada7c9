//! Fine-tuning: LoRA in wrapped and stock layers, biases, heads, frozen and replaced BatchNorms; and that what is frozen is not traced
//! backward.

use burn::module::{Lora, ModuleMapper, Param, ParamGroup, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn_privacy::fine_tune::{biases_only, freeze_batch_norms, only};
use burn_privacy::loss::mean_squared_error;
use burn_privacy::nn as wrapped;
use burn_privacy_traced::record;

use crate::layers::worst_difference;
use crate::support::{
    Ask, Batch, Values, clipped_sum, difference_relative_to, distance, flex, parameters, with_values,
};

#[derive(Module, Debug)]
struct Stock {
    conv: Conv2d,
    norm: BatchNorm,
    hidden: Linear,
    head: Linear,
}

impl Stock {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            conv: Conv2dConfig::new([2, 3], [2, 2]).init(&device),
            norm: BatchNormConfig::new(3).init(&device),
            hidden: LinearConfig::new(12, 5).init(&device),
            head: LinearConfig::new(5, 2).init(&device),
        };
        let mut model = with_values(model, 3);
        // Statistics of a network that was trained, whose variances are above 0.
        model.norm = BatchNormConfig::new(3).init(&device);
        model.norm.running_mean = RunningState::new(Tensor::from_floats([0.3, -0.2, 0.1], &device));
        model.norm.running_var = RunningState::new(Tensor::from_floats([0.5, 2.0, 1.5], &device));
        freeze_batch_norms(model).0
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.norm.forward(self.conv.forward(x)).tanh();
        self.head.forward(self.hidden.forward(x.flatten(1, 3)).tanh())
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        distance(self.forward(batch.shaped(&[2, 3, 3])), batch.target)
    }
}

#[derive(Module, Debug)]
struct Wrapped {
    hidden: wrapped::Linear,
    head: wrapped::Linear,
}

impl Wrapped {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            hidden: wrapped::LinearConfig::new(6, 5).init(&device),
            head: wrapped::LinearConfig::new(5, 2).init(&device),
        };
        with_values(model, 4)
    }

    /// Of three positions for each example.
    fn losses(&self, batch: Batch) -> Tensor<1> {
        let x: Tensor<3> = batch.shaped(&[3, 6]);
        let x = self.head.forward(self.hidden.forward(x).tanh());
        distance(x.mean_dim(1).squeeze_dim::<2>(1), batch.target)
    }
}

/// Draws what is trained anew: an adapter's second factor starts at zero, where half of its gradients vanish.
fn with_drawn_adapters<M: Module>(model: M) -> M {
    struct Draw(Values);
    impl ModuleMapper for Draw {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.val().is_require_grad() {
                return param;
            }
            param.map(|old| {
                let dims = old.dims();
                let values: Vec<f32> = self.0.normals(dims.iter().product()).iter().map(|value| 0.3 * value).collect();
                Tensor::from_data(TensorData::new(values, dims), &old.device()).require_grad()
            })
        }
    }
    model.map(&mut Draw(Values::new(5)))
}

fn lora() -> Lora {
    Lora::new(2, 3.0)
}

#[test]
fn lora_in_stock_and_wrapped_layers_gives_the_loops_sums() {
    let examples = Values::new(1).examples(7, 18, 2);
    let stock = with_drawn_adapters(Stock::new().freeze().apply_lora(lora()));
    assert_eq!(parameters(&stock).len(), 4);
    assert!(worst_difference(&stock, &examples, Stock::losses) < 1e-5);
    let wrapped = with_drawn_adapters(Wrapped::new().apply_lora(lora()));
    assert_eq!(parameters(&wrapped).len(), 4);
    assert!(worst_difference(&wrapped, &examples, Wrapped::losses) < 1e-5);
    // Without being told so: no rule of a wrapped layer covers an adapter.
    let traced = clipped_sum(&Ask::flex(0.1).traced(), &wrapped, &examples, Wrapped::losses);
    let automatic = clipped_sum(&Ask::flex(0.1).automatic(), &wrapped, &examples, Wrapped::losses);
    assert_eq!(difference_relative_to(&automatic, &traced, 0.0), 0.0);
    // Adapters beside a head that is trained in full.
    let hidden = lora().set_param_group(ParamGroup::from_path("hidden.weight"));
    let both = Stock::new().freeze().apply_lora(hidden).unfreeze_group(ParamGroup::from_predicate("head."));
    let both = with_drawn_adapters(both);
    assert_eq!(parameters(&both).len(), 4);
    assert!(worst_difference(&both, &examples, Stock::losses) < 1e-5);
}

#[test]
fn biases_heads_and_frozen_norms_give_the_loops_sums() {
    let examples = Values::new(2).examples(7, 18, 2);
    for model in [
        Stock::new(),
        biases_only(Stock::new()).unwrap(),
        only(Stock::new(), &["head"]).unwrap(),
        only(Stock::new(), &["norm", "hidden.bias"]).unwrap(),
    ] {
        assert!(worst_difference(&model, &examples, Stock::losses) < 1e-5);
    }
}

/// Operations of the recorded forward and backward pass, and of the forward pass alone.
fn operations(model: &Stock) -> usize {
    let load = |device: &Device| Ok((Tensor::<4>::zeros([3, 2, 3, 3], device), Tensor::<2>::zeros([3, 2], device)));
    let graph = record(model, 3, &flex(), load, |model, (input, target)| {
        Ok::<_, burn_privacy::Error>(mean_squared_error(model.forward(input), target))
    });
    match graph {
        Ok(graph) => graph.operations(),
        Err(_) => panic!("the model is not recorded"),
    }
}

#[test]
fn what_is_frozen_is_not_traced_backward() {
    let whole = operations(&Stock::new());
    let biases = operations(&biases_only(Stock::new()).unwrap());
    let head = operations(&only(Stock::new(), &["head"]).unwrap());
    let head_bias = operations(&only(Stock::new(), &["head.bias"]).unwrap());
    println!("operations: {whole} for all, {biases} for biases, {head} for the head, {head_bias} for its bias");
    assert!(head_bias < head && head < biases && biases < whole, "{head_bias} {head} {biases} {whole}");
    // The head's weight and bias are one backward operation each, and the loss's own: nothing of the three layers below.
    let deeper = operations(&only(Stock::new(), &["head", "hidden"]).unwrap());
    assert!(deeper > head + 2, "{deeper} {head}");
}
