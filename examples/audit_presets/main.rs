//! Audits of the presets' private steps: what is claimed at most, and what an attacker measures at least.
//!
//! `cargo run --release --example audit_presets [-- CANARIES [NAME]]` prints a table in Markdown.
//!
//! Each run has the preset's batch size, noise, clipping norm, delta and number of steps, by the real session: sampler, clipping,
//! sum, noise, ledger-free charge. The data set is canaries alone, each of which has a parameter of its own and a gradient far above
//! the clipping norm, and is in by a fair coin: the worst case for the attacker's guess that the guarantee allows, as one record's
//! gradient owns a coordinate. The attacker sees every update, and scores a canary by the sum of its coordinate. It is not the preset's network that is audited, but the
//! mechanism that trains it; all other records of the nominal data set would add zero to these coordinates.
//!
//! Beside them: the same without noise, and a micro-batch taken for an example (TensorFlow Privacy's `num_microbatches` below the
//! batch size), where the mean of a micro-batch is clipped as one, and the accountant is told that examples are.

use std::time::Instant;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::InMemDataset;
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_privacy::nn::{Embedding, EmbeddingConfig};
use burn_privacy::prelude::*;
use burn_privacy_audit::{AuditReport, Runs, Scores};
use burn_privacy_examples::image_training::Preset;
use burn_privacy_examples::{Result, cifar, mnist};
use clap::ValueEnum;

/// What is done with a run of canaries.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Sound,
    WithoutNoise,
    MicroBatches,
}

struct Row {
    name: String,
    batch_size: usize,
    images: usize,
    steps: u64,
    noise: NoiseLevel,
    clip: f64,
    delta: f64,
    fault: Fault,
}

fn row<M>(name: String, preset: &Preset<M>, images: usize) -> Row {
    Row {
        name,
        batch_size: preset.batch_size,
        images,
        steps: (preset.epochs * images as u64).div_ceil(preset.batch_size as u64),
        noise: preset.noise.with_delta(preset.delta),
        clip: preset.clip,
        delta: preset.delta,
        fault: Fault::Sound,
    }
}

/// A canary's number and whether it is in, which only a micro-batch without it needs.
type Canary = (usize, bool);

struct Canaries;

impl Batcher<Canary, Tensor<2, Int>> for Canaries {
    fn batch(&self, canaries: Vec<Canary>, device: &Device) -> Tensor<2, Int> {
        let rows = canaries.len();
        let values: Vec<i64> =
            canaries.into_iter().flat_map(|(number, present)| [number as i64, i64::from(present)]).collect();
        Tensor::from_data(TensorData::new(values, [rows, 2]), device)
    }
}

fn plan(row: &Row, noise: NoiseLevel) -> Result<PrivacyPlan> {
    let mut config = PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(row.batch_size, row.images))
        .with_clipping(Clipping::flat(row.clip))
        .with_noise(noise)
        .with_steps(row.steps);
    if matches!(noise, NoiseLevel::Multiplier(_)) {
        config = config.with_delta(row.delta);
    }
    Ok(config.build()?)
}

fn audit(row: &Row, canaries: usize, device: &Device) -> Result<(f64, AuditReport)> {
    let planned = plan(row, row.noise)?;
    let claimed = planned.epsilon(row.delta)?;
    let plan = if row.fault == Fault::WithoutNoise { plan(row, NoiseLevel::multiplier(0.0))? } else { planned };
    let coins = burn_privacy::mechanisms::poisson_sample(
        &burn_privacy::mechanisms::PrivacyKey::draw(Entropy::os())?,
        0,
        canaries as u64,
        0.5,
    )?;
    let mut is_in = vec![false; canaries];
    coins.into_iter().for_each(|number| is_in[number] = true);
    let records: Vec<Canary> = is_in.iter().copied().enumerate().collect();
    // A micro-batch is there without its canary too.
    let records = match row.fault {
        Fault::MicroBatches => records,
        _ => records.into_iter().filter(|(_, present)| *present).collect(),
    };
    let mut session = plan.start(InMemDataset::new(records), Canaries, device, Entropy::os())?;
    let model: Embedding = EmbeddingConfig::new(canaries, 1).with_initializer(Initializer::Zeros).init(device);
    let far_above = 1e3 * row.clip;
    let mut scores = vec![0.0_f64; canaries];
    while let Some(step) = session.next_step()? {
        let update = step.gradients(&model, |model, batch: Tensor<2, Int>| {
            let [rows, _] = batch.dims();
            let numbers = batch.clone().slice([0..rows, 0..1]);
            let loss = model.forward(numbers).reshape([rows]);
            if row.fault != Fault::MicroBatches {
                return Ok(loss.mul_scalar(far_above));
            }
            // Without the canary, the mean gradient of the others points the other way.
            let sign = batch.slice([0..rows, 1..2]).float().reshape([rows]).mul_scalar(2.0).sub_scalar(1.0);
            Ok(loss * sign.mul_scalar(far_above))
        })?;
        let gradient = update.get::<2>(model.weight.id).ok_or("the canaries have no gradient")?;
        let gradient = gradient.into_data().try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
        scores.iter_mut().zip(gradient).for_each(|(score, update)| *score += f64::from(update));
    }
    let (mut members, mut others) = (Vec::new(), Vec::new());
    for (score, present) in scores.into_iter().zip(is_in) {
        if present { members.push(score) } else { others.push(score) }
    }
    let report = AuditReport::new(&Scores::new(members, others)?, Runs::One, row.delta, 0.05, Some(claimed))?;
    Ok((claimed, report))
}

fn main() -> Result<()> {
    let canaries: usize = std::env::args().nth(1).map_or(Ok(1_000), |number| number.parse())?;
    let only = std::env::args().nth(2);
    let device = Device::flex().autodiff();
    let mut rows = Vec::new();
    for preset in mnist::PresetName::value_variants() {
        let name = preset.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        rows.push(row(format!("mnist_dp {name}"), &preset.settings(), 60_000));
    }
    for preset in cifar::PresetName::value_variants() {
        let name = preset.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        rows.push(row(format!("cifar_dp {name}"), &preset.settings(), 50_000));
    }
    let of_full_batches = [
        (Fault::Sound, "sound"),
        (Fault::WithoutNoise, "without noise"),
        (Fault::MicroBatches, "a micro-batch taken for an example"),
    ];
    for (fault, of) in of_full_batches {
        // A Gaussian mechanism, so that the Gaussian auditors' assumption holds.
        rows.push(Row {
            batch_size: 60_000,
            noise: NoiseLevel::target(3.0, 1e-5),
            steps: 100,
            fault,
            ..row(format!("full batches, {of}"), &mnist::PresetName::Tf2.settings(), 60_000)
        });
    }
    println!(
        "| mechanism | claimed at most | measured at least | auditor | estimate, were the curve Gaussian | seconds |"
    );
    println!("|---|---|---|---|---|---|");
    for row in rows.iter().filter(|row| only.as_ref().is_none_or(|only| row.name.contains(only.as_str()))) {
        let start = Instant::now();
        let (claimed, report) = audit(row, canaries, &device)?;
        let bound = report.findings.iter().filter(|finding| finding.is_bound);
        let best = bound.max_by(|a, b| a.epsilon.total_cmp(&b.epsilon));
        let (proved, auditor) = best.map_or((0.0, "none"), |finding| (finding.epsilon, finding.auditor));
        let assumed = report.findings.iter().map(|finding| finding.epsilon).fold(0.0, f64::max);
        println!(
            "| {} | {claimed:.2} | {proved:.2} | {auditor} | {assumed:.2} | {:.0} |",
            row.name,
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
