//! Tests of budgets and totals: what is refused, what is durable, and what a total says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, EventDocument, RdpAccountant};
use serde::Serialize;
use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::record::{Chain, FORMAT, Header, Record, SOFTWARE};
use super::*;

pub(super) const ADD: Adjacency = Adjacency::AddOrRemoveOne;
pub(super) const DELTA: f64 = 1e-5;

pub(super) fn place() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    (folder, path)
}

fn step(noise: f64) -> DpEvent {
    DpEvent::poisson_sampled(0.02, DpEvent::gaussian(noise).unwrap()).unwrap()
}

pub(super) fn run(name: &str, noise: f64, planned_steps: u64) -> RunDescription {
    RunDescription {
        name: name.to_owned(),
        event_per_step: serde_json::to_value(EventDocument::new(step(noise))).unwrap(),
        planned_steps,
        adjacency: ADD.to_string(),
        private: true,
        delta: Some(DELTA),
        mechanism: None,
        unit: Unit::Record,
    }
}

pub(super) fn budget(epsilon: f64) -> Budget {
    Budget::for_expected(ADD, &step(2.0), epsilon, DELTA).unwrap()
}

pub(super) fn with_budget(path: &Path, epsilon: f64) -> Ledger {
    let mut ledger = Ledger::open(path, "patients").unwrap();
    ledger.set_budget(budget(epsilon)).unwrap();
    ledger
}

/// Epsilon of everything that the file charges, by an accountant that knows nothing of filters.
fn composed(path: &Path) -> f64 {
    let mut accountant = RdpAccountant::new(ADD);
    compose_charges(&Ledger::read(path).unwrap().charges(), &mut accountant).unwrap();
    accountant.epsilon(DELTA).unwrap()
}

#[test]
fn runs_that_are_chosen_on_the_way_never_exceed_the_budget() {
    let (_folder, path) = place();
    drop(with_budget(&path, 2.0));
    let (mut noise, mut number) = (2.0, 0);
    let refused = loop {
        // Each run in a process of its own, its noise by what came before.
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        match ledger.begin(run(&format!("run {number}"), noise, 50)) {
            Ok(id) => {
                ledger.reserve(id, 50).unwrap();
                ledger.close(id, 50).unwrap();
            }
            Err(error) => break error,
        }
        drop(ledger);
        assert!(composed(&path) <= 2.0);
        (noise, number) = (1.8 + 0.2 * f64::from(number % 4), number + 1);
    };
    assert!(matches!(refused, LedgerError::BudgetExceeded { asked: 50, fitting: 0..50, .. }), "{refused}");
    assert!(number > 10 && composed(&path) > 1.8, "{number} runs, {}", composed(&path));
    // Less may fit still, and the refused run left no trace.
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    assert_eq!(ledger.charges().len() as i32, number);
    ledger.begin(run("small", 50.0, 10)).unwrap();
}

#[test]
fn a_refusal_says_how_many_steps_fit_and_so_many_do() {
    let (_folder, path) = place();
    let mut ledger = with_budget(&path, 1.0);
    let LedgerError::BudgetExceeded { epsilon, delta, asked, fitting, name } =
        ledger.begin(run("first", 2.0, 1_000_000_000)).unwrap_err()
    else {
        panic!("no budget holds so many steps")
    };
    assert_eq!((epsilon, delta, asked, name.as_str()), (1.0, DELTA, 1_000_000_000, "first"));
    assert!(fitting > 10, "{fitting}");
    assert!(ledger.begin(run("first", 2.0, fitting + 1)).is_err());
    let id = ledger.begin(run("first", 2.0, fitting)).unwrap();
    for _ in 0..fitting {
        ledger.charge_step(id).unwrap();
    }
    ledger.close(id, fitting).unwrap();
    assert!(composed(&path) <= 1.0 && composed(&path) > 0.97, "{}", composed(&path));
    assert!(ledger.history().budget_spent().unwrap().unwrap() > 0.97);
    let error = ledger.begin(run("second", 2.0, 1)).unwrap_err().to_string();
    assert!(error.contains("(1, 0.00001)") && error.contains("0 of them fit"), "{error}");
}

#[test]
fn blocks_of_runs_side_by_side_keep_to_the_budget_and_what_is_given_back_is_free() {
    let (_folder, path) = place();
    let mut ledger = with_budget(&path, 1.0);
    let LedgerError::BudgetExceeded { fitting, .. } = ledger.begin(run("x", 2.0, 1_000_000)).unwrap_err() else {
        panic!()
    };
    // Each fits by itself.
    let first = ledger.begin(run("first", 2.0, fitting)).unwrap();
    let second = ledger.begin(run("second", 2.0, fitting)).unwrap();
    ledger.reserve(first, fitting / 2).unwrap();
    let mut steps = 0;
    let error = loop {
        match ledger.charge_step(second) {
            Ok(_) => steps += 1,
            Err(error) => break error,
        }
        assert!(steps % 50 > 0 || composed(&path) <= 1.0);
    };
    assert!(matches!(error, LedgerError::BudgetExceeded { asked: 1, fitting: 0, .. }), "{error}");
    assert_eq!(steps, fitting - fitting / 2, "the last block was cut to what fits");
    let error = ledger.reserve(first, 1).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExceeded { .. }), "{error}");
    // The first run made one step of its block.
    ledger.close(first, 1).unwrap();
    let released = ledger.charge_step(second).unwrap();
    assert_eq!(released, steps + 1);
    ledger.close(second, released).unwrap();
    drop(ledger);

    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let second = ledger.resume(&run("second", 2.0, fitting)).unwrap();
    while ledger.charge_step(second).is_ok() {}
    assert!(composed(&path) <= 1.0);
    drop(ledger);
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let error = ledger.resume(&run("first", 2.0, fitting)).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExceeded { .. }), "{error}");
}

#[test]
fn a_budget_is_fixed_before_the_first_charge_and_stays() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let id = ledger.begin(run("first", 1.0, 10)).unwrap();
    ledger.set_budget(budget(3.0)).unwrap();
    ledger.set_budget(budget(3.0)).unwrap();
    for other in [budget(2.9), budget(4.0), Budget::new(ADD, 3.0, DELTA).unwrap()] {
        let error = ledger.set_budget(other).unwrap_err();
        assert!(matches!(error, LedgerError::BudgetFixed { .. }), "{error}");
    }
    ledger.charge_step(id).unwrap();
    drop(ledger);
    let history = Ledger::read(&path).unwrap();
    assert_eq!(history.budget(), Some(&budget(3.0)));
    assert_eq!(history.budget().unwrap().order().to_bits(), budget(3.0).order().to_bits());

    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let id = ledger.begin(run("first", 1.0, 10)).unwrap();
    ledger.charge_step(id).unwrap();
    let error = ledger.set_budget(budget(3.0)).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetFixed { .. }) && error.to_string().contains("1 steps"), "{error}");
    for (epsilon, delta) in [(0.0, 1e-5), (-1.0, 1e-5), (f64::NAN, 1e-5), (f64::INFINITY, 1e-5), (1.0, 0.0), (1.0, 1.0)]
    {
        assert!(Budget::new(ADD, epsilon, delta).is_err(), "{epsilon} {delta}");
    }
}

#[test]
fn what_a_filter_cannot_count_is_refused_where_there_is_a_budget() {
    let (_folder, path) = place();
    let mut ledger = with_budget(&path, 3.0);
    let good = run("first", 1.0, 10);
    for (bad, word) in [
        (RunDescription { private: false, ..good.clone() }, "fixed seed"),
        (RunDescription { adjacency: "replace-one".to_owned(), ..good.clone() }, "replace-one"),
        (RunDescription { event_per_step: json!({"gaussian": {"noise_multiplier": 1.1}}), ..good.clone() }, "JSON"),
    ] {
        let error = ledger.begin(bad).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let nothing = serde_json::to_value(EventDocument::new(DpEvent::non_private())).unwrap();
    let error = ledger.begin(RunDescription { event_per_step: nothing, ..good }).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExceeded { fitting: 0, .. }), "{error}");
    assert!(ledger.charges().is_empty());
}

/// A file of these lines, sealed as the ledger seals them.
pub(super) fn written(path: &Path, version: u64, records: &[Record]) {
    fn line(bytes: &mut Vec<u8>, chain: &mut Chain, object: &impl Serialize) {
        let (line, next) = chain.seal(object).unwrap();
        bytes.extend(line);
        *chain = next;
    }
    let (mut bytes, mut chain) = (Vec::new(), Chain::default());
    let header =
        Header { format: FORMAT.into(), version, dataset: "patients".into(), software: SOFTWARE.into(), time: 1 };
    line(&mut bytes, &mut chain, &header);
    records.iter().for_each(|record| line(&mut bytes, &mut chain, record));
    fs::write(path, bytes).unwrap();
}

fn begin(description: RunDescription) -> Record {
    Record::Begin { run: 0, description, process: 1, software: SOFTWARE.into(), time: 1 }
}

#[test]
fn files_of_version_1_are_read_charged_and_given_a_budget() {
    let (_folder, path) = place();
    let reserve = Record::Reserve { run: 0, steps: 4, charged: 4, time: 1 };
    written(&path, 1, &[begin(run("old", 1.0, 10)), reserve]);
    assert_eq!(Ledger::read(&path).unwrap().charges()[0].steps, 4);
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    assert!(matches!(ledger.set_budget(budget(3.0)).unwrap_err(), LedgerError::BudgetFixed { .. }));
    let id = ledger.resume(&run("old", 1.0, 10)).unwrap();
    assert_eq!(ledger.charge_step(id).unwrap(), 5);
    drop(ledger);

    written(&path, 1, &[]);
    drop(with_budget(&path, 3.0));
    assert_eq!(Ledger::verify(&path).unwrap().history.budget(), Some(&budget(3.0)));
}

#[test]
fn verification_finds_an_overdrawn_budget_and_a_second_one() {
    let (_folder, path) = place();
    let set = Record::Budget { budget: budget(0.5), software: SOFTWARE.into(), time: 1 };
    let reserve = Record::Reserve { run: 0, steps: 100_000, charged: 100_000, time: 1 };
    written(&path, 2, &[set.clone(), begin(run("first", 1.0, 100_000)), reserve.clone()]);
    let error = Ledger::verify(&path).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExceeded { asked: 100_000, .. }), "{error}");
    for records in [vec![set.clone(), set.clone()], vec![begin(run("first", 1.0, 100_000)), reserve, set]] {
        written(&path, 2, &records);
        assert!(matches!(Ledger::verify(&path).unwrap_err(), LedgerError::Corrupt { .. }));
    }
}

#[test]
fn verification_counts_the_lines_of_a_sound_file_and_listing_names_its_runs() {
    let (_folder, path) = place();
    let mut ledger = with_budget(&path, 3.0).with_block_target(Duration::ZERO);
    let id = ledger.begin(run("night run", 1.0, 10)).unwrap();
    ledger.charge_step(id).unwrap();
    let found = Ledger::verify(&path).unwrap();
    assert_eq!((found.lines, found.torn_bytes), (4, 0));
    assert_eq!(found.bytes, fs::metadata(&path).unwrap().len());
    let text = format!("{found}{}", found.history);
    for words in ["sound: 4 lines", "patients", "night run", "(3, 1e-5)", "going on, or crashed"] {
        assert!(text.contains(words), "{text}");
    }
    ledger.close(id, 1).unwrap();
    assert!(Ledger::read(&path).unwrap().to_string().contains("closed"));
}

#[test]
fn a_total_says_whether_it_bounds_runs_that_were_chosen_on_the_way() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    assert_eq!(ledger.history().total(DELTA).unwrap().composed[0].epsilon, 0.0);
    for name in ["first", "second"] {
        let id = ledger.begin(run(name, 1.0, 100)).unwrap();
        ledger.reserve(id, 100).unwrap();
    }
    let total = ledger.history().total(DELTA).unwrap();
    assert_eq!((total.runs, total.steps, total.composed.len()), (2, 200, 2));
    assert_eq!(total.composed[1].epsilon, composed(&path));
    assert!(total.composed[0].epsilon < total.composed[1].epsilon);
    let text = total.to_string();
    assert!(text.contains(COMPOSITION_CAVEAT) && text.contains("Budget    none"), "{text}");

    let (_folder, path) = place();
    let text = with_budget(&path, 3.0).history().total(DELTA).unwrap().to_string();
    assert!(text.contains("however the runs were chosen") && text.contains("(3, 1e-5)"), "{text}");
}

#[test]
fn one_step_of_a_seeded_run_makes_every_total_infinite() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let id = ledger.begin(run("good", 1.0, 100)).unwrap();
    ledger.reserve(id, 100).unwrap();
    let id = ledger.begin(RunDescription { private: false, ..run("try-out", 1.0, 100) }).unwrap();
    let before = ledger.history().total(DELTA).unwrap();
    assert!(before.composed[0].epsilon.is_finite() && before.void_runs.is_empty(), "nothing of it was released");
    ledger.charge_step(id).unwrap();
    let total = ledger.history().total(DELTA).unwrap();
    assert_eq!(total.void_runs, ["try-out"]);
    assert!(total.composed.len() == 2 && total.composed.iter().all(|report| report.epsilon == f64::INFINITY));
    assert!(total.to_string().starts_with("*** NOT PRIVATE: runs with a fixed seed: try-out ***"), "{total}");
    assert_eq!(composed(&path), f64::INFINITY);
}

#[test]
fn runs_under_several_adjacencies_have_no_total() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    for (name, adjacency) in [("first", "add-or-remove-one"), ("second", "zero-out")] {
        let id = ledger.begin(RunDescription { adjacency: adjacency.into(), ..run(name, 1.0, 5) }).unwrap();
        ledger.charge_step(id).unwrap();
    }
    let error = ledger.history().total(DELTA).unwrap_err();
    assert!(matches!(&error, LedgerError::OtherAdjacency { name, .. } if name == "second"), "{error}");
}

#[test]
fn a_mechanism_that_may_fail_is_counted_by_budgets_that_set_something_aside() {
    let (_folder, path) = place();
    let failing = |name: &str, delta: f64, steps: u64| RunDescription {
        event_per_step: serde_json::to_value(EventDocument::new(DpEvent::epsilon_delta(0.01, delta).unwrap())).unwrap(),
        ..run(name, 1.0, steps)
    };
    let mut ledger = with_budget(&path, 2.0);
    let set_aside = ledger.history().budget().unwrap().failures();
    assert!(set_aside > 0.0 && set_aside < DELTA * 1e-6);
    // The cut tail of planar Laplace noise.
    let tail = 2.0_f64.powi(-70);
    let id = ledger.begin(failing("reports", tail, 100)).unwrap();
    ledger.reserve(id, 100).unwrap();
    ledger.close(id, 100).unwrap();
    let error = ledger.begin(failing("too likely", 1e-9, 1)).unwrap_err();
    assert!(
        matches!(&error, LedgerError::NotCounted { reason, .. } if reason.contains("fails with probability")),
        "{error}"
    );
    let history = ledger.history();
    let (failed, of) = history.failures_spent().unwrap().unwrap();
    assert!(failed >= 100.0 * tail && failed < 100.001 * tail && of == set_aside);
    let total = history.total(DELTA).unwrap();
    assert!(!total.composed.is_empty() && total.composed.iter().all(|report| report.epsilon > 0.1), "{total}");
    assert!(total.to_string().contains("mechanisms that may fail"), "{total}");

    // A budget of version 2 sets nothing aside, is kept as it is when it is asked for again, and refuses such runs.
    let old = place();
    let document = serde_json::to_value(budget(2.0)).unwrap();
    let mut document = document.as_object().unwrap().clone();
    document.remove("failures");
    let without: Budget = serde_json::from_value(document.into()).unwrap();
    written(&old.1, 2, &[Record::Budget { budget: without, software: SOFTWARE.into(), time: 1 }]);
    let mut ledger = Ledger::open(&old.1, "patients").unwrap();
    ledger.set_budget(budget(2.0)).unwrap();
    assert_eq!(ledger.history().budget().unwrap().failures(), 0.0);
    assert!(ledger.set_budget(budget(3.0)).is_err());
    assert!(ledger.begin(failing("reports", tail, 1)).is_err());
}
