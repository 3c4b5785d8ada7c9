//! Schedules of noise and clipping: each step has the noise and the norm that the plan says, a resumed run goes on within its
//! stretch, and what was charged is what ran.

use burn::data::dataset::InMemDataset;
use burn::module::Param;
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::per_example::per_example;
use burn_privacy::plan::StepFunction;
use burn_privacy::prelude::*;

use crate::support::{Batch, Example, Rows, by_path, flex, norm};

type Vector = Param<Tensor<1>>;

const ENTRIES: usize = 100_000;
const RECORDS: usize = 3;

fn config() -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::full_batch(RECORDS))
        .with_clipping(Clipping::flat(0.7))
        .with_clipping_schedule(StepFunction::of([(0, 1.0), (3, 0.25)]))
        .with_noise(NoiseLevel::multiplier(1.3))
        .with_noise_schedule(StepFunction::of([(0, 2.0), (2, 1.0), (4, 0.5)]))
        .with_delta(1e-6)
        .with_steps(6)
}

fn session(config: PrivacyPlanConfig, records: usize) -> Session<Example, Batch, InMemDataset<Example>, Rows> {
    let examples = vec![Example::new(vec![0.0], vec![0.0]); records];
    config.build().unwrap().start(InMemDataset::new(examples), Rows, &flex(), Entropy::os()).unwrap()
}

/// The sums of all steps that are left, where each record's gradient is `size` in every entry.
fn sums(session: &mut Session<Example, Batch, InMemDataset<Example>, Rows>, size: f64) -> Vec<(u64, f64, Vec<f64>)> {
    let model: Vector = Param::from_tensor(Tensor::zeros([ENTRIES], &flex()));
    let mut found = Vec::new();
    loop {
        let clipping_norm = session.clipping_norm();
        let Some(step) = session.next_step().unwrap() else { return found };
        let index = step.index();
        let update = step
            .gradients(&model, |model, batch: Batch| {
                let copies: Tensor<2> = per_example(model, batch.size());
                Ok((copies * size).sum_dim(1).reshape([batch.size()]))
            })
            .unwrap();
        found.push((index, clipping_norm, by_path(&model, &update.into(), RECORDS as f64).remove("").unwrap()));
    }
}

#[test]
fn each_step_has_the_noise_that_the_plan_says() {
    let mut session = session(config(), RECORDS);
    let found = sums(&mut session, 0.0);
    assert_eq!(found.len(), 6);
    for (step, _, noise) in found {
        let multiplier = 1.3 * [2.0, 2.0, 1.0, 1.0, 0.5, 0.5][step as usize];
        let deviation = multiplier * 0.7 * if step < 3 { 1.0 } else { 0.25 };
        let variance = noise.iter().map(|value| value * value).sum::<f64>() / ENTRIES as f64;
        // Six standard errors: false failures below 1e-8.
        let bound = 6.0 * (2.0 / ENTRIES as f64).sqrt();
        assert!((variance / deviation / deviation - 1.0).abs() < bound, "step {step}: {variance}");
    }
}

#[test]
fn each_step_has_the_norm_that_the_plan_says() {
    let mut session = session(config().with_noise(NoiseLevel::multiplier(0.0)), 1);
    for (step, clipping_norm, sum) in sums(&mut session, 5.0) {
        let expected = if step < 3 { 0.7 } else { 0.175 };
        let found = norm([sum].iter());
        assert!(found <= expected && found > 0.999 * expected, "step {step}: {found}");
        assert!((clipping_norm - expected).abs() < 1e-15);
    }
}

#[test]
fn a_resumed_run_goes_on_within_its_stretch_and_all_of_it_is_charged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let open = || Ledger::open(&path, "data").unwrap().with_block_target(std::time::Duration::ZERO);
    let mut first = session(config(), RECORDS).with_ledger(open(), "run").unwrap();
    for _ in 0..3 {
        // Charged, and never used.
        drop(first.next_step().unwrap().unwrap());
    }
    drop(first);
    let mut second = session(config(), RECORDS).with_ledger(open(), "run").unwrap();
    assert_eq!((second.charged_steps(), second.clipping_norm()), (3, 0.175));
    let rest: Vec<u64> = sums(&mut second, 0.0).into_iter().map(|(step, ..)| step).collect();
    assert_eq!(rest, [3, 4, 5]);
    let planned = second.plan().epsilon(1e-6).unwrap();
    assert!((second.epsilon_so_far().unwrap() / planned - 1.0).abs() < 1e-9);
    let statement = second.finish().unwrap();
    assert_eq!((statement.charged_steps, statement.epsilon_so_far[0].epsilon), (6, planned));
    assert!(statement.to_string().contains("x 2 from step 0, x 1 from step 2, x 0.5 from step 4"), "{statement}");
    let total = Ledger::read(&path).unwrap().total(1e-6).unwrap();
    assert_eq!(total.steps, 6);
    let charged = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
    assert!((charged / planned - 1.0).abs() < 1e-9, "{charged} {planned}");
}

#[test]
fn norms_that_are_no_choice_have_no_schedule() {
    for clipping in [Clipping::normalized(), Clipping::quantile(0.5, 0.5, 10.0)] {
        let refusal = config().with_clipping(clipping).build().unwrap_err().to_string();
        assert!(refusal.contains("clipping schedule"), "{refusal}");
    }
}
