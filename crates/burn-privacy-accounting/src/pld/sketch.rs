//! Outcomes of one step with weights, enough for its moments. No part of a bound.

use super::pair::Pair;
use super::quadrature::nodes;
use super::range::without_tail;

/// A piece of the density is divided into no more parts than this.
const MOST_PARTS: f64 = 4.0;

/// Outcomes of one step with weights, enough for its moments.
#[derive(Clone, Debug)]
pub(crate) struct Sketch {
    /// (loss, P's mass).
    points: Vec<(f64, f64)>,
    count: f64,
}

/// ln E[e^(tilt x total loss)] and its first two derivatives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cumulants {
    pub(crate) log_mean: f64,
    pub(crate) mean: f64,
    pub(crate) variance: f64,
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

    pub(crate) fn count(&self) -> f64 {
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
