//! Logs whose files are locked, cut off, exchanged and full.

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A log with one line, and its path.
fn log_with_a_line(folder: &tempfile::TempDir) -> (DurableLog, PathBuf) {
    let path = folder.path().join("log.jsonl");
    let (mut log, before) = DurableLog::open(&path).unwrap();
    assert!(before.is_empty() && log.is_empty());
    log.append(b"first\n").unwrap();
    (log, path)
}

#[test]
fn lines_are_there_for_the_next_opener_in_order() {
    let folder = folder();
    let (mut log, path) = log_with_a_line(&folder);
    log.append_json(&serde_json::json!({ "step": 2, "note": "a\nb" })).unwrap();
    assert_eq!((log.syncs(), log.len()), (2, fs::metadata(&path).unwrap().len()));
    drop(log);
    let (mut log, bytes) = DurableLog::open(&path).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), "first\n{\"note\":\"a\\nb\",\"step\":2}\n");
    log.settle().unwrap();
    log.append(b"third\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 3);
}

#[test]
fn there_is_one_writer_by_whatever_name() {
    let folder = folder();
    let (log, path) = log_with_a_line(&folder);
    let hard = folder.path().join("hard");
    fs::hard_link(&path, &hard).unwrap();
    let mut names = vec![path, hard];
    #[cfg(unix)]
    {
        let symbolic = folder.path().join("symbolic");
        std::os::unix::fs::symlink(&names[0], &symbolic).unwrap();
        names.push(symbolic);
    }
    for name in &names {
        assert!(matches!(DurableLog::open(name), Err(DurableLogError::InUse { .. })), "{name:?}");
    }
    drop(log);
    // Through any of its names it is the same log.
    for name in &names {
        DurableLog::open(name).unwrap().0.append(b"more\n").unwrap();
    }
    assert_eq!(fs::read_to_string(&names[0]).unwrap().lines().count(), 1 + names.len());
}

#[cfg(unix)]
#[test]
fn a_copy_of_the_same_length_in_its_place_is_noticed() {
    let folder = folder();
    let (mut log, path) = log_with_a_line(&folder);
    // `cp log copy; mv copy log`, as editors and synchronization tools do.
    let copy = folder.path().join("copy");
    fs::copy(&path, &copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    // A second writer gets the new file; the first one must not go on in the old.
    let (mut second, bytes) = DurableLog::open(&path).unwrap();
    assert_eq!(bytes, b"first\n");
    let error = log.append(b"lost\n").unwrap_err();
    assert!(matches!(&error, DurableLogError::Changed { .. }) && error.to_string().contains("another file"), "{error}");
    second.append(b"second\n").unwrap();
    assert!(matches!(log.append(b"lost\n"), Err(DurableLogError::Failed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_elsewhere_is_noticed() {
    let folder = folder();
    let [first, second, link] = ["first", "second", "link"].map(|name| folder.path().join(name));
    fs::write(&second, "").unwrap();
    fs::write(&first, "").unwrap();
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let (mut log, _) = DurableLog::open(&link).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&second, &link).unwrap();
    assert!(matches!(log.append(b"line\n"), Err(DurableLogError::Changed { .. })));
    assert_eq!(fs::read(&first).unwrap().len() + fs::read(&second).unwrap().len(), 0);
}

#[test]
fn what_others_write_or_delete_is_noticed() {
    let folder = folder();
    let (mut log, path) = log_with_a_line(&folder);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
    let error = log.append(b"line\n").unwrap_err().to_string();
    assert!(error.contains("should have 6 bytes, but has 7"), "{error}");
    drop(log);
    let (mut log, _) = DurableLog::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(matches!(log.append(b"line\n"), Err(DurableLogError::Changed { .. })));
}

#[test]
fn a_line_that_was_cut_off_can_be_removed() {
    let folder = folder();
    let path = folder.path().join("log");
    fs::write(&path, "whole\nha").unwrap();
    let (mut log, bytes) = DurableLog::open(&path).unwrap();
    assert_eq!(bytes, b"whole\nha");
    log.truncate(6).unwrap();
    log.append(b"next\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "whole\nnext\n");
    assert!(matches!(log.truncate(100), Err(DurableLogError::Changed { .. })));
}

#[test]
fn only_whole_lines_are_appended() {
    let folder = folder();
    let (mut log, path) = log_with_a_line(&folder);
    for line in [&b""[..], b"no end", b"two\nlines\n"] {
        assert!(matches!(log.append(line), Err(DurableLogError::Line { .. })), "{line:?}");
    }
    // A map whose keys are no strings has no JSON form.
    let odd = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(log.append_json(&odd), Err(DurableLogError::Line { .. })));
    log.append(b"second\n").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\n");
}

#[test]
fn nothing_is_written_after_a_failure() {
    let folder = folder();
    let (mut log, path) = log_with_a_line(&folder);
    // A handle that cannot write stands for a full disk.
    let writable = std::mem::replace(&mut log.file, File::open(&path).unwrap());
    assert!(matches!(log.append(b"lost\n"), Err(DurableLogError::Io { action: "write to", .. })));
    log.file = writable;
    assert!(matches!(log.append(b"late\n"), Err(DurableLogError::Failed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder();
    assert!(matches!(DurableLog::open(folder.path()), Err(DurableLogError::NotAFile { .. })));
    let error = DurableLog::open(folder.path().join("no/log")).unwrap_err().to_string();
    assert!(error.contains("could not open or create"), "{error}");
}
