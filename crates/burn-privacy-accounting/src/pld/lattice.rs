//! One step's loss on a grid: connect the dots from above (Doroshenko et al., arXiv 2207.04380) and from below.
//!
//! *Above:* the hockey-stick curve, as a function of x = e^epsilon, is convex; the polygon through its values at the
//! knots lies above it, and is the curve of the pair in which each outcome is split between the two knots around it so
//! that P's and Q's totals stay. Composition keeps this order (Zhu, Dong and Wang, arXiv 2106.08567, theorem 10).
//! *Below:* see [`super::contraction`].
//!
//! Both errors are of second order: they change the variance of the loss by +1/6 and about -1/12 of the squared
//! spacing. Where little mass lies, the spacing is a multiple of the grid's, so that a step has some thousand knots
//! whatever the grid.

use std::collections::BTreeMap;

use super::contraction::{Bin, contract};
use super::pair::Pair;
use super::quadrature::{Moments, moments};
use super::range::without_tail;
use crate::keeping_nan::{at_least_zero, largest};

/// More knots are not placed: the spacing grows instead.
const MOST_KNOTS: usize = 1 << 19;

/// Atoms this near to a grid point, relative to their loss, are moved onto it. [`super::bracket`] counts that.
const SNAP: f64 = 16.0 * f64::EPSILON;

/// What a lattice is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Distance of two grid points.
    pub(super) spacing: f64,
    /// Largest exponent of a tilt e^(tilt x loss) under which the mass matters.
    pub(super) tilt: f64,
    /// ln of P's mass that may be cut off on either side.
    pub(super) log_tail: f64,
}

/// Sparse masses on a grid: P's probability of the loss `index` x `spacing`.
#[derive(Clone, Debug)]
pub(super) struct Sparse {
    pub(super) indices: Vec<i64>,
    /// ln of P's probability of each.
    pub(super) log_masses: Vec<f64>,
    /// Bounds of P's probability of an infinite loss.
    pub(super) infinite: (f64, f64),
}

/// One step from above and from below.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    pub(super) upper: Sparse,
    pub(super) lower: Sparse,
}

impl Lattice {
    /// `log_means` are tilts with ln E_P[e^(tilt x loss)], roughly, under which the mass matters.
    pub(super) fn new(pair: &Pair, layout: Layout, log_means: &[(f64, f64)]) -> Self {
        let range = pair.range(layout.log_tail);
        let (atoms, atoms_above) = without_tail(pair.atoms(), layout.log_tail);
        let (indices, _) = place_knots(pair, layout, log_means);
        let losses: Vec<f64> = indices.iter().map(|&index| index as f64 * layout.spacing).collect();
        let segments = indices.len() - 1;

        // For each segment, its two halves: the left one relative to its left knot, the right one to its right knot.
        let mut halves = vec![(Moments::default(), Moments::default()); segments];
        if let Some(range) = range {
            for (pair_of_losses, (left, right)) in losses.windows(2).zip(&mut halves) {
                let (a, b) = (pair_of_losses[0], pair_of_losses[1]);
                let [from, middle, to] = [a, 0.5 * (a + b), b].map(|loss| pair.position(loss));
                // Clamped by what keeps a NaN.
                let [from, middle, to] = [from, middle, to].map(|t| t.clamp(range.low, range.high));
                let piece = |s: f64, t: f64, reference: f64| {
                    let (low, high) = if s <= t { (s, t) } else { (t, s) };
                    moments(pair, low, high, reference)
                };
                *left = piece(from, middle, a);
                *right = piece(middle, to, b);
            }
        }
        for atom in atoms {
            // An atom that is meant to be on the grid is, whatever rounding says.
            let nearest = (atom.loss / layout.spacing).round() * layout.spacing;
            let near = (atom.loss - nearest).abs() <= (SNAP * atom.loss.abs()).min(0.25 * layout.spacing);
            let loss = if near { nearest } else { atom.loss };
            let segment = losses.partition_point(|&knot| knot <= loss).clamp(1, segments) - 1;
            let (a, b) = (losses[segment], losses[segment + 1]);
            if loss < 0.5 * (a + b) {
                halves[segment].0.add(atom.mass, a, loss);
            } else {
                halves[segment].1.add(atom.mass, b, loss);
            }
        }

        let mut upper = vec![0.0; indices.len()];
        for (segment, (left, right)) in halves.iter().enumerate() {
            let rise = (losses[segment + 1] - losses[segment]).exp_m1();
            // An outcome's share for the right knot is (1 - e^(a-l)) / (1 - e^(a-b)); 1/(1 - e^(a-b)) = 1 + 1/rise.
            let moved_right = (-left.excess) * (1.0 + 1.0 / rise);
            let moved_left = right.excess / rise;
            upper[segment] += at_least_zero(left.mass - moved_right) + at_least_zero(moved_left);
            upper[segment + 1] += at_least_zero(moved_right) + at_least_zero(right.mass - moved_left);
        }
        let infinite = pair.infinite_mass();
        let (mut above, mut below) = (atoms_above, 0.0);
        if let Some(range) = range {
            above += range.mass_above;
            below = range.mass_below;
            // What lies below the range is moved up to its end.
            let end = pair.loss(range.low).min(pair.loss(range.high));
            upper[losses.partition_point(|&loss| loss < end).min(segments)] += below;
        }

        let lower = contract(&losses, &bins(&losses, &halves));
        let lower = match lower {
            Some(masses) => Sparse::new(&indices, &masses, infinite),
            None => Sparse::silent(infinite.1 + above + below, infinite, layout.spacing),
        };
        let infinite_above = if above > 0.0 { (infinite.1 + above) * (1.0 + 4.0 * f64::EPSILON) } else { infinite.1 };
        Self { upper: Sparse::new(&indices, &upper, (infinite.0, infinite_above)), lower }
    }
}

impl Lattice {
    /// The weighted sum; of several, there is no lower bound.
    pub(super) fn mixture(mut lattices: Vec<(f64, Self)>) -> Self {
        if lattices.len() == 1
            && let Some((_, single)) = lattices.pop()
        {
            return single;
        }
        let infinite: f64 = lattices.iter().map(|(weight, lattice)| weight * lattice.upper.infinite.1).sum();
        let mut masses = BTreeMap::new();
        for (weight, lattice) in &lattices {
            for (index, log_mass) in lattice.upper.indices.iter().zip(&lattice.upper.log_masses) {
                *masses.entry(*index).or_insert(0.0) += weight * log_mass.exp();
            }
        }
        let (indices, masses): (Vec<i64>, Vec<f64>) = masses.into_iter().unzip();
        let infinite = (0.0, infinite * (1.0 + 4.0 * f64::EPSILON));
        Self { upper: Sparse::new(&indices, &masses, infinite), lower: Sparse::new(&[0], &[1.0], (0.0, 0.0)) }
    }
}

impl Sparse {
    pub(super) fn new(indices: &[i64], masses: &[f64], infinite: (f64, f64)) -> Self {
        let (indices, log_masses) = indices
            .iter()
            .zip(masses)
            // A NaN stays, so that whatever is made of it is one, too, and proves nothing.
            .filter(|(_, mass)| **mass > 0.0 || mass.is_nan())
            .map(|(index, mass)| (*index, mass.ln()))
            .unzip();
        Self { indices, log_masses, infinite }
    }

    /// Always a lower bound: nothing is revealed but the outcomes with an infinite loss. Q's total is at least 1.
    fn silent(lost: f64, infinite: (f64, f64), spacing: f64) -> Self {
        let mass = (1.0 - lost).max(0.0);
        let index = if mass > 0.0 { ((mass.ln() - 1e-15) / spacing).floor().max(-1e15) as i64 } else { 0 };
        Self::new(&[index], &[mass], infinite)
    }

    /// ln(mass) + tilt x loss of each.
    pub(super) fn exponents(&self, spacing: f64, tilt: f64) -> impl Iterator<Item = (i64, f64)> {
        self.indices
            .iter()
            .zip(&self.log_masses)
            .map(move |(&index, log)| (index, log + tilt * (index as f64 * spacing)))
    }

    /// Variance of the tilted loss.
    pub(super) fn variance(&self, spacing: f64, tilt: f64) -> f64 {
        let log_mean = self.log_mean(spacing, tilt);
        let (mut mean, mut second) = (0.0, 0.0);
        for (index, exponent) in self.exponents(spacing, tilt) {
            let (mass, loss) = ((exponent - log_mean).exp(), index as f64 * spacing);
            mean += mass * loss;
            second += mass * loss * loss;
        }
        second - mean * mean
    }

    /// ln of the sum of masses x e^(tilt x loss).
    pub(super) fn log_mean(&self, spacing: f64, tilt: f64) -> f64 {
        let top = largest(self.exponents(spacing, tilt).map(|(_, exponent)| exponent));
        // Infinite without any mass, NaN where one is.
        if !top.is_finite() {
            return top;
        }
        top + self.exponents(spacing, tilt).map(|(_, exponent)| (exponent - top).exp()).sum::<f64>().ln()
    }
}

/// Bins around the knots, such that the polygon nowhere lies below the curve of a pair that reveals nothing.
///
/// A bin consists of the right half of the segment before its knot and the left half of the one after, as long as its
/// mean X lies at or below the knot left of loss 0, and at or above it on the right. Where it would not, a part of the
/// half is left to the next bin, which replaces a tangent by a mean of two tangents. By induction from both ends, the
/// polygon then is at least 1 - x left of x = 1 and at least 0 on the right.
pub(super) fn bins(losses: &[f64], halves: &[(Moments, Moments)]) -> Vec<Bin> {
    let width = |segment: usize| losses[segment + 1] - losses[segment];
    let last = losses.len() - 1;
    let pivot = losses.partition_point(|&loss| loss < 0.0).min(last);
    let mut bins = vec![Bin::default(); losses.len()];
    let mut carried = Moments::default();
    for i in 0..pivot {
        let mut bin = carried;
        let (left, right) = &halves[i];
        let part = share(-left.excess, carried.excess);
        bin = bin.plus(left.scaled(part));
        bins[i] = Bin { mass: bin.mass, excess: at_least_zero(bin.excess) };
        carried = right.plus(left.scaled(1.0 - part).moved(width(i)));
    }
    let mut center = carried;
    carried = Moments::default();
    for i in (pivot + 1..=last).rev() {
        let mut bin = carried;
        let (left, right) = &halves[i - 1];
        let part = share(right.excess, -carried.excess);
        bin = bin.plus(right.scaled(part));
        bins[i] = Bin { mass: bin.mass, excess: -at_least_zero(-bin.excess) };
        carried = left.plus(right.scaled(1.0 - part).moved(-width(i - 1)));
    }
    center = center.plus(carried);
    bins[pivot] = Bin { mass: center.mass, excess: center.excess };
    bins
}

/// How much of an amount may be taken if no more than `available` is there.
fn share(amount: f64, available: f64) -> f64 {
    if amount <= available { 1.0 } else { (available / amount).clamp(0.0, 1.0) }
}

/// About how much larger the variance of the tilted loss is on the upper lattice than on the lower one.
pub(super) fn added_variance(pair: &Pair, layout: Layout, log_means: &[(f64, f64)]) -> f64 {
    place_knots(pair, layout, log_means).1
}

/// The knots as multiples of the spacing, increasing, around all outcomes; 0 is one of them. And [`added_variance`].
fn place_knots(pair: &Pair, layout: Layout, log_means: &[(f64, f64)]) -> (Vec<i64>, f64) {
    let g = layout.spacing;
    let mut knots = vec![-1, 0, 1];
    let mut added = 0.0;
    for atom in without_tail(pair.atoms(), layout.log_tail).0 {
        let below = (atom.loss / g).floor() as i64;
        knots.extend([below, below + 1]);
    }
    if let Some(range) = pair.range(layout.log_tail) {
        let (s, t) = (pair.loss(range.low), pair.loss(range.high));
        let (low, high) = (s.min(t), s.max(t));
        // Density of the tilted loss; where it is below this, wider segments hardly add to the variance.
        let common = -(5.0 * (high - low)).ln();
        let log_density = |loss: f64| {
            let t = pair.position(loss).clamp(range.low, range.high);
            let loss = loss.clamp(low, high);
            // The largest under some tilts, since few steps have no single one that matters.
            let tilted =
                log_means.iter().map(|(tilt, log_mean)| tilt * loss - log_mean).fold(f64::NEG_INFINITY, f64::max);
            pair.log_density_with(t, loss) + pair.log_stretch(t, loss) + tilted
        };
        let widest = ((0.5 / (layout.tilt + 1.0)).min((high - low) / 32.0) / g).max(1.0);
        let least = (((high - low) / g) / MOST_KNOTS as f64).ceil().max(1.0) as i64;
        let first = (low / g).floor() as i64;
        let mut index = first;
        let last = (high / g).ceil() as i64;
        let mut at = log_density(low);
        while index < last {
            knots.push(index);
            // Factors of two below the threshold's cube root.
            let doublings = ((common - at) / (3.0 * std::f64::consts::LN_2)).clamp(0.0, 40.0);
            let mut step = (doublings.exp2().floor().min(widest) as i64).max(least);
            loop {
                let next = (index + step) as f64 * g;
                at = log_density(next.min(high));
                // Not into a region that is denser than this step allows.
                let allowed = ((common - at) / (3.0 * std::f64::consts::LN_2)).clamp(0.0, 40.0).exp2();
                if step <= least || step as f64 <= 2.0 * allowed {
                    break;
                }
                step = (step / 2).max(least);
            }
            index += step;
            let width = step as f64 * g;
            added += 0.25 * at.exp().min(1.0 / width) * width.powi(3);
        }
        knots.push(last.max(index));
        // A knot that rounding puts inside of the range's end would leave out what lies between: nearly all of a density where
        // the losses end abruptly.
        knots.extend([first - 1, last.max(index) + 1]);
    }
    knots.sort_unstable();
    knots.dedup();
    (knots, added)
}

/// Bounds of 1 - product of (1 - p)^count, where each p is given with its own bounds; 0 and 1 where one of these is NaN.
pub(super) fn at_least_once(chances: impl Iterator<Item = ((f64, f64), f64)>) -> (f64, f64) {
    let chances: Vec<_> = chances.filter(|((_, high), _)| *high > 0.0 || high.is_nan()).collect();
    match chances[..] {
        [] => (0.0, 0.0),
        [((low, high), count)] if count == 1.0 && !(low.is_nan() || high.is_nan()) => (low, high),
        _ => {
            let of = |bound: fn((f64, f64)) -> f64| chances.iter().map(|(p, count)| count * (-bound(*p)).ln_1p()).sum();
            let (least, most): (f64, f64) = (of(|(low, _)| low), of(|(_, high)| high));
            let rounding = 16.0 * f64::EPSILON;
            // Of a NaN, `max` and `min` leave what always holds.
            ((-least.exp_m1() * (1.0 - rounding)).max(0.0), (-most.exp_m1() * (1.0 + rounding)).min(1.0))
        }
    }
}
