//! The two ends: noise that destroys learning, and no noise with a huge clipping norm, which is plain SGD.

use burn::data::dataset::InMemDataset;
use burn::nn as stock;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig, momentum::MomentumConfig};
use burn::prelude::*;
use burn_privacy::nn as private;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, flex, parameters, relative_difference, with_values};

const CLASSES: usize = 10;

/// Ten clusters around random centres in 64 dimensions.
fn clusters(values: &mut Values, centres: &[Vec<f32>], count: usize) -> Vec<Example> {
    (0..count)
        .map(|i| {
            let class = i % CLASSES;
            let input = centres[class].iter().map(|x| x + 0.5 * values.normal() as f32).collect();
            Example::new(input, vec![class as f32])
        })
        .collect()
}

/// Accuracy on held-out examples after 60 steps with the given noise multiplier.
fn trained_accuracy(noise_multiplier: f64) -> f64 {
    let mut values = Values::new(1);
    let centres: Vec<Vec<f32>> = (0..CLASSES).map(|_| values.normals(64)).collect();
    let (train, test) = (clusters(&mut values, &centres, 1_000), clusters(&mut values, &centres, 500));
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(100, 1_000))
        .with_clipping(Clipping::flat(1.0))
        .with_noise(NoiseLevel::multiplier(noise_multiplier))
        .with_delta(1e-4)
        .with_steps(60)
        .build()
        .unwrap();
    let mut session = plan.start(InMemDataset::new(train), Rows, &flex(), Entropy::os()).unwrap();
    let mut model: private::Linear = private::LinearConfig::new(64, CLASSES).init(&flex());
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step().unwrap() {
        let update = step
            .gradients(&model, |model, batch: Batch| {
                let classes = batch.classes();
                Ok(cross_entropy(model.forward(batch.input), classes))
            })
            .unwrap();
        model = optimizer.step(1.0, model, update.into());
    }
    let input: Vec<f32> = test.iter().flat_map(|example| example.input.clone()).collect();
    let input = Tensor::<1>::from_floats(input.as_slice(), &Device::flex()).reshape([500, 64]);
    let found = model.valid().forward(input).argmax(1).into_data().convert::<i64>().try_to_vec::<i64>().unwrap();
    let right = found.iter().zip(&test).filter(|(found, example)| **found as f32 == example.target[0]).count();
    right as f64 / test.len() as f64
}

#[test]
fn huge_noise_destroys_accuracy() {
    let without = trained_accuracy(0.0);
    assert!(without > 0.95, "{without}");
    let modest = trained_accuracy(1.0);
    assert!(modest > 0.8, "{modest}");
    // Chance is 0.1.
    let huge = trained_accuracy(1_000.0);
    assert!(huge < 0.5, "{huge}");
}

macro_rules! network {
    ($name:ident) => {
        #[derive(Module, Debug)]
        pub struct $name {
            image: Conv2d,
            norm: GroupNorm,
            hidden: Linear,
            head: Linear,
        }

        impl $name {
            fn new(seed: u64) -> Self {
                let device = flex();
                let model = Self {
                    image: Conv2dConfig::new([1, 4], [3, 3]).init(&device),
                    norm: GroupNormConfig::new(2, 4).init(&device),
                    hidden: LinearConfig::new(4 * 16, 8).init(&device),
                    head: LinearConfig::new(8, 3).init(&device),
                };
                with_values(model, seed)
            }

            fn forward(&self, batch: &Batch) -> Tensor<2> {
                let x = self.norm.forward(self.image.forward(batch.shaped(&[1, 6, 6]))).tanh();
                self.head.forward(self.hidden.forward(x.reshape([batch.size(), 64])).tanh())
            }
        }
    };
}

mod over_burn {
    use super::*;
    use stock::conv::{Conv2d, Conv2dConfig};
    use stock::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
    network!(Network);

    impl Network {
        pub fn start(seed: u64) -> Self {
            Self::new(seed)
        }

        /// Gradient of the summed loss divided by a constant, by Burn's own layers, loss and autodiff.
        pub fn summed_gradient(&self, batch: &Batch, divisor: f64) -> GradientsParams {
            let loss = CrossEntropyLossConfig::new().init(&flex()).forward(self.forward(batch), batch.classes());
            let sum = loss * batch.size() as f64;
            GradientsParams::from_grads((sum / divisor).backward(), self)
        }
    }
}

mod over_ours {
    use super::*;
    use private::{Conv2d, Conv2dConfig, GroupNorm, GroupNormConfig, Linear, LinearConfig};
    network!(Network);

    impl Network {
        pub fn start(seed: u64) -> Self {
            Self::new(seed)
        }

        pub fn losses(&self, batch: Batch) -> Tensor<1> {
            cross_entropy(self.forward(&batch), batch.classes())
        }
    }
}

fn assert_is_plain_training(mode: PerExample, mut theirs_by: ModuleOptimizer, mut ours_by: ModuleOptimizer, rate: f64) {
    let (records, expected, steps) = (80, 16, 12);
    let mut examples = Values::new(2).examples(records, 36, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 3) as f32]);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(expected, records))
        .with_clipping(Clipping::flat(1e6))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-3)
        .with_steps(steps)
        .build()
        .unwrap();
    let mut session = plan
        .start(InMemDataset::new(examples.clone()), Rows, &flex(), Entropy::os())
        .unwrap()
        .with_per_example(mode)
        .with_physical_batch(7);
    let mut sampler = session.take_sampler().unwrap();
    let (mut theirs, mut ours) = (over_burn::Network::start(5), over_ours::Network::start(5));
    let before = parameters(&ours);
    let mut sizes = Vec::new();
    while let Some(drawn) = sampler.next_batch().unwrap() {
        let chosen: Vec<Example> = drawn.unprotected_indices().iter().map(|&i| examples[i].clone()).collect();
        sizes.push(chosen.len());
        let update =
            session.step_with(drawn).unwrap().gradients(&ours, |model, batch| Ok(model.losses(batch))).unwrap();
        ours = ours_by.step(rate, ours, update.into());
        if !chosen.is_empty() {
            use burn::data::dataloader::batcher::Batcher;
            let gradient = theirs.summed_gradient(&Rows.batch(chosen, &flex()), expected as f64);
            theirs = theirs_by.step(rate, theirs, gradient);
        }
        let difference = relative_difference(&parameters(&ours), &parameters(&theirs));
        assert!(difference < 1e-4, "after {} steps: {difference:e}", sizes.len());
    }
    assert_eq!(sizes.len() as u64, steps);
    assert!(sizes.iter().any(|size| *size != expected), "batch sizes don't vary: {sizes:?}");
    assert!(relative_difference(&parameters(&ours), &before) > 0.02, "training changed nothing");
}

#[test]
fn without_noise_and_clipping_it_is_plain_sgd() {
    let sgd = || SgdConfig::new().init();
    assert_is_plain_training(PerExample::OneBackward, sgd(), sgd(), 0.3);
    assert_is_plain_training(PerExample::Loop, sgd(), sgd(), 0.3);
}

#[test]
fn and_plain_sgd_with_momentum() {
    let sgd = || SgdConfig::new().with_momentum(Some(MomentumConfig::new())).init();
    assert_is_plain_training(PerExample::OneBackward, sgd(), sgd(), 0.05);
}

#[test]
fn and_adam() {
    let adam = || AdamConfig::new().with_epsilon(1e-3).init();
    assert_is_plain_training(PerExample::OneBackward, adam(), adam(), 0.01);
}
