//! How all ranks of a run go on from one state: rank 0's, before the first step.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;

use super::Session;
use super::connection::{FAILED, RESUME};
use crate::error::{Error, Result};
use crate::exchange::{Exchange, ExchangeError};

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Lets a run go on from a state, a checkpoint for instance, that is the same at all ranks: before the first step, and at all of
    /// them or at none.
    ///
    /// `read` gives the state at rank 0, which has the ledger. All ranks get its bytes, and the number of charged steps, and `load`
    /// makes of them what goes on. If that fails at any rank, nobody goes on, and nothing is charged: that rank gets its own error, and
    /// the others the rank's number. A session without ranks reads and loads.
    ///
    /// Keys have nothing to do with it: those of this session are its own, at each rank, and numbers of steps that were charged
    /// are never used again.
    ///
    /// # Errors
    ///
    /// Those of `read` and `load`; [`Error::Exchange`] if a rank is lost, does not go on or can not. [`Error::Plan`] after a step.
    pub fn resume<T, E: From<Error>>(
        &mut self,
        read: impl FnOnce(&Self) -> std::result::Result<Vec<u8>, E>,
        load: impl FnOnce(&Self, &[u8]) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        if self.charges.have_drawn() || self.sampler.is_none() {
            return Err(E::from(Error::Plan {
                field: "resume",
                given: "after a step, or take_sampler()".into(),
                allowed: "go on from a state before the first step".into(),
            }));
        }
        let Some(ranks) = &mut self.ranks else {
            let state = read(self)?;
            return load(self, &state);
        };
        let first = ranks.rank() == 0;
        let mut exchange = ranks.lend().map_err(E::from)?;
        let state = if first {
            match read(self) {
                Ok(state) => {
                    send(exchange.as_mut(), &state, self.charged_steps()).map_err(E::from)?;
                    state
                }
                Err(error) => {
                    // Whoever is gone waits for nothing.
                    let _ = exchange.broadcast(&mut [FAILED, 0, 0]);
                    return Err(error);
                }
            }
        } else {
            let (state, charged) = receive(exchange.as_mut()).map_err(E::from)?;
            self.follow_rank_0(charged).map_err(E::from)?;
            self.next = charged;
            state
        };
        let loaded = load(self, &state);
        let failed = first_that_failed(exchange.as_mut(), loaded.is_err()).map_err(E::from)?;
        let loaded = loaded?;
        if let Some(rank) = failed {
            return Err(E::from(Error::Exchange(ExchangeError::NotResumed { rank })));
        }
        if let Some(ranks) = &mut self.ranks {
            ranks.give_back(exchange);
        }
        Ok(loaded)
    }

    /// Counts what rank 0 has charged at this rank, which has no ledger.
    pub(super) fn follow_rank_0(&mut self, charged: u64) -> Result<()> {
        if !self.charges.follow(charged) {
            let difference = "rank 0 is at an earlier step than this rank".into();
            return Err(ExchangeError::OutOfStep { difference }.into());
        }
        if charged > 0 && self.made.is_none() {
            // The run began in another session.
            self.made.also_unknown(&mut self.independence);
        }
        Ok(())
    }
}

/// Sends rank 0's state to all, and how many steps it has charged.
fn send(exchange: &mut dyn Exchange, state: &[u8], charged: u64) -> Result<()> {
    exchange.broadcast(&mut [RESUME, charged as u32, (charged >> 32) as u32])?;
    let length = state.len() as u64;
    exchange.broadcast(&mut [length as u32, (length >> 32) as u32])?;
    let word = |bytes: &[u8]| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_le_bytes(word)
    };
    let mut words: Vec<u32> = state.chunks(4).map(word).collect();
    exchange.broadcast(&mut words)?;
    Ok(())
}

/// Rank 0's state, and how many steps it has charged.
fn receive(exchange: &mut dyn Exchange) -> Result<(Vec<u8>, u64)> {
    let number = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let mut words = [0; 3];
    exchange.broadcast(&mut words)?;
    let charged = match words {
        [RESUME, low, high] => number(low, high),
        [FAILED, ..] => return Err(ExchangeError::AnotherRankFailed.into()),
        _ => {
            let difference = "this rank goes on from a checkpoint, and rank 0 does not".into();
            return Err(ExchangeError::OutOfStep { difference }.into());
        }
    };
    let mut length = [0; 2];
    exchange.broadcast(&mut length)?;
    let length = usize::try_from(number(length[0], length[1])).map_err(|_| ExchangeError::OutOfStep {
        difference: "rank 0 goes on from more bytes than this rank can address".into(),
    })?;
    let mut words = vec![0; length.div_ceil(4)];
    exchange.broadcast(&mut words)?;
    let mut state: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    state.truncate(length);
    Ok((state, charged))
}

/// The first rank that could not load the state, as all ranks learn from rank 0.
fn first_that_failed(exchange: &mut dyn Exchange, failed_itself: bool) -> Result<Option<usize>> {
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    // An entry for each rank, so that the sum names them.
    let mut failed = vec![0; ranks];
    failed[rank] = i64::from(failed_itself);
    exchange.sum(&mut failed)?;
    let of_all = failed.iter().position(|failed| *failed != 0).unwrap_or(ranks);
    let mut word = [of_all as u32];
    exchange.broadcast(&mut word)?;
    Ok(Some(word[0] as usize).filter(|rank| *rank < ranks))
}
