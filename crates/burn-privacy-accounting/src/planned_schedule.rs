//! Epsilon after any number of steps of a planned run: tight, and cheap enough for progress bars.

use std::sync::OnceLock;

use crate::error::{invalid, open_delta};
use crate::sample_noise::checked_count;
use crate::{Accountant, Adjacency, DpEvent, EpsilonSchedule, PldAccountant, RdpAccountant, Result};

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
    parts: Vec<Part>,
    /// The accountant by privacy loss distributions supports all events.
    supported: bool,
    adjacency: Adjacency,
    planned: u64,
    delta: f64,
    /// By privacy loss distributions, at the end of each stretch.
    stretches: Vec<OnceLock<f64>>,
}

/// Equal steps, one after another.
#[derive(Clone, Debug)]
struct Part {
    step: DpEvent,
    /// Steps of all parts before.
    first: u64,
    steps: u64,
    /// None if the RDP accountant does not support one of the events up to here.
    renyi: Option<EpsilonSchedule>,
}

impl PlannedSchedule {
    /// Prepares the schedule of `planned` equal steps, in some milliseconds.
    ///
    /// # Errors
    ///
    /// As [`Self::of_parts`].
    pub fn new(adjacency: Adjacency, step: &DpEvent, planned: u64, delta: f64) -> Result<Self> {
        Self::of_parts(adjacency, &[(step.clone(), planned)], delta)
    }

    /// Prepares the schedule of a run whose steps change, as was fixed beforehand: parts of so many equal steps, one part after
    /// another. Some milliseconds a part.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1, there is no part, there are too many steps, or neither accountant supports all
    /// of the events under this adjacency.
    pub fn of_parts(adjacency: Adjacency, parts: &[(DpEvent, u64)], delta: f64) -> Result<Self> {
        let delta = open_delta(delta)?;
        if parts.is_empty() {
            return Err(invalid("parts", "none", "at least one part of a run"));
        }
        let mut tight = PldAccountant::new(adjacency);
        let supported = parts.iter().all(|(step, _)| tight.compose(step, 0).is_ok());
        let mut before = Some(RdpAccountant::new(adjacency));
        let mut first = 0_u64;
        let mut found = Vec::with_capacity(parts.len());
        for (step, steps) in parts {
            let renyi = match &before {
                Some(before) => match EpsilonSchedule::continuing(before, step) {
                    Ok(schedule) => Some(schedule),
                    Err(error) if !supported => return Err(error),
                    Err(_) => None,
                },
                None => None,
            };
            before = before.filter(|_| renyi.is_some());
            if let Some(before) = &mut before {
                before.compose(step, *steps)?;
            }
            found.push(Part { step: step.clone(), first, steps: *steps, renyi });
            first = checked_count(first.checked_add(*steps))?;
        }
        let stretches = (0..first.min(STRETCHES)).map(|_| OnceLock::new()).collect();
        Ok(Self { parts: found, supported, adjacency, planned: first, delta, stretches })
    }

    /// The delta of all answers.
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

    /// The epsilon after this many steps, in nats. Beyond the planned number, where steps are counted like the last one, it is the
    /// Renyi bound if there is one.
    ///
    /// # Errors
    ///
    /// If `steps` is above [`MAX_COUNT`](crate::MAX_COUNT).
    pub fn epsilon_after(&self, steps: u64) -> Result<f64> {
        checked_count(Some(steps))?;
        if steps == 0 {
            return Ok(0.0);
        }
        let part = &self.parts[self.parts.partition_point(|part| part.first < steps) - 1];
        let within = steps - part.first;
        if steps > self.planned || !self.supported {
            return match &part.renyi {
                Some(renyi) => renyi.epsilon_after(within, self.delta),
                None => self.tight_after(steps),
            };
        }
        let stretches = self.stretches.len() as u128;
        // The first stretch that ends at or after these steps.
        let index = ((u128::from(steps) * stretches).div_ceil(u128::from(self.planned)) - 1) as usize;
        let tight = *self.stretches[index].get_or_init(|| self.tight_after(self.end(index)).unwrap_or(f64::INFINITY));
        Ok(part.renyi.as_ref().map_or(tight, |renyi| tight.min(renyi.epsilon_at_grid(within, self.delta))))
    }

    /// By privacy loss distributions.
    fn tight_after(&self, steps: u64) -> Result<f64> {
        let mut accountant = PldAccountant::new(self.adjacency);
        for (index, part) in self.parts.iter().enumerate() {
            let left = steps.saturating_sub(part.first);
            accountant.compose(&part.step, if index + 1 < self.parts.len() { left.min(part.steps) } else { left })?;
        }
        accountant.epsilon(self.delta)
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
    fn parts_are_bounds_that_do_not_fall_and_end_tight() {
        let sampled = |rate, noise| DpEvent::poisson_sampled(rate, DpEvent::gaussian(noise).unwrap()).unwrap();
        let grouped = DpEvent::group_poisson_sampled(0.01, 3, DpEvent::gaussian(3.0).unwrap()).unwrap();
        let parts = [(sampled(0.01, 1.5), 40), (sampled(0.02, 0.9), 3), (sampled(0.01, 2.0), 157), (grouped, 20)];
        for count in 1..=parts.len() {
            let parts = &parts[..count];
            let planned = parts.iter().map(|(_, steps)| steps).sum();
            let schedule = PlannedSchedule::of_parts(Adjacency::AddOrRemoveOne, parts, 1e-5).unwrap();
            let mut before = 0.0;
            for steps in (0..=planned).filter(|steps| steps % 7 == 0 || (38..46).contains(steps) || *steps == planned) {
                let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
                let mut left = steps;
                for (event, most) in parts {
                    accountant.compose(event, left.min(*most)).unwrap();
                    left = left.saturating_sub(*most);
                }
                let (lower, upper) = accountant.epsilon_bounds(1e-5).unwrap();
                let found = schedule.epsilon_after(steps).unwrap();
                assert!(found >= lower && found >= before, "{steps} of {planned}: {found} {lower} {before}");
                assert!(steps < planned || found <= upper, "{steps} of {planned}: {found} {upper}");
                before = found;
            }
            assert!(schedule.epsilon_after(planned + 50).unwrap() > before);
        }
        assert!(PlannedSchedule::of_parts(Adjacency::AddOrRemoveOne, &[], 1e-5).is_err());
    }

    #[test]
    fn beyond_the_plan_it_is_the_renyi_bound() {
        let (schedule, step) = schedule(10);
        let renyi = EpsilonSchedule::new(Adjacency::AddOrRemoveOne, &step).unwrap();
        assert_eq!(schedule.epsilon_after(11).unwrap(), renyi.epsilon_after(11, 1e-5).unwrap());
        assert!(schedule.epsilon_after(u64::MAX).is_err());
    }
}
