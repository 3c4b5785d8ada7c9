//! Users whose records are sampled one by one: only so many of each take part, each with its own coin and its own clip, so that a user
//! moves the sum by at most as many clipping norms.

use burn::data::dataset::InMemDataset;
use burn::nn as stock;
use burn::prelude::*;
use burn_privacy::ledger::Ledger;
use burn_privacy::plan::ProtectedUnit;
use burn_privacy::prelude::*;
use burn_privacy::session::{UserGradient, Users};

use crate::support::{
    Ask, Batch, ByPath, Example, Rows, Values, by_path, clipped_sum, distance, flex, norm, with_values,
};

const MOST: u64 = 3;

fn config(records: usize) -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_protected_unit(ProtectedUnit::UserByRecords { most_records: MOST })
        .with_sampling(Sampling::full_batch(records))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-9)
        .with_steps(1)
}

fn model() -> stock::Linear {
    with_values(stock::LinearConfig::new(3, 2).init(&flex()), 5)
}

fn losses(model: &stock::Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input), batch.target)
}

fn users(ids: &[u32]) -> Users {
    Users::by(ids.iter().copied(), UserGradient::EachRecord)
}

fn sum(records: &[Example], ids: &[u32]) -> ByPath {
    let expected = 10;
    let data = InMemDataset::new(records.to_vec());
    let mut session =
        config(expected).build().unwrap().start_with_users(data, users(ids), Rows, &flex(), Entropy::os()).unwrap();
    let model = model();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |model, batch| Ok(losses(model, batch))).unwrap();
    by_path(&model, &update.into(), expected as f64)
}

fn difference(a: &ByPath, b: &ByPath) -> f64 {
    let parts = a.iter().map(|(path, values)| values.iter().zip(&b[path]).map(|(a, b)| a - b).collect::<Vec<f64>>());
    norm(parts.collect::<Vec<_>>().iter())
}

#[test]
fn the_first_records_of_each_user_take_part_and_each_is_clipped_by_itself() {
    let records = Values::new(1).examples(12, 3, 2);
    let ids = [7, 3, 9, 3, 9, 1, 9, 9, 1, 1, 1, 9];
    let found = sum(&records, &ids);
    let kept: Vec<Example> = [0, 1, 2, 3, 4, 5, 6, 8, 9].map(|index: usize| records[index].clone()).to_vec();
    let expected = clipped_sum(&Ask::flex(0.5).automatic(), &model(), &kept, losses);
    assert!(difference(&found, &expected) <= 1e-6 * norm(expected.values()));
}

#[test]
fn no_user_moves_the_sum_by_more_than_so_many_norms() {
    let mut values = Values::new(2);
    let others = values.examples(6, 3, 2);
    let other_ids: Vec<u32> = (0..6).map(|record| record / 2).collect();
    let without = sum(&others, &other_ids);
    let mut largest = 0.0_f64;
    for count in [1, 2, 3, 4, 50] {
        let (mut all, mut ids) = (others.clone(), other_ids.clone());
        // All of them pull into one direction, as far as they are let.
        let record = Example::new(vec![1.0; 3], vec![1e4; 2]);
        all.extend(vec![record; count]);
        ids.extend(vec![99; count]);
        let moved = difference(&sum(&all, &ids), &without);
        assert!(moved <= 0.5 * MOST as f64, "{count} records: {moved}");
        largest = largest.max(moved);
    }
    assert!(largest > 0.999 * 0.5 * MOST as f64, "{largest}");
}

#[test]
fn each_record_has_its_own_coin_and_the_others_none() {
    let (count, expected, steps) = (2_000, 200, 40);
    let records = Values::new(3).examples(count, 3, 2);
    // A hundred users of twenty records each, of which three take part.
    let ids: Vec<u32> = (0..count as u32).map(|record| record % 100).collect();
    let plan = config(count).with_sampling(Sampling::poisson(expected, count)).with_steps(steps).build().unwrap();
    let data = InMemDataset::new(records);
    let mut session = plan.start_with_users(data, users(&ids), Rows, &flex(), Entropy::os()).unwrap();
    let mut sampler = session.take_sampler().unwrap();
    let (mut drawn, mut pairs) = (0_usize, 0_usize);
    while let Some(batch) = sampler.next_batch().unwrap() {
        let indices = batch.unprotected_indices();
        assert!(indices.iter().all(|index| *index < 300), "the first three records of each user");
        drawn += indices.len();
        // First and second records of one user.
        pairs += indices.iter().filter(|index| **index < 100 && indices.contains(&(**index + 100))).count();
    }
    // Binomial(12,000, 0.1) and Binomial(4,000, 0.01): six standard deviations, and a bound by Chernoff below 1e-9.
    assert!((drawn as f64 - 1_200.0).abs() < 198.0, "{drawn}");
    assert!((8..=90).contains(&pairs), "{pairs}");
}

#[test]
fn the_ledger_and_the_statement_name_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let records = Values::new(4).examples(6, 3, 2);
    let plan = config(6).with_noise(NoiseLevel::multiplier(2.0)).build().unwrap();
    let mut session = plan
        .start_with_users(InMemDataset::new(records), users(&[0, 0, 1, 1, 2, 2]), Rows, &flex(), Entropy::os())
        .unwrap()
        .with_ledger(Ledger::open(&path, "letters").unwrap(), "run")
        .unwrap();
    let step = session.next_step().unwrap().unwrap();
    drop(step.gradients(&model(), |model, batch| Ok(losses(model, batch))).unwrap());
    assert!(session.epsilon_so_far().unwrap() >= plan.epsilon(1e-9).unwrap());
    let statement = session.finish().unwrap();
    assert!(statement.protected_unit.contains("one user") && statement.protected_unit.contains("at most 3 items"));
    let charges = Ledger::read(&path).unwrap().charges();
    assert!(charges[0].mechanism.as_ref().unwrap().contains("one user"));
    // Full batches: three records are one Gaussian mechanism of three times the sensitivity.
    let three = burn_privacy::accounting::gaussian_epsilon(2.0 / 3.0, 1e-9).unwrap();
    assert!((plan.epsilon(1e-9).unwrap() / three - 1.0).abs() < 1e-9);
}

#[test]
fn what_does_not_fit_is_refused() {
    let records = || InMemDataset::new(Values::new(5).examples(4, 3, 2));
    let ids = [0, 0, 1, 1];
    let plan = config(4).build().unwrap();
    let error = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("start_with_users"), "{error}");
    let mean = Users::by(ids, UserGradient::Mean);
    let error = plan.start_with_users(records(), mean, Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("EachRecord"), "{error}");
    let whole = config(4).with_protected_unit(ProtectedUnit::User).build().unwrap();
    let error = whole.start_with_users(records(), users(&ids), Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("UserGradient::Mean"), "{error}");
    let replacing = config(4).with_adjacency(Adjacency::ReplaceOne).build().unwrap_err().to_string();
    assert!(replacing.contains("add-or-remove-one"), "{replacing}");
}
