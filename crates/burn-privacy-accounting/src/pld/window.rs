//! The part of the total loss that is transformed: how much of what lies outside may be ignored.
//!
//! Let W be the window's length and s the tilt of the transform. In units of delta:
//! - *Missing*: outcomes above the window have at most P's mass there, exp(K(u) - u top) for every u > 0 (Chernoff).
//! - *Folded from below*: an outcome l with l + m W in the window gets the weight P(l) e^(-s m W) at most; all of them
//!   together e^(-s W) / (1 - e^(-s W)).
//! - *Folded from above*: outcomes above epsilon + W get e^(-s epsilon) times the largest weight times
//!   E[e^(s l); l > epsilon + W], which is at most exp(K(u) - u epsilon - (u - s) W) for every u > s.
//!
//! So the window need not hold the law's bulk, and the tilt need not be the saddle point: both are chosen for the
//! shortest transform.

use super::sketch::Sketch;
use super::tilt::{TILTS, total};
use super::transform::TRANSFORM_ROUNDING;

/// A tilt and a range of losses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) tilt: f64,
    pub(super) bottom: f64,
    pub(super) top: f64,
    /// Where the bound of what is missing above is smallest.
    pub(super) tilt_of_missing: f64,
    /// Where the bound of what folds in from above is smallest; larger than the tilt.
    pub(super) tilt_of_folded: f64,
}

/// What is wanted of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Range of epsilons at which the curve has to be good.
    pub(super) epsilons: (f64, f64),
    /// ln of delta.
    pub(super) log_delta: f64,
    /// ln of the error that is allowed, relative to delta.
    pub(super) log_error: f64,
    /// The saddle point, near which tilts are tried.
    pub(super) saddle: f64,
}

/// ln of the largest weight e^(-s y) - e^(-(s+1) y).
pub(super) fn log_largest_weight(tilt: f64) -> f64 {
    tilt * tilt.ln() - (1.0 + tilt) * tilt.ln_1p()
}

impl Window {
    pub(super) fn new(sketches: &[Sketch], wanted: Wanted) -> Self {
        let target = wanted.log_delta + wanted.log_error;
        let (low, high) = wanted.epsilons;
        let cumulants: Vec<(f64, f64)> = TILTS
            .iter()
            .map(|factor| {
                let u = factor * wanted.saddle;
                (u, total(sketches, u).log_mean)
            })
            .collect();
        let (tilt_of_missing, top) = smallest(cumulants.iter().map(|(u, k)| (*u, (k - target) / u)));
        let top = top.max(high);
        // What rounding of the transform may be magnified by.
        let steps: f64 = sketches.iter().map(Sketch::count).sum();
        let headroom = wanted.log_error - (24.0 * TRANSFORM_ROUNDING * (steps + 100.0)).ln();
        let mut candidates = Vec::new();
        for &(tilt, k) in &cumulants {
            let (tilt_of_folded, above) = smallest(
                cumulants
                    .iter()
                    .filter(|(u, _)| *u > tilt)
                    .map(|(u, k)| (*u, (log_largest_weight(tilt) + k - u * low - target) / (u - tilt))),
            );
            let length = (-target / tilt).max(above).max(top - low);
            if length.is_finite() {
                let magnified = k - tilt * high - wanted.log_delta;
                let window = Self { tilt, bottom: top - length, top, tilt_of_missing, tilt_of_folded };
                candidates.push((magnified, length, window));
            }
        }
        // The shortest of those that rounding allows; if there is none, of those that rounding harms about least.
        let least = candidates.iter().map(|(magnified, ..)| *magnified).fold(f64::INFINITY, f64::min);
        let allowed = headroom.max(least + 2.0);
        let tilt = wanted.saddle;
        candidates
            .into_iter()
            .filter(|(magnified, ..)| *magnified <= allowed)
            .min_by(|(_, a, _), (_, b, _)| a.total_cmp(b))
            .map_or(Self { tilt, bottom: low, top, tilt_of_missing, tilt_of_folded: 2.0 * tilt }, |(.., window)| window)
    }
}

/// The smallest second value, after what belongs to it.
fn smallest(values: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    values.fold((1.0, f64::INFINITY), |best, value| if value.1 < best.1 { value } else { best })
}
