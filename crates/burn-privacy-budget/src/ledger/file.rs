//! The ledger's file: a durable log that is saved beside its name if another file takes its place.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use burn_privacy_output::{DurableLog, DurableLogError};

use super::error::LedgerError;

/// A file open for appending, under an exclusive lock that ends with it (also when the process is killed).
#[derive(Debug)]
pub(super) struct LedgerFile {
    log: DurableLog,
    /// Where the open file was saved after another took its place, and its length then.
    saved: Option<(PathBuf, u64)>,
}

impl LedgerFile {
    /// Opens or creates the file, takes the lock, and reads what is there. `None`: another holds the lock.
    pub fn open(path: &Path) -> Result<Option<(Self, Vec<u8>)>, LedgerError> {
        match DurableLog::open(path) {
            Ok((log, bytes)) => Ok(Some((Self { log, saved: None }, bytes))),
            Err(DurableLogError::InUse { .. }) => Ok(None),
            Err(error) => Err(ledger_error(path, error, None)),
        }
    }

    /// Makes what is in the file durable: an earlier process may have crashed between writing and synchronizing.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        self.log.settle().map_err(|error| self.refusal(error))
    }

    /// Removes a header that was cut off in mid-write. Nothing can have been acknowledged before the header was.
    pub fn clear_torn_header(&mut self) -> Result<(), LedgerError> {
        self.log.truncate(0).map_err(|error| self.refusal(error))
    }

    /// Appends a line and returns once it is durable, in the file that the path leads to.
    pub fn append(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        if !self.log.has_failed() {
            // Before anything is written: once the original is back in its place, the run can go on.
            self.check_unchanged()?;
        }
        self.log.append(line).map_err(|error| self.refusal(error))
    }

    /// The ledger's path.
    pub fn path(&self) -> &Path {
        self.log.path()
    }

    /// How many lines were made durable.
    pub fn syncs(&self) -> u64 {
        self.log.syncs()
    }

    /// Checks that the path still leads to the open file, and that it has the known length: the lock does not keep anyone
    /// from deleting, replacing or editing the file. If another is there, the open one is saved beside it.
    pub fn check_unchanged(&mut self) -> Result<(), LedgerError> {
        self.log.check_unchanged().map_err(|error| self.refusal(error))
    }

    /// The ledger's error for the log's; what a changed file held is saved first.
    fn refusal(&mut self, error: DurableLogError) -> LedgerError {
        if !matches!(error, DurableLogError::Changed { .. }) {
            return ledger_error(self.path(), error, None);
        }
        let length = self.log.len();
        if self.saved.as_ref().is_none_or(|(_, saved)| *saved != length) {
            self.saved = self.save().ok().map(|path| (path, length));
        }
        ledger_error(self.path(), error, self.saved.as_ref().map(|(path, _)| path.clone()))
    }

    /// Copies what the open file holds to a new file beside the ledger: the open one may have no name any more.
    fn save(&self) -> io::Result<PathBuf> {
        let mut name = self.path().file_name().unwrap_or_default().to_owned();
        name.push(format!(".saved-by-{}-at-{}", std::process::id(), self.log.len()));
        let path = self.path().with_file_name(name);
        let bytes = self.log.contents().map_err(io::Error::other)?;
        let mut copy = OpenOptions::new().write(true).create_new(true).open(&path)?;
        copy.write_all(&bytes)?;
        copy.sync_all()?;
        Ok(path)
    }
}

/// A log's error in the words of ledgers.
fn ledger_error(path: &Path, error: DurableLogError, saved: Option<PathBuf>) -> LedgerError {
    let path = path.to_owned();
    match error {
        DurableLogError::NotAFile { .. } => {
            LedgerError::NotALedger { path, reason: "it is not a regular file".to_owned() }
        }
        DurableLogError::Changed { reason, .. } => LedgerError::Changed { path, found: reason, saved },
        DurableLogError::Failed { .. } => LedgerError::Failed { path },
        DurableLogError::Io { action, source, .. } => LedgerError::Io { action, path, source },
        other => LedgerError::Io { action: "use", path, source: io::Error::other(other) },
    }
}
