//! Which style of clipping when: accuracy at one epsilon on three tasks.

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::prelude::*;
use burn_privacy_examples::affordability;
use burn_privacy_examples::affordability::data::Data;
use burn_privacy_examples::affordability::generated::generated_data;
use burn_privacy_examples::affordability::{LEARNING_RATE, SAMPLED, STEPS, r_squared, train_private};

use super::tasks::{Convolutional, Dense, Network, Pictures, Stack, cifar, mnist, trained};
use super::{Arguments, Result, cell};

const EPSILON: f64 = 3.0;

/// Of a norm far below those of most gradients, the expected batch, and the path of the model's first layer.
type Clip = fn(c: f64, batch: usize, first: &str) -> Clipping;

type Style = (&'static str, Clip);

const STYLES: [Style; 8] = [
    ("flat, C", |c, _, _| Clipping::flat(c)),
    ("flat, 10 C", |c, _, _| Clipping::flat(10.0 * c)),
    ("flat, 100 C", |c, _, _| Clipping::flat(100.0 * c)),
    ("per layer, C", |c, _, _| Clipping::per_layer(c)),
    ("per group, C (two thirds to the first layer)", |c, _, first| {
        Clipping::per_group([(first, c * (2.0_f64 / 3.0).sqrt()), ("", c * (1.0_f64 / 3.0).sqrt())])
    }),
    ("AUTO-S (no norm)", |_, _, _| Clipping::normalized()),
    ("PSAC, C", |c, _, _| Clipping::psac(c)),
    ("quantile, from C to the median", |c, batch, _| Clipping::quantile(c, 0.5, batch as f64 / 20.0)),
];

/// The images' norm C.
const OF_IMAGES: f64 = 0.05;

/// The households' norm C: a tenth of the one that their program has.
const OF_HOUSEHOLDS: f64 = 0.1 * affordability::CLIPPING_NORM;

/// Steps and expected batch of the images.
const OF_MNIST: (u64, usize) = (200, 400);
const OF_CIFAR: (u64, usize) = (100, 300);

pub fn compare(arguments: &Arguments) -> Result<()> {
    let device = Device::flex().autodiff();
    let (digits, objects) = (mnist(arguments.mnist.as_deref())?, cifar(arguments.cifar.as_deref())?);
    let households = generated_data()?;
    println!("| style | affordability, R2 in % | MNIST, % | CIFAR-10, % |\n|---|---|---|---|");
    for (name, clipping) in STYLES {
        let of_digits = match &digits {
            Some(task) => cell(&pictures::<Dense>(task, OF_MNIST, clipping, arguments.seeds, &device)?, 2),
            None => "-".into(),
        };
        let of_objects = match &objects {
            Some(task) => cell(&pictures::<Convolutional>(task, OF_CIFAR, clipping, arguments.seeds, &device)?, 2),
            None => "-".into(),
        };
        let of_households = cell(&affordable(&households, clipping, arguments.seeds, &device)?, 2);
        println!("| {name} | {of_households} | {of_digits} | {of_objects} |");
    }
    Ok(())
}

fn plan(steps: u64, batch: usize, nominal: usize, clipping: Clipping) -> Result<PrivacyPlan> {
    Ok(PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(batch, nominal))
        .with_clipping(clipping)
        .with_steps(steps)
        .with_noise(NoiseLevel::target(EPSILON, 1e-5))
        .build()?)
}

fn pictures<N: Network>(
    task: &Pictures,
    (steps, batch): (u64, usize),
    clipping: Clip,
    seeds: u64,
    device: &Device,
) -> Result<Vec<f64>> {
    let plan = plan(steps, batch, task.train.len(), clipping(OF_IMAGES, batch, "first"))?;
    let stack = Stack { length: task.shape.iter().product() };
    let score = |seed| {
        device.seed(seed);
        let data = InMemDataset::new(task.train.clone());
        let session = plan.start(data, stack, device, Entropy::seeded(seed))?.with_physical_batch(256);
        trained::<N>(session, 2e-3, &task.test, stack, device)
    };
    (0..seeds).map(score).collect()
}

/// The handout's network on generated households.
fn affordable(data: &Data, clipping: Clip, seeds: u64, device: &Device) -> Result<Vec<f64>> {
    let nominal = data.nominal.get();
    let batch = nominal / SAMPLED;
    let plan = plan(STEPS, batch, nominal, clipping(OF_HOUSEHOLDS, batch, "hidden"))?;
    let score = |seed| {
        device.seed(seed);
        let network = affordability::Network::new(device);
        let entropy = Entropy::seeded(seed);
        let (network, _) = train_private(network, data.households(), device, &plan, LEARNING_RATE, entropy, None)?;
        let (test, targets) = data.test_batch(device);
        Ok(100.0 * r_squared(&network.predict(&test), &targets))
    };
    (0..seeds).map(score).collect()
}
