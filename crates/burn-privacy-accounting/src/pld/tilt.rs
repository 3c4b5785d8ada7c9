//! The tilted loss: where its mean is, how wide it is, and which tilt belongs to a delta or an epsilon.
//!
//! Nothing here is part of a bound. It only steers where the grid is laid.

use super::pair::{Base, Direction, Pair, without_tail};
use super::quadrature::nodes;
use super::terms::{Step, Terms};

/// A piece of the density is divided into no more parts than this.
const MOST_PARTS: f64 = 4.0;

/// Outcomes of one step with weights, enough for its moments.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    /// (loss, P's mass).
    points: Vec<(f64, f64)>,
    count: f64,
}

/// ln E[e^(tilt x total loss)] and its first two derivatives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cumulants {
    pub(super) log_mean: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Sketch {
    pub(super) fn new(pairs: &[(f64, Pair)], count: f64, log_tail: f64) -> Self {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (part, pair) in pairs {
            let (atoms, _) = without_tail(pair.atoms(), log_tail);
            points.extend(atoms.iter().map(|atom| (atom.loss, part * atom.mass)));
            let Some(range) = pair.range(log_tail) else { continue };
            let pieces = ((range.high - range.low) / pair.smooth_width()).ceil().clamp(4.0, 400.0);
            let width = (range.high - range.low) / pieces;
            for piece in 0..pieces as u32 {
                let from = range.low + f64::from(piece) * width;
                nodes(pair, from, from + width, MOST_PARTS, |t, weight| {
                    let loss = pair.loss(t);
                    points.push((loss, part * weight * pair.log_density_with(t, loss).exp()));
                });
            }
        }
        points.retain(|(_, mass)| *mass > 0.0);
        Self { points, count }
    }

    pub(super) fn count(&self) -> f64 {
        self.count
    }

    /// Of one step.
    pub(super) fn cumulants(&self, tilt: f64) -> Cumulants {
        let largest = self.points.iter().map(|(loss, _)| tilt * loss).fold(f64::NEG_INFINITY, f64::max).min(600.0);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for &(loss, mass) in &self.points {
            let weight = mass * (tilt * loss - largest).exp();
            sum += weight;
            first += weight * loss;
            second += weight * loss * loss;
        }
        let mean = first / sum;
        Cumulants { log_mean: largest + sum.ln(), mean, variance: (second / sum - mean * mean).max(0.0) }
    }
}

/// Of the whole composition.
pub(super) fn total(sketches: &[Sketch], tilt: f64) -> Cumulants {
    let mut sum = Cumulants { log_mean: 0.0, mean: 0.0, variance: 0.0 };
    for sketch in sketches {
        let one = sketch.cumulants(tilt);
        sum.log_mean += sketch.count * one.log_mean;
        sum.mean += sketch.count * one.mean;
        sum.variance += sketch.count * one.variance;
    }
    sum
}

/// The tilt whose mean total loss is about the epsilon at this delta.
///
/// Saddle-point estimate: ln delta = K(s) - s K'(s) - ln(s (s+1)) - ln(2 pi K''(s)) / 2.
pub(super) fn tilt_for_delta(sketches: &[Sketch], log_delta: f64) -> f64 {
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
pub(super) fn chernoff_epsilon(sketches: &[Sketch], log_delta: f64, near: f64) -> f64 {
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
pub(super) fn log_chernoff(sketches: &[Sketch], epsilon: f64) -> f64 {
    let s = tilt_for_epsilon(sketches, epsilon);
    let cumulants = total(sketches, s);
    cumulants.log_mean - s * epsilon + s * s.ln() - (1.0 + s) * s.ln_1p()
}

/// The smallest tilt, in units of one over the total loss's standard deviation.
const LEAST: f64 = 0.05;

/// The largest tilt, in the same units.
const MOST: f64 = 1e3;

fn find(sketches: &[Sketch], reached: impl Fn(f64, Cumulants) -> bool) -> f64 {
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

/// The sketches of all steps of one direction, for estimates.
#[derive(Clone, Debug)]
pub(crate) struct Sketches(Vec<Sketch>);

impl Sketches {
    pub(crate) fn new(terms: &Terms, direction: Direction, log_tail: f64) -> Self {
        let gaussian = terms.gaussian_noise().map(|noise| (Step::unsampled(Base::Gaussian { noise }), 1));
        Self(
            terms
                .steps()
                .chain(gaussian)
                .map(|(step, count)| step.mixture(direction).sketch(count as f64, log_tail))
                .collect(),
        )
    }

    /// About the epsilon at this delta, and Chernoff's bound of it.
    pub(crate) fn epsilon_guess(&self, log_delta: f64) -> (f64, f64) {
        let tilt = tilt_for_delta(&self.0, log_delta);
        let limit = chernoff_epsilon(&self.0, log_delta, tilt);
        (total(&self.0, tilt).mean.clamp(0.0, limit), limit)
    }

    /// The minimum of ln M(s) - s epsilon - ln(s (s+1)) over s > 0, and the second derivative of ln M there.
    pub(crate) fn saddle(&self, epsilon: f64) -> (f64, f64) {
        let tilt = find(&self.0, |s, cumulants| cumulants.mean - epsilon - 1.0 / s - 1.0 / (s + 1.0) >= 0.0);
        (tilt, total(&self.0, tilt).variance)
    }

    /// ln of Chernoff's bound of delta.
    pub(crate) fn log_chernoff(&self, epsilon: f64) -> f64 {
        log_chernoff(&self.0, epsilon)
    }
}
