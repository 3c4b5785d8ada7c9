//! The operations of a thread, in order.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::operation::Operation;

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

/// A name for a file that has none yet: records show it as if it had, which leaves more to a power cut and not less.
pub(crate) fn stand_in(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    path.with_file_name(format!(".unfinished-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn note(operation: Operation) {
    RECORDING.with_borrow_mut(|recording| {
        if let Some(recording) = recording {
            let operation = operation.relative_to(&recording.root);
            recording.operations.push(operation);
        }
    });
}
