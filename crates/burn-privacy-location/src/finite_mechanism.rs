//! A mechanism between finitely many cells, as a matrix of integers: what it guarantees is read off, and the best
//! adversary's error computed, not estimated.

use burn_privacy_anonymize::pseudonym::keyed;
use hmac::Mac;

use super::error::LocationError;
use super::geodesy::distance;
use super::place::Place;
use super::population::first_word;

/// The sum of each row: a probability is an entry over `2^62`.
pub(super) const WHOLE: u64 = 1 << 62;

/// Probabilities `[input][output]` between the same cells, in units of `2^-62`; no entry is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct FiniteMechanism {
    cells: Vec<Place>,
    distances: Vec<Vec<f64>>,
    entries: Vec<Vec<u64>>,
}

impl FiniteMechanism {
    /// The largest distance of two cells in meters.
    pub(crate) fn diameter(&self) -> f64 {
        self.distances.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// A number that tells this matrix from others.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut mac = keyed(b"matrix");
        for entry in self.entries.iter().flatten() {
            mac.update(&entry.to_le_bytes());
        }
        first_word(mac)
    }

    /// The mechanism of a matrix of probabilities, each at least `floor` and brought to integers.
    pub(super) fn of_probabilities(cells: Vec<Place>, rows: &[Vec<f64>], floor: f64) -> Result<Self, LocationError> {
        let entries = rows.iter().map(|row| integers(row, floor)).collect::<Option<_>>().ok_or_else(|| {
            LocationError::Unreachable { reason: "the solver's probabilities are no probabilities".to_owned() }
        })?;
        let distances = distances(&cells);
        Ok(Self { cells, distances, entries })
    }

    /// The cells' places.
    pub fn cells(&self) -> &[Place] {
        &self.cells
    }

    /// The probability of an output for an input.
    pub fn probability(&self, input: usize, output: usize) -> f64 {
        self.entries[input][output] as f64 / WHOLE as f64
    }

    /// The smallest epsilon per meter for which all pairs of inputs are geo-indistinguishable: over all inputs and outputs,
    /// the largest logarithm of a ratio of entries, over the distance, rounded up. This is the guarantee itself, not a sample.
    pub fn epsilon_per_meter(&self) -> f64 {
        let mut most = 0.0_f64;
        for (x, row) in self.entries.iter().enumerate() {
            for (y, other) in self.entries.iter().enumerate().filter(|&(y, _)| y != x) {
                let ratio = row.iter().zip(other).map(|(&a, &b)| a as f64 / b as f64).fold(0.0, f64::max);
                most = most.max((ratio * (1.0 + 4.0 * f64::EPSILON)).ln() / self.distances[x][y]);
            }
        }
        most * (1.0 + 1e-12)
    }

    /// The output for an input and a uniform 64-bit word: exactly with the entries' probabilities.
    pub fn output(&self, input: usize, word: u64) -> usize {
        let mut left = word >> 2;
        for (output, &entry) in self.entries[input].iter().enumerate() {
            if left < entry {
                return output;
            }
            left -= entry;
        }
        self.cells.len() - 1
    }

    /// The expected distance between input and output in meters, for people at the cells.
    pub fn expected_displacement(&self, people: &[f64]) -> f64 {
        self.expected(people, |_, output| output)
    }

    /// The expected distance of the best Bayesian adversary's guess from the input, in meters: for each output the cell with
    /// the smallest expected distance. No guess among the cells does better.
    pub fn adversary_error(&self, people: &[f64]) -> f64 {
        let guesses = self.guesses(people);
        self.expected(people, |_, output| guesses[output])
    }

    /// The best Bayesian adversary's guess for each output.
    pub fn guesses(&self, people: &[f64]) -> Vec<usize> {
        let cells = self.cells.len();
        (0..cells)
            .map(|output| {
                let cost = |guess: usize| -> f64 {
                    (0..cells)
                        .map(|input| people[input] * self.probability(input, output) * self.distances[input][guess])
                        .sum()
                };
                (0..cells).min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(output)
            })
            .collect()
    }

    fn expected(&self, people: &[f64], guess: impl Fn(usize, usize) -> usize) -> f64 {
        let all: f64 = people.iter().sum();
        let mut sum = 0.0;
        for (input, people) in people.iter().enumerate().take(self.cells.len()) {
            for output in 0..self.cells.len() {
                let apart = self.distances[input][guess(input, output)];
                sum += people / all * self.probability(input, output) * apart;
            }
        }
        sum
    }
}

/// All distances between cells.
pub(super) fn distances(cells: &[Place]) -> Vec<Vec<f64>> {
    cells.iter().map(|&from| cells.iter().map(|&to| distance(from, to)).collect()).collect()
}

/// A row as integers that sum to [`WHOLE`], each at least `floor` of it.
fn integers(row: &[f64], floor: f64) -> Option<Vec<u64>> {
    let raised: Vec<f64> = row.iter().map(|&p| p.max(floor)).collect();
    let sum: f64 = raised.iter().sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return None;
    }
    let mut entries: Vec<u64> = raised.iter().map(|p| (p / sum * WHOLE as f64) as u64).collect();
    // What rounding left goes to, or comes from, the largest.
    let total: u128 = entries.iter().map(|&entry| u128::from(entry)).sum();
    let largest = entries.iter_mut().max()?;
    let exact = u128::from(*largest) + u128::from(WHOLE);
    *largest = u64::try_from(exact.checked_sub(total)?).ok()?;
    entries.iter().all(|&entry| entry > 0).then_some(entries)
}
