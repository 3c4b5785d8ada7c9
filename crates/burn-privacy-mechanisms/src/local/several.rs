//! Several numbers of one record at once: few of them are reported, each with more of the budget.

use super::bounded::Piecewise;
use super::randomness::CellRandomness;
use super::{LocalError, check_epsilon};
use crate::error::MechanismError;
use crate::key::PrivacyKey;

/// `2^64`.
const TWO_64: f64 = 18_446_744_073_709_551_616.0;

/// Epsilon that one report is worth: the source's 2.5.
const PER_REPORT: f64 = 2.5;

/// Reports about `k` of `d` numbers, each by the [`Piecewise`] mechanism with `epsilon / k`; the estimates of all `d` are unbiased.
///
/// The noise of `d` numbers with `epsilon / d` each grows as `d^2`; that of one number in `d` with all of `epsilon` as `d`. So only
/// `k = max(1, min(d, floor(epsilon / 2.5)))` are reported. Which ones is drawn anew for each report, with replacement, by public
/// weights, without looking at the record; an estimate is `middle + (report - middle) / (k p)` with the number's probability `p`, summed
/// over the reports about it, and the middle of its bounds where there is none.
///
/// # Formal guarantees
///
/// `epsilon`-locally differentially private: the numbers reported are chosen independently of the values, and each of the `k`
/// reports is exactly `epsilon / k`-private by [`Piecewise`]'s proof; by basic composition all are `epsilon`-private (the shares are
/// rounded down). Estimates are post-processing.
///
/// # Source
///
/// Wang et al., "Collecting and analyzing multidimensional data with local differential privacy", ICDE 2019 (arXiv 1907.00782),
/// algorithm 4, there with equal weights and without replacement.
#[derive(Debug, Clone, PartialEq)]
pub struct SampledPiecewise {
    cells: Vec<Piecewise>,
    /// A word below the entry, and not below the one before it, chooses the number.
    ends: Vec<u64>,
    reports: usize,
    epsilon: f64,
}

impl SampledPiecewise {
    /// For numbers with these bounds, all equally important.
    ///
    /// # Errors
    ///
    /// As [`with_weights`](Self::with_weights).
    pub fn new(bounds: &[(f64, f64)], epsilon: f64) -> Result<Self, LocalError> {
        Self::with_weights(bounds, &vec![1.0; bounds.len()], epsilon)
    }

    /// For numbers with these bounds, chosen with probabilities in proportion to `weights`, which are public: a number that matters
    /// more gets more reports, and less noise on average.
    ///
    /// # Errors
    ///
    /// [`LocalError::RealBounds`]; [`LocalError::Epsilon`]; [`LocalError::Weights`] unless there is a weight above 0 for each of at
    /// least one number, none below a millionth of their sum.
    pub fn with_weights(bounds: &[(f64, f64)], weights: &[f64], epsilon: f64) -> Result<Self, LocalError> {
        let epsilon = check_epsilon(epsilon)?;
        let sum: f64 = weights.iter().sum();
        // Below it an estimate's noise is no number to work with.
        let good = |weight: &f64| *weight >= 1e-6 * sum && *weight > 0.0;
        if weights.is_empty() || weights.len() != bounds.len() || !sum.is_finite() || !weights.iter().all(good) {
            return Err(LocalError::Weights { given: weights.len(), needed: bounds.len() });
        }
        let reports = ((epsilon / PER_REPORT) as usize).clamp(1, bounds.len());
        // So much less that the sum of shares can't exceed the whole by rounding.
        let share = check_epsilon(epsilon / reports as f64 * (1.0 - 4.0 * f64::EPSILON))
            .or_else(|error| if reports == 1 { Ok(epsilon) } else { Err(error) })?;
        let cells = bounds.iter().map(|&(low, high)| Piecewise::new(low, high, share)).collect::<Result<_, _>>()?;
        let mut until = 0.0;
        let mut ends: Vec<u64> = weights
            .iter()
            .map(|weight| {
                until += weight / sum;
                (until * TWO_64) as u64
            })
            .collect();
        if let Some(last) = ends.last_mut() {
            *last = u64::MAX;
        }
        let made = Self { cells, ends, reports, epsilon };
        // The largest estimate must be a number.
        for (at, &(lo, hi)) in bounds.iter().enumerate() {
            let (low, high) = made.cells[at].range();
            if !((high - low) / (made.probability(at) * reports as f64)).is_finite() {
                return Err(LocalError::RealBounds { lo, hi });
            }
        }
        Ok(made)
    }

    /// The epsilon claimed, of all reports together.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// How many reports a record gives.
    pub fn reports(&self) -> usize {
        self.reports
    }

    /// How many numbers there are.
    pub fn numbers(&self) -> usize {
        self.cells.len()
    }

    /// Unbiased estimates to release instead of `values`; values beyond the bounds count as the bound. A record's randomness is that of
    /// cells `0 .. 2 k`: the key serves nothing else ([module documentation](super#randomness)).
    ///
    /// # Errors
    ///
    /// As [`CellRandomness::draw`].
    ///
    /// # Panics
    ///
    /// If there is not one value for each number.
    pub fn perturb(&self, values: &[f64], key: &PrivacyKey, record: u64) -> Result<Vec<f64>, MechanismError> {
        assert_eq!(values.len(), self.cells.len(), "a value for each number");
        let middle = |cell: &Piecewise| 0.5 * (cell.bounds().0 + cell.bounds().1);
        let mut estimates: Vec<f64> = self.cells.iter().map(middle).collect();
        for report in 0..self.reports as u64 {
            let [choice, _] = CellRandomness::draw(key, record, 2 * report)?.words;
            let at = self.chosen(choice);
            let cell = &self.cells[at];
            let noisy = cell.perturb(values[at], &CellRandomness::draw(key, record, 2 * report + 1)?);
            estimates[at] += (noisy - middle(cell)) / (self.probability(at) * self.reports as f64);
        }
        Ok(estimates)
    }

    /// The number that a word chooses.
    fn chosen(&self, word: u64) -> usize {
        self.ends.partition_point(|&end| end <= word).min(self.ends.len() - 1)
    }

    /// With which probability a number is chosen, up to a relative error below 2^-40.
    fn probability(&self, at: usize) -> f64 {
        let before = if at == 0 { 0 } else { self.ends[at - 1] };
        (self.ends[at] - before) as f64 / TWO_64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Entropy;

    const BOUNDS: [(f64, f64); 4] = [(-1.0, 1.0), (0.0, 10.0), (-2.0, 0.0), (5.0, 6.0)];

    #[test]
    fn shares_never_exceed_the_whole() {
        for (epsilon, reports) in [(1e-4, 1), (1.0, 1), (2.5, 1), (5.0, 2), (7.6, 3), (32.0, 4)] {
            let sampled = SampledPiecewise::new(&BOUNDS, epsilon).unwrap();
            assert_eq!((sampled.reports(), sampled.numbers()), (reports, 4), "{epsilon}");
            let spent: f64 = (0..reports).map(|_| sampled.cells[0].epsilon()).sum();
            assert!(spent <= epsilon && spent > epsilon * (1.0 - 1e-9), "{spent} {epsilon}");
        }
    }

    #[test]
    fn estimates_that_may_be_no_number_are_refused() {
        let with = |most: f64| SampledPiecewise::with_weights(&[(-most, most), (0.0, 1.0)], &[2e-6, 1.0], 1e-4);
        assert!(matches!(with(1e300), Err(LocalError::RealBounds { .. })) && with(1e290).is_ok());
    }

    #[test]
    fn choices_have_the_probabilities_of_their_weights() {
        let sampled = SampledPiecewise::with_weights(&BOUNDS, &[1.0, 2.0, 4.0, 1.0], 1.0).unwrap();
        for (at, probability) in [0.125, 0.25, 0.5, 0.125].into_iter().enumerate() {
            assert!((sampled.probability(at) - probability).abs() < 1e-12, "{at}");
        }
        let eighth = 1_u64 << 61;
        let words = [0, eighth - 1, eighth, 3 * eighth - 1, 3 * eighth, 7 * eighth - 1, 7 * eighth, u64::MAX];
        assert_eq!(words.map(|word| sampled.chosen(word)), [0, 0, 1, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn estimates_are_right_on_average() {
        let values = [0.3, 9.0, -2.0, 5.5];
        let key = PrivacyKey::draw(Entropy::seeded(11)).unwrap();
        for (epsilon, weights) in [(1.0, [1.0; 4]), (8.0, [1.0, 3.0, 1.0, 1.0])] {
            let sampled = SampledPiecewise::with_weights(&BOUNDS, &weights, epsilon).unwrap();
            let count = 40_000;
            let (mut sums, mut squares) = ([0.0; 4], [0.0; 4]);
            for record in 0..count {
                let estimates = sampled.perturb(&values, &key, record).unwrap();
                for at in 0..4 {
                    sums[at] += estimates[at];
                    squares[at] += estimates[at] * estimates[at];
                }
            }
            for at in 0..4 {
                let mean = sums[at] / count as f64;
                let error = ((squares[at] / count as f64 - mean * mean) / count as f64).sqrt();
                // Eight values at six standard errors, and the seed is fixed.
                assert!((mean - values[at]).abs() < 6.0 * error, "{epsilon} {at}: {mean} +- {error}");
            }
        }
    }

    #[test]
    fn weights_that_are_none_are_refused() {
        for weights in [&[][..], &[1.0], &[1.0, 1.0, 1.0, 0.0], &[1.0, 1.0, 1.0, f64::NAN], &[1.0, -1.0, 1.0, 1.0]] {
            let refused = SampledPiecewise::with_weights(&BOUNDS, weights, 1.0);
            assert!(matches!(refused, Err(LocalError::Weights { needed: 4, .. })), "{weights:?}");
        }
        assert!(SampledPiecewise::new(&[], 1.0).is_err());
        assert!(SampledPiecewise::new(&[(1.0, 1.0)], 1.0).is_err());
        assert!(SampledPiecewise::new(&BOUNDS, 0.0).is_err());
    }
}
