//! Whether columns could be read, told privately.
//!
//! What a cell holds must leave no trace, and a count of unreadable cells is one. With a budget of its own the check
//! tells, for each perturbed column, one noisy bit: whether about half of its cells or more became the default.

use burn_privacy_mechanisms::error::MechanismError;
use burn_privacy_mechanisms::key::PrivacyKey;
use burn_privacy_mechanisms::local::{CellRandomness, IntegerNoise, LocalError};

/// Scales of the noise from the threshold to a column of which every cell is readable, or none: the answer is then wrong
/// with probability below e^-14, once in a million columns.
const SURE: f64 = 14.0;

/// Scales to which the count's distance from the threshold is clamped; less than where the noise is cut off.
const CLAMP: f64 = 20.0;

/// The check of all perturbed columns of a table.
///
/// # Formal guarantees
///
/// `epsilon`-differentially private under replace-one, in sum over the columns: exchanging a row changes each column's
/// count by at most 1; the count's distance from the threshold, clamped, gets discrete Laplace noise of `epsilon /
/// columns` at sensitivity 1, and its sign is told. The number of rows is public.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadabilityCheck {
    epsilon: f64,
    columns: usize,
    noise: IntegerNoise,
}

impl ReadabilityCheck {
    /// A check worth `epsilon` of that many columns.
    pub(super) fn new(epsilon: f64, columns: usize) -> Result<Self, LocalError> {
        Ok(Self { epsilon, columns, noise: IntegerNoise::laplace(0, 1, epsilon / columns as f64)? })
    }

    /// What it costs.
    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Noise's scale, in cells.
    fn scale(&self) -> f64 {
        self.columns as f64 / self.epsilon
    }

    /// The smallest number of rows whose columns can be told apart.
    pub(super) fn fewest_rows(&self) -> u64 {
        (2.0 * SURE * self.scale()).ceil() as u64
    }

    /// For each column, whether it seems unreadable, from the number of its unreadable cells; nothing is told, and
    /// nothing spent, about a table of too few rows. `first_cell` is the first place of the key's randomness that no
    /// cell uses.
    pub(super) fn tell(
        &self,
        unreadable: &[u64],
        rows: u64,
        key: &PrivacyKey,
        first_cell: u64,
    ) -> Result<Option<Vec<bool>>, MechanismError> {
        if rows < self.fewest_rows() {
            return Ok(None);
        }
        let most = (CLAMP * self.scale()) as i64;
        let threshold = rows.div_ceil(2) as i64;
        let told = unreadable.iter().zip(first_cell..).map(|(&count, cell)| {
            let distance = (count as i64 - threshold).clamp(-most, most);
            let noise = self.noise.perturb(0, &CellRandomness::draw(key, 0, cell)?);
            Ok(i128::from(distance) + noise >= 0)
        });
        told.collect::<Result<_, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_privacy_mechanisms::key::Entropy;

    fn told(check: &ReadabilityCheck, unreadable: u64, rows: u64, seed: u64) -> Option<bool> {
        let key = PrivacyKey::draw(Entropy::seeded(seed)).unwrap();
        check.tell(&[unreadable], rows, &key, 3).unwrap().map(|told| told[0])
    }

    #[test]
    fn readable_and_unreadable_columns_are_told_apart() {
        let check = ReadabilityCheck::new(0.5, 1).unwrap();
        assert_eq!(check.fewest_rows(), 56);
        for seed in 0..2_000 {
            assert_eq!(told(&check, 0, 56, seed), Some(false));
            assert_eq!(told(&check, 56, 56, seed), Some(true));
        }
        assert_eq!(told(&check, 55, 55, 1), None);
    }

    /// The frequency of an answer changes by no more than the claim from one count to the next, at the threshold, where
    /// it changes most. With 40,000 draws a frequency near 1/2 is off by 5 deviations, 0.0125, with probability 6e-7.
    #[test]
    fn one_row_changes_the_odds_by_no_more_than_the_claim() {
        let epsilon = 1.0_f64;
        let check = ReadabilityCheck::new(epsilon, 1).unwrap();
        let draws = 40_000;
        let share = |count| {
            let hits = (0..draws).filter(|&seed| told(&check, count, 1_000, seed) == Some(true)).count();
            hits as f64 / draws as f64
        };
        let (below, at) = (share(499), share(500));
        // Discrete Laplace noise: P[Z >= 1] = r / (1 + r), P[Z >= 0] = 1 / (1 + r) with r = e^-epsilon.
        let r = (-epsilon).exp();
        assert!((below - r / (1.0 + r)).abs() < 0.0125 && (at - 1.0 / (1.0 + r)).abs() < 0.0125, "{below} {at}");
    }
}
