//! Tests of what a crash leaves behind: cut-off lines, damaged files, killed processes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::tempdir;

use super::writer_tests::description;
use super::*;

/// A ledger's bytes with one closed and one crashed run, and how many steps were released after each line.
fn example(path: &Path) -> Vec<u8> {
    let mut ledger = Ledger::open(path, "patients").unwrap();
    let first = ledger.begin(description("first", 30)).unwrap();
    ledger.reserve(first, 10).unwrap();
    ledger.close(first, 8).unwrap();
    let second = ledger.begin(description("second", 30)).unwrap();
    ledger.reserve(second, 5).unwrap();
    ledger.reserve(second, 15).unwrap();
    drop(ledger);
    fs::read(path).unwrap()
}

/// The steps that complete lines of the example charge, in all.
fn acknowledged(lines: usize) -> u64 {
    [0, 0, 0, 10, 8, 8, 13, 28][lines]
}

fn total(charges: &[Charge]) -> u64 {
    charges.iter().map(|charge| charge.steps).sum()
}

#[test]
fn a_file_cut_at_any_byte_keeps_every_acknowledged_charge() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let bytes = example(&path);
    // Every byte of the last line and of the header's end, every seventh of the rest: each takes several synchronized
    // writes.
    let last_line = bytes[..bytes.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap();
    let header = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let dense = |length| length >= last_line || (header - 2..header + 3).contains(&length);
    for length in (0..=bytes.len()).filter(|&length| dense(length) || length % 7 == 0) {
        let kept = &bytes[..length];
        fs::write(&path, kept).unwrap();
        let lines = kept.iter().filter(|&&byte| byte == b'\n').count();
        let torn = lines > 0 && kept.last() != Some(&b'\n');
        if lines > 0 {
            assert_eq!(total(&Ledger::read(&path).unwrap().charges()), acknowledged(lines), "{length}");
            assert_eq!(fs::read(&path).unwrap(), kept, "reading changes nothing");
        }
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        assert_eq!(total(&ledger.charges()), acknowledged(lines), "{length}");
        assert_eq!(ledger.history().torn_lines(), u64::from(torn));
        if lines > 0 {
            assert!(fs::read(&path).unwrap().starts_with(kept), "torn bytes stay for the record");
        }
        // The ledger goes on, and is sound afterwards.
        let run = ledger.begin(description("third", 3)).unwrap();
        ledger.charge_step(run).unwrap();
        ledger.close(run, 1).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path, "patients").unwrap();
        assert_eq!(total(&ledger.charges()), acknowledged(lines) + 1, "{length}");
        assert_eq!(ledger.history().torn_lines(), u64::from(torn));
    }
}

#[test]
fn a_crash_while_a_torn_line_is_completed_is_completed_next_time() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let bytes = example(&path);
    let torn = &bytes[..bytes.len() - 20];
    let marker = record::TORN;
    for length in 0..=marker.len() {
        fs::write(&path, [torn, &marker[..length]].concat()).unwrap();
        let ledger = Ledger::open(&path, "patients").unwrap();
        assert_eq!((total(&ledger.charges()), ledger.history().torn_lines()), (acknowledged(6), 1));
        drop(ledger);
        assert_eq!(Ledger::open(&path, "patients").unwrap().history().torn_lines(), 1);
    }
}

#[test]
fn any_changed_lost_or_repeated_line_is_refused_and_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let bytes = example(&path);
    let mut starts = vec![0];
    starts.extend(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
    let line_of = |at: usize| starts.iter().rposition(|&start| start <= at).unwrap();
    let refuse = |changed: &[u8], line: usize, what: &str| {
        fs::write(&path, changed).unwrap();
        let read = Ledger::read(&path).unwrap_err();
        let error = Ledger::open(&path, "patients").unwrap_err();
        match &error {
            LedgerError::Corrupt { line: found, offset, .. } => {
                assert_eq!((*found, *offset), (line as u64 + 1, starts[line] as u64), "{what}: {error}");
                let text = error.to_string();
                assert!(text.contains("data.ledger") && text.contains(&format!("byte {offset}")), "{text}");
            }
            LedgerError::NotALedger { .. } | LedgerError::Version { .. } => {
                assert_eq!(line, 0, "{what}: {error}")
            }
            other => panic!("{what}: {other}"),
        }
        assert_eq!(read.to_string(), error.to_string());
        assert_eq!(fs::read(&path).unwrap(), changed, "a refused file is left as it was");
    };
    for at in 0..bytes.len() - 1 {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        // A changed line feed joins two lines; any other change stays within its line.
        refuse(&changed, line_of(at), &format!("byte {at}"));
    }
    for line in 1..starts.len() - 2 {
        let (start, end) = (starts[line], starts[line + 1]);
        refuse(&[&bytes[..start], &bytes[end..]].concat(), line, "a lost line");
        let repeated = [&bytes[..end], &bytes[start..end], &bytes[end..]].concat();
        fs::write(&path, repeated).unwrap();
        assert!(matches!(Ledger::read(&path).unwrap_err(), LedgerError::Corrupt { .. }));
    }
}

#[test]
fn other_data_sets_versions_and_files_are_refused_and_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let bytes = example(&path);
    let error = Ledger::open(&path, "clients").unwrap_err();
    assert!(matches!(error, LedgerError::Dataset { .. }), "{error}");
    assert!(error.to_string().contains("patients") && error.to_string().contains("clients"));
    assert_eq!(fs::read(&path).unwrap(), bytes);

    let text = String::from_utf8(bytes).unwrap().replacen("\"version\":3", "\"version\":5", 1);
    fs::write(&path, text).unwrap();
    let error = Ledger::open(&path, "patients").unwrap_err();
    assert!(matches!(error, LedgerError::Version { found: 5, supported: 4, .. }), "{error}");

    for foreign in
        ["a,b,c\n1,2,3\n", "no line feed", "{}\n", "{\"format\":\"other\"}\n", "\n", "{\"format\":\"other", "\0\0x"]
    {
        fs::write(&path, foreign).unwrap();
        let error = Ledger::open(&path, "patients").unwrap_err();
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{foreign:?}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
}

#[test]
fn charges_never_fall_below_releases_whatever_happens() {
    let folder = tempdir().unwrap();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..20 {
        let path = folder.path().join(format!("{round}.ledger"));
        let plan = description("random", 1 + random(60));
        // Steps whose updates left the process; a crash does not take them back.
        let mut released = 0;
        let mut ledger = Ledger::open(&path, "patients").unwrap();
        let mut run = ledger.begin(plan.clone()).unwrap();
        for _ in 0..40 {
            let ended = match random(8) {
                0 => {
                    let count = ledger.released(run).unwrap();
                    ledger.close(run, count).unwrap();
                    true
                }
                1 => {
                    drop(ledger); // a crash, perhaps in mid-write
                    let mut bytes = fs::read(&path).unwrap();
                    bytes.extend(&b"{\"reserve\":{\"run\":0,\"ste"[..random(20) as usize]);
                    fs::write(&path, bytes).unwrap();
                    ledger = Ledger::open(&path, "patients").unwrap();
                    true
                }
                2 => {
                    let _ = ledger.reserve(run, random(10)); // refused beyond the plan
                    false
                }
                _ => {
                    released += u64::from(ledger.charge_step(run).is_ok());
                    false
                }
            };
            let charged = Ledger::read(&path).unwrap().charges()[0].steps;
            assert_eq!(charged, ledger.charges()[0].steps);
            assert!(released <= charged && charged <= plan.planned_steps, "{released} {charged}");
            if ended {
                match ledger.resume(&plan) {
                    Ok(id) => run = id,
                    Err(LedgerError::BudgetSpent { .. }) => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

/// The variable that tells a test process to play the run that is killed, and where its ledger is.
const VICTIM: &str = "BURN_PRIVACY_LEDGER_VICTIM";

/// Plays a run for the tests below: charges steps and prints each one that it releases, until it is killed or its
/// ledger cannot be written. With `VICTIM_STRICT` set it reserves every step by itself.
#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM).map(PathBuf::from) else {
        return;
    };
    let mut ledger = Ledger::open(path, "patients").unwrap();
    if std::env::var_os("VICTIM_STRICT").is_some() {
        ledger = ledger.with_block_target(Duration::ZERO);
    }
    let plan = description("killed", 1_000_000);
    let run = ledger.resume(&plan).or_else(|_| ledger.begin(plan.clone())).unwrap();
    while let Ok(step) = ledger.charge_step(run) {
        println!("released {step}");
    }
}

/// Makes a command play the victim with its ledger at `path`.
fn play_victim(command: &mut Command, path: &Path) {
    let name = format!("{}::victim", module_path!().split_once("::").unwrap().1);
    command.args(["--exact", &name, "--nocapture", "--test-threads=1"]).env(VICTIM, path).stdout(Stdio::piped());
}

/// The step that a line of the victim's output releases.
fn released_step(line: &str) -> Option<u64> {
    line.split_once("released ")?.1.trim().parse().ok()
}

/// A file-size limit of 4 KiB or 8 KiB (shells differ in their unit) stands for a full disk: the write that crosses it
/// is done in part and then fails.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_the_run_and_loses_no_charge() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    play_victim(&mut shell, &path);
    let output = shell.env("VICTIM_STRICT", "").output().unwrap();
    let seen: Vec<u64> = String::from_utf8_lossy(&output.stdout).lines().filter_map(released_step).collect();
    let last = *seen.last().expect("some steps fit");
    assert!((10..200).contains(&last), "{last} steps fitted");
    assert_ne!(fs::read(&path).unwrap().last(), Some(&b'\n'), "the last write was done in part");
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    assert_eq!((ledger.charges()[0].steps, ledger.history().torn_lines()), (last, 1));
    let run = ledger.resume(&description("killed", 1_000_000)).unwrap();
    assert_eq!(ledger.charge_step(run).unwrap(), last + 1);
}

/// The variable that tells a test process to play a run whose disk fills up and is cleared, and where its ledger is.
#[cfg(target_os = "linux")]
const FILLED: &str = "BURN_PRIVACY_LEDGER_FILLED";

/// Plays the run of the next test. The limit on the size of its files stands for the room on the disk.
#[cfg(target_os = "linux")]
#[test]
fn filled() {
    let Some(path) = std::env::var_os(FILLED).map(PathBuf::from) else {
        return;
    };
    let room = |bytes: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &std::process::id().to_string(), &format!("--fsize={bytes}:unlimited")]);
        assert!(command.status().unwrap().success());
    };
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.begin(description("first", 10)).unwrap();
    ledger.charge_step(run).unwrap();
    // None left at all: the write leaves no part of a line that could be noticed.
    room(&fs::metadata(&path).unwrap().len().to_string());
    let error = ledger.charge_step(run).unwrap_err();
    assert!(matches!(error, LedgerError::Io { action: "write to", .. }), "{error}");
    assert_eq!((ledger.released(run).unwrap(), ledger.charged(run).unwrap()), (1, 1));
    room("unlimited");
    let error = ledger.charge_step(run).unwrap_err();
    assert!(matches!(error, LedgerError::Failed { .. }), "once unknown, always refused: {error}");
    assert!(ledger.close(run, 1).is_err());
    drop(ledger);
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    let run = ledger.resume(&description("first", 10)).unwrap();
    assert_eq!(ledger.released(run).unwrap(), 1);
    println!("the write failed");
}

#[cfg(target_os = "linux")]
#[test]
fn a_failed_write_releases_nothing_and_stops_the_ledger() {
    let folder = tempdir().unwrap();
    if !Command::new("prlimit").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: this system has no prlimit, which makes a disk look full");
        return;
    }
    let name = format!("{}::filled", module_path!().split_once("::").unwrap().1);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", &name, "--nocapture", "--test-threads=1"]);
    let output = shell.env(FILLED, folder.path().join("data.ledger")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("the write failed"), "{text}{:?}", output.stderr);
}

#[test]
fn a_killed_run_is_charged_at_least_what_it_released() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let mut before = 0;
    for kill_after in [1, 2, 3, 40, 700] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        play_victim(&mut command, &path);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| released_step(&line));
        let mut seen: Vec<u64> = lines.by_ref().take(kill_after).collect();
        // A living writer keeps others out, and can be read.
        assert!(matches!(Ledger::open(&path, "patients").unwrap_err(), LedgerError::Locked { .. }));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.extend(lines);
        // Whatever it printed, and at least one step past what was charged before.
        assert_eq!(seen[0], before + 1);
        assert!(seen.is_sorted());
        let ledger = Ledger::open(&path, "patients").unwrap(); // the lock died with the process
        let charged = ledger.charges()[0].steps;
        assert!(charged >= *seen.last().unwrap(), "{charged} charged, {:?} released", seen.last());
        assert!(!ledger.charges()[0].closed);
        before = charged;
    }
}
