//! A distinguisher on the two extreme values finds no more than the claimed epsilon.
//!
//! For an event of the outputs, a lower bound of its probability under one value and an upper bound of it under the
//! other give a lower bound of epsilon: `ln(p_low / q_high)`, with delta `ln((p_low - delta) / q_high)`. The bounds are
//! Clopper and Pearson's, in the form of Chernoff: `n KL(count / n, p) = 26` at the ends, each wrong with probability
//! exp(-26) = 5e-12, for some 2,400 bounds a mechanism.

use burn_privacy_mechanisms::local::{CellRandomness, Duchi, IntegerNoise, Piecewise, RandomizedResponse, RealNoise};

use crate::draws;

const COUNT: usize = 200_000;

/// The end of the confidence interval of a probability, above or below the share observed.
fn confidence(count: usize, above: bool) -> f64 {
    let n = COUNT as f64;
    let share = count as f64 / n;
    let term = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    let (mut inner, mut outer) = (share, if above { 1.0 } else { 0.0 });
    for _ in 0..100 {
        let middle = 0.5 * (inner + outer);
        if n * (term(share, middle) + term(1.0 - share, 1.0 - middle)) > 26.0 {
            outer = middle;
        } else {
            inner = middle;
        }
    }
    outer
}

/// The largest lower bound of epsilon over the events `output <= t` and `output >= t`, and `output == t` where few
/// values are taken.
fn empirical(a: &mut [f64], b: &mut [f64], delta: f64) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let mut best = 0.0_f64;
    let mut try_event = |in_a: usize, in_b: usize| {
        for (p, q) in [(in_a, in_b), (in_b, in_a)] {
            best = best.max(((confidence(p, false) - delta).max(0.0) / confidence(q, true)).ln());
        }
    };
    for place in (0..a.len()).step_by(a.len() / 200) {
        let t = a[place];
        let up_to = |values: &[f64]| values.partition_point(|&value| value <= t);
        let before = |values: &[f64]| values.partition_point(|&value| value < t);
        try_event(up_to(a), up_to(b));
        try_event(a.len() - before(a), b.len() - before(b));
        try_event(up_to(a) - before(a), up_to(b) - before(b));
    }
    best
}

/// The empirical epsilon is below the claim, and not so far below that the mechanism wastes it.
fn assert_epsilon(
    seed: u64,
    (epsilon, delta): (f64, f64),
    least: f64,
    low: impl Fn(&CellRandomness) -> f64,
    high: impl Fn(&CellRandomness) -> f64,
) {
    let found = empirical(&mut draws(seed, COUNT, low), &mut draws(seed + 1, COUNT, high), delta);
    assert!(found <= epsilon, "found {found}, claimed {epsilon}");
    assert!(found >= least * epsilon, "found {found}, claimed {epsilon}: a distinguisher this weak tests nothing");
}

#[test]
fn laplace() {
    for epsilon in [0.5, 1.0, 3.0] {
        let m = RealNoise::laplace(0.0, 50.0, epsilon).unwrap();
        assert_epsilon(100, (epsilon, 0.0), 0.8, |r| m.perturb(0.0, r), |r| m.perturb(50.0, r));
        let m = IntegerNoise::laplace(-3, 3, epsilon).unwrap();
        assert_epsilon(102, (epsilon, 0.0), 0.8, |r| m.perturb(-3, r) as f64, |r| m.perturb(3, r) as f64);
    }
}

#[test]
fn gaussian() {
    // A delta large enough to be seen in so many draws.
    for epsilon in [0.5, 1.0, 3.0] {
        let m = RealNoise::gaussian(0.0, 50.0, epsilon, 0.01).unwrap();
        assert_epsilon(104, (epsilon, 0.01), 0.5, |r| m.perturb(0.0, r), |r| m.perturb(50.0, r));
        let m = IntegerNoise::obfuscation(0, 50, 40.0, 0.01).unwrap();
        assert_epsilon(106, (m.epsilon(), 0.01), 0.5, |r| m.perturb(0, r) as f64, |r| m.perturb(50, r) as f64);
    }
}

#[test]
fn bounded() {
    for epsilon in [0.5, 1.0, 3.0] {
        let m = Duchi::new(0.0, 50.0, epsilon).unwrap();
        assert_epsilon(108, (epsilon, 0.0), 0.9, |r| m.perturb(0.0, r), |r| m.perturb(50.0, r));
        let m = Piecewise::new(0.0, 50.0, epsilon).unwrap();
        assert_epsilon(110, (epsilon, 0.0), 0.8, |r| m.perturb(0.0, r), |r| m.perturb(50.0, r));
    }
}

#[test]
fn randomized_response() {
    for epsilon in [0.5, 1.0, 3.0] {
        let m = RandomizedResponse::new(4, epsilon).unwrap();
        assert_epsilon(112, (epsilon, 0.0), 0.8, |r| m.perturb(0, r).into(), |r| m.perturb(3, r).into());
    }
}
