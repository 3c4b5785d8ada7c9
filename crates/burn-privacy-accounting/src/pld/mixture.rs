//! A mixture of dominating pairs, as one pair that tells which of them it was.

use super::lattice::{Lattice, Layout, added_variance};
use super::pair::Pair;
use super::tilt::Sketch;

/// Pairs with weights. A single pair has weight 1; several weigh at least 1 together, since each weight is rounded up, and
/// give an upper bound only.
#[derive(Clone, Debug)]
pub(crate) struct Mixture(Vec<(f64, Pair)>);

impl Mixture {
    /// A single pair.
    pub(super) fn of(pair: Pair) -> Self {
        Self(vec![(1.0, pair)])
    }

    pub(super) fn new(pairs: Vec<(f64, Pair)>) -> Self {
        Self(pairs)
    }

    pub(super) fn lattice(&self, layout: Layout, log_means: &[(f64, f64)]) -> Lattice {
        let lattices = self.0.iter().map(|(weight, pair)| (*weight, Lattice::new(pair, layout, log_means)));
        Lattice::mixture(lattices.collect())
    }

    /// See [`added_variance`].
    pub(super) fn added_variance(&self, layout: Layout, log_means: &[(f64, f64)]) -> f64 {
        self.0.iter().map(|(weight, pair)| weight * added_variance(pair, layout, log_means)).sum()
    }

    pub(super) fn sketch(&self, count: f64, log_tail: f64) -> Sketch {
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
        self.0.iter().flat_map(|(_, pair)| pair.atoms()).map(|atom| atom.loss.abs()).fold(0.0, f64::max)
    }

    /// See [`Pair::rounding`].
    pub(super) fn rounding(&self) -> f64 {
        self.0.iter().map(|(_, pair)| pair.rounding()).fold(0.0, f64::max)
    }

    /// The largest finite loss.
    pub(super) fn largest_loss(&self) -> f64 {
        self.0.iter().map(|(_, pair)| pair.largest_loss()).fold(0.0, f64::max)
    }

    /// See [`Pair::anchor`].
    pub(super) fn anchor(&self) -> Option<(f64, bool)> {
        self.0.iter().find_map(|(_, pair)| pair.anchor())
    }
}
