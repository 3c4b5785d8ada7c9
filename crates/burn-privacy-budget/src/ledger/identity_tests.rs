//! Tests of a ledger whose file is replaced, linked or mounted elsewhere while a run holds it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

use super::writer_tests::description;
use super::*;

/// A ledger with a block of 500 steps, one of which is released.
fn running(path: &Path) -> (Ledger, RunId) {
    let mut ledger = Ledger::open(path, "patients").unwrap();
    let run = ledger.begin(description("first", 1_000)).unwrap();
    ledger.reserve(run, 500).unwrap();
    ledger.charge_step(run).unwrap();
    (ledger, run)
}

fn charged(path: &Path) -> u64 {
    Ledger::read(path).unwrap().charges().iter().map(|charge| charge.steps).sum()
}

/// The run stops at once, inside its block as well as at the next write, and what it charged is kept.
fn assert_stopped(ledger: &mut Ledger, run: RunId, path: &Path) {
    for error in
        [ledger.charge_step(run).unwrap_err(), ledger.reserve(run, 1).unwrap_err(), ledger.close(run, 1).unwrap_err()]
    {
        let LedgerError::Changed { saved, .. } = &error else { panic!("{error}") };
        let saved = saved.as_ref().expect("a copy of the ledger");
        assert!(error.to_string().contains(&saved.display().to_string()), "{error}");
        assert_eq!(charged(saved), 500);
        assert_ne!(saved, path);
    }
    assert_eq!(ledger.released(run).unwrap(), 1);
}

#[test]
fn a_copy_of_the_same_length_that_takes_its_place_stops_the_run() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let (mut ledger, run) = running(&path);
    let copy = folder.path().join("copy");
    assert!(Command::new("cp").arg("-p").args([&path, &copy]).status().unwrap().success());
    ledger.charge_step(run).unwrap();
    assert!(Command::new("mv").args([&copy, &path]).status().unwrap().success());
    // Nothing keeps a second writer from the other file; so the first one must stop, which it does at its next step.
    let mut second = Ledger::open(&path, "patients").unwrap();
    let other = second.begin(description("second", 10)).unwrap();
    second.charge_step(other).unwrap();
    let error = ledger.charge_step(run).unwrap_err();
    assert!(matches!(error, LedgerError::Changed { .. }) && error.to_string().contains("another file"), "{error}");
    assert_eq!((ledger.released(run).unwrap(), charged(&path)), (2, 501));
}

#[test]
fn a_sync_tools_rename_stops_the_run_and_its_charges_are_kept() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let (mut ledger, run) = running(&path);
    // A download beside the file, renamed over it: an older state, and one of the same length.
    let incoming = folder.path().join(".data.ledger.Xa81bc");
    fs::write(&incoming, &fs::read(&path).unwrap()[..200]).unwrap();
    fs::rename(&incoming, &path).unwrap();
    assert_stopped(&mut ledger, run, &path);

    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let (mut ledger, run) = running(&path);
    let incoming = folder.path().join(".data.ledger.Xa81bc");
    fs::copy(&path, &incoming).unwrap();
    fs::rename(&incoming, &path).unwrap();
    assert_stopped(&mut ledger, run, &path);
}

#[test]
fn a_file_that_is_deleted_and_made_anew_stops_the_run() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let (mut ledger, run) = running(&path);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    assert_stopped(&mut ledger, run, &path);
}

#[test]
fn the_original_moved_away_and_back_goes_on() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("data.ledger");
    let (mut ledger, run) = running(&path);
    let away = folder.path().join("away");
    fs::rename(&path, &away).unwrap();
    assert!(matches!(ledger.charge_step(run).unwrap_err(), LedgerError::Changed { .. }));
    fs::rename(&away, &path).unwrap();
    assert_eq!(ledger.charge_step(run).unwrap(), 2);
    ledger.close(run, 2).unwrap();
    assert_eq!(charged(&path), 2);
}

#[test]
fn a_hard_link_is_the_same_ledger() {
    let folder = tempdir().unwrap();
    let (path, link) = (folder.path().join("data.ledger"), folder.path().join("link"));
    let (ledger, _) = running(&path);
    fs::hard_link(&path, &link).unwrap();
    assert!(matches!(Ledger::open(&link, "patients").unwrap_err(), LedgerError::Locked { .. }));
    drop(ledger);
    let mut linked = Ledger::open(&link, "patients").unwrap();
    let run = linked.begin(description("second", 10)).unwrap();
    linked.charge_step(run).unwrap();
    assert_eq!((charged(&path), charged(&link)), (501, 501));
    // The link is replaced by a copy: from now on there would be two ledgers.
    fs::copy(&link, folder.path().join("copy")).unwrap();
    fs::rename(folder.path().join("copy"), &link).unwrap();
    assert!(matches!(linked.charge_step(run).unwrap_err(), LedgerError::Changed { .. }));
}

#[test]
fn a_symbolic_link_is_the_same_ledger_until_it_points_elsewhere() {
    let folder = tempdir().unwrap();
    let (path, link) = (folder.path().join("data.ledger"), folder.path().join("link"));
    symlink(&path, &link).unwrap();
    // The link leads to nothing yet: the ledger is made at its end.
    let (mut ledger, run) = running(&link);
    assert!(matches!(Ledger::open(&path, "patients").unwrap_err(), LedgerError::Locked { .. }));
    assert_eq!(charged(&path), 500);
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&copy, &link).unwrap();
    assert_stopped(&mut ledger, run, &link);
}

/// The variable that tells a test process to play the mount, and where.
const MOUNTED: &str = "BURN_PRIVACY_LEDGER_MOUNTED";

/// Plays the part of the next test that needs mounts of its own.
#[test]
fn mounter() {
    let Some(folder) = std::env::var_os(MOUNTED).map(PathBuf::from) else {
        return;
    };
    let (here, there) = (folder.join("here"), folder.join("there"));
    let bind = |from: &Path, to: &Path| {
        assert!(Command::new("mount").arg("--bind").args([from, to]).status().unwrap().success());
    };
    bind(&here, &there);
    let (path, mounted) = (here.join("data.ledger"), there.join("data.ledger"));
    let (mut ledger, run) = running(&path);
    assert!(matches!(Ledger::open(&mounted, "patients").unwrap_err(), LedgerError::Locked { .. }));
    assert_eq!(charged(&mounted), 500);
    let copy = folder.join("copy");
    fs::copy(&path, &copy).unwrap();
    bind(&copy, &path);
    assert_stopped(&mut ledger, run, &path);
    println!("mounts were refused");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bind_mount_is_the_same_ledger_and_one_over_it_stops_the_run() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("here")).unwrap();
    fs::create_dir(folder.path().join("there")).unwrap();
    let mut probe = Command::new("unshare");
    probe.args(["--map-root-user", "--mount", "mount", "--bind"]);
    probe.arg(folder.path().join("here")).arg(folder.path().join("there"));
    if !probe.output().is_ok_and(|output| output.status.success()) {
        println!("skipped: this system lets nobody make a mount namespace (unshare --map-root-user --mount)");
        return;
    }
    let name = format!("{}::mounter", module_path!().split_once("::").unwrap().1);
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(MOUNTED, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("mounts were refused"), "{text}{:?}", output.stderr);
}
