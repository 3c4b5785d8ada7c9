//! What [`DurableLog`](crate::DurableLog) and [`AtomicFile`](crate::AtomicFile) ask of the file system, recorded, and everything that a
//! power cut may leave of it: for tests.
//!
//! The idea is that of ALICE (Pillai et al., "All file systems are not created equal", OSDI 2014): a program's own operations are
//! replayed under all that a file system may legally have done with them when the power went.
//!
//! ```
//! use burn_privacy_output::{trace, write_atomically};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("table.csv");
//! let ((), operations) = trace::record(folder.path(), || {
//!     for contents in ["old", "new"] {
//!         write_atomically(&path, contents).unwrap();
//!         trace::mark(contents);
//!     }
//! });
//! let cuts = trace::power_cuts(&operations);
//! assert!(cuts.iter().any(|cut| cut.marks.is_empty()));
//! for cut in cuts {
//!     let found = cut.files.get(std::path::Path::new("table.csv")).map(Vec::as_slice);
//!     match cut.marks.len() {
//!         0 => assert!([None, Some(&b"old"[..])].contains(&found)),
//!         1 => assert!([Some(&b"old"[..]), Some(b"new")].contains(&found)),
//!         _ => assert_eq!(found, Some(&b"new"[..])),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fault;
mod power_cut;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

pub use fault::{fail_after, stop_failing};
pub use power_cut::{PowerCut, power_cuts};

pub(crate) use fault::{failing_write, injected};

/// One operation on the file system, or a mark between two. Paths are relative to the folder of the [`record`]ing; a file is known
/// by the path that it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new, empty file got this name.
    Create(PathBuf),
    /// Bytes were written to a file's end.
    Append(PathBuf, Vec<u8>),
    /// A file was cut to this length.
    SetLength(PathBuf, u64),
    /// A file's contents were made durable.
    Sync(PathBuf),
    /// A file got another name, in place of what had that.
    Rename {
        /// The name before.
        from: PathBuf,
        /// The name after.
        to: PathBuf,
    },
    /// A name was removed.
    Remove(PathBuf),
    /// The names in a folder were made durable.
    SyncFolder(PathBuf),
    /// Something that the program told somebody.
    Mark(String),
}

struct Recording {
    root: PathBuf,
    operations: Vec<Operation>,
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Runs `work` and gives what it asked of the file system within `root`, in this thread, in order. `root` must be empty before.
///
/// # Panics
///
/// If `root` cannot be found, or within another recording.
pub fn record<T>(root: &Path, work: impl FnOnce() -> T) -> (T, Vec<Operation>) {
    let root = root.canonicalize().expect("a folder to record in");
    RECORDING.with_borrow_mut(|recording| {
        assert!(recording.is_none(), "recordings do not nest");
        *recording = Some(Recording { root, operations: Vec::new() });
    });
    let result = work();
    let recording = RECORDING.take().expect("nobody else takes it");
    (result, recording.operations)
}

/// Notes that the program told somebody something: what is durable before must be found after every later power cut.
pub fn mark(label: impl Into<String>) {
    note(Operation::Mark(label.into()));
}

pub(crate) fn note(operation: Operation) {
    RECORDING.with_borrow_mut(|recording| {
        if let Some(recording) = recording {
            let operation = operation.relative_to(&recording.root);
            recording.operations.push(operation);
        }
    });
}

impl Operation {
    fn relative_to(self, root: &Path) -> Self {
        let relative = |path: PathBuf| {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let path = match (folder, path.file_name()) {
                (Some(folder), Some(name)) => folder.join(name),
                _ => path,
            };
            path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)
        };
        match self {
            Self::Create(path) => Self::Create(relative(path)),
            Self::Append(path, bytes) => Self::Append(relative(path), bytes),
            Self::SetLength(path, length) => Self::SetLength(relative(path), length),
            Self::Sync(path) => Self::Sync(relative(path)),
            Self::Rename { from, to } => Self::Rename { from: relative(from), to: relative(to) },
            Self::Remove(path) => Self::Remove(relative(path)),
            Self::SyncFolder(path) => Self::SyncFolder(path.canonicalize().map_or(path, |path| {
                path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)
            })),
            Self::Mark(label) => Self::Mark(label),
        }
    }
}
