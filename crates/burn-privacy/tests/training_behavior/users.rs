//! Users as units: a user's gradient is that of all their records, clipped as one; users are drawn, and named by what is said.

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

fn config(users: usize) -> PrivacyPlanConfig {
    PrivacyPlanConfig::new()
        .with_protected_unit(ProtectedUnit::User)
        .with_sampling(Sampling::full_batch(users))
        .with_clipping(Clipping::flat(0.5))
        .with_noise(NoiseLevel::multiplier(0.0))
        .with_delta(1e-9)
        .with_steps(1)
}

/// A stock layer: no rule is needed.
fn model() -> stock::Linear {
    with_values(stock::LinearConfig::new(3, 2).init(&flex()), 5)
}

fn losses(model: &stock::Linear, batch: Batch) -> Tensor<1> {
    distance(model.forward(batch.input), batch.target)
}

/// The sum over users of one step over all of them.
fn sum_of_users(
    records: &[Example],
    ids: &[u32],
    gradient: UserGradient,
    clipping: Clipping,
    physical: usize,
) -> ByPath {
    let users = Users::by(ids.iter().copied(), gradient);
    let count = 10;
    let plan = config(count).with_clipping(clipping).build().unwrap();
    let mut session = plan
        .start_with_users(InMemDataset::new(records.to_vec()), users, Rows, &flex(), Entropy::os())
        .unwrap()
        .with_physical_batch(physical);
    let model = model();
    let step = session.next_step().unwrap().unwrap();
    let update = step.gradients(&model, |model, batch| Ok(losses(model, batch))).unwrap();
    by_path(&model, &update.into(), count as f64)
}

fn difference(a: &ByPath, b: &ByPath) -> f64 {
    norm(
        a.iter()
            .map(|(path, values)| values.iter().zip(&b[path]).map(|(a, b)| a - b).collect::<Vec<f64>>())
            .collect::<Vec<_>>()
            .iter(),
    )
}

#[test]
fn a_users_gradient_is_that_of_all_their_records_clipped_as_one() {
    let records = Values::new(1).examples(12, 3, 2);
    // Users of one, two, four and five records, in no order.
    let ids = [7, 3, 9, 3, 9, 1, 9, 9, 1, 1, 1, 1];
    for (gradient, weight) in [(UserGradient::Sum, 0), (UserGradient::Mean, 1)] {
        for clip in [1e-3, 0.5, 1e6] {
            let found = sum_of_users(&records, &ids, gradient, Clipping::flat(clip), 256);
            // By hand: the unclipped gradient of a user's records, then scaled.
            let mut expected: ByPath =
                found.iter().map(|(path, values)| (path.clone(), vec![0.0; values.len()])).collect();
            for user in [1, 3, 7, 9] {
                let own: Vec<Example> =
                    records.iter().zip(ids).filter(|(_, id)| *id == user).map(|(record, _)| record.clone()).collect();
                let mut of_user = clipped_sum(&Ask::flex(1e9).loop_over_examples(), &model(), &own, losses);
                let divisor = if weight == 1 { own.len() as f64 } else { 1.0 };
                of_user.values_mut().flatten().for_each(|value| *value /= divisor);
                let factor = (clip / norm(of_user.values())).min(1.0);
                for (path, values) in of_user {
                    expected
                        .get_mut(&path)
                        .unwrap()
                        .iter_mut()
                        .zip(values)
                        .for_each(|(sum, value)| *sum += factor * value);
                }
            }
            let error = difference(&found, &expected) / norm(expected.values());
            assert!(error < 2e-4, "{gradient:?}, clip {clip}: {error:e}");
            // However many records are in memory at once.
            let in_parts = sum_of_users(&records, &ids, gradient, Clipping::flat(clip), 2);
            assert!(difference(&found, &in_parts) / norm(expected.values()) < 1e-5);
        }
    }
}

#[test]
fn no_user_adds_more_than_the_sensitivity_however_many_records_they_have() {
    let mut values = Values::new(2);
    let others = values.examples(6, 3, 2);
    let other_ids: Vec<u32> = (0..6).map(|record| record / 2).collect();
    for clipping in [Clipping::flat(0.5), Clipping::normalized(), Clipping::per_layer(0.3), Clipping::psac(0.2)] {
        let mut largest = 0.0_f64;
        for (records, size) in [(1, 1e-4), (1, 1e4), (50, 0.1), (300, 10.0), (300, 1e17), (3, f32::INFINITY)] {
            for gradient in [UserGradient::Sum, UserGradient::Mean] {
                let without = sum_of_users(&others, &other_ids, gradient, clipping.clone(), 64);
                let (mut all, mut ids) = (others.clone(), other_ids.clone());
                for mut record in values.examples(records, 3, 2) {
                    record.target.iter_mut().for_each(|value| *value = value.abs() * size);
                    all.push(record);
                    ids.push(99);
                }
                let moved = difference(&sum_of_users(&all, &ids, gradient, clipping.clone(), 64), &without);
                assert!(moved <= clipping.norm(), "{clipping}, {records} records of size {size}: {moved}");
                largest = largest.max(moved);
            }
        }
        assert!(largest > 0.99 * clipping.norm(), "{clipping}: {largest}");
    }
}

#[test]
fn users_are_drawn_whole_and_their_number_is_what_is_accounted() {
    let (users, each, expected) = (400, 3, 40);
    let records = Values::new(3).examples(users * each, 3, 2);
    let plan = config(users).with_sampling(Sampling::poisson(expected, users)).with_steps(30).build().unwrap();
    let ids = (0..users * each).map(|record| record % users);
    let mut session = plan
        .start_with_users(InMemDataset::new(records), Users::by(ids, UserGradient::Mean), Rows, &flex(), Entropy::os())
        .unwrap();
    let mut drawn = 0;
    while let Some(step) = session.next_step().unwrap() {
        drawn += step.unprotected_batch_size();
    }
    // Binomial(12,000, 0.1): six standard deviations are 197.
    assert!((drawn as f64 - 1_200.0).abs() < 198.0, "{drawn}");
}

#[test]
fn the_ledger_and_the_statement_name_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.jsonl");
    let records = Values::new(4).examples(6, 3, 2);
    let users = Users::by([0, 0, 1, 1, 2, 2], UserGradient::Sum);
    let plan = config(3).build().unwrap();
    let session = plan
        .start_with_users(InMemDataset::new(records), users, Rows, &flex(), Entropy::os())
        .unwrap()
        .with_ledger(Ledger::open(&path, "letters").unwrap(), "run")
        .unwrap();
    let statement = session.finish().unwrap();
    assert!(statement.to_string().contains("one user"), "{statement}");
    let mechanism = Ledger::read(&path).unwrap().charges()[0].mechanism.clone().unwrap();
    assert!(mechanism.contains("one user") && mechanism.contains("flat clipping at norm 0.5"), "{mechanism}");
}

#[test]
fn plans_of_another_unit_and_users_that_do_not_fit_are_refused() {
    let records = || InMemDataset::new(Values::new(5).examples(4, 3, 2));
    let users = |count: usize| Users::by(0..count, UserGradient::Mean);
    let plan = config(4).build().unwrap();
    let error = plan.start(records(), Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("start_with_users"), "{error}");
    let error = plan.start_with_users(records(), users(3), Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("one user id for each record") && !error.contains('3'), "{error}");
    let of_examples = config(4).with_protected_unit(ProtectedUnit::Example).build().unwrap();
    let error =
        of_examples.start_with_users(records(), users(4), Rows, &flex(), Entropy::os()).unwrap_err().to_string();
    assert!(error.contains("with_protected_unit"), "{error}");
}
