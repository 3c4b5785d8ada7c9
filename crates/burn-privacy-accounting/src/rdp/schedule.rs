//! Epsilon as a function of the number of steps, cheap enough for every progress bar.

use super::{Curve, RdpAccountant};
use crate::conversion::{TOTAL_VARIATION_ORDER, epsilon_at, total_variation_suffices};
use crate::error::{AccountingError, open_delta};
use crate::search::minimize;
use crate::{Accountant, Adjacency, DpEvent, MAX_COUNT, Result};

/// Distance of two orders of the grid in ln(order - 1).
const SPACING: f64 = 0.05;

/// Lowest order - 1.
const LOWEST: f64 = 1e-4;

/// Highest order that is tried, if the grid does not become too dear before.
const HIGHEST: f64 = 9e9;

/// Grid points that may be spent on making the schedule: some milliseconds.
const COST: f64 = 5e5;

/// Orders that are in the grid in any case.
const FEWEST: usize = 180;

/// Precision of the best order, in ln(order - 1).
const PRECISION: f64 = 1e-5;

/// Precomputed divergences of one step, to ask for the epsilon after any number of them in some microseconds.
///
/// # Formal guarantees
///
/// The answer is an upper bound, as [`RdpAccountant`]'s own, and larger than that by at most one part in 10 million,
/// except where the best order is beyond the grid (epsilon far below 0.1), where it is larger.
///
/// ```
/// use burn_privacy_accounting::{Adjacency, DpEvent, EpsilonSchedule};
///
/// let step = DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?;
/// let schedule = EpsilonSchedule::new(Adjacency::AddOrRemoveOne, &step)?;
/// assert_eq!(schedule.epsilon_after(0, 1e-5)?, 0.0);
/// assert!(schedule.epsilon_after(1_000, 1e-5)? < schedule.epsilon_after(2_000, 1e-5)?);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct EpsilonSchedule {
    /// What was composed before the first step.
    before: Curve,
    /// One step.
    step: Curve,
    grid: Vec<Point>,
    /// The two divergences at the order of the total variation bound.
    variation: Divergences,
}

/// Divergence before the first step, and of each step.
#[derive(Clone, Copy, Debug)]
struct Divergences {
    before: f64,
    step: f64,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    /// ln(order - 1).
    position: f64,
    divergences: Divergences,
    /// Epsilon minus divergence is `constant` - `slope` x ln delta, as in [`epsilon_at`].
    constant: f64,
    slope: f64,
}

impl Divergences {
    fn after(self, steps: f64) -> f64 {
        // Without steps, an infinite divergence of a step costs nothing.
        let spent = if steps == 0.0 { 0.0 } else { steps * self.step };
        (self.before + spent) * (1.0 + 2.0 * f64::EPSILON)
    }
}

impl EpsilonSchedule {
    /// Prepares the schedule of a run of equal steps, in some milliseconds.
    ///
    /// # Errors
    ///
    /// If the RDP accountant does not support the event under this adjacency.
    pub fn new(adjacency: Adjacency, step: &DpEvent) -> Result<Self> {
        Self::continuing(&RdpAccountant::new(adjacency), step)
    }

    /// Prepares the schedule of steps that come after all that `before` has composed already.
    ///
    /// # Errors
    ///
    /// If the RDP accountant does not support the event under the adjacency of `before`.
    pub fn continuing(before: &RdpAccountant, step: &DpEvent) -> Result<Self> {
        let mut one_step = RdpAccountant::new(before.adjacency());
        one_step.compose(step, 1)?;
        let (mut before, mut step) = (before.curve(), one_step.curve());
        let variation = divergences_at(&mut before, &mut step, TOTAL_VARIATION_ORDER);
        let mut grid = Vec::new();
        let mut cost = 0.0;
        for index in 0_u32.. {
            let position = LOWEST.ln() + SPACING * f64::from(index);
            let order = 1.0 + position.exp();
            if order > HIGHEST || (cost > COST && grid.len() > FEWEST) {
                break;
            }
            grid.push(Point {
                position,
                divergences: divergences_at(&mut before, &mut step, order),
                constant: epsilon_at(order, 0.0, 0.0),
                slope: (-position).exp(),
            });
            cost += before.cost(order) + step.cost(order);
        }
        Ok(Self { before, step, grid, variation })
    }

    /// The epsilon at `delta` after this many steps, in nats.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1, or `steps` above [`MAX_COUNT`].
    pub fn epsilon_after(&self, steps: u64, delta: f64) -> Result<f64> {
        let delta = open_delta(delta)?;
        if steps > MAX_COUNT {
            return Err(AccountingError::TooManySteps { max: MAX_COUNT });
        }
        let steps = steps as f64;
        if total_variation_suffices(self.variation.after(steps), delta) {
            return Ok(0.0);
        }
        let log_delta = delta.ln();
        // Epsilon falls and then rises in the order, so that the best order is next to the best of the grid.
        let (nearest, coarse) = self.best_of_grid(steps, log_delta);
        if coarse == f64::INFINITY {
            return Ok(f64::INFINITY);
        }
        let low = self.grid[nearest.saturating_sub(1)].position;
        let high = self.grid[(nearest + 1).min(self.grid.len() - 1)].position;
        let refined = minimize(
            |position| {
                let order = 1.0 + position.exp();
                let divergences = Divergences {
                    before: self.before.prepared_divergence(order),
                    step: self.step.prepared_divergence(order),
                };
                epsilon_at(order, divergences.after(steps), log_delta)
            },
            self.grid[nearest].position,
            (low, high),
            PRECISION,
        );
        Ok(refined.1.max(0.0))
    }

    /// A somewhat larger bound at the orders of the grid alone, in less than a microsecond.
    pub(crate) fn epsilon_at_grid(&self, steps: u64, delta: f64) -> f64 {
        let steps = steps as f64;
        if total_variation_suffices(self.variation.after(steps), delta) {
            return 0.0;
        }
        let log_delta = delta.ln();
        let (nearest, coarse) = self.best_of_grid(steps, log_delta);
        if coarse == f64::INFINITY {
            return coarse;
        }
        let point = &self.grid[nearest];
        epsilon_at(1.0 + point.position.exp(), point.divergences.after(steps), log_delta).max(0.0)
    }

    /// The grid's best point and about its epsilon; infinite if no point has a finite one.
    fn best_of_grid(&self, steps: f64, log_delta: f64) -> (usize, f64) {
        let mut best = (0, f64::INFINITY);
        for (index, point) in self.grid.iter().enumerate() {
            let epsilon = point.divergences.after(steps) + point.constant - point.slope * log_delta;
            if epsilon < best.1 {
                best = (index, epsilon);
            }
        }
        best
    }
}

fn divergences_at(before: &mut Curve, step: &mut Curve, order: f64) -> Divergences {
    Divergences { before: before.divergence(order), step: step.divergence(order) }
}
