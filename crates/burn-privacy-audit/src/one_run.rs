//! Auditing in one training run: many canaries, each in or out by its own fair coin.
//!
//! [`p_value`] and [`one_run`] are Theorem 5.2 of Steinke, Nasr and Jagielski, "Privacy auditing with one (1) training
//! run", 2023 (arXiv 2305.08846). [`one_run_gaussian`] is algorithm 3 of Mahloujifar, Melis and Chaudhuri, "Auditing
//! f-differential privacy in one run", 2024 (arXiv 2410.22235), for trade-off curves of Gaussian mechanisms.
//!
//! # Preconditions
//!
//! Each of the canaries was put in by an independent fair coin; the guesses were made from the mechanism's output alone;
//! how many guesses are made was fixed before. A bound holds with confidence 1 - significance.

use burn_privacy_accounting::gaussian_sigma;
use burn_privacy_output::InvalidValue;

use crate::binomial::Binomial;
use crate::error::{Result, check_delta, check_significance};
use crate::normal;

/// What an attacker guessed about the canaries of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guesses {
    canaries: usize,
    guesses: usize,
    correct: usize,
}

impl Guesses {
    /// `correct` of `guesses` about which of `canaries` were in; the rest of the canaries was abstained from.
    ///
    /// # Errors
    ///
    /// An [`InvalidValue`] unless `correct` <= `guesses` <= `canaries` and `canaries` is at most 10 million.
    pub fn new(canaries: usize, guesses: usize, correct: usize) -> Result<Self> {
        if canaries == 0 || canaries > 10_000_000 {
            return Err(InvalidValue::new("canaries", canaries, "between 1 and 10,000,000").into());
        }
        if guesses > canaries {
            return Err(InvalidValue::new("guesses", guesses, format!("at most the {canaries} canaries")).into());
        }
        if correct > guesses {
            return Err(InvalidValue::new("correct", correct, format!("at most the {guesses} guesses")).into());
        }
        Ok(Self { canaries, guesses, correct })
    }

    /// How many canaries there were.
    pub fn canaries(&self) -> usize {
        self.canaries
    }

    /// How many of them were guessed.
    pub fn guesses(&self) -> usize {
        self.guesses
    }

    /// How many guesses were right.
    pub fn correct(&self) -> usize {
        self.correct
    }
}

/// The largest probability with which an (epsilon, delta)-differentially private mechanism lets anybody guess as well.
///
/// # Errors
///
/// An [`InvalidValue`] unless epsilon is a number of at least 0 and delta lies in [0, 1).
pub fn p_value(guesses: Guesses, epsilon: f64, delta: f64) -> Result<f64> {
    if epsilon.is_nan() || epsilon < 0.0 {
        return Err(InvalidValue::new("epsilon", epsilon, "at least 0").into());
    }
    check_delta(delta)?;
    Ok(p_value_of(guesses, epsilon, delta))
}

fn p_value_of(guesses: Guesses, epsilon: f64, delta: f64) -> f64 {
    let Guesses { canaries, guesses, correct } = guesses;
    if correct == 0 {
        return 1.0;
    }
    let (success, failure) = (1.0 / (1.0 + (-epsilon).exp()), 1.0 / (1.0 + epsilon.exp()));
    if failure == 0.0 {
        return 1.0;
    }
    let binomial = Binomial::new(guesses, success, failure);
    let beta = binomial.at_least(correct);
    if delta == 0.0 {
        return beta;
    }
    // alpha = max over i of P[correct - i <= X < correct] / i.
    let (mut alpha, mut between) = (0.0_f64, 0.0);
    for i in 1..=correct {
        between += binomial.probability(correct - i);
        alpha = alpha.max(between / i as f64);
    }
    (beta + 2.0 * canaries as f64 * delta * alpha).min(1.0)
}

/// The largest epsilon that is falsified at delta: with confidence 1 - `significance`, no (epsilon', delta) with a smaller
/// epsilon' holds. 0 if nothing is falsified.
///
/// # Errors
///
/// An [`InvalidValue`] unless 0 < significance < 0.5 and 0 <= delta < 1.
pub fn one_run(guesses: Guesses, delta: f64, significance: f64) -> Result<f64> {
    check_significance(significance)?;
    check_delta(delta)?;
    // The relative margin is far above the rounding of the sums.
    largest_rejected(|epsilon| Ok(p_value_of(guesses, epsilon, delta) * (1.0 + 1e-10) <= significance))
}

/// The largest epsilon at delta of a *Gaussian* trade-off curve that is falsified, which is tighter than [`one_run`] and
/// means less: it falsifies the claim that the training is no worse than one Gaussian mechanism of that (epsilon, delta).
/// It is a lower bound on epsilon for mechanisms whose trade-off curve is a Gaussian one, such as full-batch DP-SGD.
///
/// # Errors
///
/// An [`InvalidValue`] unless 0 < significance < 0.5 and 0 < delta < 1.
pub fn one_run_gaussian(guesses: Guesses, delta: f64, significance: f64) -> Result<f64> {
    check_significance(significance)?;
    check_delta(delta)?;
    if delta == 0.0 {
        return Err(InvalidValue::new("delta", delta, "above 0: a Gaussian mechanism has no epsilon at delta 0").into());
    }
    // At epsilon 0 the curve is that of total variation delta; there a Gaussian has a mean of about 2.5 delta.
    largest_rejected(|epsilon| {
        let mean = 1.0 / gaussian_sigma(epsilon.max(1e-12), delta, 1.0)?;
        Ok(falsifies(guesses, significance, |x| normal::cdf(normal::quantile(x) - mean)))
    })
}

/// Whether a trade-off curve is falsified; `blow_down` takes the probability of an event under one neighbor to the least
/// that it has under the other.
fn falsifies(guesses: Guesses, significance: f64, blow_down: impl Fn(f64) -> f64) -> bool {
    let (m, g, v) = (guesses.canaries as f64, guesses.guesses, guesses.correct);
    let mut r = significance * v as f64 / m;
    let mut h = significance * (g - v) as f64 / m;
    for i in (0..v).rev() {
        let next = h.max(blow_down(r));
        if next == h {
            break;
        }
        r = (r + i as f64 / (g - i) as f64 * (next - h)).min(1.0);
        h = next;
    }
    r + h > g as f64 / m
}

/// The largest epsilon at which `rejected` is true, by doubling and halving; 0 if it isn't at 0.
///
/// Whoever falsifies epsilon falsifies all smaller ones, so that an answer is sound even where `rejected` is not monotone.
fn largest_rejected(rejected: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    if !rejected(0.0)? {
        return Ok(0.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while rejected(high)? {
        (low, high) = (high, 2.0 * high);
        if high > 1e3 {
            return Ok(low);
        }
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if rejected(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guesses(canaries: usize, guesses: usize, correct: usize) -> Guesses {
        Guesses::new(canaries, guesses, correct).unwrap()
    }

    /// Values of jax_privacy's auditing module.
    #[test]
    fn p_values_are_the_reference_s() {
        for (m, g, v, epsilon, delta, expected) in [
            (1_000, 100, 80, 1.0, 1e-5, 0.073_009_115_949_177_76),
            (1_000, 1_000, 600, 0.2, 1e-5, 0.001_023_241_215_225_459_9),
            (1_000, 200, 150, 0.8, 1e-3, 0.127_140_583_662_377_32),
            (5_000, 500, 450, 2.0, 1e-5, 0.107_131_556_005_608_52),
            (100, 100, 100, 3.0, 1e-5, 0.008_025_390_790_710_137),
        ] {
            let value = p_value(guesses(m, g, v), epsilon, delta).unwrap();
            assert!((value - expected).abs() < 1e-12, "{m} {g} {v}: {value}");
        }
    }

    /// Values of jax_privacy's auditing module, to its own tolerance.
    #[test]
    fn lower_bounds_are_the_reference_s() {
        for (m, g, v, steinke, gaussian) in [
            (1_000, 100, 80, 0.955_319, 1.402_215),
            (1_000, 100, 100, 3.465_376, 5.549_028),
            (1_000, 1_000, 600, 0.297_227, 0.583_54),
            (5_000, 500, 450, 1.941_42, 2.776_066),
            (10_000, 10_000, 7_500, 1.060_128, 1.820_272),
            (100_000, 1_500, 1_429, 2.668_754, 3.299_235),
        ] {
            let given = guesses(m, g, v);
            let (one, other) = (one_run(given, 1e-5, 0.05).unwrap(), one_run_gaussian(given, 1e-5, 0.05).unwrap());
            assert!((one - steinke).abs() < 1e-5, "{m} {g} {v}: {one}");
            assert!((other - gaussian).abs() < 1e-5, "{m} {g} {v}: {other}");
        }
    }

    #[test]
    fn nothing_is_falsified_by_guesses_at_random() {
        assert_eq!(one_run(guesses(1_000, 100, 50), 1e-5, 0.05).unwrap(), 0.0);
        assert_eq!(one_run_gaussian(guesses(1_000, 100, 50), 1e-5, 0.05).unwrap(), 0.0);
        assert_eq!(one_run(guesses(1_000, 0, 0), 0.0, 0.05).unwrap(), 0.0);
        // All right at delta 0 is 2^-m under epsilon 0, and nothing is falsified for ever.
        assert!(one_run(guesses(1_000, 1_000, 1_000), 0.0, 0.05).unwrap() < 6.0);
    }

    #[test]
    fn impossible_counts_are_refused_with_a_sentence() {
        assert!(Guesses::new(10, 11, 0).unwrap_err().to_string().contains("at most the 10 canaries"));
        assert!(Guesses::new(10, 5, 6).unwrap_err().to_string().contains("at most the 5 guesses"));
        assert!(Guesses::new(0, 0, 0).is_err());
        assert!(p_value(guesses(1, 1, 1), f64::NAN, 0.0).is_err());
        assert!(one_run(guesses(1, 1, 1), 1.0, 0.05).is_err() && one_run(guesses(1, 1, 1), 0.0, 0.5).is_err());
        assert!(one_run_gaussian(guesses(1, 1, 1), 0.0, 0.05).is_err());
    }
}
