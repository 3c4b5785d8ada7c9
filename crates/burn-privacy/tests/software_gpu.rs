//! The core's equalities on a GPU or a software Vulkan driver: few tests, small shapes, because kernels are tuned and
//! compiled for every new shape.
//!
//! The reference is the batch-of-one loop on the CPU. Each test prints one line that says whether it ran.
#![cfg(all(feature = "wgpu", feature = "flex"))]

#[path = "../../burn-privacy-kernels/src/backends/cube/on_adapter.rs"]
mod on_adapter;
mod support;

use burn::data::dataset::InMemDataset;
use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::optim::SgdConfig;
use burn::prelude::*;
use burn_privacy::device::{DeviceChoice, select_device};
use burn_privacy::nn::{
    Conv2d, Conv2dConfig, Embedding, EmbeddingConfig, GroupNorm, GroupNormConfig, LayerNorm, LayerNormConfig, Linear,
    LinearConfig, WeightStandardizedConv2d,
};
use burn_privacy::per_example::per_example;
use burn_privacy::prelude::*;
use support::witness::{Witnessed, cancelling_pairs, checked_factor, linear_norm, witness_loss, witnessed};
use support::{
    Ask, Batch, Example, Rows, Values, all_parameters, assert_says, clipped_sum, distance, flex, given, refusal,
    relative_difference, with_values,
};

fn on_adapter(name: &str, test: impl FnOnce(&Device)) {
    let adapter = select_device(DeviceChoice::Wgpu);
    let adapter = adapter.map(|selected| (selected.description, selected.device.autodiff()));
    on_adapter::on_adapter(name, adapter, |device| test(&device));
}

/// One backward pass there against the loop on the CPU; `new` makes the same model on any device.
fn assert_equals_cpu_loop<M: Module>(
    device: &Device,
    new: impl Fn(&Device) -> M,
    examples: &[Example],
    clip: f64,
    loss: impl Fn(&M, Batch) -> Tensor<1>,
) {
    let model = |device: &Device| with_values(new(device), 1);
    let expected = clipped_sum(&Ask::flex(clip).loop_over_examples(), &model(&flex()), examples, &loss);
    let found = clipped_sum(&Ask::on(device, clip), &model(device), examples, &loss);
    let difference = relative_difference(&found, &expected);
    assert!(difference <= 1e-4, "relative difference {difference:e}");
}

#[derive(Module, Debug)]
struct Network {
    image: Conv2d,
    norm: GroupNorm,
    again: Conv2d,
    head: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        Self {
            image: Conv2dConfig::new([2, 4], [2, 3]).with_padding(PaddingConfig2d::Same).init(device),
            norm: GroupNormConfig::new(2, 4).init(device),
            again: Conv2dConfig::new([4, 4], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device),
            head: LinearConfig::new(4 * 9, 3).init(device),
        }
    }

    /// The second convolution is used twice, so that both ways to its clipped sum are taken.
    fn losses(&self, batch: Batch) -> Tensor<1> {
        let (n, classes) = (batch.size(), batch.classes());
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let x = pool.forward(self.norm.forward(self.image.forward(batch.shaped(&[2, 6, 6]))).tanh());
        let x = self.again.forward(self.again.forward(x).tanh());
        cross_entropy(self.head.forward(x.reshape([n, 36])), classes)
    }
}

fn images(count: usize) -> Vec<Example> {
    let mut examples = Values::new(2).examples(count, 72, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 3) as f32]);
    examples
}

#[test]
fn a_convolutional_network() {
    on_adapter("a_convolutional_network", |device| {
        assert_equals_cpu_loop(device, Network::new, &images(5), 0.5, Network::losses);
    });
}

#[test]
fn a_convolution_with_standardized_weights() {
    on_adapter("a_convolution_with_standardized_weights", |device| {
        let new =
            |device: &Device| -> WeightStandardizedConv2d { Conv2dConfig::new([2, 4], [2, 3]).init(device).into() };
        assert_equals_cpu_loop(device, new, &Values::new(2).examples(5, 72, 4 * 5 * 4), 0.5, |model, batch| {
            distance(model.forward(batch.shaped(&[2, 6, 6])), batch.target)
        });
    });
}

#[test]
fn a_linear_layer_over_sequences() {
    on_adapter("a_linear_layer_over_sequences", |device| {
        // The ghost norm (2 * 9 <= 48), then instantiation (2 * 36 > 48).
        for tokens in [3, 6] {
            let examples = Values::new(1).examples(5, tokens * 8, tokens * 6);
            let new = |device: &Device| -> Linear { LinearConfig::new(8, 6).init(device) };
            assert_equals_cpu_loop(device, new, &examples, 3.0, |model, batch| {
                distance(model.forward(batch.shaped::<3>(&[tokens, 8])), batch.target)
            });
        }
    });
}

#[test]
fn an_embedding_with_repeated_tokens() {
    on_adapter("an_embedding_with_repeated_tokens", |device| {
        // The ghost norm (16 <= 24), then instantiation (36 > 24).
        for tokens in [4, 6] {
            let examples = Values::new(1).token_examples(5, tokens, 6, tokens * 4);
            let new = |device: &Device| -> Embedding { EmbeddingConfig::new(6, 4).init(device) };
            assert_equals_cpu_loop(device, new, &examples, 2.0, |model, batch| {
                distance(model.forward(batch.tokens), batch.target)
            });
        }
    });
}

#[derive(Module, Debug)]
struct WithNorm {
    positions: Param<Tensor<2>>,
    norm: LayerNorm,
    head: Linear,
}

#[test]
fn a_layer_norm_and_a_bare_parameter() {
    on_adapter("a_layer_norm_and_a_bare_parameter", |device| {
        let new = |device: &Device| WithNorm {
            positions: Param::from_tensor(Tensor::zeros([3, 6], device)),
            norm: LayerNormConfig::new(6).init(device),
            head: LinearConfig::new(6, 4).init(device),
        };
        assert_equals_cpu_loop(device, new, &Values::new(1).examples(5, 18, 12), 2.0, |model, batch| {
            let positions: Tensor<3> = per_example(&model.positions, batch.size());
            let x = model.norm.forward(batch.shaped::<3>(&[3, 6]) + positions);
            distance(model.head.forward(x), batch.target)
        });
    });
}

#[test]
fn the_loop_itself() {
    on_adapter("the_loop_itself", |device| {
        let model = |device: &Device| -> Linear { with_values(LinearConfig::new(8, 6).init(device), 1) };
        let examples = Values::new(1).examples(3, 8, 6);
        let loss = |model: &Linear, batch: Batch| distance(model.forward(batch.input), batch.target);
        let expected = clipped_sum(&Ask::flex(1.0).loop_over_examples(), &model(&flex()), &examples, loss);
        let found = clipped_sum(&Ask::on(device, 1.0).loop_over_examples(), &model(device), &examples, loss);
        assert!(relative_difference(&found, &expected) <= 1e-4);
    });
}

/// As many examples as in [`a_convolutional_network`], so that kernels are compiled once for both, one of them broken: what is left
/// is the sum of the others, as the loop on the CPU has it.
fn assert_changes_nothing_but_its_own_contribution(device: &Device, bad: f32, position: usize) {
    let model = |device: &Device| with_values(Network::new(device), 1);
    let mut all = images(5);
    let mut good = all.clone();
    good.remove(position);
    let expected = clipped_sum(&Ask::flex(0.5).loop_over_examples(), &model(&flex()), &good, Network::losses);
    all[position].input[30] = bad;
    let found = clipped_sum(&Ask::on(device, 0.5), &model(device), &all, Network::losses);
    let difference = relative_difference(&found, &expected);
    assert!(difference <= 1e-4, "{bad} at {position}: {difference:e}");
}

#[test]
fn an_image_with_a_nan_changes_nothing_but_its_own_contribution() {
    on_adapter("an_image_with_a_nan_changes_nothing_but_its_own_contribution", |device| {
        assert_changes_nothing_but_its_own_contribution(device, f32::NAN, 4);
    });
}

#[test]
fn an_infinite_image_changes_nothing_but_its_own_contribution() {
    on_adapter("an_infinite_image_changes_nothing_but_its_own_contribution", |device| {
        assert_changes_nothing_but_its_own_contribution(device, f32::INFINITY, 0);
    });
}

/// One example with known input and output gradient against a 16 x 16 layer: the true contribution in f64.
fn check_contribution(
    device: &Device,
    input: Vec<f32>,
    gradient: Vec<f32>,
    positions: usize,
    clip: f64,
    h: f32,
) -> f64 {
    let shape = [positions, 16, 16];
    let true_norm = linear_norm(&input, &gradient, shape, false);
    let layer: Linear = LinearConfig::new(16, 16).with_bias(false).init(device);
    let model = witnessed(device, layer);
    let sum = clipped_sum(
        &Ask::on(device, clip),
        &model,
        &[Example::new(input, gradient)],
        |model: &Witnessed<Linear>, batch| {
            let output = model.1.forward(batch.shaped::<3>(&[positions, 16]));
            witness_loss(model, &batch, h) + given(output, batch.target)
        },
    );
    checked_factor(&sum, h, true_norm, clip)
}

#[test]
fn cancelling_sequences_stay_within_the_clipping_norm() {
    on_adapter("cancelling_sequences_stay_within_the_clipping_norm", |device| {
        let mut values = Values::new(5);
        for positions in [4, 14] {
            for small in [1e-1, 1e-3, 1e-5, 1e-7] {
                let (input, gradient) = cancelling_pairs(&mut values, positions, 16, 16, small);
                check_contribution(device, input, gradient, positions, 1e-4, 1e-4);
            }
        }
    });
}

/// Activations whose squares are below the smallest normal f32, which many GPUs flush to zero, against gradients
/// large enough that the product counts.
#[test]
fn products_that_are_flushed_to_zero_stay_within_the_clipping_norm() {
    on_adapter("products_that_are_flushed_to_zero_stay_within_the_clipping_norm", |device| {
        let mut values = Values::new(6);
        for positions in [1, 4, 14] {
            for (a, g) in [(5e-20, 1e17), (1e-19, 1e18), (1e-21, 1e18), (1e17, 5e-20), (1e18, 1e-21)] {
                let mut scaled =
                    |scale: f32| -> Vec<f32> { values.normals(positions * 16).iter().map(|x| x * scale).collect() };
                let (input, gradient) = (scaled(a), scaled(g));
                check_contribution(device, input, gradient, positions, 1e-6, 1e-6);
            }
        }
    });
}

#[test]
fn a_coupling_is_refused() {
    on_adapter("a_coupling_is_refused", |device| {
        let model: Linear = LinearConfig::new(8, 6).init(device);
        let message = refusal(&Ask::on(device, 1.0), &model, &Values::new(1).examples(5, 8, 6), |model, batch| {
            let output = model.forward(batch.input);
            distance(output.clone() - output.mean_dim(0), batch.target)
        });
        assert_says(&message, &["depends on other examples"]);
    });
}

#[test]
fn a_model_on_another_device_is_refused() {
    on_adapter("a_model_on_another_device_is_refused", |device| {
        let model: Linear = LinearConfig::new(8, 6).init(device);
        let message = refusal(&Ask::flex(1.0), &model, &Values::new(1).examples(3, 8, 6), |model, batch| {
            distance(model.forward(batch.input), batch.target)
        });
        assert_says(&message, &["`weight`", "the session was started on", "the model's device"]);
    });
}

#[test]
fn noisy_steps_move_every_parameter() {
    on_adapter("noisy_steps_move_every_parameter", |device| {
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::full_batch(5))
            .with_noise(NoiseLevel::multiplier(1.0))
            .with_delta(1e-5)
            .with_steps(2)
            .build()
            .unwrap();
        let mut session = plan.start(InMemDataset::new(images(5)), Rows, device, Entropy::os()).unwrap();
        let mut model = with_values(Network::new(device), 1);
        let before = all_parameters(&model);
        let mut optimizer = SgdConfig::new().init();
        while let Some(step) = session.next_step().unwrap() {
            let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
            model = optimizer.step(0.1, model, update.into());
        }
        for (path, values) in all_parameters(&model) {
            assert!(values.iter().all(|value| value.is_finite()), "{path}");
            let moved = values.iter().zip(&before[&path]).filter(|(now, before)| now != before).count();
            assert!(moved + 1 >= values.len(), "{path}: {moved} of {}", values.len());
        }
    });
}

#[test]
fn every_step_gets_the_noise_that_it_would_get_on_the_cpu() {
    on_adapter("every_step_gets_the_noise_that_it_would_get_on_the_cpu", |device| {
        // So much noise that the sums of gradients do not show.
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::full_batch(5))
            .with_noise(NoiseLevel::multiplier(1e4))
            .with_delta(1e-5)
            .with_steps(4)
            .build()
            .unwrap();
        let after_each_step = |device: &Device| {
            let mut session = plan.start(InMemDataset::new(images(5)), Rows, device, Entropy::seeded(3)).unwrap();
            let model = with_values(Network::new(device), 1);
            let mut found = Vec::new();
            while let Some(step) = session.next_step().unwrap() {
                let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
                found.push(all_parameters(&SgdConfig::new().init().step(1.0, model.clone(), update.into())));
            }
            found
        };
        let (found, expected) = (after_each_step(device), after_each_step(&flex()));
        assert_eq!(found.len(), 4);
        for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
            for (path, expected) in expected {
                for (found, expected) in found[path].iter().zip(expected) {
                    assert!((found - expected).abs() <= 0.1, "step {step}, {path}: {found} against {expected}");
                }
            }
        }
    });
}
