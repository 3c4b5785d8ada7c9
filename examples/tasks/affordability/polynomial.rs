//! A small model with few weights, for noise that grows with their number: a polynomial of publicly scaled features.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::data::{Bounds, FEATURES, Row};

/// Amounts are told apart from one part in this of the public upper bound on, in logarithms.
const SMALLEST_SHARE: f64 = 1.0 / 30.0;

/// Spread of a feature between its bounds that is assumed of any population, without looking at this one.
const ASSUMED_SPREAD: f64 = 0.14;

/// Features are clipped to as many spreads.
pub const MOST: f64 = 3.0;

/// Middle of the target.
pub const MIDDLE: f64 = 0.3;

/// Degree 1 or 2 of a polynomial in the four features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Degree {
    /// A constant and the features.
    One,
    /// Squares and products besides.
    Two,
}

impl Degree {
    /// The number of weights.
    pub const fn weights(self) -> usize {
        match self {
            Self::One => 1 + FEATURES,
            Self::Two => 1 + FEATURES + FEATURES * (FEATURES + 1) / 2,
        }
    }

    /// The model's inputs for one row: 1, each feature in assumed spreads from the middle of its public bounds (amounts in
    /// logarithms), and half of each product. What is not a number counts as the lower bound.
    pub fn inputs(self, row: &Row, bounds: &Bounds) -> Vec<f64> {
        let scaled: [f64; FEATURES] = std::array::from_fn(|column| {
            let (low, high) = bounds[column];
            let value = if row[column].is_nan() { low } else { row[column].clamp(low, high) };
            // What begins at 0 is an amount.
            let share = if low == 0.0 {
                1.0 - (value / high).max(SMALLEST_SHARE).ln() / SMALLEST_SHARE.ln()
            } else {
                (value - low) / (high - low)
            };
            ((share - 0.5) / ASSUMED_SPREAD).clamp(-MOST, MOST)
        });
        let mut inputs = vec![1.0];
        inputs.extend(scaled);
        if self == Self::Two {
            for (at, a) in scaled.iter().enumerate() {
                // A square is centered where its mean is assumed to be.
                inputs.extend(
                    scaled[at..]
                        .iter()
                        .enumerate()
                        .map(|(other, b)| 0.5 * if other == 0 { a * b - 1.0 } else { a * b }),
                );
            }
        }
        inputs
    }
}

/// Sums that a polynomial is fitted to: those of rows, or estimates of them.
pub struct Moments {
    degree: Degree,
    /// Of each product of two inputs, `[weights, weights]`.
    pub matrix: Vec<f64>,
    /// Of each input times the target less [`MIDDLE`].
    pub right: Vec<f64>,
}

impl Moments {
    /// Zeros.
    pub fn new(degree: Degree) -> Self {
        let count = degree.weights();
        Self { degree, matrix: vec![0.0; count * count], right: vec![0.0; count] }
    }

    /// The weights of a ridge regression on these sums. A matrix that is not positive definite, as estimates can be, gets ten times the
    /// ridge until it is, at most 1e12 times; then nothing is learned.
    pub fn solved(&self, ridge: f64) -> Polynomial {
        let count = self.right.len();
        for larger in 0..=12 {
            let ridge = ridge * 10_f64.powi(larger);
            let matrix = Mat::from_fn(count, count, |i, j| {
                let added = if i == j { ridge * if i == 0 { 1e-6 } else { 1.0 } } else { 0.0 };
                self.matrix[i * count + j] + added
            });
            if let Ok(factor) = matrix.llt(Side::Lower) {
                let mut weights = Mat::from_fn(count, 1, |i, _| self.right[i]);
                factor.solve_in_place(&mut weights);
                return Polynomial { degree: self.degree, weights: (0..count).map(|i| weights[(i, 0)]).collect() };
            }
        }
        Polynomial::middle(self.degree)
    }
}

/// Weights of a polynomial.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// Of the inputs.
    pub degree: Degree,
    /// One for each input.
    pub weights: Vec<f64>,
}

impl Polynomial {
    /// Predicts the middle.
    pub fn middle(degree: Degree) -> Self {
        Self { degree, weights: vec![0.0; degree.weights()] }
    }

    /// The prediction for [`Degree::inputs`], not clipped.
    pub fn raw(&self, inputs: &[f64]) -> f64 {
        MIDDLE + inputs.iter().zip(&self.weights).map(|(input, weight)| input * weight).sum::<f64>()
    }

    /// The prediction for a row, from 0 to 1.
    pub fn predict(&self, row: &Row, bounds: &Bounds) -> f64 {
        self.raw(&self.degree.inputs(row, bounds)).clamp(0.0, 1.0)
    }

    /// Ridge regression: minimizes the sum over rows of squared errors plus `ridge` times the sum of squared weights (the constant's
    /// counts a millionth). Without rows or with a `ridge` that is not above 0, [`middle`](Self::middle) may be all there is.
    pub fn fit(degree: Degree, rows: &[Vec<f64>], targets: &[f64], ridge: f64) -> Self {
        let mut moments = Moments::new(degree);
        for (inputs, target) in rows.iter().zip(targets) {
            for (i, a) in inputs.iter().enumerate() {
                moments.right[i] += a * (target - MIDDLE);
                for (j, b) in inputs.iter().enumerate() {
                    moments.matrix[i * inputs.len() + j] += a * b;
                }
            }
        }
        moments.solved(ridge)
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::BOUNDS;
    use super::super::{generated, r_squared};
    use super::*;

    #[test]
    fn inputs_are_in_public_units() {
        let row = [59.0, 250_000.0, 0.0, f64::NAN, 0.5];
        let inputs = Degree::One.inputs(&row, &BOUNDS);
        assert_eq!(inputs.len(), 5);
        assert!(inputs[1].abs() < 1e-12 && inputs[2..] == [3.0, -3.0, -3.0], "{inputs:?}");
        let squares = Degree::Two.inputs(&row, &BOUNDS);
        assert_eq!((squares.len(), Degree::Two.weights()), (15, 15));
        // Half of income squared less 1, and of income times expenditure.
        assert_eq!((squares[9], squares[10]), (4.0, -4.5));
    }

    #[test]
    fn a_polynomial_is_found_again() {
        let rows = generated::households().unwrap();
        let inputs: Vec<Vec<f64>> = rows.iter().take(500).map(|row| Degree::Two.inputs(row, &BOUNDS)).collect();
        let truth = Polynomial { degree: Degree::Two, weights: (0..15).map(|i| 0.01 * f64::from(i) - 0.05).collect() };
        let targets: Vec<f64> = inputs.iter().map(|inputs| truth.raw(inputs)).collect();
        let found = Polynomial::fit(Degree::Two, &inputs, &targets, 1e-9);
        for (found, truth) in found.weights.iter().zip(&truth.weights) {
            assert!((found - truth).abs() < 1e-6, "{found} {truth}");
        }
        assert_eq!(Polynomial::fit(Degree::One, &[], &[], 1.0), Polynomial::middle(Degree::One));
    }

    #[test]
    fn it_explains_most_of_affordability() {
        let rows = generated::households().unwrap();
        let (train, test) = rows.split_at(20_000);
        let targets: Vec<f64> = train.iter().map(|row| row[FEATURES]).collect();
        let truth: Vec<f64> = test.iter().map(|row| row[FEATURES]).collect();
        for (degree, least) in [(Degree::One, 0.8), (Degree::Two, 0.88)] {
            let inputs: Vec<Vec<f64>> = train.iter().map(|row| degree.inputs(row, &BOUNDS)).collect();
            let model = Polynomial::fit(degree, &inputs, &targets, 1.0);
            let predictions: Vec<f64> = test.iter().map(|row| model.predict(row, &BOUNDS)).collect();
            assert!(r_squared(&predictions, &truth) > least, "{degree:?}: {}", r_squared(&predictions, &truth));
        }
    }
}
