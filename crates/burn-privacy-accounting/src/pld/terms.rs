//! Which dominating pair belongs to which mechanism: an event becomes a list of steps with counts, or is refused.

use std::collections::BTreeMap;

use super::base::Base;
use super::step::{Drawn, Key, Step};
use super::truncation::Truncation;
use crate::event_fold::{EventSink, Sampling, Visit, fold};
use crate::sample_noise::{Precision, SampleNoise, checked_count};
use crate::shared_theorems::refuse_replace_one;
use crate::{Adjacency, DpEvent, Result, RunCount};

/// Name under which the results are reported.
pub(crate) const NAME: &str = "PLD";

/// Discrete Laplace noise of a larger sensitivity is counted by its pure epsilon.
const MOST_SENSITIVITY: u64 = 20_000;

/// Discrete Gaussian noise wider than this is refused: it has too many outcomes.
const WIDEST_DISCRETE_GAUSSIAN: f64 = 3_000.0;

/// More records of one unit are refused: a step's loss is a sum over them.
const MOST_OF_A_UNIT: u64 = 256;

/// Steps with counts. Gaussian steps without sampling are one with their precisions (1/noise^2) added.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    counted: BTreeMap<Key, (Step, u64)>,
    gaussians: BTreeMap<u64, (f64, u64)>,
    /// Something without any guarantee was released.
    pub(crate) non_private: bool,
    /// A step was replaced by a pair that is more revealing than its own: there is no lower bound.
    only_upper: bool,
}

impl Terms {
    /// Flattens an event that is run `count` times.
    pub(crate) fn of(event: &DpEvent, count: u64, adjacency: Adjacency) -> Result<Self> {
        let mut terms = Self::default();
        fold(&mut terms, Visit { event, count, adjacency })?;
        Ok(terms)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counted.is_empty() && self.gaussians.is_empty() && !self.non_private
    }

    /// True if the bounds from below hold. The pair of bounded range is a supremum over pairs, each of which attains it at
    /// one threshold only, so that it is attained alone but not in compositions.
    pub(crate) fn has_lower(&self) -> bool {
        let steps = self.counted.values().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        let alone = steps <= 1 && self.gaussians.is_empty();
        let bounded_range = self.counted.values().any(|(step, _)| matches!(step.base, Base::BoundedRange { .. }));
        !self.only_upper && (alone || !bounded_range)
    }

    /// The steps other than unsampled Gaussians.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (Step, u64)> {
        self.counted.values().copied()
    }

    /// Noise multiplier of all unsampled Gaussian steps as one, rounded down: 1/s^2 is the sum of 1/s_i^2.
    pub(crate) fn gaussian_noise(&self) -> Option<f64> {
        if self.gaussians.is_empty() {
            return None;
        }
        if let (1, Some(&(noise, 1))) = (self.gaussians.len(), self.gaussians.values().next()) {
            return Some(noise);
        }
        let mut precision = Precision::default();
        for (noise, count) in self.gaussians.values() {
            precision.add(*noise, *count as f64);
        }
        Some(precision.noise_multiplier())
    }

    /// Adds all of `other`; unchanged if that exceeds what can be counted.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        let mut merged = self.clone();
        for (step, count) in other.steps() {
            merged.add(step, count)?;
        }
        for (noise, count) in other.gaussians.values() {
            merged.add_gaussian(*noise, *count)?;
        }
        merged.non_private |= other.non_private;
        merged.only_upper |= other.only_upper;
        *self = merged;
        Ok(())
    }

    fn add(&mut self, step: Step, count: u64) -> Result<()> {
        if count > 0 {
            let entry = self.counted.entry(step.key()).or_insert((step, 0));
            entry.1 = checked_count(entry.1.checked_add(count))?;
        }
        Ok(())
    }

    fn add_base(&mut self, base: Base, count: u64) -> Result<()> {
        self.add(Step::unsampled(base), count)
    }

    fn add_gaussian(&mut self, noise: f64, count: u64) -> Result<()> {
        if !(1.0 / noise / noise).is_finite() {
            return self.non_private(count);
        }
        if count > 0 {
            let entry = self.gaussians.entry(noise.to_bits()).or_insert((noise, 0));
            entry.1 = checked_count(entry.1.checked_add(count))?;
        }
        Ok(())
    }

    fn add_sampled_gaussian(&mut self, rate: f64, noise: f64, drawn: Drawn, count: u64) -> Result<()> {
        if noise < 1e-4 {
            // As without sampling, which is an upper bound; so little noise protects nobody.
            self.only_upper = true;
            let displacing = matches!(drawn, Drawn::Truncated(_));
            return self.add_gaussian(if displacing { 0.5 * noise } else { noise }, count);
        }
        self.add(Step { base: Base::Gaussian { noise }, rate, drawn }, count)
    }
}

impl EventSink for Terms {
    const NAME: &'static str = NAME;

    fn non_private(&mut self, count: u64) -> Result<()> {
        self.non_private |= count > 0;
        Ok(())
    }

    fn gaussian(&mut self, noise: f64, count: u64) -> Result<()> {
        self.add_gaussian(noise, count)
    }

    fn laplace(&mut self, inverse_scale: f64, count: u64) -> Result<()> {
        self.add_base(Base::Laplace { inverse_scale }, count)
    }

    fn discrete_gaussian(&mut self, at: Visit<'_>, sigma: f64, sensitivity: f64) -> Result<()> {
        if sensitivity < 1.0 {
            // No two integer vectors are that near to each other.
            return Ok(());
        }
        if sensitivity * sensitivity >= 2.0 || sigma > WIDEST_DISCRETE_GAUSSIAN {
            return Err(at.refused(
                NAME,
                "only a sensitivity below the square root of 2, where one coordinate changes by one, and a sigma up to 3000 \
                 have a known worst pair; use the RDP accountant",
            ));
        }
        if sigma < 0.02 {
            self.only_upper = true;
            return self.non_private(at.count);
        }
        self.add_base(Base::DiscreteGaussian { sigma }, at.count)
    }

    fn discrete_laplace(&mut self, inverse_scale: f64, sensitivity: u64, count: u64) -> Result<()> {
        if sensitivity > MOST_SENSITIVITY {
            self.only_upper = true;
            let epsilon = inverse_scale * sensitivity as f64;
            return self.add_base(Base::EpsilonDelta { epsilon, delta: 0.0 }, count);
        }
        self.add_base(Base::DiscreteLaplace { inverse_scale, sensitivity }, count)
    }

    fn randomized_response(&mut self, at: Visit<'_>, (truth, loss): (f64, f64), categories: u64) -> Result<()> {
        self.add_base(Base::RandomizedResponse { truth, loss, categories }, at.count)
    }

    fn exponential_mechanism(&mut self, epsilon: f64, count: u64) -> Result<()> {
        if epsilon == 0.0 { Ok(()) } else { self.add_base(Base::BoundedRange { epsilon }, count) }
    }

    fn zcdp(&mut self, at: Visit<'_>, _: f64, _: f64) -> Result<()> {
        Err(at.refused(NAME, "zCDP bounds Renyi divergences, which no single pair attains; use the RDP accountant"))
    }

    fn epsilon_delta(&mut self, at: Visit<'_>, epsilon: f64, delta: f64) -> Result<()> {
        if epsilon == 0.0 && delta == 0.0 {
            return Ok(());
        }
        if delta == 1.0 {
            return self.non_private(at.count);
        }
        self.add_base(Base::EpsilonDelta { epsilon, delta }, at.count)
    }

    fn sampled(&mut self, at: Visit<'_>, inner: &DpEvent, sampling: Sampling, rate: f64) -> Result<()> {
        let drawn = match sampling {
            Sampling::Poisson => Drawn::Poisson,
            Sampling::FixedSize => Drawn::FixedSize,
        };
        let mut sample = SampleNoise::default();
        if sample.add(inner).is_ok() {
            return match sample.noise_multiplier() {
                None => Ok(()),
                Some(noise) => self.add_sampled_gaussian(rate, noise, drawn, at.count),
            };
        }
        // Anything else with one symmetric pair.
        let one = Self::of(inner, 1, at.adjacency)?;
        if one.is_empty() {
            return Ok(());
        }
        match (one.counted.len(), one.steps().next()) {
            (1, Some((step, 1))) if step.rate == 1.0 && one.gaussians.is_empty() && !one.non_private => {
                self.only_upper |= one.only_upper && at.count > 0;
                self.add(Step { base: step.base, rate, drawn }, at.count)
            }
            _ => Err(at.refused(
                NAME,
                "inside of it only Gaussian events (also composed), or one other event, are supported; compose the inner \
                 events without the sampling, which is an upper bound",
            )),
        }
    }

    fn sampled_gaussian(&mut self, rate: f64, noise: f64, count: u64) -> Result<()> {
        self.add_sampled_gaussian(rate, noise, Drawn::Poisson, count)
    }

    fn truncated(&mut self, at: Visit<'_>, inner: &DpEvent, (records, rate, size): (u64, f64, u64)) -> Result<()> {
        if rate == 0.0 {
            return Ok(());
        }
        refuse_replace_one(NAME, at.event.kind(), at.adjacency)?;
        let mut sample = SampleNoise::default();
        if sample.add(inner).is_err() {
            return Err(at.refused(NAME, "inside of it only Gaussian events (also composed) are supported"));
        }
        let Some(noise) = sample.noise_multiplier() else { return Ok(()) };
        if size > records {
            return self.add_sampled_gaussian(rate, noise, Drawn::Poisson, at.count);
        }
        let exchange = at.adjacency == Adjacency::ZeroOut;
        let others = if exchange { records - 1 } else { records };
        let cut = Truncation::new(others, rate, size, exchange);
        self.only_upper |= at.count > 0;
        self.add_sampled_gaussian(rate, noise, Drawn::Truncated(cut), at.count)
    }

    fn grouped(&mut self, at: Visit<'_>, inner: &DpEvent, (rate, size): (f64, u64)) -> Result<()> {
        let mut sample = SampleNoise::default();
        if sample.add(inner).is_err() {
            return Err(at.refused(NAME, "inside of it only Gaussian events (also composed) are supported"));
        }
        let Some(noise) = sample.noise_multiplier() else { return Ok(()) };
        // All of a unit's records in every sample: one vector, up to so many times as long.
        let of_all = noise / size as f64 * (1.0 - 2.0 * f64::EPSILON);
        if rate == 1.0 {
            return self.add_gaussian(of_all, at.count);
        }
        if of_all < 1e-4 {
            self.only_upper |= at.count > 0;
            return self.add_gaussian(of_all, at.count);
        }
        if size > MOST_OF_A_UNIT {
            return Err(at.refused(
                NAME,
                "at most 256 records of one unit are supported; use fewer of each user's records, or draw users in the place of \
                 records",
            ));
        }
        self.add(Step { base: Base::Gaussian { noise }, rate, drawn: Drawn::Groups { size } }, at.count)
    }

    fn selection(&mut self, at: Visit<'_>, _: RunCount, _: &DpEvent) -> Result<()> {
        Err(at.refused(NAME, "its theorem is about Renyi divergences; use the RDP accountant"))
    }
}
