//! Tests of what runs and budgets protect: records and users are not added up, and no program takes one for the other.

use std::fs;
use std::path::Path;

use super::budget_tests::{ADD, DELTA, budget, place, run, with_budget, written};
use super::record::{Record, SOFTWARE};
use super::*;

#[test]
fn runs_that_protect_other_units_do_not_compose() {
    let user = |name| RunDescription { unit: Unit::User, ..run(name, 1.0, 5) };
    // As earlier versions said it.
    let in_words = |name| RunDescription {
        mechanism: Some("DP-SGD with flat clipping; protected: one user (all items of the data set)".into()),
        ..run(name, 1.0, 5)
    };
    for other in [user("other"), in_words("other")] {
        let (_folder, path) = place();
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        for run in [run("first", 1.0, 5), other.clone()] {
            let id = ledger.begin(run).unwrap();
            ledger.charge_step(id).unwrap();
        }
        let error = ledger.history().total(DELTA).unwrap_err();
        assert!(matches!(&error, LedgerError::OtherUnit { name, .. } if name == "other"), "{error}");

        let (_folder, path) = place();
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        ledger.set_budget(Budget::new(ADD, 50.0, DELTA).unwrap().with_unit(Unit::User)).unwrap();
        let id = ledger.begin(other).unwrap();
        ledger.charge_step(id).unwrap();
        assert!(matches!(ledger.begin(run("first", 1.0, 5)), Err(LedgerError::OtherUnit { .. })));
        let total = ledger.history().total(DELTA).unwrap();
        assert_eq!(total.unit, Unit::User);
        assert!(total.to_string().contains("Protects  one user"), "{total}");
        // And what is written is read again.
        drop(ledger);
        assert_eq!(Ledger::read(&path).unwrap().charges()[0].unit, Unit::User);
    }
}

/// A budget says what it protects, and no run that protects something else is charged to it, not even as the first.
#[test]
fn a_budget_for_records_takes_no_runs_for_users() {
    let user = |name| RunDescription { unit: Unit::User, ..run(name, 1.0, 5) };
    let (_folder, path) = place();
    let mut ledger = with_budget(&path, 3.0);
    let error = ledger.begin(user("users")).unwrap_err();
    assert!(matches!(&error, LedgerError::OtherUnit { name, .. } if name == "users"), "{error}");
    assert!(error.to_string().contains("one user") && error.to_string().contains("as the budget"), "{error}");
    assert!(ledger.history().total(DELTA).unwrap().budget.unwrap().to_string().contains("for one record"));
    // It is fixed with the budget.
    assert!(ledger.set_budget(budget(3.0)).is_ok() && ledger.set_budget(budget(3.0).with_unit(Unit::User)).is_err());

    let (_folder, path) = place();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    ledger.set_budget(budget(3.0).with_unit(Unit::User)).unwrap();
    assert!(matches!(ledger.begin(run("records", 1.0, 5)), Err(LedgerError::OtherUnit { .. })));
    ledger.begin(user("users")).unwrap();
    assert_eq!(ledger.history().total(DELTA).unwrap().unit, Unit::User);
    drop(ledger);
    assert_eq!(Ledger::verify(&path).unwrap().history.budget().unwrap().unit(), Some(Unit::User));

    // Budgets of earlier versions name none: the first run with a charge decides.
    let mut document = serde_json::to_value(budget(3.0)).unwrap();
    document.as_object_mut().unwrap().remove("unit");
    let old: Budget = serde_json::from_value(document).unwrap();
    written(&path, 3, &[Record::Budget { budget: old, software: SOFTWARE.into(), time: 1 }]);
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    ledger.set_budget(budget(3.0)).unwrap();
    let id = ledger.begin(user("users")).unwrap();
    ledger.charge_step(id).unwrap();
    assert!(matches!(ledger.begin(run("records", 1.0, 5)), Err(LedgerError::OtherUnit { .. })));
}

/// Programs of version 3 would take a run for users as one for records.
#[test]
fn a_run_for_users_raises_the_version_of_its_file() {
    let user = |name| RunDescription { unit: Unit::User, ..run(name, 1.0, 5) };
    for first in 1..=3 {
        let (_folder, path) = place();
        written(&path, first, &[]);
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        ledger.begin(run("records", 1.0, 5)).unwrap();
        let says = |path: &Path| fs::read_to_string(path).unwrap().matches("{\"version\":{\"version\":4,").count();
        assert_eq!(says(&path), 0, "nothing that an older program does not know");
        ledger.begin(user("users")).unwrap();
        ledger.begin(user("more users")).unwrap();
        assert_eq!(says(&path), 1);
        drop(ledger);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().nth(2).unwrap().starts_with("{\"version\""), "{text}");
        let units: Vec<Unit> = Ledger::read(&path).unwrap().charges().iter().map(|charge| charge.unit).collect();
        assert_eq!(units, [Unit::Record, Unit::User, Unit::User]);
        // And goes on.
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        ledger.resume(&user("users")).unwrap();
        ledger.begin(user("others")).unwrap();
        assert_eq!(says(&path), 1);
    }
    // A version that this program does not know is refused as such, and a lower one is damage.
    let (_folder, path) = place();
    let version = |version| Record::Version { version, software: SOFTWARE.into(), time: 1 };
    written(&path, 3, &[version(5)]);
    assert!(matches!(Ledger::read(&path).unwrap_err(), LedgerError::Version { found: 5, supported: 4, .. }));
    written(&path, 3, &[version(3)]);
    assert!(matches!(Ledger::read(&path).unwrap_err(), LedgerError::Corrupt { .. }));
}
