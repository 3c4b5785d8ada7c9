//! Mechanisms with bounded outputs for bounded reals.

use super::grid::{FINEST, Grid, RealGrid};
use super::randomness::CellRandomness;
use super::threshold::{at_least, below, probability};
use super::{LocalError, check_epsilon};

/// `2^64`.
const TWO_64: u128 = 1 << 64;

/// The piecewise mechanism: an output near the value with high probability, anything in a bounded range else.
///
/// In the source, for `x` in `[-1, 1]` and `C = (e^(epsilon/2) + 1) / (e^(epsilon/2) - 1)`, the output is uniform in
/// `[l, l + C - 1]`, `l = (C + 1) x / 2 - (C - 1) / 2`, with probability `e^(epsilon/2) / (e^(epsilon/2) + 1)`, and
/// uniform on the rest of `[-C, C]` else. Here the same runs on integers: a place `x` of `0 ..= v` with `v = 2^20`
/// opens the window `x .. x + w` of the `v + w` outputs, with `w / v = (C - 1) / (C + 1) = e^(-epsilon/2)` up to
/// rounding. Outputs are scaled to the bounds such that their mean is the value.
///
/// # Formal guarantees
///
/// Exactly `epsilon`-locally differentially private: every output outside the window has the same probability, every
/// one in it at most `e^epsilon` times that. The coin's threshold is an integer over `2^64`, rounded towards privacy.
///
/// # Source
///
/// Wang et al., "Collecting and analyzing multidimensional data with local differential privacy", ICDE 2019
/// (arXiv 1907.00782), algorithm 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piecewise {
    grid: RealGrid,
    epsilon: f64,
    window: i64,
    /// A word below it: an output outside the window.
    outside: u64,
}

impl Piecewise {
    /// For values from `lo` to `hi`.
    ///
    /// # Errors
    ///
    /// [`LocalError::RealBounds`]; [`LocalError::Epsilon`].
    pub fn new(lo: f64, hi: f64, epsilon: f64) -> Result<Self, LocalError> {
        let epsilon = check_epsilon(epsilon)?;
        let grid = RealGrid::new(lo, hi, FINEST)?;
        let places = FINEST as f64;
        let window = (places * (-0.5 * epsilon).exp()).round().max(1.0);
        let outside = at_least(places / (places + epsilon.exp() * window));
        Ok(Self { grid, epsilon, window: window as i64, outside })
    }

    /// The epsilon claimed.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The bounds of values.
    pub fn bounds(&self) -> (f64, f64) {
        self.grid.bounds()
    }

    /// The smallest and the largest output.
    pub fn range(&self) -> (f64, f64) {
        (self.scaled(0), self.scaled(FINEST + self.window - 1))
    }

    /// Decimals that tell outputs apart, if they are few.
    pub fn decimals(&self) -> Option<usize> {
        self.grid.decimals()
    }

    /// A number to release instead of `value`. NaN counts as the lower bound.
    pub fn perturb(&self, value: f64, randomness: &CellRandomness) -> f64 {
        let place = self.grid.place(value);
        let [coin, choice] = randomness.words;
        let output = if coin < self.outside {
            let place_outside = below(FINEST as u64, choice) as i64;
            if place_outside < place { place_outside } else { place_outside + self.window }
        } else {
            place + below(self.window as u64, choice) as i64
        };
        self.scaled(output)
    }

    /// The number whose mean over the outputs for a place is that place's.
    fn scaled(&self, output: i64) -> f64 {
        let (v, w, outside) = (FINEST as f64, self.window as f64, probability(self.outside));
        // Mean output for place x: slope · x + offset.
        let slope = (1.0 - outside) - outside * w / v;
        let offset = 0.5 * (1.0 - outside) * (w - 1.0) + 0.5 * outside * (v + 2.0 * w - 1.0);
        self.grid.between((output as f64 - offset) / slope)
    }
}

/// Duchi, Jordan and Wainwright's mechanism: one of two numbers, whose mean is the value.
///
/// In the source, for `x` in `[-1, 1]` the output is `±(e^epsilon + 1) / (e^epsilon - 1)`, positive with probability
/// `((e^epsilon - 1) x + e^epsilon + 1) / (2 (e^epsilon + 1))`; here scaled to the bounds.
///
/// # Formal guarantees
///
/// Exactly `epsilon`-locally differentially private: the probability of either output lies between `1 / (e^epsilon +
/// 1)` and `e^epsilon / (e^epsilon + 1)`. Thresholds are integers over `2^64`, interpolated exactly.
///
/// # Source
///
/// Duchi, Jordan and Wainwright, "Minimax optimal procedures for locally private estimation", JASA 113, 2018.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duchi {
    grid: RealGrid,
    epsilon: f64,
    /// The rarer output's probability at a bound, over `2^64`.
    rare: u64,
}

impl Duchi {
    /// For values from `lo` to `hi`.
    ///
    /// # Errors
    ///
    /// [`LocalError::RealBounds`]; [`LocalError::Epsilon`].
    pub fn new(lo: f64, hi: f64, epsilon: f64) -> Result<Self, LocalError> {
        let epsilon = check_epsilon(epsilon)?;
        Ok(Self { grid: RealGrid::new(lo, hi, FINEST)?, epsilon, rare: at_least(1.0 / (epsilon.exp() + 1.0)) })
    }

    /// The epsilon claimed.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The bounds of values.
    pub fn bounds(&self) -> (f64, f64) {
        self.grid.bounds()
    }

    /// Decimals that tell places apart, if they are few.
    pub fn decimals(&self) -> Option<usize> {
        self.grid.decimals()
    }

    /// The two outputs.
    pub fn outputs(&self) -> (f64, f64) {
        let reach = 1.0 / (1.0 - 2.0 * probability(self.rare));
        let half = 0.5 * FINEST as f64;
        (self.grid.between(half * (1.0 - reach)), self.grid.between(half * (1.0 + reach)))
    }

    /// The larger or the smaller output, to release instead of `value`. NaN counts as the lower bound.
    pub fn perturb(&self, value: f64, randomness: &CellRandomness) -> f64 {
        let (small, large) = self.outputs();
        if u128::from(randomness.words[0]) < self.threshold(self.grid.place(value)) { large } else { small }
    }

    /// The probability of the larger output, over `2^64`.
    fn threshold(&self, place: i64) -> u128 {
        let rare = u128::from(self.rare);
        rare + (TWO_64 - 2 * rare) * place as u128 / FINEST as u128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPSILONS: [f64; 8] = [1e-4, 0.01, 0.5, 1.0, 2.0, 8.0, 20.0, 32.0];

    #[test]
    fn piecewise_outputs_never_exceed_the_claimed_ratio() {
        for epsilon in EPSILONS {
            let piecewise = Piecewise::new(-1.0, 1.0, epsilon).unwrap();
            let inside = (TWO_64 - u128::from(piecewise.outside)) as f64 / piecewise.window as f64;
            let outside = piecewise.outside as f64 / FINEST as f64;
            let exact = (inside / outside).ln();
            assert!(exact <= epsilon && exact > epsilon - 2e-6, "{epsilon}: {exact}");
        }
    }

    #[test]
    fn piecewise_agrees_with_the_source() {
        for epsilon in [0.5, 1.0, 2.0, 8.0] {
            let t = (0.5_f64 * epsilon).exp();
            let c = (t + 1.0) / (t - 1.0);
            let piecewise = Piecewise::new(-1.0, 1.0, epsilon).unwrap();
            let (smallest, largest) = piecewise.range();
            assert!((smallest / -c - 1.0).abs() < 1e-3 && (largest / c - 1.0).abs() < 1e-3, "{smallest} {largest} {c}");
            assert!((probability(piecewise.outside) - 1.0 / (t + 1.0)).abs() < 1e-4);
        }
    }

    #[test]
    fn piecewise_is_unbiased() {
        for epsilon in EPSILONS {
            let piecewise = Piecewise::new(10.0, 12.0, epsilon).unwrap();
            for place in [0, 1, FINEST / 3, FINEST] {
                // Means of the outputs in the window and outside, in sums of integers.
                let (v, w, x) = (FINEST, piecewise.window, place);
                let sum = |from: i64, to: i64| (i128::from(from) + i128::from(to) - 1) * i128::from(to - from) / 2;
                let inside = sum(x, x + w) as f64 / w as f64;
                let outside = (sum(0, v + w) - sum(x, x + w)) as f64 / v as f64;
                let p = probability(piecewise.outside);
                let at = |mean: f64| {
                    let (low, high) = (piecewise.scaled(0), piecewise.scaled(1));
                    low + mean * (high - low)
                };
                let mean = (1.0 - p) * at(inside) + p * at(outside);
                let truth = piecewise.grid.value(place);
                assert!(
                    (mean - truth).abs() < 1e-9 * (piecewise.range().1.abs() + 1.0) * 1e3,
                    "{epsilon}: {mean} {truth}"
                );
            }
        }
    }

    #[test]
    fn duchi_never_exceeds_the_claimed_ratio_and_is_unbiased() {
        for epsilon in EPSILONS {
            let duchi = Duchi::new(-1.0, 3.0, epsilon).unwrap();
            let (low, high) = (duchi.threshold(0), duchi.threshold(FINEST));
            assert_eq!(low + high, TWO_64);
            let exact = (high as f64 / low as f64).ln();
            assert!(exact <= epsilon && exact > epsilon - 2e-6, "{epsilon}: {exact}");
            let (small, large) = duchi.outputs();
            for place in [0, 5, FINEST / 2, FINEST] {
                let p = duchi.threshold(place) as f64 / TWO_64 as f64;
                let mean = p * large + (1.0 - p) * small;
                assert!((mean - duchi.grid.value(place)).abs() < 1e-9 * large.abs(), "{epsilon}");
            }
        }
        let reach = Duchi::new(-1.0, 1.0, 1.0).unwrap().outputs().1;
        let e = std::f64::consts::E;
        assert!((reach - (e + 1.0) / (e - 1.0)).abs() < 1e-9);
    }
}
