//! A single Poisson-sampled Gaussian step: its curve in closed form.
//!
//! With x = e^epsilon at least 1, P = (1-q) Q + q R against Q is q H_{R,Q}((x - 1 + q) / q), where H is the Gaussian's hockey-stick
//! (Balle, Barthe and Gaboardi, arXiv 1807.01647, theorem 8). The other direction is nowhere above it: Q against P is c H_{Q,R}(x q / c)
//! with c = 1 - x (1-q), or 0 where c is not above 0. For x at least 1, c is at most q, and x q / c is at least (x - 1 + q) / q, since
//!
//! ```text
//! x q^2 - (x - 1 + q) c = (x - 1)^2 (1 - q),
//! ```
//!
//! which is at least 0; H falls with its argument, and is the same for Q against R as for R against Q.

use super::base::Base;
use super::goal::Goal;
use super::step::{Drawn, Step};
use crate::Result;
use crate::gaussian::{delta_rounding, gaussian_delta, gaussian_epsilon, gaussian_epsilon_below};

/// Covers the roundings of the few operations between both epsilons, and those of a product with the rate.
const ROUNDING: f64 = 1e-12;

/// What [`gaussian_delta`] is rounded up by, and a little.
const EXACT_ROUNDING: f64 = 1e-11;

/// A bracket of the goal if there is one such step and nothing else.
pub(super) fn bounds(steps: &[(Step, u64)], goal: Goal) -> Result<Option<(f64, f64)>> {
    let [(Step { base: Base::Gaussian { noise }, rate, drawn: Drawn::Poisson }, 1)] = *steps else { return Ok(None) };
    Ok(Some(match goal {
        Goal::EpsilonAt(delta) => {
            let of_sample = delta / rate;
            let (less, more) = (of_sample * (1.0 - ROUNDING), of_sample * (1.0 + ROUNDING));
            let upper =
                if less >= 1.0 { 0.0 } else { amplified(gaussian_epsilon(noise, less)?, rate) * (1.0 + ROUNDING) };
            let lower = if more >= 1.0 {
                0.0
            } else {
                amplified(gaussian_epsilon_below(noise, more)?, rate) * (1.0 - ROUNDING)
            };
            (lower, upper)
        }
        Goal::DeltaAt(epsilon) => {
            let of_sample = unamplified(epsilon, rate);
            let (less, more) = (of_sample * (1.0 - ROUNDING), of_sample * (1.0 + ROUNDING));
            // A product that vanishes, or loses digits, is no upper bound.
            let upper = (rate * gaussian_delta(noise, less)? * (1.0 + ROUNDING)).clamp(f64::MIN_POSITIVE, 1.0);
            let below = rate * gaussian_delta(noise, more)?;
            let slack = 1.0 - EXACT_ROUNDING - 2.0 * delta_rounding(noise, more) - ROUNDING;
            // Floats below the normal ones have no relative error; delta is at least 0.
            let lower = if below < f64::MIN_POSITIVE { 0.0 } else { below * slack.max(0.0) };
            (lower, upper)
        }
    }))
}

/// ln(1 + q (e^epsilon - 1)): what sampling makes of an epsilon.
fn amplified(epsilon: f64, rate: f64) -> f64 {
    let grown = rate * epsilon.exp_m1();
    if grown.is_finite() || epsilon == f64::INFINITY {
        return grown.ln_1p();
    }
    let log_grown = epsilon + rate.ln();
    log_grown.max(0.0) + (-log_grown.abs()).exp().ln_1p()
}

/// Its inverse.
fn unamplified(epsilon: f64, rate: f64) -> f64 {
    let grown = epsilon.exp_m1() / rate;
    if grown.is_finite() || epsilon == f64::INFINITY {
        return grown.ln_1p();
    }
    // So large that 1 is nothing beside it.
    if epsilon > 700.0 { epsilon - rate.ln() } else { epsilon.exp_m1().ln() - rate.ln() }
}

#[cfg(test)]
mod tests {
    use super::super::directions::Composition;
    use super::super::goal::Sides;
    use super::*;

    /// The grid knows nothing of the closed form, and takes both directions.
    #[test]
    fn both_brackets_hold_the_same_number() {
        for (rate, noise) in [(0.3, 0.8), (0.005, 1.1), (0.9, 5.0), (1e-3, 0.4)] {
            let step = [(Step { base: Base::Gaussian { noise }, rate, drawn: Drawn::Poisson }, 1)];
            let grid = |goal| Composition::new(step.to_vec(), 1e-4, Sides::Both).bounds(goal);
            let goals = [1e-12, 1e-6, 1e-3, 0.05].map(Goal::EpsilonAt);
            for goal in goals.into_iter().chain([0.0, 0.01, 0.4, 2.0].map(Goal::DeltaAt)) {
                let (lower, upper) = bounds(&step, goal).unwrap().unwrap();
                let (grid_lower, grid_upper) = grid(goal);
                assert!(
                    lower <= upper && lower >= upper * (1.0 - 1e-6),
                    "{rate} {noise} {goal:?}: {lower:e} {upper:e}"
                );
                assert!(
                    lower <= grid_upper && grid_lower <= upper,
                    "{rate} {noise} {goal:?}: {lower:e} {upper:e}, {grid_lower:e} {grid_upper:e}"
                );
            }
        }
    }

    #[test]
    fn epsilons_of_a_sample_and_of_all_belong_together_at_any_size() {
        for rate in [1e-300, 1e-9, 0.3, 0.999] {
            for epsilon in [1e-12, 0.1, 5.0, 50.0, 800.0] {
                let back = amplified(unamplified(epsilon, rate), rate);
                assert!((back - epsilon).abs() <= 1e-12 * epsilon, "{rate} {epsilon}: {back}");
            }
        }
    }
}
