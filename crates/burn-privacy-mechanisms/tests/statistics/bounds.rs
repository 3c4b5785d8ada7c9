//! Statistical bounds with proven false-failure rates.

use burn_privacy_mechanisms::{Entropy, PrivacyKey};

/// The key of a seed. All statistical tests use fixed seeds, so they pass always or never; the rates stated beside them
/// are those over the choice of a seed.
pub fn seeded(seed: u64) -> PrivacyKey {
    PrivacyKey::draw(Entropy::seeded(seed)).expect("a seed needs no operating system")
}

/// Asserts that `count` successes of `trials` fit the probability `p`, with a false-failure rate of at most
/// `2 exp(-exponent)`.
///
/// Chernoff's bound: the number of successes lies on either side of `p · trials` with
/// `trials · KL(count / trials, p) >= x` with probability at most `exp(-x)`, for any `trials` and `p`.
pub fn assert_binomial(count: u64, trials: u64, p: f64, exponent: f64, what: &str) {
    let n = trials as f64;
    let share = count as f64 / n;
    let term = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    let divergence = n * (term(share, p) + term(1.0 - share, 1.0 - p));
    assert!(
        divergence <= exponent,
        "{what}: {count} of {trials}, expected {:.1}, divergence {divergence:.1} > {exponent}",
        p * n
    );
}

/// Asserts that a chi-square statistic fits its degrees of freedom, with a false-failure rate of at most
/// `2 exp(-exponent)` (Laurent and Massart, Annals of Statistics 28, 2000, lemma 1).
pub fn assert_chi_square(statistic: f64, degrees: f64, exponent: f64, what: &str) {
    let spread = 2.0 * (degrees * exponent).sqrt();
    assert!(
        (degrees - spread..=degrees + spread + 2.0 * exponent).contains(&statistic),
        "{what}: chi-square {statistic:.1} with {degrees} degrees of freedom"
    );
}
