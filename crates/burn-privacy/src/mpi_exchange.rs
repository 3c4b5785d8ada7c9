//! Ranks that are processes, on one machine or several, connected by MPI.

use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Equivalence, Source};

use crate::exchange::{Exchange, ExchangeError};

/// What a message is, as its tag.
const SUM: i32 = 1;
const BROADCAST: i32 = 2;
/// The sender takes part in nothing any more.
const GONE: i32 = 3;

/// MPI counts elements in 32 bits.
const MOST_OF_A_MESSAGE: usize = 1 << 28;

/// The ranks of an MPI job, which `mpirun` starts, with any implementation of MPI 3 (feature `mpi`).
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use burn_privacy::exchange::{Exchange, Mpi};
///
/// let rank = Mpi::start()?;
/// println!("rank {} of {}", rank.rank(), rank.ranks());
/// // let session = plan.start(shard_of(rank.rank()), ..)?.with_exchange(rank)?;
/// # Ok(())
/// # }
/// ```
///
/// Sums travel to rank 0 and what it releases back to all, message by message in the order of ranks.
///
/// # When a rank is lost
///
/// One that ends its session early, by an error or a panic, says so: the others get [`ExchangeError::Lost`]. Of one whose process is
/// killed MPI itself learns, and by its standard behavior ends all others: `mpirun` says which one it was. In either case the step
/// that was going on releases nothing and stays charged, for rank 0 charges a step before anyone draws, and adds the noise after
/// all sums have arrived.
///
/// # Who sees what
///
/// Rank 0 gets sums without noise. MPI does not encrypt: run it on machines and networks that may see the private data.
pub struct Mpi {
    rank: usize,
    ranks: usize,
    /// To every other rank at rank 0, in order; to rank 0 elsewhere.
    links: Vec<Link>,
    /// Ends MPI when it is dropped, after the farewells.
    _universe: Universe,
}

struct Link {
    to: usize,
    gone: bool,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank).field("ranks", &self.ranks).finish_non_exhaustive()
    }
}

impl Mpi {
    /// Starts MPI in this process, which happens once in its life. Without `mpirun` there is one rank.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Transport`] the second time, and if the implementation of MPI allows calls from one thread only.
    pub fn start() -> Result<Self, ExchangeError> {
        let refused = |reason: &str| ExchangeError::Transport(reason.to_owned().into());
        let (universe, threading) = mpi::initialize_with_threading(Threading::Serialized)
            .ok_or_else(|| refused("MPI was started before in this process; keep the ranks that were made then"))?;
        if !matches!(threading, Threading::Serialized | Threading::Multiple) {
            return Err(refused(
                "this MPI allows calls from the main thread only; take one that was built with MPI_THREAD_SERIALIZED",
            ));
        }
        let world = universe.world();
        let (rank, ranks) = (world.rank() as usize, world.size() as usize);
        let others = if rank == 0 { 1..ranks } else { 0..1 };
        let links = others.map(|to| Link { to, gone: false }).collect();
        Ok(Self { rank, ranks, links, _universe: universe })
    }
}

impl Link {
    fn send<T: Equivalence>(&self, values: &[T], tag: i32) {
        let world = SimpleCommunicator::world();
        for part in parts(values.len()) {
            world.process_at_rank(self.to as i32).send_with_tag(&values[part], tag);
        }
    }

    /// The next message, whatever it is.
    fn receive<T: Equivalence + Clone + Default>(&mut self, tag: i32) -> Result<Vec<T>, ExchangeError> {
        let (message, status) = SimpleCommunicator::world().process_at_rank(self.to as i32).matched_probe();
        let found = status.tag();
        let count = status.count(T::equivalent_datatype());
        // Not a whole number of these values: something else was sent.
        let Ok(count) = usize::try_from(count) else {
            let bytes = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(0);
            message.matched_receive_into(&mut vec![0_u8; bytes][..]);
            return Err(self.out_of_step());
        };
        let mut values = vec![T::default(); count];
        message.matched_receive_into(&mut values[..]);
        if found == GONE {
            self.gone = true;
            return Err(ExchangeError::Lost { rank: self.to });
        }
        if found == tag { Ok(values) } else { Err(self.out_of_step()) }
    }

    /// As many values as there must be, part by part.
    fn receive_into<T: Equivalence + Clone + Default>(
        &mut self,
        length: usize,
        tag: i32,
        mut take: impl FnMut(usize, Vec<T>),
    ) -> Result<(), ExchangeError> {
        if self.gone {
            return Err(ExchangeError::Lost { rank: self.to });
        }
        for part in parts(length) {
            let values = self.receive(tag)?;
            if values.len() != part.len() {
                return Err(self.out_of_step());
            }
            take(part.start, values);
        }
        Ok(())
    }

    fn out_of_step(&self) -> ExchangeError {
        ExchangeError::OutOfStep { difference: format!("rank {} sent something else, or of another length", self.to) }
    }
}

/// Ranges of values that are a message each; an empty list is one message, too.
fn parts(length: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let count = length.div_ceil(MOST_OF_A_MESSAGE).max(1);
    (0..count).map(move |part| part * MOST_OF_A_MESSAGE..((part + 1) * MOST_OF_A_MESSAGE).min(length))
}

impl Exchange for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn sum(&mut self, values: &mut [i64]) -> Result<(), ExchangeError> {
        for link in &mut self.links {
            if self.rank > 0 {
                link.send(values, SUM);
                continue;
            }
            link.receive_into(values.len(), SUM, |first, more: Vec<i64>| {
                values[first..].iter_mut().zip(more).for_each(|(total, next)| *total = total.wrapping_add(next));
            })?;
        }
        Ok(())
    }

    fn broadcast(&mut self, values: &mut [u32]) -> Result<(), ExchangeError> {
        for link in &mut self.links {
            if self.rank == 0 {
                link.send(values, BROADCAST);
                continue;
            }
            link.receive_into(values.len(), BROADCAST, |first, found: Vec<u32>| {
                values[first..first + found.len()].copy_from_slice(&found);
            })?;
        }
        Ok(())
    }
}

impl Drop for Mpi {
    /// Says farewell, and takes in what the others still send: MPI may only end when nothing is under way.
    fn drop(&mut self) {
        for link in &self.links {
            link.send::<u8>(&[], GONE);
        }
        for link in &mut self.links {
            while !link.gone {
                let world = SimpleCommunicator::world();
                let (message, status) = world.process_at_rank(link.to as i32).matched_probe();
                let bytes = usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(0);
                message.matched_receive_into(&mut vec![0_u8; bytes][..]);
                link.gone = status.tag() == GONE;
            }
        }
    }
}
