//! An estimate of the exact privacy curve of Poisson-sampled Gaussians, by a contour integral.
//!
//! With M(s) = E_P[e^(s x loss)], the product of the steps' moments,
//!
//! ```text
//! delta(epsilon) = 1/(2 pi i) integral over c + iR of M(s) e^(-s epsilon) / (s (s+1)) ds
//! ```
//!
//! for any c > 0 (the saddle-point accountant of Alghamdi et al., arXiv 2208.09595, integrated instead of expanded). On
//! the line through the saddle point the trapezoidal rule converges exponentially, and nothing cancels, however small
//! delta is. Moments are integrated by the trapezoidal rule, too.

use std::f64::consts::PI;

use realfft::num_complex::Complex;

use crate::error::{any_epsilon, open_delta};
use crate::gaussian::{gaussian_delta, gaussian_epsilon};
use crate::pld::{
    Base, Direction, Drawn, Mixture, Sketch, Step, Terms, chernoff_epsilon, find, log_chernoff, tilt_for_delta, total,
};
use crate::{Accountant, AccountingError, Adjacency, DpEvent, Result};

/// Name under which the results are reported.
const NAME: &str = "contour";

/// ln of the probabilities that are looked at where delta is not known.
const SMALLEST: f64 = -250.0;

/// Most points on the line.
const MOST_POINTS: usize = 4_096;

/// Most points under a moment's integral.
const MOST_NODES: f64 = 20_000.0;

/// Points that are added at once.
const BLOCK: usize = 64;

/// Relative size of what is left out at the line's end.
const REMAINDER: f64 = 1e-11;

/// Largest relative change of delta when every second point is left out.
const AGREEMENT: f64 = 3e-7;

/// How often the step is halved where it is larger.
const MOST_HALVINGS: i32 = 4;

/// Estimates privacy cost by a contour integral: to 1e-6 or better in about a millisecond, for any delta.
///
/// It is an *estimate*, not a bound: its error is not proven, only checked (the integral has to agree with itself at twice
/// the step). Supported are Gaussian and Poisson-sampled Gaussian events, banded matrix factorisation and
/// compositions of these. Where the integrand decays too slowly, as for a few steps, it answers with an error.
///
/// ```
/// use burn_privacy_accounting::{Accountant, Adjacency, ContourEstimator, DpEvent};
///
/// let mut estimator = ContourEstimator::new(Adjacency::AddOrRemoveOne);
/// estimator.compose(&DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?, 2_000)?;
/// assert!(!estimator.is_bound());
/// assert!((estimator.epsilon(1e-5)? - 1.007_673_204).abs() < 1e-8);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContourEstimator {
    adjacency: Adjacency,
    terms: Terms,
}

impl ContourEstimator {
    /// An empty estimator.
    #[must_use]
    pub fn new(adjacency: Adjacency) -> Self {
        Self { adjacency, terms: Terms::default() }
    }

    fn curve(&self, direction: Direction, log_tail: f64) -> OneWay {
        let sampled = self.terms.steps().filter_map(|(step, count)| match step.base {
            Base::Gaussian { noise } => Some(Moment { rate: step.rate, noise, count: count as f64, direction }),
            _ => None,
        });
        let plain = self.terms.gaussian_noise().map(|noise| Moment { rate: 1.0, noise, count: 1.0, direction });
        OneWay { moments: sampled.chain(plain).collect(), sketches: Sketches::new(&self.terms, direction, log_tail) }
    }

    /// Largest loss that is possible when a record is added; infinite with an unsampled Gaussian.
    fn largest_added_loss(&self) -> f64 {
        if self.terms.gaussian_noise().is_some() {
            return f64::INFINITY;
        }
        self.terms.steps().map(|(step, count)| -(-step.rate).ln_1p() * count as f64).sum()
    }

    fn is_sampled(&self) -> bool {
        self.terms.steps().next().is_some()
    }
}

impl Accountant for ContourEstimator {
    fn name(&self) -> &str {
        NAME
    }

    fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    fn is_bound(&self) -> bool {
        false
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let added = Terms::of(event, count, self.adjacency).map_err(renamed)?;
        let fits = |step: Step| matches!(step.base, Base::Gaussian { .. }) && step.drawn == Drawn::Poisson;
        if !added.steps().all(|(step, _)| fits(step)) {
            return Err(AccountingError::Unsupported {
                accountant: NAME.to_owned(),
                event: event.name().to_owned(),
                adjacency: self.adjacency,
                advice: "only Gaussian and Poisson-sampled Gaussian events have a moment that decays fast enough; use \
                         the PLD accountant"
                    .to_owned(),
            });
        }
        self.terms.merge(&added)
    }

    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1, or [`AccountingError::NoEstimate`].
    fn epsilon(&self, delta: f64) -> Result<f64> {
        let delta = open_delta(delta)?;
        if self.terms.non_private {
            return Ok(f64::INFINITY);
        }
        if !self.is_sampled() {
            return self.terms.gaussian_noise().map_or(Ok(0.0), |noise| gaussian_epsilon(noise, delta));
        }
        let log_tail = delta.ln() - 45.0;
        let epsilon = self.curve(Direction::Remove, log_tail).epsilon(delta)?;
        let added = self.curve(Direction::Add, log_tail);
        if epsilon >= self.largest_added_loss() || (epsilon > 0.0 && added.sketches.log_chernoff(epsilon) < delta.ln())
        {
            return Ok(epsilon);
        }
        Ok(epsilon.max(added.epsilon(delta)?))
    }

    /// # Errors
    ///
    /// If `epsilon` is negative or NaN, or [`AccountingError::NoEstimate`].
    fn delta(&self, epsilon: f64) -> Result<f64> {
        let epsilon = any_epsilon("epsilon", epsilon)?;
        if self.terms.non_private {
            return Ok(1.0);
        }
        if epsilon == f64::INFINITY {
            return Ok(0.0);
        }
        if !self.is_sampled() {
            return self.terms.gaussian_noise().map_or(Ok(0.0), |noise| gaussian_delta(noise, epsilon));
        }
        let delta = self.curve(Direction::Remove, SMALLEST).delta(epsilon)?;
        let added = self.curve(Direction::Add, SMALLEST);
        if epsilon >= self.largest_added_loss() || added.sketches.log_chernoff(epsilon) < delta.ln() {
            return Ok(delta);
        }
        Ok(delta.max(added.delta(epsilon)?))
    }
}

fn renamed(error: AccountingError) -> AccountingError {
    match error {
        AccountingError::Unsupported { event, adjacency, advice, .. } => {
            AccountingError::Unsupported { accountant: NAME.to_owned(), event, adjacency, advice }
        }
        other => other,
    }
}

fn no_estimate(reason: &str) -> AccountingError {
    AccountingError::NoEstimate { reason: reason.to_owned() }
}

/// The sketches of all steps of one direction, for estimates.
#[derive(Clone, Debug)]
struct Sketches(Vec<Sketch>);

impl Sketches {
    fn new(terms: &Terms, direction: Direction, log_tail: f64) -> Self {
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
    fn log_chernoff(&self, epsilon: f64) -> f64 {
        log_chernoff(&self.0, epsilon)
    }
}

/// One direction of the composition.
struct OneWay {
    moments: Vec<Moment>,
    sketches: Sketches,
}

/// Points on the line, with ln M there.
struct Line {
    start: f64,
    step: f64,
    log_moments: Vec<Complex<f64>>,
}

impl OneWay {
    fn delta(&self, epsilon: f64) -> Result<f64> {
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
    fn epsilon(&self, delta: f64) -> Result<f64> {
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

/// A Poisson-sampled Gaussian step and how often it is done.
struct Moment {
    rate: f64,
    noise: f64,
    count: f64,
    direction: Direction,
}

impl Moment {
    /// Adds count x ln M at the points start + i step (from + 0, 1, ..); gives the number of nodes that it took.
    fn add_log(&self, start: f64, step: f64, from: usize, highest: f64, out: &mut [Complex<f64>]) -> Result<f64> {
        // M(s) = E_Q[r^p] with p = 1 + s, or p = -s, of the likelihood ratio r.
        let sign = if self.direction == Direction::Add { -1.0 } else { 1.0 };
        let offset = if sign > 0.0 { 1.0 } else { 0.0 };
        let power = |k: usize| Complex::new(offset + sign * start, sign * step * (from + k) as f64);
        let variance = self.noise * self.noise;
        if self.rate == 1.0 {
            for (k, out) in out.iter_mut().enumerate() {
                let p = power(k);
                *out += p * (p - 1.0) / (2.0 * variance) * self.count;
            }
            return Ok(1.0);
        }
        // The trapezoidal rule for the moment, as in the RDP accountant, fine enough for the highest frequency.
        let p = power(0).re;
        let shift = (0.9 * PI * variance).min(5.0 * self.noise);
        let spacing = 2.0 * PI / (highest / variance + 44.0 / shift + shift / (2.0 * variance));
        let (low, high) = (p.min(0.0) - 11.0 * self.noise, p.max(1.0) + 11.0 * self.noise);
        let count = ((high - low) / spacing).ceil() + 1.0;
        if count.is_nan() || count > MOST_NODES {
            return Err(no_estimate("a step's moment needs too fine a grid, as it does for little noise"));
        }
        let log_scale = (spacing / (self.noise * (2.0 * PI).sqrt())).ln();
        // (ln weight, ln r, r - 1)
        let nodes: Vec<(f64, f64, f64)> = (0..count as usize)
            .map(|k| {
                let x = low + spacing * k as f64;
                let u = (2.0 * x - 1.0) / (2.0 * variance);
                let w = self.rate * u.exp_m1();
                let log_ratio = if u > 30.0 {
                    u + self.rate.ln() + ((1.0 - self.rate) / self.rate * (-u).exp()).ln_1p()
                } else {
                    w.ln_1p()
                };
                (log_scale - x * x / (2.0 * variance), log_ratio, w)
            })
            .collect();
        let largest = nodes.iter().map(|(weight, ratio, _)| weight + p * ratio).fold(f64::NEG_INFINITY, f64::max);
        let heaviest = nodes.iter().map(|(weight, ..)| *weight).fold(f64::NEG_INFINITY, f64::max);
        let kept: Vec<(f64, f64, f64)> = nodes
            .into_iter()
            .filter(|(weight, ratio, _)| weight + p * ratio > largest - 42.0 || *weight > heaviest - 42.0)
            .collect();
        // From one point on the line to the next, e^(p ln r) is multiplied by a rotation.
        let turn = sign * step;
        let (first, mut sums) = (power(0), vec![Complex::new(0.0, 0.0); out.len()]);
        if largest > 20.0 || kept.iter().any(|(_, ratio, w)| p * ratio > 500.0 || *w > 1e100) {
            for (weight, ratio, _) in &kept {
                let mut value = (first * ratio + (weight - largest)).exp();
                let rotation = Complex::from_polar(1.0, turn * ratio);
                for sum in &mut sums {
                    *sum += value;
                    value *= rotation;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += (sum.ln() + largest) * self.count;
            }
        } else {
            // M - 1 = E_Q[r^p - 1 - p (r - 1)], without cancellation.
            for (weight, ratio, w) in &kept {
                let weight = weight.exp();
                let mut value = exp_m1(first * ratio);
                let rotation = exp_m1(Complex::new(0.0, turn * ratio));
                let mut line = first * w;
                for sum in &mut sums {
                    *sum += (value - line) * weight;
                    value += rotation + value * rotation;
                    line.im += turn * w;
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out += ln_1p(sum) * self.count;
            }
        }
        Ok(kept.len() as f64)
    }
}

/// e^z - 1 without cancellation for small z.
fn exp_m1(z: Complex<f64>) -> Complex<f64> {
    let (sin, cos) = z.im.sin_cos();
    let half = (0.5 * z.im).sin();
    Complex::new(z.re.exp_m1() * cos - 2.0 * half * half, z.re.exp() * sin)
}

/// ln(1 + z) without cancellation for small z.
fn ln_1p(z: Complex<f64>) -> Complex<f64> {
    Complex::new(0.5 * (2.0 * z.re + z.norm_sqr()).ln_1p(), z.im.atan2(1.0 + z.re))
}
