//! The ledger's file: locked, append-only, synchronised.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::LedgerError;

/// A file open for appending, under an exclusive lock that ends with it (also when the process is killed).
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    /// The bytes that are known to be there.
    length: u64,
    /// Whether a write failed: what the file holds is then unknown, and nothing more is written.
    failed: bool,
    /// Synchronised writes so far.
    syncs: u64,
}

impl LedgerFile {
    /// Opens or creates the file, takes the lock, and reads what is there. `None`: another holds the lock.
    pub fn open(path: &Path) -> Result<Option<(Self, Vec<u8>)>, LedgerError> {
        let failed = |action, source| LedgerError::Io { action, path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(|error| failed("open or create", error))?;
        let regular = file.metadata().map_err(|error| failed("inspect", error))?.is_file();
        if !regular {
            let reason = "it is not a regular file".to_owned();
            return Err(LedgerError::NotALedger { path: path.to_owned(), reason });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
        }
        // The working folder may change while the file is open.
        let path = std::path::absolute(path).map_err(|error| failed("locate", error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| failed("read", error))?;
        let length = bytes.len() as u64;
        Ok(Some((Self { path, file, length, failed: false, syncs: 0 }, bytes)))
    }

    /// Makes what is in the file durable: an earlier process may have crashed between writing and synchronising.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        let result = self.file.sync_all().and_then(|()| sync_folder(&self.path));
        self.finish("synchronise", result)
    }

    /// Removes a header that was cut off in mid-write. Nothing can have been acknowledged before the header was.
    pub fn clear_torn_header(&mut self) -> Result<(), LedgerError> {
        let result = self.file.set_len(0);
        self.finish("clear the incomplete header of", result)?;
        self.length = 0;
        Ok(())
    }

    /// Appends a line and returns once it is durable.
    pub fn append(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed { path: self.path.clone() });
        }
        self.check_unchanged()?;
        let result = self.file.write_all(line).and_then(|()| self.file.sync_data());
        self.finish("write to", result)?;
        self.length += line.len() as u64;
        self.syncs += 1;
        Ok(())
    }

    /// The ledger's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines were made durable.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Checks that the path still leads to a file of the known length: the lock does not keep anyone from deleting,
    /// replacing or editing the file.
    fn check_unchanged(&mut self) -> Result<(), LedgerError> {
        let changed = |found| LedgerError::Changed { path: self.path.clone(), expected: self.length, found };
        let here = self.file.seek(SeekFrom::End(0));
        match (std::fs::metadata(&self.path), here) {
            (Ok(there), Ok(here)) if there.len() == self.length && here == self.length => Ok(()),
            (Ok(there), Ok(_)) => Err(changed(format!("{} bytes", there.len()))),
            (Err(error), _) | (_, Err(error)) => Err(changed(format!("become unreadable ({error})"))),
        }
    }

    /// Turns the outcome of a write into the ledger's; after a failure nothing more is written.
    fn finish(&mut self, action: &'static str, result: io::Result<()>) -> Result<(), LedgerError> {
        result.map_err(|source| {
            self.failed = true;
            LedgerError::Io { action, path: self.path.clone(), source }
        })
    }

    /// Replaces the handle, so that tests can make writes fail.
    #[cfg(test)]
    pub fn replace_handle(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }
}

impl Drop for LedgerFile {
    /// Gives the lock back, and writes nothing. Closing alone would not do: a process that another thread is just
    /// starting holds a copy of the handle, and with it the lock, until it has started.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

/// Makes a new file's name durable. Elsewhere than on Unix a folder cannot be synchronised, and needs not be.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
