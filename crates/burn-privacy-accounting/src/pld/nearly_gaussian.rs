//! Poisson-sampled Gaussian steps with much noise, between two Gaussian mechanisms: a bracket in closed form, for any number
//! of steps.
//!
//! Let m = 1/noise, and G(t) = (1-q) Phi(t) + q Phi(t-m): the distribution of one step's outcome with the record, in units of
//! the noise; without the record it is Phi. Let mu(t) be the shift for which Phi(t - mu(t)) = G(t).
//!
//! *mu does not fall.* Its derivative is 1 - G'(t) / I(G(t)) with the isoperimetric profile I = phi(Phi^-1), which is
//! concave: I(G(t)) >= (1-q) I(Phi(t)) + q I(Phi(t-m)) = (1-q) phi(t) + q phi(t-m) = G'(t).
//!
//! *Above.* Leave out the outcomes beyond a z. For all t <= z, G(t) >= Phi(t - mu(z)). With the likelihood ratio r = dG/dPhi,
//! which increases, the hockey-stick curve at x of what is left is, with the record as P and x = r(t),
//!
//! ```text
//! G(z) - G(t) - x (Phi(z) - Phi(t)) <= 1 - G(t) - x (1 - Phi(t)),   since r(z) P(N > z) <= P(G > z),
//!                                   <= 1 - Phi(t - mu(z)) - x (1 - Phi(t)),
//! ```
//!
//! a value that the Gaussian mechanism with shift mu(z) reaches; and with the record as Q it is
//! Phi(t) - x G(t) <= Phi(t) - x Phi(t - mu(z)), likewise (t <= z). An order between curves of *finite* measures is kept by
//! composition (each curve is an integral of the other's; Zhu, Dong and Wang, arXiv 2106.08567, theorem 10), T Gaussian
//! mechanisms are one with shift mu sqrt(T), and what was left out adds at most its probability, T times, to delta:
//!
//! ```text
//! delta(epsilon) <= delta_Gaussian(epsilon; mu(z) sqrt(T)) + T P(G > z),
//! ```
//!
//! in both directions. *Below* is the mirror: for t >= -z, G(t) <= Phi(t - mu(-z)); the Gaussian mechanism of shift mu(-z)
//! without its outcomes below -z is less revealing than the step, so that delta is at least that of the Gaussian mechanism
//! less T Phi(-z). Shifts of different steps add up as squares, and what was left out adds up.
//!
//! The bracket's width is about m z (1-q), relative to epsilon.

use super::base::Base;
use super::goal::Goal;
use super::step::{Drawn, Step};
use crate::Result;
use crate::gaussian::{delta_rounding, gaussian_delta, gaussian_epsilon, gaussian_epsilon_below};

/// What is left out is at most this part of delta.
const LEFT_OUT: f64 = 1e-7;

/// Only where z / noise is below this: beyond, the bracket is wide and the integrals are not smooth.
const MOST: f64 = 0.25;

/// Relative error of a shift, counted on either side.
const ROUNDING: f64 = 1e-11;

/// Two Gaussian mechanisms, and the probability that was left out on either side.
struct Between {
    /// The shifts' squares, summed.
    above: f64,
    below: f64,
    left_out: f64,
}

/// A bracket of the goal if all steps are Gaussian, and Poisson-sampled with much noise or not sampled.
pub(super) fn bounds(steps: &[(Step, u64)], goal: Goal) -> Result<Option<(f64, f64)>> {
    if steps.iter().any(|(step, _)| gaussian_noise(step).is_none()) {
        return Ok(None);
    }
    let count: f64 = steps.iter().map(|(_, count)| *count as f64).sum();
    match goal {
        Goal::EpsilonAt(delta) => {
            let Some(between) = between(steps, count, delta)? else { return Ok(None) };
            let finite = delta - between.left_out;
            let upper =
                if finite > 0.0 { gaussian_epsilon(between.above.sqrt().recip(), finite)? } else { return Ok(None) };
            let lower = match delta + between.left_out {
                delta if delta < 1.0 => gaussian_epsilon_below(between.below.sqrt().recip(), delta)?,
                _ => 0.0,
            };
            Ok(Some((lower, upper)))
        }
        Goal::DeltaAt(epsilon) => {
            // About how small it is: without leaving out anything.
            let square: f64 = steps
                .iter()
                .filter_map(|(step, count)| Some(*count as f64 * (step.rate / gaussian_noise(step)?).powi(2)))
                .sum();
            let about = gaussian_delta(square.sqrt().recip(), epsilon)?;
            if about < 1e-280 {
                return Ok(None);
            }
            let Some(between) = between(steps, count, about)? else { return Ok(None) };
            let (noise_above, noise_below) = (between.above.sqrt().recip(), between.below.sqrt().recip());
            let upper = (gaussian_delta(noise_above, epsilon)? + between.left_out) * (1.0 + 1e-15);
            let slack = 1.0 - 1e-11 - 2.0 * delta_rounding(noise_below, epsilon);
            let lower = gaussian_delta(noise_below, epsilon)? * slack - between.left_out;
            // Delta is at least 0, and a probability.
            Ok(Some((lower.max(0.0), upper.min(1.0))))
        }
    }
}

fn gaussian_noise(step: &Step) -> Option<f64> {
    match (step.base, step.drawn) {
        (Base::Gaussian { noise }, Drawn::Poisson) => Some(noise),
        _ => None,
    }
}

fn between(steps: &[(Step, u64)], count: f64, delta: f64) -> Result<Option<Between>> {
    // P(N > z) <= e^(-z^2/2) / 2.
    let left_out = LEFT_OUT * delta;
    let reach = (2.0 * (0.5 * count / left_out).ln()).max(1.0).sqrt() * (1.0 + 1e-12);
    let mut sum = Between { above: 0.0, below: 0.0, left_out };
    for (step, count) in steps {
        let Some(noise) = gaussian_noise(step) else { return Ok(None) };
        let (mean, count) = (1.0 / noise, *count as f64);
        let (above, below) = if step.rate == 1.0 {
            (mean, mean)
        } else {
            // With the record, the outcome is larger by the mean at most.
            let z = reach + mean;
            if z * mean >= MOST {
                return Ok(None);
            }
            let Some(shifts) = shift(step.rate, mean, z).zip(shift(step.rate, mean, -z)) else { return Ok(None) };
            shifts
        };
        sum.above += count * above * above * (1.0 + 4.0 * ROUNDING);
        sum.below += count * below * below * (1.0 - 4.0 * ROUNDING);
    }
    Ok((sum.below > 0.0 && sum.above.is_finite()).then_some(sum))
}

/// mu(t), to a relative error of less than [`ROUNDING`]: the solution of J(mu) = q J(m), where J(mu) is the integral of
/// e^(t v - v^2/2) from 0 to mu, which is (Phi(t) - Phi(t - mu)) / phi(t).
fn shift(rate: f64, mean: f64, t: f64) -> Option<f64> {
    let target = rate * integral(mean, t);
    // J is monotonic, and J(q m) is within a factor of e^(2 MOST) of q J(m).
    let mut mu = rate * mean;
    for _ in 0..50 {
        let step = (integral(mu, t) - target) / (t * mu - 0.5 * mu * mu).exp();
        mu -= step;
        if step.abs() <= 1e-15 * mu {
            break;
        }
    }
    // Newton's method is not trusted: the solution has to be between two values next to it.
    let near = 0.5 * ROUNDING;
    let (low, high) = (mu * (1.0 - near), mu * (1.0 + near));
    (mu > 0.0 && integral(low, t) < target && integral(high, t) > target).then_some(mu)
}

/// The integral of e^(t v - v^2/2) from 0 to `end`, where t x end is small: by the seven-point Gauss-Legendre rule.
fn integral(end: f64, t: f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.0, 0.417_959_183_673_469_4),
        (0.405_845_151_377_397_2, 0.381_830_050_505_118_9),
        (0.741_531_185_599_394_4, 0.279_705_391_489_276_7),
        (0.949_107_912_342_758_5, 0.129_484_966_168_869_7),
    ];
    let half = 0.5 * end;
    let at = |v: f64| (t * v - 0.5 * v * v).exp();
    let sum: f64 = NODES
        .iter()
        .map(|(node, weight)| {
            weight * if *node == 0.0 { at(half) } else { at(half * (1.0 - node)) + at(half * (1.0 + node)) }
        })
        .sum();
    half * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(rate: f64, noise: f64) -> Step {
        Step { base: Base::Gaussian { noise }, rate, drawn: Drawn::Poisson }
    }

    /// What the proof rests on: the shift does not fall, lies around q m, and solves its equation.
    #[test]
    fn shifts_rise() {
        for (rate, mean) in [(0.005, 1e-3), (0.3, 0.01), (0.9, 1e-5), (1e-6, 0.02)] {
            let mut before = 0.0;
            for t in [-9.0, -3.0, -0.5, 0.0, 0.4, 2.0, 6.0, 11.0] {
                let mu = shift(rate, mean, t).unwrap();
                assert!(mu >= before * (1.0 - 1e-14) && (mu / (rate * mean) - 1.0).abs() < 0.3, "{rate} {mean} {t}");
                before = mu;
            }
        }
    }

    /// A single step's exact curve lies in between: q delta_Gaussian(e') with e^e' = 1 + (e^epsilon - 1)/q.
    #[test]
    fn a_step_lies_in_between() {
        for (rate, noise) in [(0.005, 300.0), (0.3, 1e4), (0.9, 1e3)] {
            for part in [0.0, 0.1, 1.0, 3.0] {
                let epsilon: f64 = part * rate / noise;
                let truth = rate * gaussian_delta(noise, (epsilon.exp_m1() / rate).ln_1p()).unwrap();
                let (lower, upper) = bounds(&[(sampled(rate, noise), 1)], Goal::DeltaAt(epsilon)).unwrap().unwrap();
                assert!(lower <= truth * (1.0 + 1e-10) && truth <= upper * (1.0 + 1e-10), "{rate} {noise} {part}");
                assert!(upper / lower < 1.5, "{rate} {noise} {part}: {lower:e} {upper:e}");
            }
        }
    }

    #[test]
    fn many_steps_with_much_noise_are_tight() {
        for (noise, count, truth, width) in
            [(1e4, 100_000_000_000, 0.5613, 2e-3), (1e6, 1_000_000_000_000_000, 0.56128, 2e-5)]
        {
            let steps = [(sampled(0.005, noise), count)];
            let (lower, upper) = bounds(&steps, Goal::EpsilonAt(1e-5)).unwrap().unwrap();
            assert!(lower <= truth + 2e-5 && truth - 2e-5 <= upper, "{noise}: {lower} {upper}");
            assert!(upper / lower - 1.0 < width, "{noise}: {lower} {upper}");
        }
        let little = [(sampled(0.005, 1.0), 10)];
        assert!(bounds(&little, Goal::EpsilonAt(1e-5)).unwrap().is_none());
    }
}
