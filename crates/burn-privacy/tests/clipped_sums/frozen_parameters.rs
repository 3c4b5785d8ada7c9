//! Frozen parameters: they never move, and the trained ones get what the batch-of-one loop gives.

use burn::module::{Module, ParamGroup};
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig,
};
use burn_privacy::per_example::per_example;
use burn_privacy::prelude::*;

use crate::support::{
    Batch, Rows, Values, all_parameters, assert_equals_loop, distance, flex, parameters, with_values,
};

#[derive(Module, Debug)]
struct Model {
    words: Embedding,
    image: Conv2d,
    channels: GroupNorm,
    features: LayerNorm,
    scale: burn::module::Param<Tensor<1>>,
    head: Linear,
}

impl Model {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            words: EmbeddingConfig::new(5, 4).init(&device),
            image: Conv2dConfig::new([2, 4], [2, 2]).init(&device),
            channels: GroupNormConfig::new(2, 4).init(&device),
            features: LayerNormConfig::new(4).init(&device),
            scale: burn::module::Param::from_tensor(Tensor::ones([4], &device)),
            head: LinearConfig::new(4, 3).init(&device),
        };
        with_values(model, 3)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let n = batch.size();
        let image = self.channels.forward(self.image.forward(batch.shaped(&[2, 3, 3])));
        let image = image.reshape([n, 4, 4]).sum_dim(2).reshape([n, 4]);
        let text = self.words.forward(batch.tokens).sum_dim(1).reshape([n, 4]);
        let x = self.features.forward(text + image).tanh() * per_example::<1, 2>(&self.scale, n);
        distance(self.head.forward(x), batch.target)
    }
}

fn examples() -> Vec<crate::support::Example> {
    let mut values = Values::new(1);
    let mut examples = values.token_examples(7, 3, 5, 3);
    examples.iter_mut().for_each(|example| example.input = values.normals(18));
    examples
}

const PATHS: [&str; 10] = [
    "words.weight",
    "image.weight",
    "image.bias",
    "channels.gamma",
    "channels.beta",
    "features.gamma",
    "features.beta",
    "scale",
    "head.weight",
    "head.bias",
];

#[test]
fn nothing_frozen() {
    let model = Model::new();
    let mut expected = PATHS.map(str::to_string);
    expected.sort();
    assert_eq!(parameters(&model).into_keys().collect::<Vec<_>>(), expected);
    assert_equals_loop(&flex(), &model, &examples(), Model::losses);
}

#[test]
fn each_parameter_frozen_alone_leaves_the_others_right() {
    for frozen in PATHS {
        let model = Model::new().set_require_grad_group(ParamGroup::from_path(frozen), false);
        assert!(!parameters(&model).contains_key(frozen));
        assert_equals_loop(&flex(), &model, &examples(), Model::losses);
    }
}

#[test]
fn each_parameter_trained_alone() {
    for trained in PATHS {
        let model = Model::new().no_grad().set_require_grad_group(ParamGroup::from_path(trained), true);
        assert_eq!(parameters(&model).into_keys().collect::<Vec<_>>(), [trained]);
        assert_equals_loop(&flex(), &model, &examples(), Model::losses);
    }
}

#[test]
fn noise_never_moves_a_frozen_parameter() {
    let frozen = ["image.weight", "channels.beta", "head.bias"];
    let mut model = Model::new().set_require_grad_group(ParamGroup::from_paths(frozen.to_vec()), false);
    let before = all_parameters(&model);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(7))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(2)
        .build()
        .unwrap();
    let dataset = burn::data::dataset::InMemDataset::new(examples());
    let mut session = plan.start(dataset, Rows, &flex(), Entropy::os()).unwrap();
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step().unwrap() {
        let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
        model = optimizer.step(0.1, model, update.into());
    }
    for (path, values) in all_parameters(&model) {
        assert_eq!(values == before[&path], frozen.contains(&path.as_str()), "{path}");
    }
}
