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

use super::composition::{Composed, MASS_ROUNDING};
use super::lattice::SNAP;

/// Which side of the truth a curve is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Above,
    Below,
}

/// delta, or a bound of it, at consecutive grid points.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    first: i64,
    spacing: f64,
    deltas: Vec<f64>,
    infinite: f64,
    side: Side,
}

impl Curve {
    /// `infinite` is P's probability of an infinite total loss, `steps` the number of compositions.
    pub(super) fn new(composed: &Composed, spacing: f64, infinite: f64, steps: f64, side: Side) -> Self {
        let count = composed.masses.len();
        let tilt = composed.tilt;
        let (slow, fast) = ((-tilt * spacing).exp(), (-(tilt + 1.0) * spacing).exp());
        // All that folds in from below.
        let from_below = 1.0 / (tilt * composed.length).exp_m1();
        // Relative error of products of `steps` masses,
        // and atoms that were moved onto the grid.
        let relative = MASS_ROUNDING * (steps + 100.0) + SNAP * steps * (tilt + 1.0) * spacing;
        let mut deltas = vec![0.0; count];
        // Sums over l > epsilon of pi(l) e^(-s (l - epsilon)), of the same with s + 1, and of the weights alone.
        let (mut with_slow, mut with_fast, mut slow_weight, mut fast_weight) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
        for k in (0..count).rev() {
            let epsilon = (composed.first + k as i64) as f64 * spacing;
            let log_scale = composed.log_mean - tilt * epsilon;
            let sum: f64 = with_slow - with_fast;
            let weights: f64 = slow_weight - fast_weight;
            let rounding = 4.0 * f64::EPSILON * (count - k) as f64 * (with_slow.abs() + with_fast.abs());
            let error = composed.cell_error * weights.max(0.0) * (1.0 + 1e-9) + rounding;
            deltas[k] = match side {
                Side::Above => {
                    (((sum.max(0.0) + error) * (1.0 + 1e-12)).ln() + log_scale + relative).exp() + composed.missing
                }
                Side::Below => {
                    let from_above = (composed.folded.1 - composed.folded.0 * epsilon).exp();
                    let delta = ((sum - error).max(0.0).ln() + log_scale - relative).exp();
                    (delta - from_below - from_above).max(0.0)
                }
            };
            with_slow = (with_slow + composed.masses[k]) * slow;
            with_fast = (with_fast + composed.masses[k]) * fast;
            slow_weight = (slow_weight + 1.0) * slow;
            fast_weight = (fast_weight + 1.0) * fast;
        }
        Self { first: composed.first, spacing, deltas, infinite, side }
    }

    fn loss(&self, k: usize) -> f64 {
        (self.first + k as i64) as f64 * self.spacing
    }

    /// The epsilon at `delta`, at least 0: at least the true one above, at most the true one below.
    pub(super) fn epsilon(&self, delta: f64) -> f64 {
        let finite = delta - self.infinite;
        if finite < 0.0 {
            return f64::INFINITY;
        }
        // The last grid point whose delta is above the target.
        let Some(k) = self.deltas.iter().rposition(|&at| at > finite) else {
            return match self.side {
                // Below the window, of which only the lowest point is known.
                Side::Above => self.loss(0).max(0.0),
                Side::Below => 0.0,
            };
        };
        let Some(&next) = self.deltas.get(k + 1) else {
            return if self.side == Side::Above { f64::INFINITY } else { self.loss(k).max(0.0) };
        };
        // Linear in e^epsilon between the two points.
        let part = ((self.deltas[k] - finite) / (self.deltas[k] - next)).clamp(0.0, 1.0);
        let epsilon = self.loss(k) + (part * self.spacing.exp_m1()).ln_1p();
        let rounding = 4.0 * f64::EPSILON * epsilon.abs();
        match self.side {
            Side::Above => epsilon + rounding,
            Side::Below => epsilon - rounding,
        }
        .max(0.0)
    }

    /// The bound of delta at `epsilon`; trivial outside of the window.
    pub(super) fn delta(&self, epsilon: f64) -> f64 {
        let trivial = if self.side == Side::Above { 1.0 } else { self.infinite };
        let place = epsilon / self.spacing - self.first as f64;
        if !(place >= 0.0 && place < (self.deltas.len() - 1) as f64) {
            return trivial;
        }
        let k = place as usize;
        let part = ((epsilon - self.loss(k)).exp_m1() / self.spacing.exp_m1()).clamp(0.0, 1.0);
        let (at, next) = (self.deltas[k], self.deltas[k + 1]);
        let value = at + part * (next - at);
        let rounding = 1e-14 * at;
        match self.side {
            Side::Above => (self.infinite + value + rounding).min(1.0),
            Side::Below => (self.infinite + value - rounding).clamp(self.infinite, 1.0),
        }
    }
}
