//! The best of a random number of runs: formulas (Papernot and Steinke, arXiv 2110.03620, lemma 7 and theorems 2 and 6).
//!
//! K runs are made, K from a distribution that is independent of the data, and the best one in a fixed order of all outcomes
//! is released; with K = 0 it is seen that there is none. Let R be the divergence of a run, in both directions, and f the
//! generating function of K. An outcome y is released with probability Q(y) x the mean of f' between Q(< y) and Q(<= y), so
//! that for every order a > 1
//!
//! ```text
//! e^((a-1) R'(a)) <= P[K = 0] + e^((a-1) R(a)) max f'(x)^a f'(x')^(1-a),
//! ```
//!
//! with the maximum over the probabilities (x, x') that one event can have under the two data sets.
//!
//! - *Truncated negative binomial* with shape e > -1 and stopping probability 0 < g < 1 (theorem 2); K is at least 1. For
//!   every order b >= 1,
//!
//!   ```text
//!   R'(a) <= R(a) + (1 + e) ((1 - 1/b) R(b) + ln(1/g) / b) + ln(E[K]) / (a - 1).
//!   ```
//!
//! - *Poisson* with mean m (theorem 6): with the delta d of a run at epsilon ln(1 + 1/(a-1)) the maximum is at most
//!   m e^((a-1) m d), and P[K = 0] is e^-m, which the theorem's statement leaves out: without it, a mean below 1 would give
//!   divergences below the truth, and even below 0.
//!
//!   ```text
//!   R'(a) <= ln(e^-m + m e^((a-1) (R(a) + m d))) / (a - 1).
//!   ```

use super::closed_forms::exp_m1_minus;
use crate::search::minimize;

/// Range of ln(b - 1) that is searched, and where from.
const SEARCHED: (f64, f64) = (-11.5, 23.0);
const START: f64 = 1.4;

/// Rounding is counted with this relative error.
const ROUNDING: f64 = 1e-13;

/// Exponents up to this are not computed in logarithms.
const MODERATE: f64 = 300.0;

/// The epsilon at which [`poisson`] needs a run's delta, rounded down.
pub(super) fn poisson_epsilon(order: f64) -> f64 {
    (1.0 / (order - 1.0)).ln_1p() * (1.0 - 4.0 * f64::EPSILON)
}

/// Upper bound of the divergence at `order` for a Poisson number of runs of mean `mean`, from a run's `divergence` there and
/// its `delta` at [`poisson_epsilon`]. At least 0: it is a sum of terms that are.
pub(super) fn poisson(mean: f64, order: f64, divergence: f64, delta: f64) -> f64 {
    let above = order - 1.0;
    let exponent = above * (divergence + mean * delta) * (1.0 + ROUNDING);
    // e^-m + m e^x = 1 + m (e^x - 1) + (e^-m - 1 + m), where both are at least 0 and nothing cancels.
    let excess = mean * exponent.exp_m1() + exp_m1_minus(-mean);
    let log_moment = if exponent < MODERATE && excess.is_finite() {
        excess.ln_1p()
    } else {
        let (run, none) = (exponent + mean.ln(), -mean);
        run.max(none) + (-(run - none).abs()).exp().ln_1p() + ROUNDING * (exponent + mean.ln().abs())
    };
    if mean == 0.0 { 0.0 } else { log_moment / above * (1.0 + ROUNDING) }
}

/// The cheapest choice among the runs for a truncated negative binomial number of them: the middle term of the bound, which
/// all orders share. `divergence` is a run's.
pub(super) fn truncated_negative_binomial_choice(
    shape: f64,
    gamma: f64,
    mut divergence: impl FnMut(f64) -> f64,
) -> f64 {
    let stop = -gamma.ln();
    let at = |log_above: f64| {
        let order = 1.0 + log_above.exp();
        (1.0 - 1.0 / order) * divergence(order) + stop / order
    };
    // Order 1 needs no divergence.
    (1.0 + shape) * minimize(at, START, SEARCHED, 1e-6).1.min(stop) * (1.0 + ROUNDING)
}

/// Upper bound of the divergence at `order` for a truncated negative binomial number of runs, from a run's `divergence` there
/// and the `choice` above. At least 0: all terms are, since there is at least one run.
pub(super) fn truncated_negative_binomial(shape: f64, gamma: f64, order: f64, divergence: f64, choice: f64) -> f64 {
    (divergence + choice + log_mean(shape, gamma) / (order - 1.0)) * (1.0 + ROUNDING)
}

/// ln of the mean of the truncated negative binomial distribution, e (1-g) / (g (1 - g^e)), and its limit for e = 0; rounded
/// up, and so at least 0.
///
/// With s = ln(1/g) and x = e s it is ln(x / (1 - e^-x)) - ln(s) + ln(1-g) + s, which neither over- nor underflows.
fn log_mean(shape: f64, gamma: f64) -> f64 {
    let stop = -gamma.ln();
    let x = shape * stop;
    // ln(x / (1 - e^-x)): 0 at 0, and for -x that for x, less x.
    let size = x.abs();
    let ratio = if size == 0.0 { 0.0 } else { (size / -(-size).exp_m1()).ln() - if x < 0.0 { size } else { 0.0 } };
    let terms = [ratio, -stop.ln(), (-gamma).ln_1p(), stop];
    let error: f64 = terms.iter().map(|term| term.abs()).sum::<f64>() + size + 1.0;
    terms.iter().sum::<f64>() + 16.0 * f64::EPSILON * error
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn means_are_those_of_the_distributions() {
        let gamma = 0.03_f64;
        // Geometric, and logarithmic.
        assert!((log_mean(1.0, gamma) - (1.0 / gamma).ln()).abs() < 1e-13);
        let logarithmic = ((1.0 - gamma) / gamma / (1.0 / gamma).ln()).ln();
        for shape in [0.0, 1e-12, -1e-12, 1e-8] {
            assert!((log_mean(shape, gamma) - logarithmic).abs() < 1e-7, "{shape}");
        }
        // P(K = k) is proportional to (1-g)^k/k! times e (e+1) .. (e+k-1).
        for shape in [-0.5, 0.5, 2.0, 5.5] {
            let (mut weight, mut total, mut first) = (1.0, 0.0, 0.0);
            for k in 1..20_000 {
                let k = f64::from(k);
                weight *= (1.0 - gamma) * (shape + k - 1.0) / k;
                total += weight;
                first += weight * k;
            }
            assert!((log_mean(shape, gamma) - (first / total).ln()).abs() < 1e-10, "{shape}");
        }
    }

    /// There is at least one run, whatever rounding and overflow say.
    #[test]
    fn means_are_at_least_one_at_the_ends() {
        for shape in [-1.0 + 1e-16, -0.999, -1e-300, 0.0, 1e-300, 1.0, 1e300] {
            for gamma in [f64::from_bits(1), 1e-300, 1e-9, 0.5, 1.0 - 1e-9, 1.0_f64.next_down()] {
                let found = log_mean(shape, gamma);
                assert!(found.is_finite() && found >= 0.0, "{shape} {gamma}: {found}");
            }
        }
        // The mean tends to 1 / ((1-g) / -ln g ...) as the shape tends to -1: E[K] = -e (1-g) g^(-1-e) / (1 - g^-e).
        let found = log_mean(-0.999, 1e-305);
        let truth = (0.999_f64).ln() + 0.001 * 305.0 * std::f64::consts::LN_10;
        assert!((found - truth).abs() < 1e-10, "{found} {truth}");
    }

    /// A finite mechanism, its outcomes from the worst to the best: their probabilities under both data sets.
    fn mechanism() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let masses = |count: usize| prop::collection::vec(-7.0..0.0_f64, count);
        (2_usize..7).prop_flat_map(move |count| (masses(count), masses(count))).prop_map(|(p, q)| {
            let normal = |logs: Vec<f64>| {
                let total: f64 = logs.iter().map(|log| log.exp()).sum();
                logs.iter().map(|log| log - total.ln()).collect::<Vec<f64>>()
            };
            (normal(p), normal(q))
        })
    }

    /// Of laws given by logarithms.
    fn divergence(p: &[f64], q: &[f64], order: f64) -> f64 {
        let exponents: Vec<f64> = p.iter().zip(q).map(|(p, q)| order * p + (1.0 - order) * q).collect();
        let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = exponents.iter().map(|exponent| (exponent - largest).exp()).sum();
        (largest + sum.ln()) / (order - 1.0)
    }

    fn stick(p: &[f64], q: &[f64], epsilon: f64) -> f64 {
        p.iter().zip(q).map(|(p, q)| (p.exp() - (epsilon + q).exp()).max(0.0)).sum()
    }

    /// The law of the best of K runs, by enumeration: f(1 - what is better) - f(1 - what is no worse), in logarithms, where
    /// `difference` gives ln(f(1 - tail + mass) - f(1 - tail)); after no run at all, where that can be.
    fn best(run: &[f64], none: Option<f64>, difference: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        let mut law: Vec<f64> = none.into_iter().collect();
        let mut tail = 0.0_f64;
        for mass in run.iter().rev().map(|log| log.exp()) {
            tail += mass;
            law.push(difference(tail, mass));
        }
        let total: f64 = law.iter().map(|log| log.exp()).sum();
        assert!((total - 1.0).abs() < 1e-9, "{total}");
        law
    }

    /// What rounding may have changed in the enumeration, at an order.
    fn slack(truth: f64, order: f64) -> f64 {
        1e-12 * (1.0 + truth + 1.0 / (order - 1.0))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Exact divergences by enumeration, in both directions, from means of 0.01 to 50 runs.
        #[test]
        fn poisson_is_never_below_the_exact_divergence(
            (p, q) in mechanism(), log_mean in -4.7..4.0_f64, log_above in -4.0..4.0_f64,
        ) {
            let (mean, order) = (log_mean.exp(), 1.0 + log_above.exp());
            let run = divergence(&p, &q, order).max(divergence(&q, &p, order));
            let epsilon = poisson_epsilon(order);
            let delta = stick(&p, &q, epsilon).max(stick(&q, &p, epsilon));
            let bound = poisson(mean, order, run, delta);
            let difference = |tail: f64, mass: f64| -mean * tail + (mean * mass).exp_m1().ln();
            let (p, q) = (best(&p, Some(-mean), difference), best(&q, Some(-mean), difference));
            let truth = divergence(&p, &q, order).max(divergence(&q, &p, order));
            prop_assert!(bound >= truth - slack(truth, order), "{mean} {order}: {bound} {truth}");
        }

        #[test]
        fn truncated_negative_binomial_is_never_below_the_exact_divergence(
            (p, q) in mechanism(), log_shape in -5.0..2.0_f64, log_gamma in -6.0..-0.01_f64, log_above in -4.0..4.0_f64,
        ) {
            let (shape, gamma, order) = (log_shape.exp() - 1.0, log_gamma.exp(), 1.0 + log_above.exp());
            prop_assume!(shape.abs() > 1e-2);
            let run = |order: f64| divergence(&p, &q, order).max(divergence(&q, &p, order));
            let choice = truncated_negative_binomial_choice(shape, gamma, run);
            let bound = truncated_negative_binomial(shape, gamma, order, run(order), choice);
            // f(x) = ((1 - (1-g) x)^-e - 1) / (g^-e - 1).
            let difference = |tail: f64, mass: f64| {
                let at = gamma + (1.0 - gamma) * tail;
                let grown = (-shape * (-(1.0 - gamma) * mass / at).ln_1p()).exp_m1();
                -shape * at.ln() + (grown / (-shape * gamma.ln()).exp_m1()).ln()
            };
            let (p, q) = (best(&p, None, difference), best(&q, None, difference));
            let truth = divergence(&p, &q, order).max(divergence(&q, &p, order));
            prop_assert!(bound >= truth - slack(truth, order), "{shape} {gamma} {order}: {bound} {truth}");
        }
    }
}
