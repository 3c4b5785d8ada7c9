//! What a session has charged: one count that the session and its sampler share, so that no batch is drawn
//! unless its step is charged.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use burn_privacy_budget::LedgerRun;

/// The charges of one session. Its address is the session's identity: a batch belongs to the session whose charges it
/// points to, which nobody can forge and which says nothing of data or keys.
pub(crate) struct Charges(Mutex<State>);

struct State {
    ledger: Option<LedgerRun>,
    charged: u64,
    /// The session has drawn a batch.
    drawn: bool,
    ended: bool,
}

impl Charges {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { ledger: None, charged: 0, drawn: false, ended: false })))
    }

    /// Steps charged so far.
    pub(crate) fn charged(&self) -> u64 {
        self.lock().charged
    }

    /// Continues a run of a ledger: what it has charged counts.
    pub(crate) fn continue_in(&self, ledger: LedgerRun) -> Result<()> {
        let mut state = self.lock();
        state.charged = ledger.charged_steps()?;
        state.ledger = Some(ledger);
        Ok(())
    }

    /// Whether the session has drawn a batch: what it charges is no longer another's to say.
    pub(crate) fn have_drawn(&self) -> bool {
        self.lock().drawn
    }

    /// Counts as another process has charged, which has the ledger. False, and nothing else, if that were fewer steps than are
    /// charged here: coins of a step are tossed once.
    pub(crate) fn follow(&self, charged: u64) -> bool {
        let mut state = self.lock();
        let follows = charged >= state.charged;
        if follows {
            state.charged = charged;
        }
        follows
    }

    /// Charges the next of `planned` steps, durably if there is a ledger, and returns its number; `None` if all are
    /// charged.
    pub(crate) fn charge_next(&self, planned: u64) -> Result<Option<u64>> {
        let mut state = self.lock();
        if state.ended {
            return Err(Error::ForeignSampler { difference: "its session has ended".into() });
        }
        if state.charged >= planned {
            return Ok(None);
        }
        if let Some(ledger) = &mut state.ledger {
            ledger.charge_step()?;
        }
        let step = state.charged;
        state.charged += 1;
        state.drawn = true;
        Ok(Some(step))
    }

    /// Ends the session: nothing is charged afterwards, and the ledger gets the true number of steps.
    pub(crate) fn end(&self) -> Result<()> {
        let mut state = self.lock();
        state.ended = true;
        match state.ledger.take() {
            Some(ledger) => Ok(ledger.close()?),
            None => Ok(()),
        }
    }

    /// A panic elsewhere leaves the count as the ledger has it, or below by one step that was not released.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
