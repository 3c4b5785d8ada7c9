//! What protecting users costs: MNIST dealt out to 1,000 made-up users, drawn whole or record by record.

use burn::data::dataset::InMemDataset;
use burn::prelude::*;
use burn_privacy::plan::ProtectedUnit;
use burn_privacy::prelude::*;
use burn_privacy::session::{UserGradient, Users};

use super::tasks::{Dense, Pictures, Stack, mnist, trained};
use super::{Arguments, Result, cell};

const USERS: usize = 1_000;
const DELTA: f64 = 1e-5;

/// Users a step, and steps; a user is sixty images.
const WHOLE: (usize, u64) = (250, 60);
/// Steps where images are drawn.
const SINGLE_STEPS: u64 = 150;

pub fn compare(arguments: &Arguments) -> Result<()> {
    let Some(task) = mnist(arguments.mnist.as_deref())? else {
        return Err("MNIST is not here: say --mnist FOLDER".into());
    };
    let device = Device::flex().autodiff();
    println!("| unit | what is drawn | epsilon | noise multiplier | MNIST, % |\n|---|---|---|---|---|");
    for epsilon in [4.0, 8.0] {
        row(arguments, "image", "400 of 60,000 images", epsilon, |seed| {
            one_by_one(&task, ProtectedUnit::Example, (task.train.len(), 400), epsilon, seed, &device)
        })?;
        row(arguments, "user", "250 of 1,000 users, whole (ULS)", epsilon, |seed| {
            whole(&task, epsilon, seed, &device)
        })?;
        for most in [2, 8, 32] {
            let kept = USERS * most as usize;
            let batch = kept.min(16_000) / 10;
            row(
                arguments,
                "user",
                &format!("{batch} of {kept} images, at most {most} a user (ELS)"),
                epsilon,
                |seed| {
                    let unit = ProtectedUnit::UserByRecords { most_records: most };
                    one_by_one(&task, unit, (kept, batch), epsilon, seed, &device)
                },
            )?;
        }
    }
    Ok(())
}

fn row(
    arguments: &Arguments,
    unit: &str,
    drawn: &str,
    epsilon: f64,
    run: impl Fn(u64) -> Result<(f64, f64)>,
) -> Result<()> {
    let found: Vec<(f64, f64)> = (0..arguments.seeds).map(run).collect::<Result<_>>()?;
    let scores: Vec<f64> = found.iter().map(|(score, _)| *score).collect();
    println!("| {unit} | {drawn} | {epsilon} | {:.2} | {} |", found[0].1, cell(&scores, 2));
    Ok(())
}

/// Image by image to the users in turn.
fn users(task: &Pictures, gradient: UserGradient) -> Users {
    Users::by((0..task.train.len()).map(|image| image % USERS), gradient)
}

fn config(epsilon: f64) -> PrivacyPlanConfig {
    PrivacyPlanConfig::new().with_clipping(Clipping::normalized()).with_noise(NoiseLevel::target(epsilon, DELTA))
}

fn whole(task: &Pictures, epsilon: f64, seed: u64, device: &Device) -> Result<(f64, f64)> {
    let plan = config(epsilon)
        .with_protected_unit(ProtectedUnit::User)
        .with_sampling(Sampling::poisson(WHOLE.0, USERS))
        .with_steps(WHOLE.1)
        .build()?;
    let (data, stack) = (InMemDataset::new(task.train.clone()), Stack { length: 784 });
    device.seed(seed);
    let session = plan.start_with_users(data, users(task, UserGradient::Mean), stack, device, Entropy::seeded(seed))?;
    Ok((trained::<Dense>(session.with_physical_batch(256), 5e-3, &task.test, stack, device)?, plan.noise_multiplier()))
}

fn one_by_one(
    task: &Pictures,
    unit: ProtectedUnit,
    (nominal, batch): (usize, usize),
    epsilon: f64,
    seed: u64,
    device: &Device,
) -> Result<(f64, f64)> {
    let plan = config(epsilon)
        .with_protected_unit(unit)
        .with_sampling(Sampling::poisson(batch, nominal))
        .with_steps(SINGLE_STEPS)
        .build()?;
    let (data, stack) = (InMemDataset::new(task.train.clone()), Stack { length: 784 });
    device.seed(seed);
    let entropy = Entropy::seeded(seed);
    let session = match unit {
        ProtectedUnit::Example => plan.start(data, stack, device, entropy)?,
        _ => plan.start_with_users(data, users(task, UserGradient::EachRecord), stack, device, entropy)?,
    };
    Ok((trained::<Dense>(session.with_physical_batch(256), 2e-3, &task.test, stack, device)?, plan.noise_multiplier()))
}
