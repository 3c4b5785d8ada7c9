//! Panics of trials, without a word: that there was one, and its message, may depend on private data.

use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many private selections are going on.
static SELECTIONS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Whether this thread runs a trial.
    static TRIAL: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, no panic of this process prints anything, also not one of a helper thread of a trial: how many trials
/// of a private selection panic says something of how many there were. Callers see the panics themselves as ever.
pub(super) struct SilentProcess(());

impl SilentProcess {
    pub(super) fn begin() -> Self {
        install();
        SELECTIONS.fetch_add(1, Ordering::SeqCst);
        Self(())
    }
}

impl Drop for SilentProcess {
    fn drop(&mut self) {
        SELECTIONS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// From now on, panics of this thread print nothing.
pub(super) fn silence_thread() {
    install();
    TRIAL.set(true);
}

/// Puts a filter before the panic hook that the program has, once.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let shown = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A thread that is ending has no flag any more, and runs no trial.
            let silent = SELECTIONS.load(Ordering::SeqCst) > 0 || TRIAL.try_with(Cell::get).unwrap_or(false);
            if !silent {
                shown(info);
            }
        }));
    });
}
