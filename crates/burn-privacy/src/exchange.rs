//! How several ranks of one run add up what they have, and learn what the first of them released.
//!
//! Each rank owns a shard of the data set and draws its own batches by coins, so that all together are one Poisson batch of the whole.
//! Sums of clipped gradients are whole numbers, which add up to the same bits in any order. Rank 0 adds the noise, once, and charges
//! the ledger.
//!
//! What travels to rank 0 is **private data** without noise: its process must be trusted, and so must the way there.

use std::sync::mpsc::{Receiver, Sender, channel};

#[cfg(feature = "mpi")]
pub use crate::mpi_exchange::Mpi;

/// Why ranks could not come together. Nothing was released then, and the step stays charged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// A rank is gone.
    #[error(
        "rank {rank} is gone: the step releases nothing and stays charged; start all ranks anew, with the same ledger, to go on"
    )]
    Lost {
        /// Its number.
        rank: usize,
    },
    /// A rank failed and said so.
    #[error("another rank failed, so that this step releases nothing on any; see what that rank says")]
    AnotherRankFailed,
    /// This rank left the others.
    #[error(
        "this rank did not finish a step together with the others (it was dropped, or it failed), which they were told: start all ranks \
         anew, with the same ledger, to go on"
    )]
    Apart,
    /// A rank could not go on from the state that all go on from. Nothing was charged.
    #[error(
        "rank {rank} cannot go on from this checkpoint, so that no rank does, and nothing was charged; see what that rank says"
    )]
    NotResumed {
        /// Its number.
        rank: usize,
    },
    /// Ranks do not do the same.
    #[error(
        "ranks do not run the same program: {difference}; give all of them the same plan, model and kind of device"
    )]
    OutOfStep {
        /// What differs.
        difference: String,
    },
    /// What carries the numbers failed.
    #[error("what connects the ranks failed: {0}")]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}

/// What ranks do together: rank 0 gets sums, and all get what rank 0 has. All ranks call the same methods in the same order, with
/// slices of the same lengths.
pub trait Exchange: Send {
    /// Number of this rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn ranks(&self) -> usize;

    /// Adds `values` over all ranks, entry by entry and modulo 2^64; rank 0 gets the total, the others keep theirs.
    ///
    /// # Errors
    ///
    /// If a rank is lost or out of step.
    fn sum(&mut self, values: &mut [i64]) -> Result<(), ExchangeError>;

    /// Gives all ranks the `values` of rank 0.
    ///
    /// # Errors
    ///
    /// If a rank is lost or out of step.
    fn broadcast(&mut self, values: &mut [u32]) -> Result<(), ExchangeError>;
}

/// Ranks that are threads of one process, each with a device of its own if there are several.
///
/// ```
/// use burn_privacy::exchange::{Exchange, Threads};
///
/// let totals: Vec<i64> = std::thread::scope(|scope| {
///     let ranks = Threads::of(3).into_iter().map(|mut rank| {
///         scope.spawn(move || {
///             let mut values = [rank.rank() as i64 + 1];
///             rank.sum(&mut values)?;
///             Ok::<i64, burn_privacy::exchange::ExchangeError>(values[0])
///         })
///     });
///     ranks.collect::<Vec<_>>().into_iter().map(|rank| rank.join().unwrap().unwrap()).collect()
/// });
/// assert_eq!(totals[0], 6);
/// ```
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    ranks: usize,
    /// To every other rank at rank 0, in order; to rank 0 elsewhere.
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    to: usize,
    send: Sender<Message>,
    receive: Receiver<Message>,
}

#[derive(Debug)]
enum Message {
    Sum(Vec<i64>),
    Broadcast(Vec<u32>),
}

impl Threads {
    /// So many ranks that know each other; zero counts as one. Each goes to its thread.
    pub fn of(ranks: usize) -> Vec<Self> {
        let ranks = ranks.max(1);
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for rank in 1..ranks {
            let ((to_other, from_first), (to_first, from_other)) = (channel(), channel());
            first.push(Link { to: rank, send: to_other, receive: from_other });
            others.push(Self { rank, ranks, links: vec![Link { to: 0, send: to_first, receive: from_first }] });
        }
        others.insert(0, Self { rank: 0, ranks, links: first });
        others
    }
}

impl Link {
    fn send(&self, message: Message) -> Result<(), ExchangeError> {
        self.send.send(message).map_err(|_| ExchangeError::Lost { rank: self.to })
    }

    fn receive(&self) -> Result<Message, ExchangeError> {
        self.receive.recv().map_err(|_| ExchangeError::Lost { rank: self.to })
    }

    fn out_of_step(&self) -> ExchangeError {
        ExchangeError::OutOfStep { difference: format!("rank {} sent something else, or of another length", self.to) }
    }
}

impl Exchange for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn sum(&mut self, values: &mut [i64]) -> Result<(), ExchangeError> {
        for link in &self.links {
            if self.rank > 0 {
                link.send(Message::Sum(values.to_vec()))?;
                continue;
            }
            match link.receive()? {
                Message::Sum(more) if more.len() == values.len() => {
                    values.iter_mut().zip(more).for_each(|(total, next)| *total = total.wrapping_add(next));
                }
                _ => return Err(link.out_of_step()),
            }
        }
        Ok(())
    }

    fn broadcast(&mut self, values: &mut [u32]) -> Result<(), ExchangeError> {
        for link in &self.links {
            if self.rank == 0 {
                link.send(Message::Broadcast(values.to_vec()))?;
                continue;
            }
            match link.receive()? {
                Message::Broadcast(found) if found.len() == values.len() => values.copy_from_slice(&found),
                _ => return Err(link.out_of_step()),
            }
        }
        Ok(())
    }
}
