//! The ledger's file: locked, append-only, synchronized.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::LedgerError;
use super::identity::{FileIdentity, keep_in_place};

/// How often a file is opened that is replaced while it is being opened.
const MOST_ATTEMPTS: usize = 5;

/// A file open for appending, under an exclusive lock that ends with it (also when the process is killed).
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    file: File,
    identity: FileIdentity,
    /// The bytes that are known to be there.
    length: u64,
    /// Whether a write failed: what the file holds is then unknown, and nothing more is written.
    failed: bool,
    /// Synchronized writes so far.
    syncs: u64,
    /// Where the open file was saved after another took its place, and its length then.
    saved: Option<(PathBuf, u64)>,
}

impl LedgerFile {
    /// Opens or creates the file, takes the lock, and reads what is there. `None`: another holds the lock.
    pub fn open(path: &Path) -> Result<Option<(Self, Vec<u8>)>, LedgerError> {
        let failed = |action, source| LedgerError::Io { action, path: path.to_owned(), source };
        for _ in 0..MOST_ATTEMPTS {
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            keep_in_place(&mut options);
            let mut file = options.open(path).map_err(|error| failed("open or create", error))?;
            let metadata = file.metadata().map_err(|error| failed("inspect", error))?;
            if !metadata.is_file() {
                let reason = "it is not a regular file".to_owned();
                return Err(LedgerError::NotALedger { path: path.to_owned(), reason });
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
            }
            // Between opening and locking another may have taken its place: the lock would guard a file without a name.
            let identity = FileIdentity::of(&metadata);
            if !std::fs::metadata(path).is_ok_and(|there| FileIdentity::of(&there) == identity) {
                continue;
            }
            // The working folder may change while the file is open.
            let path = std::path::absolute(path).map_err(|error| failed("locate", error))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| failed("read", error))?;
            let length = bytes.len() as u64;
            return Ok(Some((Self { path, file, identity, length, failed: false, syncs: 0, saved: None }, bytes)));
        }
        let found = "is replaced again and again while it is being opened".to_owned();
        Err(LedgerError::Changed { path: path.to_owned(), found, saved: None })
    }

    /// Makes what is in the file durable: an earlier process may have crashed between writing and synchronizing.
    pub fn settle(&mut self) -> Result<(), LedgerError> {
        let result = self.file.sync_all().and_then(|()| sync_folder(&self.path));
        self.finish("synchronize", result)
    }

    /// Removes a header that was cut off in mid-write. Nothing can have been acknowledged before the header was.
    pub fn clear_torn_header(&mut self) -> Result<(), LedgerError> {
        let result = self.file.set_len(0);
        self.finish("clear the incomplete header of", result)?;
        self.length = 0;
        Ok(())
    }

    /// Appends a line and returns once it is durable, in the file that the path leads to.
    pub fn append(&mut self, line: &[u8]) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed { path: self.path.clone() });
        }
        self.check_unchanged()?;
        let result = self.file.write_all(line).and_then(|()| self.file.sync_data());
        self.finish("write to", result)?;
        self.length += line.len() as u64;
        self.syncs += 1;
        // Another file may have come between the check and the write: the line is in the old one then.
        self.check_unchanged().inspect_err(|_| self.failed = true)
    }

    /// The ledger's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines were made durable.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Checks that the path still leads to the open file, and that it has the known length: the lock does not keep anyone
    /// from deleting, replacing or editing the file. If another is there, the open one is saved beside it.
    pub fn check_unchanged(&mut self) -> Result<(), LedgerError> {
        let found = match std::fs::metadata(&self.path) {
            Err(error) => format!("can't be found any more ({error})"),
            Ok(there) if FileIdentity::of(&there) != self.identity => "is another file now".to_owned(),
            Ok(there) if there.len() == self.length => return Ok(()),
            Ok(there) => format!("has {} bytes, and this run left {}", there.len(), self.length),
        };
        if self.saved.as_ref().is_none_or(|(_, length)| *length != self.length) {
            self.saved = self.save().ok().map(|path| (path, self.length));
        }
        let saved = self.saved.as_ref().map(|(path, _)| path.clone());
        Err(LedgerError::Changed { path: self.path.clone(), found, saved })
    }

    /// Copies what the open file holds to a new file beside the ledger: the open one may have no name any more.
    fn save(&mut self) -> io::Result<PathBuf> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".saved-by-{}-at-{}", std::process::id(), self.length));
        let path = self.path.with_file_name(name);
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        let mut copy = OpenOptions::new().write(true).create_new(true).open(&path)?;
        copy.write_all(&bytes)?;
        copy.sync_all()?;
        Ok(path)
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

/// Makes a new file's name durable. Elsewhere than on Unix a folder cannot be synchronized, and needs not be.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        // The file's own folder, not that of a symbolic link to it.
        let path = path.canonicalize()?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
