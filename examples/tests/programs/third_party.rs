//! A model of another crate, which imports nothing of ours, trains privately with one changed line.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_privacy::prelude::*;
use third_party_model::Recordings;

const TIMES: usize = 10;

type Recording = (Vec<f32>, i32);

#[derive(Clone)]
struct Stack;

impl Batcher<Recording, (Tensor<3>, Tensor<1, Int>)> for Stack {
    fn batch(&self, items: Vec<Recording>, device: &Device) -> (Tensor<3>, Tensor<1, Int>) {
        let (values, classes): (Vec<Vec<f32>>, Vec<i32>) = items.into_iter().unzip();
        let shape = [classes.len(), 2, TIMES];
        let values = Tensor::from_data(TensorData::new(values.concat(), shape), device);
        (values, Tensor::from_ints(classes.as_slice(), device))
    }
}

/// Waves of two frequencies, in two channels with a phase of their own.
fn recordings(count: usize) -> Vec<Recording> {
    let wave = |number: usize| {
        let (class, phase) = (number % 2, number as f32 * 0.7);
        let frequency = if class == 0 { 0.6 } else { 1.4 };
        let at = |shift: f32| (0..TIMES).map(move |time| (frequency * time as f32 + phase + shift).sin());
        (at(0.0).chain(at(1.0)).collect(), class as i32)
    };
    (0..count).map(wave).collect()
}

fn accuracy(model: &Recordings, records: Vec<Recording>) -> f64 {
    let count = records.len();
    let (values, classes) = Stack.batch(records, &Device::flex());
    let right = model.valid().forward(values).argmax(1).reshape([count]).equal(classes).int().sum();
    right.into_scalar::<i64>() as f64 / count as f64
}

#[test]
fn one_changed_line_makes_it_private() {
    let device = Device::flex().autodiff();
    let records = recordings(600);

    // As its author trains it.
    device.seed(3);
    let mut model = Recordings::new(2, 2, &device);
    let mut optimizer = AdamConfig::new().init();
    let loss_fn = burn::nn::loss::CrossEntropyLossConfig::new().init(&device);
    for step in 0..60 {
        let drawn = records.iter().cycle().skip(step * 60).take(60).cloned().collect();
        let (values, classes) = Stack.batch(drawn, &device);
        let loss = loss_fn.forward(model.forward(values), classes);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.01, model, gradients);
    }
    let plain = accuracy(&model, records.clone());

    // With a session in the place of the loader, and the line that asks for gradients changed.
    device.seed(3);
    let mut model = Recordings::new(2, 2, &device);
    let mut optimizer = AdamConfig::new().init();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(60, 600))
        .with_noise(NoiseLevel::target(8.0, 1e-4))
        .with_delta(1e-4)
        .with_steps(60)
        .build()
        .unwrap();
    let mut session = plan.start(InMemDataset::new(records.clone()), Stack, &device, Entropy::seeded(1)).unwrap();
    while let Some(step) = session.next_step().unwrap() {
        let gradients =
            step.gradients(&model, |model, (values, classes)| Ok(cross_entropy(model.forward(values), classes)));
        model = optimizer.step(0.01, model, gradients.unwrap().into());
    }
    let statement = session.finish().unwrap();
    assert!(statement.assumptions.iter().any(|text| text.contains("proved on the operation graph at every step")));
    let private = accuracy(&model, records);
    println!("accuracy {plain} without privacy, {private} at epsilon 8");
    assert!(plain > 0.9 && private > 0.75, "{plain} {private}");
}
