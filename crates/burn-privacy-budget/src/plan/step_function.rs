//! What changes during a run, as was fixed beforehand: a factor for each step, constant over stretches of steps.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Result, refuse};

/// A factor for each step of a plan, constant over stretches of steps.
///
/// It is part of the plan, so that nothing of it can depend on the data.
///
/// ```
/// use burn_privacy_budget::plan::StepFunction;
///
/// let halved = StepFunction::of([(0, 1.0), (600, 0.5)]);
/// assert_eq!((halved.at(599), halved.at(600)), (1.0, 0.5));
/// // From 2 down to 1 in four stretches of a thousand steps.
/// let falling = StepFunction::linear(2.0, 1.0, 4, 1_000);
/// assert_eq!((falling.at(0), falling.at(999)), (2.0, 1.0));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepFunction {
    /// First step and factor of each stretch.
    stretches: Vec<(u64, f64)>,
}

/// The ledger has a run for each stretch of the noise.
const MOST_STRETCHES: usize = 64;

impl Default for StepFunction {
    fn default() -> Self {
        Self::constant()
    }
}

impl StepFunction {
    /// 1 in every step.
    pub fn constant() -> Self {
        Self { stretches: vec![(0, 1.0)] }
    }

    /// Stretches by their first step, from 0 on, and their factor.
    pub fn of(stretches: impl IntoIterator<Item = (u64, f64)>) -> Self {
        Self { stretches: stretches.into_iter().collect() }
    }

    /// So many stretches of about equal length over `steps`, with factors that go from one to the other in equal differences. Zero
    /// stretches count as one, which has the first factor.
    pub fn linear(from: f64, to: f64, stretches: usize, steps: u64) -> Self {
        let count = stretches.clamp(1, steps.clamp(1, 1 << 20) as usize);
        let stretch = |index: usize| {
            let first = (index as u128 * u128::from(steps) / count as u128) as u64;
            // A number from 0 to 1: at one stretch, 0.
            let part = index as f64 / (count.max(2) - 1) as f64;
            (first, from + part * (to - from))
        };
        Self { stretches: (0..count).map(stretch).collect() }
    }

    /// The factor in a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        // A checked one begins with step 0.
        let after = self.stretches.partition_point(|(first, _)| *first <= step);
        self.stretches.get(after.saturating_sub(1)).map_or(1.0, |(_, factor)| *factor)
    }

    /// Whether it is 1 in every step.
    pub fn is_constant(&self) -> bool {
        self.stretches.iter().all(|(_, factor)| *factor == 1.0)
    }

    /// First step, number of steps and factor of each stretch of a run, where neighbors with one factor are one stretch.
    pub fn stretches(&self, steps: u64) -> Vec<(u64, u64, f64)> {
        let mut found: Vec<(u64, u64, f64)> = Vec::new();
        for (index, (first, factor)) in self.stretches.iter().enumerate() {
            let end = self.stretches.get(index + 1).map_or(steps, |(next, _)| *next).min(steps);
            let length = end.saturating_sub(*first);
            match found.last_mut() {
                Some((_, steps, known)) if *known == *factor => *steps += length,
                _ => found.push((*first, length, *factor)),
            }
        }
        found
    }

    /// The smallest and the largest factor.
    pub(super) fn range(&self) -> (f64, f64) {
        let factors = self.stretches.iter().map(|(_, factor)| *factor);
        factors.fold((f64::INFINITY, 0.0), |(least, most), factor| (least.min(factor), most.max(factor)))
    }

    pub(super) fn check(&self, field: &'static str, steps: u64) -> Result<()> {
        if self.stretches.is_empty() || self.stretches.len() > MOST_STRETCHES {
            return Err(refuse(field, format!("{} stretches", self.stretches.len()), "from 1 to 64 stretches"));
        }
        if self.stretches[0].0 != 0 || self.stretches.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(refuse(field, self, "stretches in order, the first of which begins with step 0"));
        }
        if let Some((first, _)) = self.stretches.last().filter(|(first, _)| *first >= steps) {
            return Err(refuse(
                field,
                format!("a stretch from step {first} on"),
                format!("steps below {steps}, the plan's"),
            ));
        }
        for (first, factor) in &self.stretches {
            if !(1e-6..=1e6).contains(factor) {
                return Err(refuse(field, format!("{factor} from step {first} on"), "factors from 1e-6 to 1e6"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for StepFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, factor)) in self.stretches.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}x {factor} from step {first}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_every_step_once() {
        for function in [
            StepFunction::constant(),
            StepFunction::of([(0, 2.0), (3, 2.0), (7, 1.5)]),
            StepFunction::linear(1.0, 0.25, 5, 17),
            StepFunction::linear(1.0, 0.25, 60, 17),
        ] {
            function.check("schedule", 17).unwrap();
            let stretches = function.stretches(17);
            let mut next = 0;
            for (first, steps, factor) in stretches {
                assert!(first == next && steps > 0, "{function}");
                assert!((first..first + steps).all(|step| function.at(step) == factor), "{function}");
                next = first + steps;
            }
            assert_eq!(next, 17, "{function}");
        }
        assert_eq!(StepFunction::of([(0, 2.0), (3, 2.0)]).stretches(9), [(0, 9, 2.0)]);
    }

    #[test]
    fn what_is_no_schedule_of_the_run_is_refused() {
        let refused = |stretches: &[(u64, f64)], words: &str| {
            let message = StepFunction::of(stretches.to_vec()).check("schedule", 10).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        };
        refused(&[], "from 1 to 64");
        refused(&[(1, 1.0)], "step 0");
        refused(&[(0, 1.0), (4, 2.0), (4, 3.0)], "in order");
        refused(&[(0, 1.0), (10, 2.0)], "below 10");
        refused(&[(0, 0.0)], "factors");
        refused(&[(0, f64::NAN)], "factors");
    }
}
