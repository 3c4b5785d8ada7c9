//! What a run went through before it was resumed, shared between the trainer, which saves it, and the monitor, which shows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn_privacy::report::CurvePoint;

/// The curve of a run and how far it had got when it was resumed. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct TrainingHistory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    curve: Vec<CurvePoint>,
    steps: u64,
    lost: u64,
}

impl TrainingHistory {
    /// Score and epsilon after each epoch.
    pub fn curve(&self) -> Vec<CurvePoint> {
        self.lock().curve.clone()
    }

    pub(crate) fn last(&self) -> Option<CurvePoint> {
        self.lock().curve.last().copied()
    }

    pub(crate) fn push(&self, point: CurvePoint) {
        self.lock().curve.push(point);
    }

    /// The run goes on after so many updates; `lost` steps were charged without one that is left.
    pub(crate) fn resume(&self, curve: &[CurvePoint], steps: u64, lost: u64) {
        *self.lock() = State { curve: curve.to_vec(), steps, lost };
    }

    /// Updates before the run was resumed.
    pub(crate) fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Steps that were charged and left no update.
    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
