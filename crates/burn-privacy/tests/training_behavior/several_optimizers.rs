//! A loop with two networks and two optimizers: a GAN whose discriminator alone sees the data, and whose generator is made from
//! what the discriminator's steps released.

use burn::data::dataset::InMemDataset;
use burn::module::Module;
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, Values, flex, with_values};

#[derive(Module, Debug)]
struct Discriminator {
    hidden: Linear,
    score: Linear,
}

impl Discriminator {
    /// `[n, 1]` to `[n]`: positive where it takes a value for a real one.
    fn forward(&self, values: Tensor<2>) -> Tensor<1> {
        let n = values.dims()[0];
        self.score.forward(self.hidden.forward(values).tanh()).reshape([n])
    }
}

/// `ln(1 + e^x)`, the logistic loss of a score against the answer no.
fn softplus(scores: Tensor<1>) -> Tensor<1> {
    scores.clone().clamp_min(0.0) + (-scores.abs()).exp().log1p()
}

fn noise(values: &mut Values, count: usize) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.normals(count), [count, 1]), &flex())
}

fn mean_of(generator: &Linear, values: &mut Values) -> f32 {
    generator.forward(noise(values, 4_000)).mean().into_scalar::<f32>()
}

#[test]
fn a_private_discriminator_teaches_a_generator_that_never_sees_the_data() {
    let mut values = Values::new(1);
    // Real values lie about 3, generated ones about 0 at first.
    let records: Vec<Example> =
        (0..2_000).map(|_| Example::new(vec![3.0 + 0.5 * values.normal() as f32], vec![0.0])).collect();
    let plan = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(200, 2_000))
        .with_clipping(Clipping::normalized())
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(1e-4)
        .with_steps(200)
        .build()
        .unwrap();
    let mut session = plan.start(InMemDataset::new(records), Rows, &flex(), Entropy::seeded(2)).unwrap();
    let hidden = LinearConfig::new(1, 8).init(&flex());
    let mut discriminator = Discriminator { hidden, score: LinearConfig::new(8, 1).init(&flex()) };
    discriminator = with_values(discriminator, 3);
    let mut generator: Linear = with_values(LinearConfig::new(1, 1).init(&flex()), 4);
    let (mut of_discriminator, mut of_generator) = (AdamConfig::new().init(), AdamConfig::new().init());
    let before = mean_of(&generator, &mut values);
    while let Some(step) = session.next_step().unwrap() {
        // The generator's own gradients are none of this step's: one generated value for each record, the same in every call.
        let (fixed, pool) = (generator.clone().no_grad(), noise(&mut values, 512));
        let update = step
            .gradients(&discriminator, |discriminator, batch: Batch| {
                let n = batch.size();
                let real = discriminator.forward(batch.input.clone());
                // Which one depends on the record alone.
                let which = (batch.input.clone() * 1e4).reshape([n]).int().remainder_scalar(512);
                let generated = fixed.forward(pool.clone().select(0, which)).detach();
                let fake = discriminator.forward(generated);
                Ok(softplus(-real) + softplus(fake))
            })
            .unwrap();
        discriminator = of_discriminator.step(0.02, discriminator, update.into());
        // Post-processing of what was released: no data, no cost, any optimizer.
        let scores = discriminator.forward(generator.forward(noise(&mut values, 64)));
        let gradients = GradientsParams::from_grads(softplus(-scores).mean().backward(), &generator);
        generator = of_generator.step(0.05, generator, gradients);
    }
    let after = mean_of(&generator, &mut values);
    assert!((after - 3.0).abs() < 1.5 && (after - 3.0).abs() < 0.7 * (before - 3.0).abs(), "from {before} to {after}");
    assert_eq!(session.finish().unwrap().charged_steps, 200);
}
