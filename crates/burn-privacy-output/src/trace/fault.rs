//! Operations that fail when a test says so: a full disk, a lost one, a process that is killed in mid-write.

use std::cell::Cell;
use std::io;

thread_local! {
    /// How many operations still succeed, and what part of a write is done of the one that fails, in 256ths.
    static FAULT: Cell<Option<(u64, u8)>> = const { Cell::new(None) };
}

/// Lets so many writes and synchronizations of [`DurableLog`](crate::DurableLog)s of this thread succeed and fails all later ones; of
/// the first that fails, `part` 256ths of the bytes are written.
pub fn fail_after(operations: u64, part: u8) {
    FAULT.set(Some((operations, part)));
}

/// Lets operations succeed again.
pub fn stop_failing() {
    FAULT.set(None);
}

/// How many of `length` bytes are written before the operation fails, if it does.
pub(crate) fn failing_write(length: usize) -> Option<usize> {
    let (left, part) = FAULT.get()?;
    if left > 0 {
        FAULT.set(Some((left - 1, part)));
        return None;
    }
    // Whatever comes after the first failure fails wholly.
    FAULT.set(Some((0, 0)));
    Some(length * usize::from(part) / 256)
}

pub(crate) fn injected() -> io::Error {
    io::Error::other("injected by a test")
}
