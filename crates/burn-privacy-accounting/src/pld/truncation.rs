//! Poisson samples that are cut at a size.
//!
//! Let T be the event that so many *other* records are drawn that one more is too many. Without T the sample is that of
//! Poisson sampling. Under T the sample is, by symmetry, either a uniformly drawn set of others, or the record with one
//! fewer of them, with a probability r that follows from how often each happens. So one step's curve is at most the
//! mixture of that of Poisson sampling, with the weight of not T, and that of drawing at rate r a record that displaces
//! another one, which changes the sum by up to twice the sensitivity. Where a record is zeroed out, the sample without it
//! differs from both, and the pair of samples of fixed size covers all three (see [`super::pair`]). The same mixture is
//! derived in arXiv 2508.15089. The curve of a mixture is that of the pair which tells, besides, whether T happened, and
//! so composes like any other.

use std::f64::consts::PI;

/// Terms of a tail that are summed at most.
const MOST_TERMS: u64 = 1_000_000;

/// What happens where a sample is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Truncation {
    /// Bounds of the probability of T.
    pub(super) least: f64,
    pub(super) most: f64,
    /// The probability of a record to be in the sample under T, at most.
    pub(super) rate: f64,
    /// A record is zeroed out; else it is added or removed.
    pub(super) exchange: bool,
}

impl Truncation {
    /// `others` are the records besides the one in question; `size` is the largest sample, at most `others`.
    pub(super) fn new(others: u64, rate: f64, size: u64, exchange: bool) -> Self {
        let (least, most) = binomial_tail(others, rate, size);
        // In the sample and T: a share of size / records of the samples that are cut.
        let (_, cut) = binomial_tail(others + 1, rate, size + 1);
        let share = cut * size as f64 / (others as f64 + 1.0);
        let of_those = if least > 0.0 { (share / least * (1.0 + 1e-14)).min(rate) } else { rate };
        Self { least, most, rate: of_those, exchange }
    }
}

/// Bounds of the probability that at least `least` of `records` are drawn, each with probability `rate`.
///
/// The first term is bounded by Stirling's formula (Robbins, A remark on Stirling's formula, 1955): with k of n and the
/// relative entropy D(k/n || q), C(n,k) q^k (1-q)^(n-k) = sqrt(n / (2 pi k (n-k))) e^(-n D) times
/// e^(1/(12n+s) - 1/(12k+t) - 1/(12(n-k)+u)) with s, t, u between 0 and 1. The others follow from it.
fn binomial_tail(records: u64, rate: f64, least: u64) -> (f64, f64) {
    if least > records || rate == 0.0 {
        return (0.0, 0.0);
    }
    if least == 0 || rate == 1.0 {
        return (1.0, 1.0);
    }
    let (n, k) = (records as f64, least as f64);
    let rest = n - k;
    let (mut low, mut high, scale);
    if rest > 0.0 {
        let (drawn, left) = (k * (k / n / rate).ln(), rest * (rest / n / (1.0 - rate)).ln());
        let spread = 0.5 * (n / (2.0 * PI * k * rest)).ln();
        low = spread - drawn - left + 1.0 / (12.0 * n + 1.0) - 1.0 / (12.0 * k) - 1.0 / (12.0 * rest);
        high = spread - drawn - left + 1.0 / (12.0 * n) - 1.0 / (12.0 * k + 1.0) - 1.0 / (12.0 * rest + 1.0);
        scale = drawn.abs() + left.abs() + spread.abs();
    } else {
        low = n * rate.ln();
        high = low;
        scale = low.abs();
    }
    let rounding = 1e-13 + 8.0 * f64::EPSILON * scale;
    (low, high) = (low - rounding, high + rounding);
    // The sum of the terms over the first one, and what is left after the last that is counted.
    let (mut sum, mut term) = (1.0, 1.0);
    let odds = rate / (1.0 - rate);
    for j in least..records.min(least.saturating_add(MOST_TERMS)) {
        let ratio = (records - j) as f64 / (j as f64 + 1.0) * odds;
        if ratio < 1.0 && term * ratio < 1e-17 * sum * (1.0 - ratio) {
            break;
        }
        term *= ratio;
        sum += term;
    }
    let j = least.saturating_add(MOST_TERMS).min(records) as f64;
    let last_ratio = (n - j) / (j + 1.0) * odds;
    let remainder = if term <= 1e-16 * sum || last_ratio <= 0.0 {
        1e-16 * sum
    } else if last_ratio < 1.0 {
        term / (1.0 - last_ratio)
    } else {
        return (0.0, 1.0);
    };
    if !(sum + remainder).is_finite() {
        return (0.0, 1.0);
    }
    // Rounding of the ratios and the sum.
    let rounding = f64::EPSILON * (MOST_TERMS as f64).min(n) * 4.0;
    ((low + sum.ln() - rounding).exp().min(1.0), (high + (sum + remainder).ln() + rounding).exp().min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_bracketed() {
        // SciPy's binom.sf.
        for (records, rate, least, truth) in [
            (50_001, 0.005, 301, 0.000_927_202_552_150_491_1),
            (50_001, 0.005, 341, 2.565_338_164_159_097_6e-8),
            (100, 0.2, 31, 0.006_059_335_481_042_987_5),
            (100, 0.2, 100, 1.267_650_600_228_236_5e-70),
        ] {
            let (low, high) = binomial_tail(records, rate, least);
            let slack = 1e-11;
            assert!(low <= truth * (1.0 + slack) && truth <= high * (1.0 + slack), "{low} {truth} {high}");
            assert!(high / low - 1.0 < 1e-3, "{low} {high}");
        }
        assert_eq!(binomial_tail(10, 0.3, 11), (0.0, 0.0));
        assert_eq!(binomial_tail(10, 0.3, 0), (1.0, 1.0));
        let (low, high) = binomial_tail(10, 0.3, 1);
        let truth = 1.0 - 0.7_f64.powi(10);
        assert!(low <= truth && truth <= high && high - low < 0.02, "{low} {truth} {high}");
        // Far below the mean of a huge sample: nothing is claimed.
        let (low, high) = binomial_tail(1 << 50, 0.5, 1 << 40);
        assert!(low == 0.0 && high == 1.0, "{low} {high}");
    }
}
