//! Epsilon after any number of steps of a planned run: tight, and cheap enough for progress bars.

use std::sync::OnceLock;

use crate::error::open_delta;
use crate::{Accountant, Adjacency, DpEvent, EpsilonSchedule, PldAccountant, Result};

/// A run is divided into at most this many stretches.
const STRETCHES: u64 = 64;

/// Epsilon at one delta after any number of steps of a run whose length is planned.
///
/// Fewer steps reveal no more than more of them. So after a number of steps, both the Renyi bound for exactly that many
/// and the bound by privacy loss distributions for the end of the stretch that they lie in hold, and the smaller one is the
/// answer; at the end of each stretch, and so at the end of the run, it is tight. The first question about a stretch takes
/// some milliseconds, all others some microseconds.
///
/// # Formal guarantees
///
/// The answers are upper bounds and do not fall from one step to the next.
///
/// ```
/// use burn_privacy_accounting::{Adjacency, DpEvent, PlannedSchedule};
///
/// let step = DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?;
/// let schedule = PlannedSchedule::new(Adjacency::AddOrRemoveOne, &step, 2_000, 1e-5)?;
/// assert_eq!(schedule.epsilon_after(0)?, 0.0);
/// assert!(schedule.epsilon_after(1_000)? < schedule.epsilon_after(2_000)?);
/// assert!((schedule.epsilon_after(2_000)? - 1.0077).abs() < 1e-4);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlannedSchedule {
    renyi: EpsilonSchedule,
    /// One step's accountant; none if it does not support the event.
    step: Option<DpEvent>,
    adjacency: Adjacency,
    planned: u64,
    delta: f64,
    /// By privacy loss distributions, at the end of each stretch.
    stretches: Vec<OnceLock<f64>>,
}

impl PlannedSchedule {
    /// Prepares the schedule of `planned` equal steps, in some milliseconds.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1, or the RDP accountant does not support the event under this adjacency.
    pub fn new(adjacency: Adjacency, step: &DpEvent, planned: u64, delta: f64) -> Result<Self> {
        let supported = PldAccountant::new(adjacency).compose(step, 0).is_ok();
        Ok(Self {
            renyi: EpsilonSchedule::new(adjacency, step)?,
            step: supported.then(|| step.clone()),
            adjacency,
            planned,
            delta: open_delta(delta)?,
            stretches: (0..planned.min(STRETCHES)).map(|_| OnceLock::new()).collect(),
        })
    }

    /// The delta of all answers.
    #[must_use]
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The steps at which the answers are tight, increasing: what to draw a curve through.
    pub fn tight_steps(&self) -> impl Iterator<Item = u64> {
        (0..self.stretches.len()).map(|index| self.end(index))
    }

    fn end(&self, index: usize) -> u64 {
        ((index as u128 + 1) * u128::from(self.planned) / self.stretches.len() as u128) as u64
    }

    /// The epsilon after this many steps, in nats. Beyond the planned number it is the Renyi bound.
    ///
    /// # Errors
    ///
    /// If `steps` is above [`MAX_COUNT`](crate::MAX_COUNT).
    pub fn epsilon_after(&self, steps: u64) -> Result<f64> {
        let Some(step) = self.step.as_ref().filter(|_| (1..=self.planned).contains(&steps)) else {
            return self.renyi.epsilon_after(steps, self.delta);
        };
        let stretches = self.stretches.len() as u128;
        // The first stretch that ends at or after these steps.
        let index = ((u128::from(steps) * stretches).div_ceil(u128::from(self.planned)) - 1) as usize;
        let tight = self.stretches[index].get_or_init(|| {
            let mut accountant = PldAccountant::new(self.adjacency);
            let epsilon = accountant.compose(step, self.end(index)).and_then(|()| accountant.epsilon(self.delta));
            epsilon.unwrap_or(f64::INFINITY)
        });
        Ok(tight.min(self.renyi.epsilon_at_grid(steps, self.delta)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(planned: u64) -> (PlannedSchedule, DpEvent) {
        let step = DpEvent::poisson_sampled(0.01, DpEvent::gaussian(1.0).unwrap()).unwrap();
        (PlannedSchedule::new(Adjacency::AddOrRemoveOne, &step, planned, 1e-5).unwrap(), step)
    }

    #[test]
    fn answers_are_bounds_that_do_not_fall() {
        for planned in [1, 3, 64, 65, 1_000] {
            let (schedule, step) = schedule(planned);
            let mut before = 0.0;
            for steps in (0..=planned).filter(|steps| planned < 100 || steps % 37 == 0 || *steps == planned) {
                let found = schedule.epsilon_after(steps).unwrap();
                let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
                accountant.compose(&step, steps).unwrap();
                let (lower, upper) = accountant.epsilon_bounds(1e-5).unwrap();
                assert!(found >= lower && found >= before, "{steps} of {planned}: {found} {lower} {before}");
                assert!(steps < planned || found <= upper, "{steps} of {planned}: {found} {upper}");
                before = found;
            }
            let ends: Vec<u64> = schedule.tight_steps().collect();
            assert!(ends.is_sorted() && ends.last() == Some(&planned) && ends.len() as u64 == planned.min(STRETCHES));
        }
    }

    #[test]
    fn beyond_the_plan_it_is_the_renyi_bound() {
        let (schedule, step) = schedule(10);
        let renyi = EpsilonSchedule::new(Adjacency::AddOrRemoveOne, &step).unwrap();
        assert_eq!(schedule.epsilon_after(11).unwrap(), renyi.epsilon_after(11, 1e-5).unwrap());
        assert!(schedule.epsilon_after(u64::MAX).is_err());
    }
}
