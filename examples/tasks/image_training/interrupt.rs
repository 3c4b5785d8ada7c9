//! Ctrl-C: the first time asks, the second time ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::complain;
use crate::Result;

/// The exit status of a run that a signal interrupted, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Whether somebody pressed Ctrl-C: the first time asks, the second time ends.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen.
    pub fn listen() -> Result<Self> {
        let pressed = Arc::new(AtomicBool::new(false));
        let seen = pressed.clone();
        ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::SeqCst) {
                std::process::exit(INTERRUPTED.into());
            }
            complain(
                "\nInterrupted: finishing the current step and writing the report; press Ctrl-C again to end at once.",
            );
        })?;
        Ok(Self(pressed))
    }

    pub fn is_pressed(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
