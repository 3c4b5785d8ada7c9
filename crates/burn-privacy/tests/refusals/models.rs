//! Models whose per-example gradients are not known.

use burn::module::{Param, ParamGroup};
use burn::nn as stock;
use burn::prelude::*;
use burn::tensor::FloatDType;
use burn_privacy::nn::{Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig};

use crate::support::{
    Ask, Batch, Values, all_parameters, assert_equals_loop, assert_says, distance, flex, refusal, try_clipped_sum,
    with_values,
};

#[derive(Module, Debug)]
struct Normalised {
    first: Linear,
    norm: stock::BatchNorm,
    head: Linear,
}

impl Normalised {
    fn new() -> Self {
        let device = flex();
        Self {
            first: LinearConfig::new(4, 5).init(&device),
            norm: stock::BatchNormConfig::new(5).init(&device),
            head: LinearConfig::new(5, 2).init(&device),
        }
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        distance(self.head.forward(self.norm.forward(self.first.forward(batch.input)).tanh()), batch.target)
    }
}

#[test]
fn a_batch_norm_in_training_mode() {
    let examples = Values::new(1).examples(6, 4, 2);
    for ask in [Ask::flex(1.0), Ask::flex(1.0).loop_over_examples()] {
        let message = refusal(&ask, &Normalised::new(), &examples, Normalised::losses);
        assert_says(&message, &["`norm`", "BatchNorm in training mode", "GroupNorm", "LayerNorm", "freeze_group"]);
    }
    // Freezing its scale and shift alone leaves the statistics on.
    let half = Normalised::new().set_require_grad_group(ParamGroup::from_predicate("norm"), false);
    assert_says(&refusal(&Ask::flex(1.0), &half, &examples, Normalised::losses), &["BatchNorm in training mode"]);
}

#[test]
fn but_a_frozen_batch_norm_is_allowed() {
    let model = Normalised::new().freeze_group(ParamGroup::from_predicate("norm"));
    let before = all_parameters(&model.valid());
    assert_equals_loop(&flex(), &model, &Values::new(1).examples(6, 4, 2), Normalised::losses);
    assert_eq!(all_parameters(&model.valid()), before);
}

#[derive(Module, Debug)]
struct Mixed {
    first: Linear,
    head: stock::Linear,
}

fn mixed_losses(model: &Mixed, batch: Batch) -> Tensor<1> {
    distance(model.head.forward(model.first.forward(batch.input).tanh()), batch.target)
}

#[test]
fn burns_own_linear_layer() {
    let device = flex();
    let model =
        Mixed { first: LinearConfig::new(4, 5).init(&device), head: stock::LinearConfig::new(5, 2).init(&device) };
    let examples = Values::new(1).examples(6, 4, 2);
    let message = refusal(&Ask::flex(1.0), &model, &examples, mixed_losses);
    let words = ["`head.weight` (in Linear)", "Put burn_privacy::nn::Linear", "freeze", "PerExample::Loop"];
    assert_says(&message, &words);
    // What the message proposes works: the loop, or freezing.
    assert!(try_clipped_sum(&Ask::flex(1.0).loop_over_examples(), &model, &examples, mixed_losses).is_ok());
    let frozen = model.freeze_group(ParamGroup::from_predicate("head"));
    assert_equals_loop(&device, &frozen, &examples, mixed_losses);
}

#[test]
fn burns_own_layer_inside_ours() {
    // Dereferencing gives Burn's layer, whose forward pass records nothing.
    let model: Linear = LinearConfig::new(4, 2).init(&flex());
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 4, 2), |model, batch| {
        let layer: &stock::Linear = model;
        distance(layer.forward(batch.input), batch.target)
    });
    assert_says(&message, &["`weight`", "no per-example rule covers it"]);
}

#[derive(Module, Debug)]
struct WithSpare {
    first: Linear,
    spare: Linear,
}

#[test]
fn a_layer_that_the_forward_pass_skips() {
    let layer = || LinearConfig::new(3, 3).init(&flex());
    let model = WithSpare { first: layer(), spare: layer() };
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 3, 3), |model, batch| {
        distance(model.first.forward(batch.input), batch.target)
    });
    assert_says(&message, &["`spare.weight`", "forward pass skips"]);
}

#[derive(Module, Debug)]
struct WithBareParameter {
    first: Linear,
    scale: Param<Tensor<1>>,
}

#[test]
fn a_bare_parameter() {
    let model = WithBareParameter {
        first: LinearConfig::new(3, 3).init(&flex()),
        scale: Param::from_tensor(Tensor::ones([1], &flex())),
    };
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 3, 3), |model, batch| {
        let output = model.first.forward(batch.input) * model.scale.val().reshape([1, 1]);
        distance(output, batch.target)
    });
    assert_says(&message, &["`scale`", "burn_privacy::per_example::per_example"]);
}

fn embedding() -> Embedding {
    EmbeddingConfig::new(5, 4).init(&flex())
}

#[test]
fn tied_weights() {
    let examples = Values::new(1).token_examples(6, 3, 5, 5);
    let loss = |model: &Embedding, batch: Batch| {
        let n = batch.size();
        let hidden = model.forward(batch.tokens).sum_dim(1).reshape([n, 4]);
        distance(hidden.matmul(model.weight.val().transpose()), batch.target)
    };
    let message = refusal(&Ask::flex(1.0), &embedding(), &examples, loss);
    assert_says(&message, &["`weight`", "outside its layer", "tied weights", "PerExample::Loop"]);
    assert!(try_clipped_sum(&Ask::flex(1.0).loop_over_examples(), &embedding(), &examples, loss).is_ok());
}

#[test]
fn a_penalty_on_the_weights() {
    let model: Linear = LinearConfig::new(3, 2).init(&flex());
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 3, 2), |model, batch| {
        let penalty = model.weight.val().square().sum().reshape([1, 1]);
        distance(model.forward(batch.input), batch.target) + penalty.reshape([1])
    });
    assert_says(&message, &["`weight`", "penalty", "weight decay"]);
}

#[test]
fn a_cloned_layer() {
    let first: Linear = LinearConfig::new(3, 3).init(&flex());
    let model = WithSpare { spare: first.clone(), first };
    let loss = |model: &WithSpare, batch: Batch| {
        distance(model.spare.forward(model.first.forward(batch.input).tanh()), batch.target)
    };
    for ask in [Ask::flex(1.0), Ask::flex(1.0).loop_over_examples()] {
        let message = refusal(&ask, &model, &Values::new(1).examples(6, 3, 3), loss);
        assert_says(&message, &["`first.weight`", "`spare.weight`", "one parameter id", "instead of cloning"]);
    }
}

/// What is released for one of them would take the place of the other's, and its noise.
#[test]
fn a_frozen_copy_inside_the_model() {
    let first: Linear = with_values(LinearConfig::new(3, 3).init(&flex()), 1);
    let model = WithSpare { spare: first.clone().no_grad(), first };
    let loss = |model: &WithSpare, batch: Batch| {
        let taught = model.spare.forward(batch.input.clone());
        distance(model.first.forward(batch.input) - taught * 0.5, batch.target)
    };
    let examples = Values::new(1).examples(6, 3, 3);
    for ask in [Ask::flex(1.0), Ask::flex(1.0).loop_over_examples(), Ask::flex(1.0).traced()] {
        let message = refusal(&ask, &model, &examples, loss);
        assert_says(&message, &["`first.weight`", "`spare.weight`", "one parameter id", "a teacher"]);
    }
    // With ids of its own it is no copy.
    let spare: Linear = with_values(LinearConfig::new(3, 3).init(&flex()), 1);
    let model = WithSpare { spare: spare.no_grad(), ..model };
    assert_equals_loop(&flex(), &model, &examples, loss);
}

#[derive(Module, Debug)]
struct Pair {
    first: Linear,
    second: Option<Linear>,
}

#[test]
fn a_layer_of_another_model() {
    let layer = || LinearConfig::new(3, 3).init(&flex());
    let (model, other): (Pair, Linear) = (Pair { first: layer(), second: None }, layer());
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 3, 3), |model: &Pair, batch| {
        distance(other.forward(model.first.forward(batch.input)), batch.target)
    });
    let words =
        ["a layer of kind Linear with 12 trainable entries", "not part of the model", "owns every trainable layer"];
    assert_says(&message, &words);
    assert_says(&message, &["teacher", "no_grad()", "valid()", "from_inner"]);
}

/// What the message proposes works, and the second network does not change the step.
#[test]
fn a_second_network_without_gradients() {
    let layer = || -> Linear { LinearConfig::new(3, 3).init(&flex()) };
    let (model, teacher) = (layer(), layer());
    let examples = Values::new(1).examples(6, 3, 3);
    let frozen = teacher.clone().no_grad();
    assert_equals_loop(&flex(), &model, &examples, |model: &Linear, batch| {
        distance(model.forward(batch.input.clone()) - frozen.forward(batch.input), batch.target)
    });
    let valid = teacher.valid();
    assert_equals_loop(&flex(), &model, &examples, |model: &Linear, batch| {
        let taught = Tensor::from_inner(valid.forward(batch.input.clone().inner()));
        distance(model.forward(batch.input) - taught, batch.target)
    });
}

/// Burn's trap: a copy that is frozen before the parameters exist freezes the original.
#[test]
fn a_copy_frozen_before_its_first_use() {
    let examples = Values::new(1).examples(6, 4, 4);
    let loss = |model: &Linear, batch: Batch| distance(model.forward(batch.input), batch.target);
    let original: Linear = LinearConfig::new(4, 4).init(&flex());
    let copy = original.clone().no_grad();
    assert_says(
        &refusal(&Ask::flex(1.0), &original, &examples, loss),
        &["no trainable parameter", "clone().no_grad()"],
    );
    drop(copy);

    let original: Linear = LinearConfig::new(4, 4).init(&flex());
    let copy = original.valid();
    assert!(try_clipped_sum(&Ask::flex(1.0), &original, &examples, loss).is_ok());
    drop(copy);
}

#[derive(Module, Debug)]
struct WithStock {
    conv1d: Option<stock::conv::Conv1d>,
    conv3d: Option<stock::conv::Conv3d>,
    transposed: Option<stock::conv::ConvTranspose2d>,
    gru: Option<stock::gru::Gru>,
    lstm: Option<stock::Lstm>,
    attention: Option<stock::attention::MultiHeadAttention>,
    norm: Option<stock::RmsNorm>,
    encoder: Option<stock::transformer::TransformerEncoder>,
    head: Linear,
}

/// No layer is proposed that doesn't exist.
#[test]
fn stock_layers_without_a_counterpart() {
    let device = flex();
    let all = WithStock {
        conv1d: Some(stock::conv::Conv1dConfig::new(2, 2, 3).init(&device)),
        conv3d: Some(stock::conv::Conv3dConfig::new([2, 2], [3, 3, 3]).init(&device)),
        transposed: Some(stock::conv::ConvTranspose2dConfig::new([2, 2], [3, 3]).init(&device)),
        gru: Some(stock::gru::GruConfig::new(2, 3, true).init(&device)),
        lstm: Some(stock::LstmConfig::new(2, 3, true).init(&device)),
        attention: Some(stock::attention::MultiHeadAttentionConfig::new(4, 2).init(&device)),
        norm: Some(stock::RmsNormConfig::new(4).init(&device)),
        encoder: Some(stock::transformer::TransformerEncoderConfig::new(4, 8, 2, 1).init(&device)),
        head: LinearConfig::new(3, 3).init(&device),
    };
    let fields = [
        ("conv1d", "Conv1d"),
        ("conv3d", "Conv3d"),
        ("transposed", "ConvTranspose2d"),
        ("gru", "Gru"),
        ("lstm", "Lstm"),
        ("attention", "MultiHeadAttention"),
        ("norm", "RmsNorm"),
        ("encoder", "TransformerEncoder"),
    ];
    let mut model = all;
    for (field, name) in fields {
        let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 3, 3), |model, batch| {
            distance(model.head.forward(batch.input), batch.target)
        });
        assert_says(
            &message,
            &[&format!("`{field}."), &format!("(in {name})"), &format!("burn_privacy::nn has no {name}")],
        );
        assert!(message.contains("PerExample::Loop") && !message.contains("Put burn_privacy::nn"), "{message}");
        model = model.freeze_group(ParamGroup::from_predicate(field));
    }
}

#[test]
fn nothing_to_train() {
    let examples = Values::new(1).examples(6, 4, 4);
    let loss = |model: &Linear, batch: Batch| distance(model.forward(batch.input), batch.target);
    let advice = ["no trainable parameter", "autodiff", "train()", "unfreeze"];
    let frozen: Linear = LinearConfig::new(4, 4).init(&flex()).no_grad();
    assert_says(&refusal(&Ask::flex(1.0), &frozen, &examples, loss), &advice);
    let validating: Linear = LinearConfig::new(4, 4).init(&flex()).valid();
    assert_says(&refusal(&Ask::flex(1.0), &validating, &examples, loss), &advice);
    let plain: Linear = LinearConfig::new(4, 4).init(&Device::flex());
    assert_says(&refusal(&Ask::flex(1.0), &plain, &examples, loss), &advice);
    assert_says(&refusal(&Ask::on(&Device::flex(), 1.0), &plain, &examples, loss), &advice);
    let unscaled: GroupNorm = GroupNormConfig::new(2, 4).with_affine(false).init(&flex());
    let message = refusal(&Ask::flex(1.0), &unscaled, &examples, |model, batch| {
        distance(model.forward(batch.input), batch.target)
    });
    assert_says(&message, &advice);
}

/// The error bounds of the norms are those of f32: in half precision they would not be bounds.
#[test]
fn parameters_in_half_precision() {
    let mut model: Linear = LinearConfig::new(4, 2).init(&flex());
    model.weight =
        model.weight.clone().map(|value| Tensor::from_inner(value.inner().cast(FloatDType::F16)).require_grad());
    model.bias = None;
    let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(6, 4, 2), |model, batch| {
        distance(model.forward(batch.input.cast(FloatDType::F16)).cast(FloatDType::F32), batch.target)
    });
    assert_says(&message, &["`weight`", "f32"]);
}
