//! The worse of both directions, a record more and a record less: brackets of each, as far as they are needed.

use super::base::Direction;
use super::bracket::{LEAST_DELTA, OneWay};
use super::goal::{Goal, Sides};
use super::step::{Drawn, Step};

/// Accuracy of a first look.
const COARSE: f64 = 0.01;

/// How often a delta is looked at again when it turns out to be smaller than the tails were cut for.
const MOST_LOOKS: usize = 3;

/// Steps with their counts.
#[derive(Clone, Debug)]
pub(super) struct Composition {
    steps: Vec<(Step, u64)>,
    accuracy: f64,
    sides: Sides,
}

impl Composition {
    pub(super) fn new(steps: Vec<(Step, u64)>, accuracy: f64, sides: Sides) -> Self {
        Self { steps, accuracy, sides }
    }

    pub(super) fn bounds(&self, goal: Goal) -> (f64, f64) {
        let (lower, upper) = self.directed(Direction::Remove, goal);
        if self.steps.iter().all(|(step, _)| step.is_symmetric()) {
            // All pairs are symmetric.
            return (lower, upper);
        }
        // At epsilon 0 delta is the total variation, the same from both directions where these are one pair, seen from either side.
        let one_pair = |step: &Step| matches!(step.drawn, Drawn::Poisson | Drawn::Groups { .. } | Drawn::FixedSize);
        if matches!(goal, Goal::DeltaAt(0.0)) && self.steps.iter().all(|(step, _)| one_pair(step)) {
            return (lower, upper);
        }
        let other = self.one_way(Direction::Add, goal, None);
        if other.is_surely_below(goal, upper) {
            return (lower, upper);
        }
        // A coarse grid may show the same.
        let least = if self.sides == Sides::Upper { upper } else { lower };
        let coarse = if self.accuracy < COARSE { other.bounds(goal, COARSE, Sides::Upper).1 } else { f64::INFINITY };
        if coarse <= least {
            return (lower, upper);
        }
        let (other_lower, other_upper) = self.directed(Direction::Add, goal);
        (lower.max(other_lower), upper.max(other_upper.min(coarse)))
    }

    /// In one direction. How much of the tails matters isn't known beforehand for a delta, so that a wide bracket is asked
    /// for again with what the first one said.
    fn directed(&self, direction: Direction, goal: Goal) -> (f64, f64) {
        let first = self.one_way(direction, goal, None);
        let mut known = first.log_delta;
        let (mut lower, mut upper) = first.bounds(goal, self.accuracy, self.sides);
        for _ in 0..MOST_LOOKS {
            let now = (0.1 * upper).max(lower).max(LEAST_DELTA).ln();
            let narrow = upper <= lower * (1.0 + 4.0 * self.accuracy);
            if matches!(goal, Goal::EpsilonAt(_)) || narrow || upper >= 1.0 || now > known - 1.0 {
                break;
            }
            let again = self.one_way(direction, goal, Some(now)).bounds(goal, self.accuracy, self.sides);
            (lower, upper, known) = (lower.max(again.0), upper.min(again.1), now);
        }
        (lower, upper)
    }

    fn one_way(&self, direction: Direction, goal: Goal, known: Option<f64>) -> OneWay {
        OneWay::new(&self.steps, direction, self.accuracy, goal, known)
    }
}
