//! A ledger whose writes fail, whose process is killed, and whose folder cannot be written.
#![allow(missing_docs)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use burn_privacy_budget::ledger::{Ledger, LedgerError};
use burn_privacy_output::trace::{fail_after, stop_failing};
use support::{description, folder};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Runs a plan to its end through `faults` failures at random operations; gives how many there were.
fn run_through_faults(path: &Path, planned: u64, faults: u64, random: &mut Random) -> u64 {
    let plan = description("run", planned);
    let (mut released, mut met) = (0, 0);
    loop {
        if met < faults {
            fail_after(random.below(12), random.below(256) as u8);
        } else {
            stop_failing();
        }
        let outcome = (|| -> Result<bool, LedgerError> {
            let target = if random.below(2) == 0 { Duration::ZERO } else { Duration::from_secs(1) };
            let mut ledger = Ledger::open(path, "patients")?.with_block_target(target);
            let run = match ledger.begin_or_resume(plan.clone()) {
                Err(LedgerError::BudgetSpent { .. }) => return Ok(true),
                run => run?,
            };
            for _ in 0..1 + random.below(6) {
                match ledger.charge_step(run) {
                    Ok(_) => released += 1, // it left the process
                    Err(LedgerError::BudgetSpent { .. }) => return Ok(true),
                    Err(error) => return Err(error),
                }
            }
            if random.below(3) == 0 {
                let count = ledger.released(run)?;
                ledger.close(run, count)?;
            }
            Ok(false)
        })();
        stop_failing();
        if let Ok(history) = Ledger::read(path) {
            if let Some(charge) = history.charges().first() {
                assert!(
                    released <= charge.steps && charge.steps <= planned,
                    "{released} <= {} <= {planned}",
                    charge.steps
                );
            } else {
                assert_eq!(released, 0);
            }
        } else {
            assert_eq!(released, 0, "what was released is in a ledger that can be read");
        }
        match outcome {
            Ok(true) => return met,
            Ok(false) => {}
            Err(LedgerError::Io { .. } | LedgerError::Failed { .. }) => met += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

fn faults(number: u64, seed: u64) {
    let (folder, mut random, mut met, mut round) = (folder(), Random(seed), 0, 0);
    while met < number {
        let path = folder.path().join(format!("{round}.ledger"));
        let planned = 1 + random.below(80);
        met += run_through_faults(&path, planned, 20, &mut random);
        fs::remove_file(path).unwrap();
        round += 1;
    }
    println!("{met} faults in {round} runs: no charge was lost");
}

#[test]
fn a_thousand_failed_operations_lose_no_charge() {
    faults(1_000, 1);
}

#[test]
#[ignore = "some seconds: cargo test --release -p burn-privacy-budget --test faults -- --ignored --nocapture"]
fn a_hundred_thousand_failed_operations_lose_no_charge() {
    faults(100_000, 2);
}

/// Where the test process that is killed has its ledger.
const VICTIM: &str = "BURN_PRIVACY_FAULT_VICTIM";

#[test]
fn victim() {
    let Some(path) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let mut ledger = Ledger::open(path, "patients").unwrap();
    if std::env::var_os("VICTIM_STRICT").is_some() {
        ledger = ledger.with_block_target(Duration::ZERO);
    }
    let run = ledger.begin_or_resume(description("killed", 1 << 40)).unwrap();
    while let Ok(step) = ledger.charge_step(run) {
        println!("released {step}");
    }
}

fn kills(number: u64, seed: u64) {
    let (folder, mut random, mut before) = (folder(), Random(seed), 0);
    let path = folder.path().join("data.ledger");
    let mut torn = 0;
    for kill in 0..number {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "victim", "--nocapture", "--test-threads=1"]).env(VICTIM, &path);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        if kill % 2 == 0 {
            command.env("VICTIM_STRICT", "");
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let released = |line: String| line.split_once("released ").and_then(|(_, step)| step.trim().parse().ok());
            output.lines().map_while(Result::ok).filter_map(released).last()
        });
        std::thread::sleep(Duration::from_micros(random.below(30_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let last: Option<u64> = reader.join().unwrap();
        let Ok(ledger) = Ledger::open(&path, "patients") else {
            panic!("kill {kill}: {:?}", fs::read_to_string(&path));
        };
        let charged = ledger.charges().first().map_or(0, |charge| charge.steps);
        torn = ledger.history().torn_lines();
        assert!(charged >= before && last.is_none_or(|last| last <= charged), "{last:?} released, {charged} charged");
        before = charged;
    }
    println!("{number} processes killed, {before} steps charged, {torn} lines cut off, none lost");
}

#[test]
fn killed_processes_lose_no_charge() {
    kills(15, 3);
}

#[test]
#[ignore = "a minute: cargo test --release -p burn-privacy-budget --test faults -- --ignored --nocapture"]
fn five_hundred_killed_processes_lose_no_charge() {
    kills(500, 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named_and_nothing_is_charged() {
    // Nobody makes a file here, also not a superuser.
    let error = Ledger::open("/proc/self/data.ledger", "patients").unwrap_err();
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
    assert!(error.to_string().contains("/proc/self/data.ledger"), "{error}");
}

#[test]
fn a_clock_that_jumps_changes_no_charge() {
    // Times are written for people. A line with another time, and a right check sum, would be charged alike; what orders lines is the
    // chain. So a ledger whose lines are out of their times' order is read as any other.
    let folder = folder();
    let path = folder.path().join("data.ledger");
    let mut ledger = Ledger::open(&path, "patients").unwrap().with_block_target(Duration::ZERO);
    let run = ledger.begin(description("first", 5)).unwrap();
    ledger.charge_step(run).unwrap();
    drop(ledger);
    let text = fs::read_to_string(&path).unwrap();
    let mut previous: Option<u64> = None;
    let mut rewritten = String::new();
    for (at, line) in text.lines().enumerate() {
        // FNV-1a over the digits of the line before and the line without its check sum, as the format says.
        let (body, _) = line.split_once(",\"check\":\"").unwrap();
        let (start, time) = body.rsplit_once("\"time\":").unwrap();
        let end = time.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let body = format!("{start}\"time\":{}{end}", 4_000_000_000 - 1_000_000_000 * at as u64);
        let digits = previous.map(|hash| format!("{hash:016x}")).unwrap_or_default();
        let hash = digits
            .bytes()
            .chain(body.bytes())
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
        rewritten += &format!("{body},\"check\":\"{hash:016x}\"}}\n");
        previous = Some(hash);
    }
    fs::write(&path, rewritten).unwrap();
    let mut ledger = Ledger::open(&path, "patients").unwrap();
    assert_eq!(ledger.charges()[0].steps, 1);
    let run = ledger.resume(&description("first", 5)).unwrap();
    assert_eq!(ledger.charge_step(run).unwrap(), 2);
}
