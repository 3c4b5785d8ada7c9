//! Panics that print nothing: that there was one, and its message, may depend on private data.
//!
//! Callers see the panics themselves as ever. One filter for all crates stands before the program's panic hook: two, each put there
//! under a lock of its own, could take the hook at once, and one of them would be lost.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many [`SilentProcess`]es live.
static SILENT_PROCESSES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How many [`SilentThread`]s live on this thread.
    static SILENT_THREADS: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, no panic of its thread prints anything.
#[derive(Debug)]
#[must_use = "panics print again when it is dropped"]
pub struct SilentThread {
    /// It ends on the thread on which it began.
    on_thread: PhantomData<*const ()>,
}

impl SilentThread {
    /// From now on, panics of this thread print nothing.
    pub fn begin() -> Self {
        install();
        SILENT_THREADS.set(SILENT_THREADS.get() + 1);
        Self { on_thread: PhantomData }
    }
}

impl Drop for SilentThread {
    fn drop(&mut self) {
        SILENT_THREADS.set(SILENT_THREADS.get() - 1);
    }
}

/// While it lives, no panic of any thread of this process prints anything.
#[derive(Debug)]
#[must_use = "panics print again when it is dropped"]
pub struct SilentProcess(());

impl SilentProcess {
    /// From now on, panics of this process print nothing.
    pub fn begin() -> Self {
        install();
        SILENT_PROCESSES.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for SilentProcess {
    fn drop(&mut self) {
        SILENT_PROCESSES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Puts the filter before the panic hook that the program has, once.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A thread that is ending has no counter any more.
            let of_thread = SILENT_THREADS.try_with(Cell::get).unwrap_or(0);
            if SILENT_PROCESSES.load(Ordering::SeqCst) == 0 && of_thread == 0 {
                shown(info);
            }
        }));
    });
}
