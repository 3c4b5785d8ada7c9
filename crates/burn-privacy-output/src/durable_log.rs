//! A file of lines that is only ever appended to: locked, synchronized, and not exchanged unnoticed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::atomic_file::{folder_of, synchronize_folder};
use crate::file_identity::{FileIdentity, keep_in_place};

/// How often a file is opened that is replaced while it is being opened.
const MOST_ATTEMPTS: usize = 5;

/// Why a log was not opened or a line not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableLogError {
    /// Another writer has the log.
    #[error("{} is in use by another writer: wait for it to end, or use another file", path.display())]
    InUse {
        /// The log.
        path: PathBuf,
    },

    /// The path leads to a folder, a device or a pipe.
    #[error("{} is not a regular file: name a file, or one that isn't there yet", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },

    /// The path leads to another file than the one that is locked, or the file's length is not the known one.
    #[error("{} was changed by something else: {reason}; nothing more is written to it", path.display())]
    Changed {
        /// The log.
        path: PathBuf,
        /// What differs.
        reason: String,
    },

    /// An earlier write failed or found the file changed, so that what the file holds is not known.
    #[error("an earlier write to {} failed: open it anew to see what it holds", path.display())]
    Failed {
        /// The log.
        path: PathBuf,
    },

    /// The value cannot be written as one line.
    #[error("a line for {} can't be written: {reason}", path.display())]
    Line {
        /// The log.
        path: PathBuf,
        /// Why.
        reason: String,
    },

    /// The system refused.
    #[error("could not {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write to".
        action: &'static str,
        /// The log.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file of lines, open for appending under an exclusive lock that ends with it (also when the process is killed).
///
/// A line is on the disk when [`append`](Self::append) returns. Lines are never changed; what they mean is the owner's
/// business.
///
/// # What is guaranteed
///
/// A lock belongs to a file and not to its name: a synchronization tool or `mv` can put another file, of the same
/// length too, under the name, and a second writer then locks that one. So the identity of the file under the name
/// (device and inode on Unix) is compared with that of the locked file after locking, and before and after each append.
/// If they differ, the append is an error and no later one is tried, so that a caller who acts only after a success
/// never acts on a line in a file that has lost its name. Hard links, symbolic links and bind mounts lead to the same
/// file, and to the same lock. A caller who acts for a while on one line asks [`check_unchanged`](Self::check_unchanged)
/// before each act.
///
/// Not noticed: an edit in place that keeps the length, and an exchange after the last check. On systems without inodes
/// the time of creation stands for the identity; on Windows nobody can rename or delete the file while it is open.
#[derive(Debug)]
pub struct DurableLog {
    path: PathBuf,
    file: File,
    identity: FileIdentity,
    /// The bytes that are known to be there.
    length: u64,
    /// Whether a write failed or the file was exchanged: nothing more is written.
    failed: bool,
    syncs: u64,
}

impl DurableLog {
    /// Opens or creates the file, takes the lock, and reads what is there.
    ///
    /// The last line may be incomplete, if an earlier process was killed in mid-write: [`truncate`](Self::truncate) it
    /// away before appending. Nothing of an existing file is changed here.
    ///
    /// # Errors
    ///
    /// [`DurableLogError::InUse`] if another writer has it, in this process or in another;
    /// [`DurableLogError::NotAFile`]; [`DurableLogError::Changed`] if it is exchanged or written to meanwhile;
    /// [`DurableLogError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<(Self, Vec<u8>), DurableLogError> {
        let path = path.as_ref();
        let failed = |action, source| DurableLogError::Io { action, path: path.to_owned(), source };
        // Opening a pipe would wait for its other end.
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(DurableLogError::NotAFile { path: path.to_owned() });
        }
        for _ in 0..MOST_ATTEMPTS {
            #[cfg(feature = "trace")]
            let is_new = !path.exists();
            let mut options = OpenOptions::new();
            options.read(true).append(true).create(true);
            keep_in_place(&mut options);
            let mut file = options.open(path).map_err(|error| failed("open or create", error))?;
            let here = file.metadata().map_err(|error| failed("inspect", error))?;
            if !here.is_file() {
                return Err(DurableLogError::NotAFile { path: path.to_owned() });
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(DurableLogError::InUse { path: path.to_owned() }),
                Err(TryLockError::Error(error)) => return Err(failed("lock", error)),
            }
            // Between opening and locking another may have taken its place: the lock would guard a file without a name.
            let identity = FileIdentity::of(&here);
            if !fs::metadata(path).is_ok_and(|there| FileIdentity::of(&there) == identity) {
                continue;
            }
            // The working folder may change while the file is open.
            let path = std::path::absolute(path).map_err(|error| failed("locate", error))?;
            #[cfg(feature = "trace")]
            if is_new {
                crate::trace::note(crate::trace::Operation::Create(path.clone()));
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(|error| failed("read", error))?;
            let length = bytes.len() as u64;
            let log = Self { identity, path, file, length, failed: false, syncs: 0 };
            log.check_unchanged()?;
            return Ok((log, bytes));
        }
        let reason = "it is replaced again and again while it is being opened".to_owned();
        Err(DurableLogError::Changed { path: path.to_owned(), reason })
    }

    /// Makes what is in the file durable, and its name: an earlier process may have crashed between writing and
    /// synchronizing.
    ///
    /// # Errors
    ///
    /// [`DurableLogError::Io`].
    pub fn settle(&mut self) -> Result<(), DurableLogError> {
        let result = self.synchronize().and_then(|()| sync_folder(&self.path));
        self.finish("synchronize", result)
    }

    /// Cuts the file to its first `length` bytes, durably: for the rest of a line that was cut off in mid-write, which
    /// nobody was told of.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append); [`DurableLogError::Changed`] too if the file is shorter.
    pub fn truncate(&mut self, length: u64) -> Result<(), DurableLogError> {
        self.check_writable()?;
        if length > self.length {
            self.failed = true;
            let reason = format!("it has {} bytes, and {length} were to be kept", self.length);
            return Err(DurableLogError::Changed { path: self.path.clone(), reason });
        }
        traced!(crate::trace::Operation::SetLength(self.path.clone(), length));
        let result = self.file.set_len(length).and_then(|()| self.synchronize());
        self.finish("cut off the incomplete end of", result)?;
        self.length = length;
        Ok(())
    }

    /// Appends one line, which ends with the line feed that `line` must hold, and returns once it is durable.
    ///
    /// # Errors
    ///
    /// [`DurableLogError::Line`] for bytes that are not one line: nothing was written then.
    /// [`DurableLogError::Changed`], [`DurableLogError::Io`] and [`DurableLogError::Failed`]: the line must not be
    /// relied on, and nothing more can be appended.
    pub fn append(&mut self, line: &[u8]) -> Result<(), DurableLogError> {
        if line.is_empty() || line.iter().position(|&byte| byte == b'\n') != line.len().checked_sub(1) {
            let reason = "it must have one line feed, at its end".to_owned();
            return Err(DurableLogError::Line { path: self.path.clone(), reason });
        }
        self.check_writable()?;
        let result = self.write(line).and_then(|()| self.synchronize());
        self.finish("write to", result)?;
        self.length += line.len() as u64;
        self.syncs += 1;
        // In an exchange between the check before and the write, the line went into a file without its name.
        self.check_unchanged().inspect_err(|_| self.failed = true)
    }

    /// Appends a value as a line of JSON, and returns once it is durable.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append); [`DurableLogError::Line`] if the value has no JSON form.
    pub fn append_json(&mut self, value: &impl Serialize) -> Result<(), DurableLogError> {
        let mut line = serde_json::to_vec(value)
            .map_err(|error| DurableLogError::Line { path: self.path.clone(), reason: error.to_string() })?;
        line.push(b'\n');
        self.append(&line)
    }

    /// The log's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are known to be in the file.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True if nothing is in the file.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many lines were made durable since it was opened.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Whether a write failed or met a changed file, after which nothing more is written.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Checks that the path still leads to the locked file, and that this has the known length: the lock keeps nobody from
    /// deleting, replacing or editing it. It may pass again later, when the file is back in its place.
    ///
    /// # Errors
    ///
    /// [`DurableLogError::Changed`].
    pub fn check_unchanged(&self) -> Result<(), DurableLogError> {
        let here = (&self.file).seek(SeekFrom::End(0));
        let reason = match (fs::metadata(&self.path), here) {
            (Ok(there), _) if FileIdentity::of(&there) != self.identity => {
                "its name now leads to another file than the one that was opened".to_owned()
            }
            (Ok(there), Ok(here)) if there.len() == self.length && here == self.length => return Ok(()),
            (Ok(there), Ok(_)) => format!("it should have {} bytes, but has {}", self.length, there.len()),
            (Err(error), _) | (_, Err(error)) => format!("it can't be found any more, or read ({error})"),
        };
        Err(DurableLogError::Changed { path: self.path.clone(), reason })
    }

    /// What the locked file holds, also if its name leads elsewhere by now or nowhere: to save it.
    ///
    /// # Errors
    ///
    /// [`DurableLogError::Io`].
    pub fn contents(&self) -> Result<Vec<u8>, DurableLogError> {
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))
            .and_then(|_| file.read_to_end(&mut bytes))
            .map_err(|source| DurableLogError::Io { action: "read", path: self.path.clone(), source })?;
        Ok(bytes)
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        #[cfg(feature = "trace")]
        if let Some(length) = crate::trace::failing_write(line.len()) {
            self.file.write_all(&line[..length])?;
            return Err(crate::trace::injected());
        }
        traced!(crate::trace::Operation::Append(self.path.clone(), line.to_vec()));
        self.file.write_all(line)
    }

    /// Contents and length. What else there is of a file (its times) is not needed, and cheaper left out.
    fn synchronize(&self) -> io::Result<()> {
        #[cfg(feature = "trace")]
        if crate::trace::failing_write(0).is_some() {
            return Err(crate::trace::injected());
        }
        traced!(crate::trace::Operation::Sync(self.path.clone()));
        self.file.sync_data()
    }

    fn check_writable(&mut self) -> Result<(), DurableLogError> {
        if self.failed {
            return Err(DurableLogError::Failed { path: self.path.clone() });
        }
        self.check_unchanged().inspect_err(|_| self.failed = true)
    }

    fn finish(&mut self, action: &'static str, result: io::Result<()>) -> Result<(), DurableLogError> {
        result.map_err(|source| {
            self.failed = true;
            DurableLogError::Io { action, path: self.path.clone(), source }
        })
    }
}

impl Drop for DurableLog {
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
        synchronize_folder(folder_of(&path.canonicalize()?))?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "durable_log_tests.rs"]
mod tests;
