//! Where a pair's outcomes lie: the range of its density, its largest loss, and the tails that are cut off.

use super::base::{Density, Direction};
use super::pair::{Atom, Pair};
use crate::keeping_nan::larger;
use crate::mills::tail_probability;

/// Range of t with a density that is looked at, and the probability under P beyond it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// P's mass on the side of the large losses: counted as infinite loss.
    pub(crate) mass_above: f64,
    /// P's mass on the side of the small losses: moved up to the range's end.
    pub(crate) mass_below: f64,
}

impl Pair {
    /// The part of t that carries the density, cut where no more than e^`log_tail` is left of P on either side.
    pub(crate) fn range(&self, log_tail: f64) -> Option<Range> {
        match self.density {
            Density::None => None,
            Density::Exponential { half_width, .. } => {
                Some(Range { low: -half_width, high: half_width, mass_above: 0.0, mass_below: 0.0 })
            }
            Density::Gaussian { sd } => {
                // Phi(-z) <= e^(-z^2/2) / 2.
                let quantile = |log_tail: f64| (-2.0 * log_tail).max(1.0).sqrt();
                let z = quantile(log_tail);
                let low = -0.5 * sd * sd - z * sd;
                let high;
                let (above, below) = match self.direction {
                    Direction::Remove | Direction::Exchange if let Some(group) = &self.group => {
                        let (of_p, beyond) = group.upper_tail(log_tail);
                        high = -0.5 * sd * sd + of_p * sd;
                        (beyond, tail_probability(z))
                    }
                    // P's upper tail: r times that of the unsampled P, and 1 - r times that of Q. Its lower tail is at
                    // most Q's. The same holds where one is exchanged.
                    Direction::Remove | Direction::Exchange => {
                        let of_p = quantile(log_tail - self.rate.ln());
                        let of_q = z.max(of_p + sd);
                        high = -0.5 * sd * sd + of_q * sd;
                        (
                            self.rate * tail_probability(of_q - sd) + (1.0 - self.rate) * tail_probability(of_q),
                            tail_probability(z),
                        )
                    }
                    // P is the base's Q: its large losses are at small t, and its tail at large t, below ln(1-r) or so
                    // in loss, hardly matters.
                    Direction::Add => {
                        high = -0.5 * sd * sd + z * sd;
                        (tail_probability(z), tail_probability(z))
                    }
                };
                let rounding = 1.0 + 1e-12;
                Some(Range { low, high, mass_above: above * rounding, mass_below: below * rounding })
            }
        }
    }

    /// A loss (without sign) where the losses end abruptly, which a grid should have as a point, and whether it is an
    /// atom's.
    pub(crate) fn anchor(&self) -> Option<(f64, bool)> {
        match self.density {
            Density::Gaussian { .. } if self.direction == Direction::Exchange => None,
            Density::Gaussian { .. } if let Some(group) = &self.group => Some((-group.least_loss(), false)),
            Density::Gaussian { .. } if self.rate < 1.0 => Some((-(-self.rate).ln_1p(), false)),
            _ => self.atoms().last().map(|atom| (atom.loss, true)).filter(|(loss, _)| *loss > 0.0),
        }
    }

    /// The largest finite loss.
    pub(crate) fn largest_loss(&self) -> f64 {
        let sampled_limit = self.group.as_ref().map_or_else(|| -(-self.rate).ln_1p(), |group| -group.least_loss());
        let by_density = match (self.density, self.direction) {
            (Density::None, _) => 0.0,
            (Density::Gaussian { .. }, Direction::Remove | Direction::Exchange) => f64::INFINITY,
            (Density::Gaussian { .. }, Direction::Add) => sampled_limit,
            (Density::Exponential { half_width, .. }, Direction::Remove | Direction::Exchange) => self.loss(half_width),
            (Density::Exponential { half_width, .. }, Direction::Add) => self.loss(-half_width),
        };
        self.atoms().last().map_or(by_density, |atom| larger(atom.loss, by_density))
    }
}

/// The atoms but those of large loss that have no more than e^`log_tail` together, and how much these have.
pub(super) fn without_tail(atoms: &[Atom], log_tail: f64) -> (&[Atom], f64) {
    let limit = log_tail.exp();
    let (mut rest, mut cut) = (atoms, 0.0);
    while let [first @ .., last] = rest
        && !first.is_empty()
        && cut + last.mass <= limit
    {
        cut += last.mass;
        rest = first;
    }
    (rest, cut * (1.0 + 1e-12))
}
