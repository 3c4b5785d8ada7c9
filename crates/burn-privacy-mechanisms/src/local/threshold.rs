//! Probabilities as integers over 2^64, for coins with exact odds.

/// `2^64`.
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// A probability at most 1/2, rounded up by more than the error of its computation, as a threshold: a 64-bit word is
/// below it with exactly that probability.
pub(super) fn at_least(probability: f64) -> u64 {
    // 2^-40 covers the libraries' exp and the bias of `below`.
    (probability * (1.0 + 1.0 / (1_u64 << 40) as f64) * TWO_64).ceil() as u64
}

/// The probability of a word below the threshold.
pub(super) fn probability(threshold: u64) -> f64 {
    threshold as f64 / TWO_64
}

/// An integer of `0 .. count`, each with probability `1/count` up to a factor `1 + count · 2^-64`.
pub(super) fn below(count: u64, word: u64) -> u64 {
    ((u128::from(word) * u128::from(count)) >> 64) as u64
}
