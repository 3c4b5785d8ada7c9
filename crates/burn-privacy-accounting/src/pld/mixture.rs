//! A mixture of dominating pairs, as one pair that tells which of them it was.

use super::base::{Base, Direction};
use super::lattice::{Lattice, Layout, added_variance};
use super::pair::Pair;
use super::sketch::Sketch;
use super::step::{Drawn, Step};
use crate::keeping_nan::larger;

/// Pairs with weights. A single pair has weight 1; several weigh at least 1 together, since each weight is rounded up, and
/// give an upper bound only.
#[derive(Clone, Debug)]
pub(crate) struct Mixture(Vec<(f64, Pair)>);

impl Mixture {
    /// A single pair.
    fn of(pair: Pair) -> Self {
        Self(vec![(1.0, pair)])
    }

    /// A step's dominating pair: one, or a mixture of two.
    pub(crate) fn of_step(step: &Step, direction: Direction) -> Self {
        match step.drawn {
            Drawn::Poisson => Self::of(Pair::new(step.base, step.rate, direction)),
            Drawn::FixedSize => Self::of(Pair::new(step.base, step.rate, Direction::Exchange)),
            Drawn::Groups { size } => match step.base {
                Base::Gaussian { noise } => Self::of(Pair::of_group(noise, step.rate, size, direction)),
                // No other base is ever drawn so; as if nothing were sampled, which is above.
                base => Self::of(Pair::new(base, 1.0, direction)),
            },
            Drawn::Truncated(truncation) => {
                let kept = Pair::new(step.base, step.rate, direction);
                let Base::Gaussian { noise } = step.base else { return Self::of(kept) };
                // Where another record is displaced, the sensitivity is twice that of a single one.
                let displacing = Base::Gaussian { noise: 0.5 * noise };
                let direction = if truncation.exchange { Direction::Exchange } else { direction };
                let cut = Pair::new(displacing, truncation.rate, direction);
                Self(vec![(1.0 - truncation.least, kept), (truncation.most, cut)])
            }
        }
    }

    pub(super) fn lattice(&self, layout: Layout, log_means: &[(f64, f64)]) -> Lattice {
        let lattices = self.0.iter().map(|(weight, pair)| (*weight, Lattice::new(pair, layout, log_means)));
        Lattice::mixture(lattices.collect())
    }

    /// See [`added_variance`].
    pub(super) fn added_variance(&self, layout: Layout, log_means: &[(f64, f64)]) -> f64 {
        self.0.iter().map(|(weight, pair)| weight * added_variance(pair, layout, log_means)).sum()
    }

    pub(crate) fn sketch(&self, count: f64, log_tail: f64) -> Sketch {
        Sketch::new(&self.0, count, log_tail)
    }

    /// Bounds of P's mass with an infinite loss.
    pub(super) fn infinite_mass(&self) -> (f64, f64) {
        match self.0.as_slice() {
            [(_, pair)] => pair.infinite_mass(),
            pairs => (0.0, pairs.iter().map(|(weight, pair)| weight * pair.infinite_mass().1).sum()),
        }
    }

    /// The largest absolute loss of an atom.
    pub(super) fn largest_atom(&self) -> f64 {
        self.0.iter().flat_map(|(_, pair)| pair.atoms()).map(|atom| atom.loss.abs()).fold(0.0, larger)
    }

    /// See [`Pair::rounding`].
    pub(super) fn rounding(&self) -> f64 {
        self.0.iter().map(|(_, pair)| pair.rounding()).fold(0.0, larger)
    }

    /// The largest finite loss.
    pub(super) fn largest_loss(&self) -> f64 {
        self.0.iter().map(|(_, pair)| pair.largest_loss()).fold(0.0, larger)
    }

    /// See [`Pair::anchor`].
    pub(super) fn anchor(&self) -> Option<(f64, bool)> {
        self.0.iter().find_map(|(_, pair)| pair.anchor())
    }
}
