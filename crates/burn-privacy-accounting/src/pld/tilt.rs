//! The tilted loss: where its mean is, how wide it is, and which tilt belongs to a delta or an epsilon.
//!
//! Nothing here is part of a bound. It only steers where the grid is laid, and which tilts are tried.

use super::sketch::{Cumulants, Sketch};

/// Of the whole composition.
pub(crate) fn total(sketches: &[Sketch], tilt: f64) -> Cumulants {
    let mut sum = Cumulants { log_mean: 0.0, mean: 0.0, variance: 0.0 };
    for sketch in sketches {
        let one = sketch.cumulants(tilt);
        sum.log_mean += sketch.count() * one.log_mean;
        sum.mean += sketch.count() * one.mean;
        sum.variance += sketch.count() * one.variance;
    }
    sum
}

/// The tilt whose mean total loss is about the epsilon at this delta.
///
/// Saddle-point estimate: ln delta = K(s) - s K'(s) - ln(s (s+1)) - ln(2 pi K''(s)) / 2.
pub(crate) fn tilt_for_delta(sketches: &[Sketch], log_delta: f64) -> f64 {
    find(sketches, |s, cumulants| {
        let spread = 0.5 * (2.0 * std::f64::consts::PI * cumulants.variance).max(1e-300).ln();
        // Without the second factor, where s is small, a delta near 1 would have no tilt.
        let prefactor = (s * (s + 1.0)).ln() + spread;
        cumulants.log_mean - s * cumulants.mean - prefactor.max(0.0) <= log_delta
    })
}

/// The tilt whose mean total loss is `epsilon`.
pub(super) fn tilt_for_epsilon(sketches: &[Sketch], epsilon: f64) -> f64 {
    find(sketches, |_, cumulants| cumulants.mean >= epsilon)
}

/// Saddle-point estimate of ln delta at `epsilon`.
pub(super) fn log_delta_estimate(sketches: &[Sketch], epsilon: f64) -> f64 {
    let s = tilt_for_epsilon(sketches, epsilon);
    let cumulants = total(sketches, s);
    let spread = 0.5 * (2.0 * std::f64::consts::PI * cumulants.variance).max(1e-300).ln();
    cumulants.log_mean - s * epsilon - ((s * (s + 1.0)).ln() + spread).max(0.0)
}

/// The smallest epsilon that Chernoff's bound allows at this delta.
pub(crate) fn chernoff_epsilon(sketches: &[Sketch], log_delta: f64, near: f64) -> f64 {
    TILTS
        .iter()
        .map(|factor| {
            let s = near * factor;
            (total(sketches, s).log_mean - log_delta + s * s.ln() - (1.0 + s) * s.ln_1p()) / s
        })
        .fold(f64::INFINITY, f64::min)
        .max(0.0)
}

/// Multiples of a tilt that are tried where a bound holds for any.
pub(super) const TILTS: [f64; 18] =
    [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.6, 2.2, 3.0, 5.0, 8.0];

/// ln of Chernoff's bound of delta at epsilon: E[(1 - e^(epsilon-l))+] <= M(s) e^(-s epsilon) s^s / (1+s)^(1+s).
pub(crate) fn log_chernoff(sketches: &[Sketch], epsilon: f64) -> f64 {
    let s = tilt_for_epsilon(sketches, epsilon);
    let cumulants = total(sketches, s);
    cumulants.log_mean - s * epsilon + s * s.ln() - (1.0 + s) * s.ln_1p()
}

/// The smallest tilt, in units of one over the total loss's standard deviation.
const LEAST: f64 = 0.05;

/// The largest tilt, in the same units.
const MOST: f64 = 1e3;

pub(crate) fn find(sketches: &[Sketch], reached: impl Fn(f64, Cumulants) -> bool) -> f64 {
    let deviation = total(sketches, 0.0).variance.sqrt().max(1e-150);
    let holds = |log_tilt: f64| {
        let s = log_tilt.exp();
        reached(s, total(sketches, s))
    };
    let (mut low, mut high) = ((LEAST / deviation).ln(), (MOST / deviation).ln());
    if holds(low) {
        return low.exp();
    }
    // With bounded losses a large tilt leaves the largest one only, and no width to lay a grid for.
    while high > low + 1.0 && total(sketches, high.exp()).variance < 1e-4 * deviation * deviation {
        high -= 0.5;
    }
    // Few halvings: the tilt need not be exact.
    for _ in 0..16 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high.exp()
}
