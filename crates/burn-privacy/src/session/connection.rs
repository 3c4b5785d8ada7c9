//! The connection of a session to the other ranks of its run: lent to each step, and lost with one that is not finished together.

use crate::error::Result;
use crate::exchange::{Exchange, ExchangeError};

/// What rank 0 says before a step.
pub(super) const NO_MORE: u32 = 0;
pub(super) const STEP: u32 = 1;
pub(super) const FAILED: u32 = 2;
/// In the place of the first step: a state that all go on from follows.
pub(super) const RESUME: u32 = 3;

/// The ranks of a run as one of them has them.
pub(super) struct Ranks {
    rank: usize,
    /// Lent to each step, which gives it back if all ranks have finished it together.
    connection: Option<Box<dyn Exchange>>,
    /// The ranks' models were compared.
    pub(super) compared: bool,
}

impl Ranks {
    pub(super) fn new(exchange: impl Exchange + 'static) -> Self {
        Self { rank: exchange.rank(), connection: Some(Box::new(exchange)), compared: false }
    }

    pub(super) fn rank(&self) -> usize {
        self.rank
    }

    pub(super) fn lend(&mut self) -> Result<Box<dyn Exchange>> {
        Ok(self.connection.take().ok_or(ExchangeError::Apart)?)
    }

    pub(super) fn give_back(&mut self, connection: Box<dyn Exchange>) {
        self.connection = Some(connection);
    }

    /// Tells the others that there are no more steps, if this is rank 0. Whoever is gone already knows.
    pub(super) fn end(&mut self) {
        if let Some(connection) = self.connection.as_mut().filter(|_| self.rank == 0) {
            let _ = connection.broadcast(&mut [NO_MORE, 0, 0]);
        }
    }
}
