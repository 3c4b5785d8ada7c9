//! Ctrl-C: the first time asks, the second time ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Result, TrainError, complain};

/// The exit status of a run that a signal interrupted, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Whether a run is asked to end after its current step. Clones are asked together.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C: the first press asks the run to end, and says so on standard error; the second one ends the process
    /// at once, with status [`INTERRUPTED`].
    ///
    /// # Errors
    ///
    /// [`TrainError::Interrupt`] if somebody in this process listens already. [`Interrupt::default`] listens to nothing.
    pub fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        ctrlc::set_handler(move || {
            if seen.0.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
            complain(
                "\nInterrupted: finishing the current step and writing the report; press Ctrl-C again to end at once.",
            );
        })
        .map_err(TrainError::Interrupt)?;
        Ok(interrupt)
    }

    /// Asks the run to end, as the first Ctrl-C does.
    pub fn press(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether the run was asked to end.
    pub fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
