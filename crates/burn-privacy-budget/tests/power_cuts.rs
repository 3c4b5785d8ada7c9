//! Every state that a power cut may leave of a ledger and of files that replace others: nothing that was told is lost, and no half
//! file is accepted.
#![allow(missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn_privacy_budget::ledger::{Ledger, LedgerError};
use burn_privacy_output::trace::{Operation, PowerCut, mark, power_cuts, record};
use burn_privacy_output::{AtomicFile, write_atomically};
use support::{description, folder};

const PLANNED: u64 = 40;

/// Three runs in one ledger, opened twice: one closed, one left, one that is spent. Every released step is marked.
fn trace_of_runs() -> Vec<Operation> {
    let folder = folder();
    let path = folder.path().join("data.ledger");
    let ((), operations) = record(folder.path(), || {
        let mut ledger = Ledger::open(&path, "patients").unwrap().with_block_target(Duration::ZERO);
        let run = ledger.begin(description("closed", PLANNED)).unwrap();
        for _ in 0..3 {
            ledger.charge_step(run).unwrap();
            mark("closed");
        }
        ledger.reserve(run, 2).unwrap();
        ledger.close(run, 3).unwrap();
        let run = ledger.begin(description("left", PLANNED)).unwrap();
        ledger.charge_step(run).unwrap();
        mark("left");
        drop(ledger);
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        let run = ledger.resume(&description("left", PLANNED)).unwrap();
        while ledger.charge_step(run).is_ok() {
            mark("left");
        }
        let run = ledger.begin(description("begun", PLANNED)).unwrap();
        ledger.charge_step(run).unwrap();
        mark("begun");
    });
    operations
}

fn released(cut: &PowerCut) -> BTreeMap<&str, u64> {
    let mut released = BTreeMap::new();
    for name in &cut.marks {
        *released.entry(name.as_str()).or_default() += 1;
    }
    released
}

fn charged(path: &Path) -> BTreeMap<String, u64> {
    Ledger::read(path).unwrap().charges().into_iter().map(|charge| (charge.name, charge.steps)).collect()
}

#[test]
fn every_power_cut_leaves_released_charged_planned_in_order() {
    let cuts = power_cuts(&trace_of_runs());
    assert!(cuts.len() > 100, "{}", cuts.len());
    let folder = folder();
    let place = folder.path().join("left");
    let path = place.join("data.ledger");
    for cut in &cuts {
        cut.write_to(&place).unwrap();
        let before = fs::read(&path).ok();
        let mut ledger = Ledger::open(&path, "patients")
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(before.as_deref().unwrap())));
        for (name, released) in released(cut) {
            let charged = charged(&path)[name];
            assert!(released <= charged && charged <= PLANNED, "{name}: {released} <= {charged} <= {PLANNED}");
        }
        // It goes on, and is sound afterwards.
        let before = charged(&path);
        for name in ["closed", "left", "begun", "new"] {
            let run = match ledger.begin_or_resume(description(name, PLANNED)) {
                Ok(run) => run,
                Err(LedgerError::BudgetSpent { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            let step = ledger.charge_step(run).unwrap();
            assert_eq!(step, before.get(name).copied().unwrap_or(0) + 1);
            ledger.close(run, step).unwrap();
        }
        drop(ledger);
        let again = Ledger::open(&path, "patients").unwrap();
        assert_eq!(
            again.charges().iter().map(|charge| charge.steps).sum::<u64>(),
            charged(&path).values().sum::<u64>()
        );
    }
    println!("{} states of a ledger after a power cut", cuts.len());
}

#[test]
fn a_power_cut_while_a_power_cut_is_repaired_changes_nothing() {
    // What is left of each state, opened and cut off again: the repair itself is traced.
    let scratch = folder();
    let (mut seconds, mut repaired) = (0, 0);
    for cut in power_cuts(&trace_of_runs()) {
        let Some(contents) = cut.files.get(Path::new("data.ledger")) else { continue };
        let last = contents.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        if last == contents.len() && !contents.contains(&0) {
            continue; // whole lines: nothing is repaired
        }
        repaired += 1;
        let place = scratch.path().join("first");
        cut.write_to(&place).unwrap();
        let path = place.join("data.ledger");
        let (result, operations) = record(&place, || Ledger::open(&path, "patients").map(drop));
        result.unwrap();
        // What was there is durable by now; the trace begins with an empty folder.
        let name = PathBuf::from("data.ledger");
        let mut whole = vec![
            Operation::Create(name.clone()),
            Operation::Append(name.clone(), contents.clone()),
            Operation::Sync(name),
            Operation::SyncFolder(PathBuf::new()),
            Operation::Mark("there".into()),
        ];
        whole.extend(operations);
        for second in power_cuts(&whole).into_iter().filter(|second| !second.marks.is_empty()) {
            seconds += 1;
            let place = scratch.path().join("second");
            second.write_to(&place).unwrap();
            let path = place.join("data.ledger");
            Ledger::open(&path, "patients").unwrap_or_else(|error| panic!("{error}: {second:?}"));
            for (name, released) in released(&cut) {
                assert!(released <= charged(&path)[name]);
            }
        }
    }
    assert!(repaired > 50 && seconds > 3 * repaired, "{repaired} {seconds}");
    println!("{seconds} states after a second power cut, of {repaired} that are repaired");
}

#[test]
fn a_file_that_replaces_another_is_whole_after_every_power_cut() {
    let folder = folder();
    let path = folder.path().join("table.csv");
    let versions: [Vec<u8>; 3] = [3, 1_300, 700].map(|length| vec![b'0' + (length % 10) as u8; length]);
    let ((), operations) = record(folder.path(), || {
        for version in &versions {
            let mut file = AtomicFile::create(&path).unwrap();
            let (first, second) = version.split_at(version.len() / 3);
            for part in [first, second] {
                std::io::Write::write_all(&mut file, part).unwrap();
            }
            file.commit().unwrap();
            mark("committed");
        }
        // Given up: it leaves nothing under the name.
        std::io::Write::write_all(&mut AtomicFile::create(&path).unwrap(), b"half").unwrap();
        write_atomically(folder.path().join("statement.json"), b"{}").unwrap();
        mark("beside");
    });
    let cuts = power_cuts(&operations);
    for cut in &cuts {
        let committed = cut.marks.iter().filter(|mark| *mark == "committed").count();
        let found = cut.files.get(Path::new("table.csv"));
        match found {
            None => assert_eq!(committed, 0),
            Some(found) => {
                let version = versions.iter().position(|version| version == found);
                let version = version.unwrap_or_else(|| panic!("half a file: {} bytes", found.len())) + 1;
                assert!((committed..=committed + 1).contains(&version), "{version} after {committed} commits");
            }
        }
        let statement = cut.files.get(Path::new("statement.json"));
        assert!(statement.is_none_or(|statement| statement == b"{}"));
        assert!(statement.is_some() || !cut.marks.iter().any(|mark| mark == "beside"));
    }
    assert!(cuts.len() > 100, "{}", cuts.len());
    println!("{} states of a folder after a power cut", cuts.len());
}
