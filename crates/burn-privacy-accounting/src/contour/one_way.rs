//! One direction of a composition: the line through its saddle point, the integral along it, and epsilon by Newton's
//! method.

use std::f64::consts::PI;

use realfft::num_complex::Complex;

use super::moment::Moment;
use crate::Result;
use crate::error::no_estimate;
use crate::pld::{
    Base, Direction, Mixture, Sketch, Step, Terms, chernoff_epsilon, find, log_chernoff, tilt_for_delta, total,
};

/// Most points on the line.
const MOST_POINTS: usize = 4_096;

/// Points that are added at once.
const BLOCK: usize = 64;

/// Relative size of what is left out at the line's end.
const REMAINDER: f64 = 1e-11;

/// Largest relative change of delta when every second point is left out.
const AGREEMENT: f64 = 3e-7;

/// How often the step is halved where it is larger.
const MOST_HALVINGS: i32 = 4;

/// The sketches of all steps of one direction, for estimates.
#[derive(Clone, Debug)]
pub(super) struct Sketches(Vec<Sketch>);

impl Sketches {
    pub(super) fn new(terms: &Terms, direction: Direction, log_tail: f64) -> Self {
        let gaussian = terms.gaussian_noise().map(|noise| (Step::unsampled(Base::Gaussian { noise }), 1));
        Self(
            terms
                .steps()
                .chain(gaussian)
                .map(|(step, count)| Mixture::of_step(&step, direction).sketch(count as f64, log_tail))
                .collect(),
        )
    }

    /// About the epsilon at this delta, and Chernoff's bound of it.
    fn epsilon_guess(&self, log_delta: f64) -> (f64, f64) {
        let tilt = tilt_for_delta(&self.0, log_delta);
        let limit = chernoff_epsilon(&self.0, log_delta, tilt);
        (total(&self.0, tilt).mean.clamp(0.0, limit), limit)
    }

    /// The minimum of ln M(s) - s epsilon - ln(s (s+1)) over s > 0, and the second derivative of ln M there.
    fn saddle(&self, epsilon: f64) -> (f64, f64) {
        let tilt = find(&self.0, |s, cumulants| cumulants.mean - epsilon - 1.0 / s - 1.0 / (s + 1.0) >= 0.0);
        (tilt, total(&self.0, tilt).variance)
    }

    /// ln of Chernoff's bound of delta.
    pub(super) fn log_chernoff(&self, epsilon: f64) -> f64 {
        log_chernoff(&self.0, epsilon)
    }
}

/// One direction of the composition.
pub(super) struct OneWay {
    pub(super) moments: Vec<Moment>,
    pub(super) sketches: Sketches,
}

/// Points on the line, with ln M there.
struct Line {
    start: f64,
    step: f64,
    log_moments: Vec<Complex<f64>>,
}

impl OneWay {
    pub(super) fn delta(&self, epsilon: f64) -> Result<f64> {
        for halvings in 0..=MOST_HALVINGS {
            let line = self.line(epsilon, halvings)?;
            let log_delta = line.log_delta(epsilon, 1)?;
            // No delta is above Chernoff's bound; a line too far out agrees with itself, too.
            if (line.log_delta(epsilon, 2)? - log_delta).abs() <= AGREEMENT
                && log_delta <= self.sketches.log_chernoff(epsilon) + 1e-6
            {
                return Ok(log_delta.exp().min(1.0));
            }
        }
        Err(no_estimate("the integral has not converged"))
    }

    /// By Newton's method, or where that leads nowhere (heavy tails, where the slope changes quickly) by narrowing a bracket.
    pub(super) fn epsilon(&self, delta: f64) -> Result<f64> {
        self.epsilon_by_newton(delta).or_else(|_| self.epsilon_by_bracket(delta))
    }

    /// The Illinois rule on ln delta, between 0 and Chernoff's bound.
    fn epsilon_by_bracket(&self, delta: f64) -> Result<f64> {
        let target = delta.ln();
        let residual = |epsilon: f64| -> Result<f64> { Ok(self.delta(epsilon)?.ln() - target) };
        let (mut low, mut high) = (0.0, self.sketches.epsilon_guess(target).1 * (1.0 + 1e-6));
        // Chernoff's bound is above the truth: its sign is known without an integral.
        let (mut at_low, mut at_high) = (1.0, -1.0);
        for round in 0..100 {
            if high - low <= 1e-11 * high {
                return Ok(high);
            }
            let secant = high - at_high * (low - high) / (at_low - at_high);
            let inside = secant > low && secant < high && round > 2 && round % 4 != 3;
            let next = if inside { secant } else { 0.5 * (low + high) };
            let at = residual(next)?;
            if at.abs() < 1e-12 {
                return Ok(next);
            }
            if at > 0.0 {
                (low, at_low) = (next, at);
                at_high *= 0.5;
            } else {
                (high, at_high) = (next, at);
                at_low *= 0.5;
            }
        }
        Err(no_estimate("no epsilon was found between 0 and Chernoff's bound"))
    }

    fn epsilon_by_newton(&self, delta: f64) -> Result<f64> {
        let target = delta.ln();
        let mut halvings = 0;
        // Chernoff's bound is above the truth; a root beyond it is none.
        let (mut epsilon, most) = self.sketches.epsilon_guess(target);
        // Newton's method on ln delta, with a new line whenever it moved far.
        for _ in 0..8 {
            let line = self.line(epsilon, halvings)?;
            let from = epsilon;
            let mut settled = false;
            for _ in 0..12 {
                let at = line.log_delta(epsilon, 1)?;
                let width = 1e-4 / line.start;
                let slope = (line.log_delta(epsilon + width, 1)? - at) / width;
                let move_by = (target - at) / slope;
                if !move_by.is_finite() {
                    return Err(no_estimate("Newton's method found no slope"));
                }
                let limit = 2.0 / line.start;
                epsilon += move_by.clamp(-limit, limit);
                if epsilon < 0.0 {
                    return if self.line(0.0, 0)?.log_delta(0.0, 1)? <= target {
                        Ok(0.0)
                    } else {
                        Err(no_estimate("Newton's method did not converge"))
                    };
                }
                if move_by.abs() <= 1e-12 * epsilon + 1e-300 {
                    settled = true;
                    break;
                }
            }
            if epsilon > most * (1.0 + 1e-6) {
                epsilon = most;
                continue;
            }
            if settled && (epsilon - from).abs() * line.start < 3.0 {
                // The integral has to agree with itself at twice the step.
                let fine = line.log_delta(epsilon, 1)?;
                if (line.log_delta(epsilon, 2)? - fine).abs() <= AGREEMENT {
                    return Ok(epsilon);
                }
                if halvings == MOST_HALVINGS {
                    break;
                }
                halvings += 1;
            }
        }
        Err(no_estimate("Newton's method did not converge"))
    }

    /// The line through the saddle point of M(s) e^(-s epsilon) / (s (s+1)).
    fn line(&self, epsilon: f64, halvings: i32) -> Result<Line> {
        let (start, variance) = self.sketches.saddle(epsilon);
        let step = (start / 10.0).min(0.3 / variance.max(1e-300).sqrt()) * 0.5_f64.powi(halvings);
        let mut line = Line { start, step, log_moments: Vec::new() };
        if !(step > 0.0 && step.is_finite()) {
            return Err(no_estimate("there is no saddle point"));
        }
        let mut nodes = 0.0;
        while line.log_moments.len() < MOST_POINTS {
            let from = line.log_moments.len();
            let highest = step * (from + BLOCK) as f64;
            let mut block = vec![Complex::new(0.0, 0.0); BLOCK];
            for moment in &self.moments {
                nodes += moment.add_log(start, step, from, highest, &mut block)?;
            }
            line.log_moments.append(&mut block);
            if line.is_complete(epsilon) {
                return Ok(line);
            }
            if nodes * BLOCK as f64 > 4e7 {
                break;
            }
        }
        Err(no_estimate(
            "the integrand decays too slowly, as it does for few steps or little noise; use the PLD accountant",
        ))
    }
}

impl Line {
    fn term(&self, k: usize, epsilon: f64) -> Complex<f64> {
        let s = Complex::new(self.start, self.step * k as f64);
        let reference = self.log_moments[0].re - self.start * epsilon;
        (self.log_moments[k] - s * epsilon - reference).exp() / (s * (s + 1.0))
    }

    fn is_complete(&self, epsilon: f64) -> bool {
        let count = self.log_moments.len();
        let total: f64 = (0..count).map(|k| self.term(k, epsilon).re * if k == 0 { 0.5 } else { 1.0 }).sum();
        let last = (count - 16..count).map(|k| self.term(k, epsilon).norm()).fold(0.0, f64::max);
        last * count as f64 <= REMAINDER * total.abs()
    }

    /// ln delta, with every `stride`-th point.
    fn log_delta(&self, epsilon: f64, stride: usize) -> Result<f64> {
        let total: f64 = (0..self.log_moments.len())
            .step_by(stride)
            .map(|k| self.term(k, epsilon).re * if k == 0 { 0.5 } else { 1.0 })
            .sum();
        if total > 0.0 {
            let reference = self.log_moments[0].re - self.start * epsilon;
            Ok(reference + (total * self.step * stride as f64 / PI).ln())
        } else {
            Err(no_estimate("the integral is not positive"))
        }
    }
}
