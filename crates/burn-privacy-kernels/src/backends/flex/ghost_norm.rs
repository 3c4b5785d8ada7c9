//! Upper bounds of the norm of `sum_t a_t g_t^T` from the scalar products of its rows, without forming the sum.

use super::matrix_product::{Matrix, matrix_product};
use crate::rounding::{Rounding, underflow};

/// Upper bound of the squared norm of `sum_t a_t g_t^T` for rows `a_t` of `inputs` and `g_t` of `gradients`, without
/// forming the sum: it is `sum_{t,t'} (a_t . a_t') (g_t . g_t')` (Li et al. 2022, arXiv 2110.05679, section 4).
///
/// The scalar products are f32, and each off by at most `e = gamma |x_t| |x_t'|` and what underflow may lose. A product of
/// two, `x y`, is then off by at most `|x| e_y + e_x (|y| + e_y)`. The double sum itself is f64.
pub(super) fn squared_norm_bound(inputs: Matrix<'_>, gradients: Matrix<'_>, rounding: Rounding) -> f64 {
    let inputs = ScalarProducts::of(inputs, rounding);
    let gradients = ScalarProducts::of(gradients, rounding);
    let positions = inputs.lengths.len();
    let (mut ghost, mut size, mut error) = (0.0, 0.0, 0.0);
    for t in 0..positions {
        let row = t * positions..(t + 1) * positions;
        let (inputs_of_row, gradients_of_row) = (&inputs.values[row.clone()], &gradients.values[row]);
        for (other, (&x, &y)) in inputs_of_row.iter().zip(gradients_of_row).enumerate() {
            let (x, y) = (f64::from(x), f64::from(y));
            let (x_error, y_error) = (inputs.error(t, other), gradients.error(t, other));
            ghost += x * y;
            size += (x * y).abs();
            error += x.abs() * y_error + x_error * (y.abs() + y_error);
        }
    }
    let terms = (positions * positions + 8) as f64;
    ghost.max(0.0) + (error + size * terms * f64::EPSILON) * (1.0 + terms * f64::EPSILON)
}

/// The scalar products of rows with each other.
struct ScalarProducts {
    values: Vec<f32>,
    /// Upper bounds of the rows' lengths.
    lengths: Vec<f64>,
    /// Error of a product relative to the two lengths.
    relative: f64,
    /// What underflow adds to it.
    absolute: f64,
}

impl ScalarProducts {
    fn of(rows: Matrix<'_>, rounding: Rounding) -> Self {
        let (count, terms) = (rows.rows(), rows.columns());
        let (relative, absolute) = (rounding.matrix_product(terms), underflow(terms));
        let mut values = vec![0.0; count * count];
        matrix_product(&mut values, false, rows, rows.transposed());
        // A product of a row with itself has no cancellation: it is at least `(1 - gamma) |x|^2`.
        let lengths = values
            .iter()
            .step_by(count + 1)
            .map(|&square| ((f64::from(square) + absolute) / (1.0 - relative)).sqrt() * (1.0 + 1e-9))
            .collect();
        Self { values, lengths, relative, absolute }
    }

    /// Upper bound of the error of a product.
    fn error(&self, row: usize, other: usize) -> f64 {
        self.relative * self.lengths[row] * self.lengths[other] + self.absolute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exact(inputs: &[f32], gradients: &[f32], [positions, width, outputs]: [usize; 3]) -> f64 {
        let mut total = 0.0;
        for i in 0..width {
            for j in 0..outputs {
                let entry: f64 = (0..positions)
                    .map(|t| f64::from(inputs[t * width + i]) * f64::from(gradients[t * outputs + j]))
                    .sum();
                total += entry * entry;
            }
        }
        total
    }

    #[test]
    fn it_bounds_the_exact_norm_closely() {
        let sizes = [13, 7, 5];
        let inputs: Vec<f32> = (0..13 * 7).map(|i| (i as f32 * 0.37).sin()).collect();
        let gradients: Vec<f32> = (0..13 * 5).map(|i| (i as f32 * 0.91).cos()).collect();
        let found = squared_norm_bound(Matrix::new(&inputs, 13, 7), Matrix::new(&gradients, 13, 5), Rounding::SINGLE);
        let exact = exact(&inputs, &gradients, sizes);
        assert!(found >= exact && found <= exact * 1.001, "{found} for {exact}");
    }

    #[test]
    fn it_is_no_smaller_where_everything_cancels() {
        // g_1 = -g_0 and a_1 is a_0 but for its last bits: the gradient is small against its terms.
        let (inputs, gradients) = ([1.0_f32, 1.000_000_1, 3.0, 3.0], [1.0_f32, -1.0]);
        let inputs = [inputs[0], inputs[2], inputs[1], inputs[3]];
        let exact = exact(&inputs, &gradients, [2, 2, 1]);
        let found = squared_norm_bound(Matrix::new(&inputs, 2, 2), Matrix::new(&gradients, 2, 1), Rounding::SINGLE);
        assert!(exact > 0.0 && found >= exact, "{found} for {exact}");
    }
}
