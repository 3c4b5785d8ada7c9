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
                let piece = |s: f64, t: f64, reference: f64| {
                    moments(pair, s.min(t).max(range.low), s.max(t).min(range.high), reference)
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
        let largest = self.exponents(spacing, tilt).map(|(_, exponent)| exponent).fold(f64::NEG_INFINITY, f64::max);
        if largest == f64::NEG_INFINITY {
            return largest;
        }
        largest + self.exponents(spacing, tilt).map(|(_, exponent)| (exponent - largest).exp()).sum::<f64>().ln()
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
        bins[i] = Bin { mass: bin.mass, excess: bin.excess.max(0.0) };
        carried = right.plus(left.scaled(1.0 - part).moved(width(i)));
    }
    let mut center = carried;
    carried = Moments::default();
    for i in (pivot + 1..=last).rev() {
        let mut bin = carried;
        let (left, right) = &halves[i - 1];
        let part = share(right.excess, -carried.excess);
        bin = bin.plus(right.scaled(part));
        bins[i] = Bin { mass: bin.mass, excess: bin.excess.min(0.0) };
        carried = left.plus(right.scaled(1.0 - part).moved(-width(i - 1)));
    }
    center = center.plus(carried);
    bins[pivot] = Bin { mass: center.mass, excess: center.excess };
    bins
}

/// The number, or 0 if it is negative. A NaN stays one: as 0 it would be a mass that was left out.
pub(super) fn at_least_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
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
        let mut index = (low / g).floor() as i64;
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
    }
    knots.sort_unstable();
    knots.dedup();
    (knots, added)
}

/// Bounds of 1 - product of (1 - p)^count, where each p is given with its own bounds.
pub(super) fn at_least_once(chances: impl Iterator<Item = ((f64, f64), f64)>) -> (f64, f64) {
    let mut single = None;
    let (mut least, mut most) = (0.0, 0.0);
    for ((low, high), count) in chances {
        if high > 0.0 {
            single = Some(if single.is_none() && count == 1.0 { (low, high) } else { (f64::NAN, f64::NAN) });
            least += count * (-low).ln_1p();
            most += count * (-high).ln_1p();
        }
    }
    match single {
        None => (0.0, 0.0),
        Some(bounds) if !bounds.0.is_nan() => bounds,
        Some(_) => {
            let rounding = 16.0 * f64::EPSILON;
            (-f64::exp_m1(least) * (1.0 - rounding), (-f64::exp_m1(most) * (1.0 + rounding)).min(1.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::{Base, Direction};
    use super::*;

    fn stick(sparse: &Sparse, spacing: f64, epsilon: f64) -> f64 {
        sparse.infinite.1
            + sparse
                .indices
                .iter()
                .zip(&sparse.log_masses)
                .map(|(&k, m)| m.exp() * -((epsilon - k as f64 * spacing).min(0.0)).exp_m1())
                .sum::<f64>()
    }

    /// The pair's own hockey-stick, by fine summation.
    fn true_stick(pair: &Pair, epsilon: f64) -> f64 {
        let mut sum = pair.infinite_mass().1;
        for atom in pair.atoms() {
            sum += atom.mass * -((epsilon - atom.loss).min(0.0)).exp_m1();
        }
        if let Some(range) = pair.range(-80.0) {
            let steps = 40_000;
            let width = (range.high - range.low) / f64::from(steps);
            for step in 0..steps {
                let t = range.low + (f64::from(step) + 0.5) * width;
                sum += pair.log_density(t).exp() * width * -((epsilon - pair.loss(t)).min(0.0)).exp_m1();
            }
        }
        sum
    }

    #[test]
    fn the_true_curve_lies_between_the_two_lattices() {
        for base in [
            Base::Gaussian { noise: 0.8 },
            Base::Gaussian { noise: 4.0 },
            Base::Laplace { inverse_scale: 1.3 },
            Base::DiscreteLaplace { inverse_scale: 0.4, sensitivity: 5 },
            Base::DiscreteGaussian { sigma: 1.7 },
            Base::RandomizedResponse { truth: 1.0 / (1.0 + 3.0 * (-1.2_f64).exp()), loss: 1.2, categories: 4 },
            Base::EpsilonDelta { epsilon: 0.7, delta: 0.01 },
            Base::BoundedRange { epsilon: 1.1 },
        ] {
            for rate in [0.02, 0.3, 1.0] {
                for direction in [Direction::Remove, Direction::Add, Direction::Exchange] {
                    let pair = Pair::new(base, rate, direction);
                    for spacing in [0.0037, 0.031, 0.27] {
                        let layout = Layout { spacing, tilt: 3.0, log_tail: -60.0 };
                        let lattice = Lattice::new(&pair, layout, &[(3.0, 0.0)]);
                        for epsilon in [-0.5, -0.013, 0.0, 0.004, 0.05, 0.41, 1.0, 2.2] {
                            let truth = true_stick(&pair, epsilon);
                            let (upper, lower) =
                                (stick(&lattice.upper, spacing, epsilon), stick(&lattice.lower, spacing, epsilon));
                            // The truth itself is summed to about 1e-7.
                            assert!(upper >= truth - 1e-7, "{base:?} {rate} {direction:?} {spacing} {epsilon}");
                            assert!(
                                lower <= truth + 1e-7,
                                "{base:?} {rate} {direction:?} {spacing} {epsilon}: {lower} {truth}"
                            );
                            // Grids that are coarse against the losses themselves leave no lower bound.
                            let fine = spacing < 0.2 * rate;
                            assert!(
                                !fine || upper - lower <= 0.5 * spacing,
                                "{base:?} {rate} {direction:?} {spacing} {epsilon}: {lower} {upper}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn both_errors_are_of_second_order() {
        let pair = Pair::new(Base::Gaussian { noise: 2.0 }, 0.1, Direction::Remove);
        let gap = |spacing: f64| {
            let lattice = Lattice::new(&pair, Layout { spacing, tilt: 2.0, log_tail: -60.0 }, &[(2.0, 0.0)]);
            let [upper, lower] = [&lattice.upper, &lattice.lower].map(|sparse| sparse.log_mean(spacing, 2.0));
            upper - lower
        };
        let (coarse, fine) = (gap(4e-3), gap(1e-3));
        assert!((coarse / fine - 16.0).abs() < 3.0, "{coarse:e} {fine:e}");
        // tilt (tilt + 1) / 2 x spacing^2 x (1/6 + 1/12), and a little for the wider segments.
        assert!((0.7..1.6).contains(&(fine / (3.0 * 1e-6 * 0.25))), "{fine:e}");
    }
}
