//! Randomized response over categories.

use super::randomness::CellRandomness;
use super::threshold::{at_least, below, probability};
use super::{LocalError, MAX_CATEGORIES, check_epsilon};

/// k-ary randomized response: the true category with probability `e^epsilon / (e^epsilon + k - 1)`, else one of the
/// others, each equally likely.
///
/// # Formal guarantees
///
/// Exactly `epsilon`-locally differentially private: an output is at most `p / q <= e^epsilon` times as likely under
/// one category as under another, with `p` the probability to keep and `q` that of each other category. The threshold
/// of the coin is rounded towards lying by `2^-40` of itself, which is more than the error of its computation.
///
/// # Source
///
/// Warner, "Randomized response", JASA 60, 1965; Kairouz, Oh and Viswanath, "Extremal mechanisms for local differential
/// privacy", NeurIPS 2014, for k > 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomizedResponse {
    categories: u32,
    epsilon: f64,
    /// A word below it: another category.
    lie: u64,
}

impl RandomizedResponse {
    /// For `categories` categories.
    ///
    /// # Errors
    ///
    /// [`LocalError::Categories`] unless there are 2 to [`MAX_CATEGORIES`]; [`LocalError::Epsilon`].
    pub fn new(categories: usize, epsilon: f64) -> Result<Self, LocalError> {
        let epsilon = check_epsilon(epsilon)?;
        let count = u32::try_from(categories).unwrap_or(u32::MAX);
        if !(2..=MAX_CATEGORIES).contains(&categories) {
            return Err(LocalError::Categories { given: categories });
        }
        let others = f64::from(count - 1);
        // For many categories a lie is nearly certain, and the complement is what has to be rounded.
        let lie = others / (epsilon.exp() + others);
        let lie = if lie <= 0.5 {
            at_least(lie)
        } else {
            let keep = epsilon.exp() / (epsilon.exp() + others);
            u64::MAX - at_least(keep * (1.0 - 1.0 / (1_u64 << 38) as f64)) + 1
        };
        Ok(Self { categories: count, epsilon, lie })
    }

    /// The number of categories.
    pub fn categories(&self) -> u32 {
        self.categories
    }

    /// The epsilon claimed.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The probability of the true category.
    pub fn keep_probability(&self) -> f64 {
        1.0 - probability(self.lie)
    }

    /// The probability of each other category.
    pub fn other_probability(&self) -> f64 {
        probability(self.lie) / f64::from(self.categories - 1)
    }

    /// A category to release instead of `category`. One beyond the last counts as the last.
    pub fn perturb(&self, category: u32, randomness: &CellRandomness) -> u32 {
        let category = category.min(self.categories - 1);
        let [coin, choice] = randomness.words;
        if coin >= self.lie {
            return category;
        }
        // One of the others: from the true one on, numbers shift by one.
        let other = below(u64::from(self.categories - 1), choice) as u32;
        other + u32::from(other >= category)
    }

    /// Unbiased estimates of how many records are in each category, from the counts of perturbed records. An estimate
    /// may be negative.
    ///
    /// It is post-processing and costs nothing: `(count - n q) / (p - q)` with `n` the sum of the counts.
    ///
    /// # Errors
    ///
    /// [`LocalError::Counts`] unless there is one count for each category.
    pub fn debias_counts(&self, counts: &[u64]) -> Result<Vec<f64>, LocalError> {
        if counts.len() != self.categories as usize {
            return Err(LocalError::Counts { given: counts.len(), categories: self.categories });
        }
        let (p, q) = (self.keep_probability(), self.other_probability());
        let total: f64 = counts.iter().map(|&count| count as f64).sum();
        Ok(counts.iter().map(|&count| (count as f64 - total * q) / (p - q)).collect())
    }

    /// The matrix that turns losses for perturbed labels into unbiased losses for true ones, by rows.
    ///
    /// The inverse of `T`, with `T[i][j]` the probability that category `i` is released as `j`. With `l` the vector of
    /// a prediction's losses for each label, the expectation of `(T^-1 l)[j]` over the released label `j` is the loss
    /// for the true label (the backward correction of Patrini et al., CVPR 2017). As `T = (p - q) I + q J`, the inverse
    /// is `(I - q J) / (p - q)`.
    pub fn loss_correction(&self) -> Vec<Vec<f64>> {
        let (p, q) = (self.keep_probability(), self.other_probability());
        let k = self.categories as usize;
        let entry = |i: usize, j: usize| (f64::from(u8::from(i == j)) - q) / (p - q);
        (0..k).map(|i| (0..k).map(|j| entry(i, j)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_probabilities_never_exceeds_the_claim() {
        for categories in [2, 3, 10, 1_000, MAX_CATEGORIES] {
            for epsilon in [1e-4, 0.1, 1.0, 3.0, 10.0, 32.0] {
                let response = RandomizedResponse::new(categories, epsilon).unwrap();
                // In integers, which lose nothing: keeping over lying to one other.
                let keep = (1_u128 << 64) - u128::from(response.lie);
                let exact = (keep as f64 * (categories - 1) as f64 / response.lie as f64).ln();
                assert!(exact <= epsilon, "{categories} {epsilon}: {exact}");
                assert!(exact > epsilon - 2e-6, "{categories} {epsilon}: {exact}");
            }
        }
    }

    #[test]
    fn the_loss_correction_is_the_inverse() {
        let response = RandomizedResponse::new(4, 1.5).unwrap();
        let (p, q) = (response.keep_probability(), response.other_probability());
        let inverse = response.loss_correction();
        for i in 0..4 {
            for j in 0..4 {
                let product: f64 = inverse.iter().enumerate().map(|(m, row)| if i == m { p } else { q } * row[j]).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn counts_as_expected_are_turned_back() {
        let response = RandomizedResponse::new(3, 1.0).unwrap();
        let (p, q) = (response.keep_probability(), response.other_probability());
        let truth = [7e12, 2e12, 1e12];
        let counts: Vec<u64> = truth.iter().map(|t| (t * p + (1e13 - t) * q) as u64).collect();
        for (estimate, t) in response.debias_counts(&counts).unwrap().iter().zip(truth) {
            assert!((estimate - t).abs() < 100.0);
        }
        assert!(response.debias_counts(&[1, 2]).is_err());
    }

    #[test]
    fn bad_arguments_are_refused() {
        for categories in [0, 1, MAX_CATEGORIES + 1, usize::MAX] {
            assert_eq!(RandomizedResponse::new(categories, 1.0), Err(LocalError::Categories { given: categories }));
        }
        for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY, 33.0] {
            assert!(RandomizedResponse::new(2, epsilon).is_err());
        }
    }
}
