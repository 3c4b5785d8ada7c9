//! Empty batches, batches with a broken example, and who is drawn.

use std::collections::BTreeMap;

use burn::data::dataset::InMemDataset;
use burn::optim::{GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_privacy::nn::{Conv2d, Conv2dConfig, Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, all_parameters, by_path, flex, with_values};

#[derive(Module, Debug)]
struct Network {
    image: Conv2d,
    head: Linear,
}

impl Network {
    fn new() -> Self {
        let device = flex();
        let model = Self {
            image: Conv2dConfig::new([1, 3], [3, 3]).init(&device),
            head: LinearConfig::new(3 * 4, 3).init(&device),
        };
        with_values(model, 1)
    }

    fn losses(&self, batch: Batch) -> Tensor<1> {
        let (n, classes) = (batch.size(), batch.classes());
        let x = self.image.forward(batch.shaped(&[1, 4, 4])).tanh();
        cross_entropy(self.head.forward(x.reshape([n, 12])), classes)
    }
}

fn images(count: usize) -> Vec<Example> {
    let mut examples = Values::new(3).examples(count, 16, 1);
    examples.iter_mut().enumerate().for_each(|(i, example)| example.target = vec![(i % 3) as f32]);
    examples
}

#[test]
fn an_empty_batch_moves_every_parameter_and_is_charged() {
    // Three records, drawn with probability 1e-9 each.
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(1, 1_000_000_000))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-10)
        .with_steps(2)
        .build()
        .unwrap();
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let mut session =
            plan.start(InMemDataset::new(images(3)), Rows, &flex(), Entropy::os()).unwrap().with_per_example(mode);
        let mut model = Network::new();
        let mut optimizer = SgdConfig::new().init();
        for charged in 1..=2 {
            let before = all_parameters(&model);
            let step = session.next_step().unwrap().unwrap();
            assert_eq!(step.unprotected_batch_size(), 0);
            let update = step.gradients(&model, |_, _| panic!("an empty batch calls no model")).unwrap();
            model = optimizer.step(0.1, model, update.into());
            for (path, values) in all_parameters(&model) {
                let moved = values.iter().zip(&before[&path]).filter(|(now, before)| now != before).count();
                // An f32 may stay by rounding, one in thousands.
                assert!(moved + 1 >= values.len(), "{path}: {moved} of {}", values.len());
            }
            assert_eq!(session.charged_steps(), charged);
        }
        assert!(session.next_step().unwrap().is_none());
        let statement = session.finish().unwrap();
        assert_eq!(statement.charged_steps, 2);
        assert!(statement.epsilon_so_far[0].epsilon > 0.0);
    }
}

/// Without noise, over all records, each a physical batch of its own: the order of the sum is the records' order.
fn released(examples: &[Example], mode: PerExample) -> BTreeMap<String, Vec<f64>> {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(20))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-5)
        .with_steps(1)
        .build()
        .unwrap();
    let mut session = plan
        .start(InMemDataset::new(examples.to_vec()), Rows, &flex(), Entropy::os())
        .unwrap()
        .with_per_example(mode)
        .with_physical_batch(1);
    let model = Network::new();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
    by_path(&model, &update.into(), 1.0)
}

#[test]
fn a_broken_image_changes_nothing_but_its_own_contribution() {
    let good = images(10);
    for mode in [PerExample::OneBackward, PerExample::Loop] {
        let expected = released(&good, mode);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for position in [0, 2, 9] {
                let mut all = good.clone();
                let mut broken = good[5].clone();
                broken.input[7] = bad;
                all.insert(position, broken);
                // Equal bit for bit, but for the sign of zero.
                assert_eq!(released(&all, mode), expected, "{bad} at {position}");
            }
        }
    }
}

#[test]
fn with_noise_a_broken_image_leaves_finite_parameters() {
    let mut examples = images(10);
    examples.iter_mut().take(3).for_each(|example| example.input[0] = f32::NAN);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(5, 10))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(20)
        .build()
        .unwrap();
    let mut session = plan.start(InMemDataset::new(examples), Rows, &flex(), Entropy::os()).unwrap();
    let mut model = Network::new();
    let mut optimizer = SgdConfig::new().init();
    while let Some(step) = session.next_step().unwrap() {
        let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
        model = optimizer.step(0.1, model, update.into());
    }
    assert!(all_parameters(&model).values().flatten().all(|value| value.is_finite()));
}

/// 400 steps over 50 records at rate 0.2. Each count is binomial; six standard deviations.
#[test]
fn each_record_is_drawn_at_the_rate_and_at_most_once_a_step() {
    let (records, steps, rate) = (50, 400, 0.2);
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(10, 50))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(steps)
        .build()
        .unwrap();
    let dataset = InMemDataset::new(Values::new(1).examples(records, 1, 1));
    let mut session = plan.start::<_, Batch, _, _>(dataset, Rows, &flex(), Entropy::os()).unwrap();
    let mut sampler = session.take_sampler().unwrap();
    let mut counts = vec![0.0_f64; records];
    let mut sizes = Vec::new();
    while let Some(batch) = sampler.next_batch().unwrap() {
        let indices = batch.unprotected_indices();
        assert!(indices.is_sorted_by(|a, b| a < b), "drawn twice: {indices:?}");
        indices.iter().for_each(|&index| counts[index] += 1.0);
        sizes.push(indices.len() as f64);
    }
    let steps = steps as f64;
    let deviation = (steps * rate * (1.0 - rate)).sqrt();
    assert!(counts.iter().all(|count| (count - steps * rate).abs() < 6.0 * deviation), "{counts:?}");
    // Sizes vary as a binomial does: a fixed-size sampler would have variance 0.
    let mean = sizes.iter().sum::<f64>() / steps;
    let variance = sizes.iter().map(|size| (size - mean).powi(2)).sum::<f64>() / steps;
    let expected = records as f64 * rate * (1.0 - rate);
    assert!((variance / expected - 1.0).abs() < 6.0 * (2.0 / steps).sqrt(), "{variance} instead of {expected}");
}

#[test]
fn gradients_hold_every_trainable_parameter_and_nothing_else() {
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(5))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-5)
        .with_steps(1)
        .build()
        .unwrap();
    let mut session = plan.start(InMemDataset::new(images(5)), Rows, &flex(), Entropy::os()).unwrap();
    let model = Network::new();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |model, batch| Ok(model.losses(batch))).unwrap();
    assert_eq!(update.get::<4>(model.image.weight.id).unwrap().dims(), model.image.weight.val().dims());
    let update: GradientsParams = update.into();
    assert_eq!(update.len(), 4);
}
