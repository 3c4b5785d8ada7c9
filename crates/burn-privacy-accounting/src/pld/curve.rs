//! The privacy curve of a composed loss: delta at each grid point, as a bound from above or from below.
//!
//! With the tilted masses pi(l) = e^(s l) P(l) / M,
//!
//! ```text
//! delta(epsilon) = P(infinity) + M e^(-s epsilon) sum_{l > epsilon} pi(l) w(l - epsilon),  w(y) = e^(-s y) - e^(-(s+1) y).
//! ```
//!
//! As a function of e^epsilon it is convex, and a polygon with kinks on the grid: between grid points, the straight line
//! through two upper bounds is an upper bound, and that through two lower bounds of a lattice is a lower bound.

use super::composition::Composed;
use crate::keeping_nan::at_least_zero;

/// Which side of the truth a curve is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

/// delta, or a bound of it, at consecutive grid points; computed where it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    first: i64,
    spacing: f64,
    tilt: f64,
    /// Sums over l > epsilon of pi(l) e^(-s (l - epsilon)), and of the same with s + 1, at each grid point.
    sums: Vec<(f64, f64)>,
    /// Error of each pi(l).
    cell_error: f64,
    log_mean: f64,
    /// Bound of the relative error of what is summed.
    relative: f64,
    missing: f64,
    from_below: f64,
    folded: (f64, f64),
    infinite: f64,
    side: Side,
}

impl Curve {
    /// `infinite` is P's probability of an infinite total loss, `steps` the number of compositions, and `rounding` the sum
    /// of their masses' relative errors.
    pub(super) fn new(composed: &Composed, spacing: f64, infinite: f64, steps: f64, rounding: f64, side: Side) -> Self {
        let tilt = composed.tilt;
        let (slow, fast) = ((-tilt * spacing).exp(), (-(tilt + 1.0) * spacing).exp());
        let mut sums = vec![(0.0, 0.0); composed.masses.len()];
        let (mut with_slow, mut with_fast) = (0.0_f64, 0.0_f64);
        for (sum, mass) in sums.iter_mut().zip(&composed.masses).rev() {
            *sum = (with_slow, with_fast);
            with_slow = (with_slow + mass) * slow;
            with_fast = (with_fast + mass) * fast;
        }
        Self {
            first: composed.first,
            spacing,
            tilt,
            sums,
            cell_error: composed.cell_error,
            log_mean: composed.log_mean,
            relative: rounding * (1.0 + 100.0 / steps.max(1.0)),
            missing: composed.missing,
            // All that folds in from below.
            from_below: 1.0 / (tilt * composed.length).exp_m1(),
            folded: composed.folded,
            infinite,
            side,
        }
    }

    /// The bound of delta at a grid point, without the infinite losses.
    fn at(&self, k: usize) -> f64 {
        let epsilon = self.loss(k);
        let log_scale = self.log_mean - self.tilt * epsilon;
        let (with_slow, with_fast) = self.sums[k];
        let sum: f64 = with_slow - with_fast;
        let above = (self.sums.len() - 1 - k) as f64;
        // The weights e^(-s y) - e^(-(s+1) y) at the grid points above, summed as geometric series.
        let geometric = |rate: f64| {
            let step = -rate * self.spacing;
            step.exp() * (step * above).exp_m1() / step.exp_m1()
        };
        let weights = at_least_zero(geometric(self.tilt) - geometric(self.tilt + 1.0)) * (1.0 + 1e-9) + 1e-12 * above;
        let rounding = 4.0 * f64::EPSILON * (above + 1.0) * (with_slow.abs() + with_fast.abs());
        let error = self.cell_error * weights + rounding;
        match self.side {
            Side::Above => {
                (((at_least_zero(sum) + error) * (1.0 + 1e-12)).ln() + log_scale + self.relative).exp() + self.missing
            }
            Side::Below => {
                let from_above = (self.folded.1 - self.folded.0 * epsilon).exp();
                let delta = ((sum - error).max(0.0).ln() + log_scale - self.relative).exp();
                (delta - self.from_below - from_above).max(0.0)
            }
        }
    }

    fn loss(&self, k: usize) -> f64 {
        (self.first + k as i64) as f64 * self.spacing
    }

    /// The epsilon at `delta`, at least 0: at least the true one above, at most the true one below; NaN where nothing
    /// is known.
    pub(super) fn epsilon(&self, delta: f64) -> f64 {
        let finite = delta - self.infinite;
        if finite < 0.0 {
            return f64::INFINITY;
        }
        if finite.is_nan() {
            return finite;
        }
        // A grid point whose delta is above the target next to one whose delta is not: any such pair proves a bound. The
        // highest one is wanted; at the window's lower end, bounds from below are small again.
        let last = self.sums.len() - 1;
        // What is no number is not at most anything.
        let exceeds = |k: &usize| {
            let at = self.at(*k);
            at > finite || (at.is_nan() && self.side == Side::Above)
        };
        let stride = (last / 64).max(1);
        let found = (0..=last).rev().step_by(stride).find(exceeds).or_else(|| (0..=last).rev().find(exceeds));
        let Some(mut above) = found else {
            return match self.side {
                // Below the window, of which only the lowest point is known.
                Side::Above => self.loss(0).max(0.0),
                Side::Below => 0.0,
            };
        };
        if above == last {
            return if self.side == Side::Above { f64::INFINITY } else { self.loss(last).max(0.0) };
        }
        let mut below = (above + stride).min(last);
        while below - above > 1 {
            let middle = above + (below - above) / 2;
            if exceeds(&middle) {
                above = middle;
            } else {
                below = middle;
            }
        }
        let (k, at, next) = (above, self.at(above), self.at(below));
        // Linear in e^epsilon between the two points.
        let part = match ((at - finite) / (at - next), self.side) {
            (part, Side::Above) if part.is_nan() => 1.0,
            (part, Side::Below) if part.is_nan() => 0.0,
            (part, _) => part.clamp(0.0, 1.0),
        };
        let epsilon = self.loss(k) + (part * self.spacing.exp_m1()).ln_1p();
        let rounding = 4.0 * f64::EPSILON * epsilon.abs();
        at_least_zero(match self.side {
            Side::Above => epsilon + rounding,
            Side::Below => epsilon - rounding,
        })
    }

    /// The bound of delta at `epsilon`, which may be negative; trivial outside of the window.
    pub(super) fn delta(&self, epsilon: f64) -> f64 {
        // The place on the grid is rounded; delta falls with epsilon.
        let rounding = 4.0 * f64::EPSILON * epsilon.abs();
        let epsilon = if self.side == Side::Above { epsilon - rounding } else { epsilon + rounding };
        let trivial = if self.side == Side::Above { 1.0 } else { self.infinite };
        let place = epsilon / self.spacing - self.first as f64;
        if !(place >= 0.0 && place < (self.sums.len() - 1) as f64) {
            return trivial;
        }
        let k = place as usize;
        let part = ((epsilon - self.loss(k)).exp_m1() / self.spacing.exp_m1()).clamp(0.0, 1.0);
        let (at, next) = (self.at(k), self.at(k + 1));
        let value = at + part * (next - at);
        let rounding = 1e-14 * at;
        match self.side {
            Side::Above => (self.infinite + value + rounding).min(1.0),
            Side::Below => (self.infinite + value - rounding).clamp(self.infinite, 1.0),
        }
    }
}
