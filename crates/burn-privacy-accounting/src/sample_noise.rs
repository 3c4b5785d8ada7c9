//! What Gaussian releases about one sample amount to.

use crate::{AccountingError, DpEvent, EventKind, MAX_COUNT, Result};

/// The Gaussian noise on one sample: several Gaussian releases about one sample are one with their precisions added,
/// since independent Gaussian noises of standard deviations s_i on the same direction have the sufficient statistic
/// of one with 1/s^2 = sum 1/s_i^2.
#[derive(Default)]
pub(crate) struct SampleNoise {
    releases: u64,
    single: f64,
    precision: f64,
}

impl SampleNoise {
    /// Adds an event; the name of what isn't Gaussian, if there is such.
    pub(crate) fn add(&mut self, event: &DpEvent, count: u64) -> Result<(), &'static str> {
        if count == 0 {
            return Ok(());
        }
        match event.kind() {
            EventKind::NoOp => Ok(()),
            EventKind::Gaussian { noise_multiplier } => {
                self.releases = self.releases.saturating_add(count);
                self.single = *noise_multiplier;
                let inverse = 1.0 / noise_multiplier;
                self.precision += count as f64 * inverse * inverse;
                Ok(())
            }
            EventKind::NonPrivate => {
                self.releases = self.releases.saturating_add(2);
                self.precision = f64::INFINITY;
                Ok(())
            }
            EventKind::Composed { events } => events.iter().try_for_each(|inner| self.add(inner, count)),
            EventKind::SelfComposed { event: inner, count: times } => self.add(inner, count.saturating_mul(*times)),
            _ => Err(event.name()),
        }
    }

    /// The noise multiplier of all together, rounded down; none if nothing was released.
    pub(crate) fn noise_multiplier(&self) -> Option<f64> {
        match self.releases {
            0 => None,
            1 => Some(self.single),
            _ => Some(self.precision.max(f64::MIN_POSITIVE).sqrt().recip() * (1.0 - 1e-15)),
        }
    }
}

/// Lets a count up to [`MAX_COUNT`] pass.
pub(crate) fn checked_count(count: Option<u64>) -> Result<u64> {
    count.filter(|&count| count <= MAX_COUNT).ok_or(AccountingError::TooManySteps { max: MAX_COUNT })
}
