//! Sessions on a data set's ledger: each step is charged before it is released, and what was charged before counts.

use std::path::{Path, PathBuf};

use burn::data::dataset::InMemDataset;
use burn_privacy::Error;
use burn_privacy::ledger::{Budget, Ledger, LedgerError};
use burn_privacy::nn::{Linear, LinearConfig};
use burn_privacy::prelude::*;
use tempfile::{TempDir, tempdir};

use crate::support::{Batch, Example, Rows, Values, distance, flex};

type Run = Session<Example, Batch, InMemDataset<Example>, Rows>;

const DELTA: f64 = 1e-3;

fn plan() -> PrivacyPlan {
    PrivacyPlanConfig::new()
        .with_sampling(Sampling::poisson(5, 20))
        .with_noise(NoiseLevel::multiplier(1.0))
        .with_delta(DELTA)
        .with_steps(10)
        .build()
        .unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    (folder, path)
}

/// A ledger that reserves every step by itself.
fn ledger(path: &Path) -> Ledger {
    Ledger::open(path, "twenty rows").unwrap().with_block_target(std::time::Duration::ZERO)
}

fn fresh(entropy: Entropy) -> Run {
    plan().start(InMemDataset::new(Values::new(1).examples(20, 3, 2)), Rows, &flex(), entropy).unwrap()
}

fn on(path: &Path, run: &str) -> Run {
    fresh(Entropy::os()).with_ledger(ledger(path), run).unwrap()
}

fn charged(path: &Path) -> u64 {
    Ledger::read(path).unwrap().charges().iter().map(|charge| charge.steps).sum()
}

/// Epsilon of so many steps, computed without a session.
fn epsilon_of(steps: u64) -> f64 {
    let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
    accountant.compose(&plan().step_event().unwrap(), steps).unwrap();
    accountant.epsilon(DELTA).unwrap()
}

#[test]
fn every_step_is_in_the_file_before_its_update_exists() {
    let (_folder, path) = place();
    let mut session = on(&path, "first");
    let model: Linear = LinearConfig::new(3, 2).init(&flex());
    for number in 1..=4 {
        let step = session.next_step().unwrap().unwrap();
        assert_eq!(charged(&path), number);
        let update =
            step.gradients(&model, |model, batch: Batch| Ok(distance(model.forward(batch.input), batch.target)));
        assert!(update.is_ok());
    }
    let mut sampler = session.take_sampler().unwrap();
    let batch = sampler.next_batch().unwrap().unwrap();
    assert_eq!(charged(&path), 5, "a batch that is drawn ahead is charged");
    drop(session.step_with(batch).unwrap());
    let statement = session.finish().unwrap();
    assert_eq!((statement.charged_steps, statement.dataset.as_str(), charged(&path)), (5, "twenty rows", 5));
    assert!(sampler.next_batch().is_err());
    assert_eq!(charged(&path), 5);
}

#[test]
fn a_session_that_goes_on_counts_what_was_charged_before() {
    let (_folder, path) = place();
    let mut session = on(&path, "first");
    for _ in 0..4 {
        drop(session.next_step().unwrap().unwrap());
    }
    drop(session); // a crash

    let mut session = on(&path, "first");
    assert_eq!(session.charged_steps(), 4);
    // Before anything is done, and after each step: all of it, not what this session did.
    assert!((session.epsilon_so_far().unwrap() / epsilon_of(4) - 1.0).abs() < 1e-3);
    assert!(session.epsilon_so_far().unwrap() >= epsilon_of(4));
    let statement = session.statement().unwrap();
    assert_eq!((statement.charged_steps, statement.epsilon_so_far[0].epsilon), (4, epsilon_of(4)));
    for number in 5..=7 {
        assert_eq!(session.next_step().unwrap().unwrap().index(), number - 1);
        assert_eq!((session.charged_steps(), charged(&path)), (number, number));
        assert!(session.epsilon_so_far().unwrap() >= epsilon_of(number));
    }
    let statement = session.finish().unwrap();
    assert_eq!((statement.charged_steps, statement.epsilon_so_far[0].epsilon), (7, epsilon_of(7)));

    // Closed and opened again: three steps remain of ten, and no more.
    let mut session = on(&path, "first");
    let mut sampler = session.take_sampler().unwrap();
    for number in 8..=10 {
        let batch = sampler.next_batch().unwrap().unwrap();
        assert_eq!(session.step_with(batch).unwrap().index(), number - 1);
    }
    assert!(sampler.next_batch().unwrap().is_none());
    assert_eq!(session.finish().unwrap().epsilon_so_far[0].epsilon, epsilon_of(10));
    let error = fresh(Entropy::os()).with_ledger(ledger(&path), "first").unwrap_err();
    assert!(matches!(error, Error::Ledger(LedgerError::BudgetSpent { charged: 10, .. })), "{error}");
}

#[test]
fn a_step_whose_charge_fails_is_not_drawn() {
    let (_folder, path) = place();
    let mut session = on(&path, "first");
    drop(session.next_step().unwrap().unwrap());
    // The ledger's file is replaced by a copy.
    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    for _ in 0..2 {
        let error = session.next_step().unwrap_err();
        assert!(matches!(error, Error::Ledger(LedgerError::Changed { .. })), "{error}");
        assert_eq!(session.charged_steps(), 1);
    }
}

#[test]
fn a_ledger_comes_first_and_there_is_one() {
    let (folder, path) = place();
    let mut session = fresh(Entropy::os());
    drop(session.next_step().unwrap());
    assert!(matches!(session.with_ledger(ledger(&path), "first"), Err(Error::Plan { field: "ledger", .. })));
    let mut session = fresh(Entropy::os());
    let _sampler = session.take_sampler().unwrap();
    assert!(matches!(session.with_ledger(ledger(&path), "first"), Err(Error::Plan { field: "ledger", .. })));
    let other = Ledger::open(folder.path().join("other.ledger"), "others").unwrap();
    assert!(matches!(on(&path, "first").with_ledger(other, "first"), Err(Error::Plan { field: "ledger", .. })));
}

#[test]
fn the_data_sets_budget_ends_a_session() {
    let (_folder, path) = place();
    let step = plan().step_event().unwrap();
    // Enough for one run by Renyi divergences, and not for two.
    let mut renyi = RdpAccountant::new(Adjacency::AddOrRemoveOne);
    renyi.compose(&step, 10).unwrap();
    let epsilon = 1.01 * renyi.epsilon(DELTA).unwrap();
    let whole = Budget::for_expected(Adjacency::AddOrRemoveOne, &step, epsilon, DELTA).unwrap();
    ledger(&path).set_budget(whole).unwrap();
    let mut session = on(&path, "first");
    while session.next_step().unwrap().is_some() {}
    let _ = session.finish().unwrap();
    let error = fresh(Entropy::os()).with_ledger(ledger(&path), "second").unwrap_err();
    assert!(matches!(error, Error::Ledger(LedgerError::BudgetExceeded { asked: 10, .. })), "{error}");
    assert_eq!(charged(&path), 10);
    let error = fresh(Entropy::seeded(1)).with_ledger(ledger(&path), "try-out").unwrap_err();
    assert!(matches!(error, Error::Ledger(LedgerError::NotCounted { .. })), "{error}");
}

#[test]
fn a_seeded_session_shows_no_finite_epsilon_and_makes_the_ledgers_total_infinite() {
    let (_folder, path) = place();
    let mut session = fresh(Entropy::seeded(1)).with_ledger(ledger(&path), "try-out").unwrap();
    assert_eq!(session.epsilon_so_far().unwrap(), f64::INFINITY);
    drop(session.next_step().unwrap().unwrap());
    assert_eq!(session.epsilon_so_far().unwrap(), f64::INFINITY);
    let statement = session.finish().unwrap();
    assert!(statement.epsilon_so_far.iter().all(|report| report.epsilon == f64::INFINITY));
    assert!(statement.to_string().contains("infinite: fixed seed"), "{statement}");
    let total = Ledger::read(&path).unwrap().total(DELTA).unwrap();
    assert_eq!(total.void_runs, ["try-out"]);
    assert!(!total.composed.is_empty() && total.composed.iter().all(|report| report.epsilon == f64::INFINITY));
}
