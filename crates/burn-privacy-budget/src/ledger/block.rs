//! How many steps to reserve at a time.

use std::time::Duration;

/// The largest block, whatever the speed: a crash charges at most this many steps too many.
const LARGEST: u64 = 1 << 20;

/// Sizes reservations so that each lasts about a target time, one second unless told otherwise.
///
/// A reservation costs a synchronized write (milliseconds), a crash costs the steps reserved and not made. Blocks start
/// at one step and at most double, so that a slow first step (compilation, autotuning) or a fast one misleads little.
///
/// ```
/// use std::time::Duration;
///
/// use burn_privacy_budget::ledger::BlockReservation;
///
/// let mut blocks = BlockReservation::new(Duration::from_secs(1));
/// assert_eq!(blocks.next_block(100), 1);
/// blocks.observe(1, Duration::from_millis(10));
/// assert_eq!(blocks.next_block(100), 2);
/// ```
#[derive(Debug, Clone)]
pub struct BlockReservation {
    target: Duration,
    /// Seconds a step, from the last block.
    step_seconds: Option<f64>,
    last: u64,
}

impl BlockReservation {
    /// Blocks of about `target`. A target of zero reserves every step by itself.
    pub const fn new(target: Duration) -> Self {
        Self { target, step_seconds: None, last: 0 }
    }

    /// Tells how long the last `steps` took together.
    pub fn observe(&mut self, steps: u64, elapsed: Duration) {
        if steps > 0 {
            self.step_seconds = Some(elapsed.as_secs_f64() / steps as f64);
        }
    }

    /// The steps to reserve next, from 1 to `remaining`; 0 if nothing remains.
    pub fn next_block(&mut self, remaining: u64) -> u64 {
        let wanted = match self.step_seconds {
            None => 1,
            // The cast saturates, also for a time of zero.
            Some(seconds) if !self.target.is_zero() => (self.target.as_secs_f64() / seconds) as u64,
            Some(_) => 1,
        };
        let block = wanted.min(2 * self.last).clamp(1, LARGEST);
        self.last = block;
        block.min(remaining)
    }
}

impl Default for BlockReservation {
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_grow_to_one_second_and_no_further() {
        let mut blocks = BlockReservation::default();
        let mut sizes = Vec::new();
        for _ in 0..10 {
            let size = blocks.next_block(u64::MAX);
            sizes.push(size);
            blocks.observe(size, Duration::from_millis(10) * size as u32);
        }
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 100, 100, 100]);
    }

    #[test]
    fn slow_steps_are_reserved_one_by_one() {
        let mut blocks = BlockReservation::default();
        for _ in 0..5 {
            assert_eq!(blocks.next_block(100), 1);
            blocks.observe(1, Duration::from_secs(3));
        }
        blocks.observe(1, Duration::ZERO);
        assert_eq!(blocks.next_block(100), 2);
        blocks.observe(2, Duration::from_secs(100));
        assert_eq!(blocks.next_block(100), 1);
    }

    #[test]
    fn blocks_stay_within_what_remains_and_a_bound() {
        let mut blocks = BlockReservation::default();
        for _ in 0..100 {
            assert!(blocks.next_block(u64::MAX) <= LARGEST);
            blocks.observe(1, Duration::ZERO);
        }
        assert_eq!(blocks.next_block(3), 3);
        assert_eq!(blocks.next_block(0), 0);
        let mut single = BlockReservation::new(Duration::ZERO);
        for _ in 0..5 {
            assert_eq!(single.next_block(100), 1);
            single.observe(1, Duration::ZERO);
        }
    }
}
