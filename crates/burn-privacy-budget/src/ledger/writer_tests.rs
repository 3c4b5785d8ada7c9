//! Tests of a ledger's use: runs, budgets, refusals, locks, errors of the file system.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::*;

/// A folder and the path of a ledger in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    (folder, path)
}

pub(super) fn description(name: &str, planned_steps: u64) -> RunDescription {
    RunDescription {
        name: name.to_owned(),
        event_per_step: json!({"poisson": {"rate": 0.005, "event": {"gaussian": {"noise_multiplier": 1.1}}}}),
        planned_steps,
        adjacency: "add-or-remove-one".to_owned(),
        private: true,
        delta: Some(1e-5),
        mechanism: None,
        unit: Unit::Record,
    }
}

fn steps(path: &Path) -> Vec<(u64, bool)> {
    Ledger::read(path).unwrap().charges().iter().map(|charge| (charge.steps, charge.closed)).collect()
}

#[test]
fn a_run_is_charged_step_by_step_and_closed_at_its_true_count() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 100)).unwrap();
    assert_eq!(steps(&path), [(0, false)]);
    for step in 1..=10 {
        assert_eq!(ledger.charge_step(run).unwrap(), step);
        assert_eq!(ledger.remaining(run).unwrap(), 100 - step);
        assert!(steps(&path)[0].0 >= step, "durable before it is released");
        assert!(ledger.charged(run).unwrap() <= 100);
    }
    ledger.close(run, ledger.released(run).unwrap()).unwrap();
    assert_eq!(steps(&path), [(10, true)]);
    let charge = &ledger.charges()[0];
    assert_eq!((charge.name.as_str(), charge.planned_steps, charge.private), ("first", 100, true));
    assert_eq!(charge.event, description("first", 100).event_per_step);
    assert_eq!((charge.adjacency.as_str(), charge.delta), ("add-or-remove-one", Some(1e-5)));
}

#[test]
fn the_plan_is_never_exceeded() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 7)).unwrap();
    for _ in 0..7 {
        ledger.charge_step(run).unwrap();
    }
    for _ in 0..3 {
        let error = ledger.charge_step(run).unwrap_err();
        assert!(matches!(error, LedgerError::BudgetSpent { planned: 7, charged: 7, .. }), "{error}");
    }
    assert_eq!(ledger.remaining(run).unwrap(), 0);
    let error = ledger.reserve(run, 1).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetSpent { .. }), "{error}");
    ledger.close(run, 7).unwrap();
    let error = ledger.resume(&description("first", 7)).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetSpent { .. }), "{error}");
    assert_eq!(steps(&path), [(7, true)]);
}

#[test]
fn reservations_by_hand_are_refused_beyond_the_plan_and_closed_within_bounds() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 50)).unwrap();
    ledger.reserve(run, 20).unwrap();
    ledger.reserve(run, 0).unwrap();
    assert_eq!(ledger.charged(run).unwrap(), 20);
    assert!(ledger.reserve(run, 31).is_err());
    assert!(ledger.reserve(run, u64::MAX).is_err());
    assert_eq!(steps(&path), [(20, false)]);
    for step in 1..=5 {
        assert_eq!(ledger.charge_step(run).unwrap(), step);
    }
    assert_eq!(ledger.charged(run).unwrap(), 20, "the block that is there is used first");
    for count in [4, 21, u64::MAX] {
        let error = ledger.close(run, count).unwrap_err();
        assert!(matches!(error, LedgerError::CloseCount { least: 5, most: 20, .. }), "{error}");
    }
    ledger.close(run, 12).unwrap();
    assert_eq!(steps(&path), [(12, true)]);
    for error in [ledger.charge_step(run).unwrap_err(), ledger.reserve(run, 1).unwrap_err()] {
        assert!(matches!(error, LedgerError::NotActive { run: 0 }), "{error}");
    }
}

#[test]
fn closed_and_crashed_runs_resume_with_what_remains() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 30)).unwrap();
    ledger.reserve(run, 10).unwrap();
    ledger.close(run, 8).unwrap();
    let run = ledger.resume(&description("first", 30)).unwrap();
    assert_eq!((ledger.released(run).unwrap(), ledger.remaining(run).unwrap()), (8, 22));
    let error = ledger.resume(&description("first", 30)).unwrap_err();
    assert!(matches!(error, LedgerError::AlreadyActive { .. }), "{error}");
    ledger.reserve(run, 12).unwrap();
    drop(ledger); // a crash

    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.resume(&description("first", 30)).unwrap();
    assert_eq!((ledger.released(run).unwrap(), ledger.remaining(run).unwrap()), (20, 10));
    assert!(ledger.close(run, 19).is_err(), "what a crash charged stays charged");
    ledger.charge_step(run).unwrap();
    ledger.close(run, 21).unwrap();
    assert_eq!(steps(&path), [(21, true)]);
    assert_eq!(Ledger::read(&path).unwrap().charges(), ledger.charges());
}

#[test]
fn another_plan_under_the_same_name_is_refused() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let original = description("first", 30);
    let run = ledger.begin(original.clone()).unwrap();
    ledger.close(run, 0).unwrap();
    let error = ledger.begin(original.clone()).unwrap_err();
    assert!(matches!(error, LedgerError::NameInUse { charged: 0, planned: 30, .. }), "{error}");
    let changed = [
        ("the event of a step", RunDescription { event_per_step: json!({"gaussian": 2}), ..original.clone() }),
        ("planned steps", RunDescription { planned_steps: 31, ..original.clone() }),
        ("adjacency", RunDescription { adjacency: "replace-one".to_owned(), ..original.clone() }),
        ("private randomness", RunDescription { private: false, ..original.clone() }),
        ("delta", RunDescription { delta: None, ..original.clone() }),
    ];
    for (expected, description) in changed {
        let error = ledger.resume(&description).unwrap_err();
        assert!(matches!(error, LedgerError::PlanDiffers { field, .. } if field == expected), "{error}");
    }
    let error = ledger.resume(&description("second", 30)).unwrap_err();
    assert!(error.to_string().contains("first"), "{error}");
    ledger.resume(&original).unwrap();
}

#[test]
fn descriptions_survive_the_file_bit_for_bit() {
    let (_folder, path) = place();
    let odd = RunDescription {
        name: "läuft \u{1F512}\n\"quoted\" \\ \u{2028} \0".to_owned(),
        event_per_step: json!({"z": [0.1, 1e-300, 1.0 / 3.0, u64::MAX, -3, 1.0], "a": {"x": null, "y": "é"}}),
        planned_steps: u64::MAX,
        adjacency: "zéro-out".to_owned(),
        private: false,
        delta: Some(1e-5 / 3.0),
        mechanism: None,
        unit: Unit::Record,
    };
    let mut ledger = Ledger::open(&path, "Żółć 患者").unwrap();
    ledger.begin(odd.clone()).unwrap();
    drop(ledger);
    let mut ledger = Ledger::open(&path, "Żółć 患者").unwrap();
    let run = ledger.resume(&odd).unwrap();
    ledger.reserve(run, u64::MAX).unwrap();
    assert!(ledger.reserve(run, 1).is_err());
    drop(ledger);
    let charge = Ledger::read(&path).unwrap().charges().remove(0);
    assert_eq!((charge.name, charge.event, charge.delta), (odd.name, odd.event_per_step, odd.delta));
    assert_eq!((charge.steps, charge.private), (u64::MAX, false));
}

#[test]
fn descriptions_that_say_nothing_are_refused() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let good = description("first", 1);
    for bad in [
        RunDescription { name: String::new(), ..good.clone() },
        RunDescription { planned_steps: 0, ..good.clone() },
        RunDescription { event_per_step: json!(null), ..good.clone() },
        RunDescription { delta: Some(0.0), ..good.clone() },
        RunDescription { delta: Some(f64::NAN), ..good.clone() },
    ] {
        let error = ledger.begin(bad).unwrap_err();
        assert!(matches!(error, LedgerError::Invalid { .. }), "{error}");
    }
    assert!(ledger.charges().is_empty());
    assert!(matches!(Ledger::open(&path, "").unwrap_err(), LedgerError::Invalid { .. }));
}

#[test]
fn several_runs_are_counted_side_by_side() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let first = ledger.begin(description("first", 10)).unwrap();
    let second = ledger.begin(description("second", 20)).unwrap();
    ledger.charge_step(second).unwrap();
    ledger.reserve(first, 4).unwrap();
    ledger.close(second, 1).unwrap();
    assert_eq!(steps(&path), [(4, false), (1, true)]);
    assert_eq!((first.number(), second.number()), (0, 1));
}

#[test]
fn a_second_writer_is_told_whom_to_wait_for() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    ledger.begin(description("night run", 10)).unwrap();
    let error = Ledger::open(&path, "patients").unwrap_err();
    assert!(matches!(error, LedgerError::Locked { .. }));
    let text = error.to_string();
    assert!(text.contains("night run") && text.contains(&std::process::id().to_string()), "{text}");
    Ledger::read(&path).unwrap();
    drop(ledger);
    Ledger::open(&path, "patients").unwrap();
}

#[test]
fn a_hundred_thousand_charges_wait_for_the_disk_a_few_times() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 100_000)).unwrap();
    for _ in 0..100_000 {
        ledger.charge_step(run).unwrap();
        assert!(ledger.released(run).unwrap() <= ledger.charged(run).unwrap());
    }
    ledger.close(run, 100_000).unwrap();
    // Header, begin, close, and blocks that double: 17. On a machine that stalls a block may stay smaller for a while.
    assert!(ledger.durable_writes() < 100, "{}", ledger.durable_writes());
    assert_eq!(steps(&path), [(100_000, true)]);

    let (_folder, path) = place();
    let mut strict = Ledger::open(&path, "patients").unwrap().with_block_target(Duration::ZERO);
    let run = strict.begin(description("first", 20)).unwrap();
    for step in 1..=20 {
        strict.charge_step(run).unwrap();
        assert_eq!(strict.charged(run).unwrap(), step);
    }
    assert_eq!(strict.durable_writes(), 22);
}

#[test]
fn a_file_that_changes_under_a_run_stops_it() {
    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 10)).unwrap();
    let original = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = ledger.charge_step(run).unwrap_err();
    assert!(matches!(error, LedgerError::Changed { .. }), "{error}");
    fs::write(&path, &original[..original.len() - 1]).unwrap();
    assert!(matches!(ledger.charge_step(run).unwrap_err(), LedgerError::Changed { .. }));
    assert_eq!(ledger.released(run).unwrap(), 0);
}

#[test]
fn places_that_cannot_hold_a_ledger_are_refused() {
    let (folder, path) = place();
    let error = Ledger::open(folder.path(), "patients").unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. } | LedgerError::NotALedger { .. }), "{error}");
    let error = Ledger::open(folder.path().join("missing").join("ledger"), "patients").unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(matches!(Ledger::read(&path).unwrap_err(), LedgerError::Io { .. }));
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_no_ledgers() {
    let error = Ledger::open("/dev/full", "patients").unwrap_err();
    assert!(matches!(error, LedgerError::NotALedger { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser may write all the same; there is nothing to see then.
    if fs::write(folder.path().join("probe"), "").is_err() {
        let error = Ledger::open(&path, "patients").unwrap_err();
        assert!(matches!(error, LedgerError::Io { action: "open or create", .. }), "{error}");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}
