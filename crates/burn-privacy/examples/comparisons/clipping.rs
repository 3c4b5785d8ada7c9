//! Which style of clipping when: accuracy at one epsilon on two tasks.

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::prelude::*;

use super::tasks::{Convolutional, Dense, Network, Pictures, Stack, cifar, mnist, trained};
use super::{Arguments, Result, cell};

const EPSILON: f64 = 3.0;

/// A style, where `c` is a norm far below those of most gradients.
type Style = (&'static str, fn(c: f64, batch: usize) -> Clipping);

const STYLES: [Style; 8] = [
    ("flat, C", |c, _| Clipping::flat(c)),
    ("flat, 10 C", |c, _| Clipping::flat(10.0 * c)),
    ("flat, 100 C", |c, _| Clipping::flat(100.0 * c)),
    ("per layer, C", |c, _| Clipping::per_layer(c)),
    ("per group, C (two thirds to the first layer)", |c, _| {
        Clipping::per_group([("first", c * (2.0_f64 / 3.0).sqrt()), ("", c * (1.0_f64 / 3.0).sqrt())])
    }),
    ("AUTO-S (no norm)", |_, _| Clipping::normalized()),
    ("PSAC, C", |c, _| Clipping::psac(c)),
    ("quantile, from C to the median", |c, batch| Clipping::quantile(c, 0.5, batch as f64 / 20.0)),
];

/// The images' norm C.
const OF_IMAGES: f64 = 0.05;

/// Steps and expected batch of the images.
const OF_MNIST: (u64, usize) = (200, 400);
const OF_CIFAR: (u64, usize) = (100, 300);

pub fn compare(arguments: &Arguments) -> Result<()> {
    let device = Device::flex().autodiff();
    let (digits, objects) = (mnist(arguments.mnist.as_deref())?, cifar(arguments.cifar.as_deref())?);
    println!("| style | MNIST, % | CIFAR-10, % |\n|---|---|---|");
    for (name, clipping) in STYLES {
        let of_digits = match &digits {
            Some(task) => cell(&pictures::<Dense>(task, OF_MNIST, clipping, arguments.seeds, &device)?, 2),
            None => "-".into(),
        };
        let of_objects = match &objects {
            Some(task) => cell(&pictures::<Convolutional>(task, OF_CIFAR, clipping, arguments.seeds, &device)?, 2),
            None => "-".into(),
        };
        println!("| {name} | {of_digits} | {of_objects} |");
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
    clipping: fn(f64, usize) -> Clipping,
    seeds: u64,
    device: &Device,
) -> Result<Vec<f64>> {
    let plan = plan(steps, batch, task.train.len(), clipping(OF_IMAGES, batch))?;
    let stack = Stack { length: task.shape.iter().product() };
    let score = |seed| {
        device.seed(seed);
        let data = InMemDataset::new(task.train.clone());
        let session = plan.start(data, stack, device, Entropy::seeded(seed))?.with_physical_batch(256);
        trained::<N>(session, 2e-3, &task.test, stack, device)
    };
    (0..seeds).map(score).collect()
}
