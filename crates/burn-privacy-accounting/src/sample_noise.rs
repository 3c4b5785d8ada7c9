//! What Gaussian releases about one sample amount to.

use crate::{AccountingError, DpEvent, EventKind, MAX_COUNT, Result};

/// 1/s^2, summed over independent Gaussian noises of standard deviations s on the same direction, of which together they have the
/// sufficient statistic. Rounded up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Precision(f64);

impl Precision {
    /// Adds so many releases with this noise multiplier each.
    pub(crate) fn add(&mut self, noise_multiplier: f64, count: f64) {
        let inverse = 1.0 / noise_multiplier;
        // Four roundings by half a unit each, and those of the sum.
        self.0 = (self.0 + count * inverse * inverse) * (1.0 + 4.0 * f64::EPSILON);
    }

    /// The noise multiplier of all together, rounded down; 0 is none.
    pub(crate) fn noise_multiplier(self) -> f64 {
        self.0.max(f64::MIN_POSITIVE).sqrt().recip() * (1.0 - 2.0 * f64::EPSILON)
    }
}

/// The Gaussian noise on one sample: several Gaussian releases about one sample are one, see [`Precision`].
#[derive(Default)]
pub(crate) struct SampleNoise {
    releases: f64,
    single: f64,
    precision: Precision,
}

impl SampleNoise {
    /// Adds an event; the name of what isn't Gaussian, if there is such.
    pub(crate) fn add(&mut self, event: &DpEvent) -> Result<(), &'static str> {
        self.add_repeated(event, 1.0)
    }

    fn add_repeated(&mut self, event: &DpEvent, count: f64) -> Result<(), &'static str> {
        if count == 0.0 {
            return Ok(());
        }
        match event.kind() {
            EventKind::NoOp => Ok(()),
            EventKind::Gaussian { noise_multiplier } => {
                self.releases += count;
                self.single = *noise_multiplier;
                self.precision.add(*noise_multiplier, count);
                Ok(())
            }
            EventKind::NonPrivate => {
                self.releases += 2.0;
                self.precision.add(0.0, 1.0);
                Ok(())
            }
            EventKind::Composed { events } => events.iter().try_for_each(|inner| self.add_repeated(inner, count)),
            EventKind::SelfComposed { event: inner, count: times } => {
                // As a float, since a product of counts may be beyond any integer; rounded up where it is not exact.
                let product = count * *times as f64;
                let product = if product < MAX_COUNT as f64 { product } else { product * (1.0 + f64::EPSILON) };
                self.add_repeated(inner, product)
            }
            _ => Err(event.name()),
        }
    }

    /// The noise multiplier of all together, rounded down; none if nothing was released.
    pub(crate) fn noise_multiplier(&self) -> Option<f64> {
        if self.releases == 0.0 {
            None
        } else if self.releases == 1.0 {
            Some(self.single)
        } else {
            Some(self.precision.noise_multiplier())
        }
    }
}

/// Lets a count up to [`MAX_COUNT`] pass.
pub(crate) fn checked_count(count: Option<u64>) -> Result<u64> {
    count.filter(|&count| count <= MAX_COUNT).ok_or(AccountingError::TooManySteps { max: MAX_COUNT })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise_of(event: &DpEvent) -> f64 {
        let mut sample = SampleNoise::default();
        sample.add(event).unwrap();
        sample.noise_multiplier().unwrap()
    }

    /// The product of the counts was kept within 2^64, which left nearly all releases out.
    #[test]
    fn more_releases_than_an_integer_counts_are_counted() {
        let mut event = DpEvent::gaussian(1e20).unwrap();
        let mut truth = 1e20_f64;
        for _ in 0..2 {
            event = DpEvent::self_composed(event, MAX_COUNT).unwrap();
            truth /= (MAX_COUNT as f64).sqrt();
        }
        let found = noise_of(&event);
        assert!(found <= truth && found > truth * (1.0 - 1e-14), "{found} {truth}");
        for _ in 0..25 {
            event = DpEvent::self_composed(event, MAX_COUNT).unwrap();
        }
        assert_eq!(noise_of(&event), 0.0);
    }

    /// Thousands of sums round more than once.
    #[test]
    fn the_noise_of_many_releases_is_rounded_down() {
        for noise in [0.3, 1.1, 7.7] {
            // With n releases, exactly noise / sqrt(n): n is a power of 4.
            let events = vec![DpEvent::gaussian(noise).unwrap(); 1 << 14];
            let found = noise_of(&DpEvent::composed(events).unwrap());
            let truth = noise / 128.0;
            assert!(found <= truth && found > truth * (1.0 - 1e-11), "{found} {truth}");
        }
        assert_eq!(noise_of(&DpEvent::gaussian(0.3).unwrap()), 0.3);
    }
}
