use super::matrix_product::{Matrix, matrix_product};
use crate::per_example::{Rounding, underflow};

/// Upper bound of the squared norm of `sum_t a_t g_t^T` for rows `a_t` of `inputs` and `g_t` of `gradients`, without
/// forming the sum: it is `sum_{t,t'} (a_t . a_t') (g_t . g_t')` (Li et al. 2022, arXiv 2110.05679, section 4).
///
/// The scalar products are f32 and each off by at most `gamma |x_t| |x_t'|` and what underflow may lose; so, with
/// `alpha_t = |a_t|` and `beta_t = |g_t|`, their double sum is off by at most
/// `(gamma_a + gamma_g + gamma_a gamma_g) (sum_t alpha_t beta_t)^2` and terms of underflow. The double sum itself is f64.
pub(super) fn squared_norm_bound(inputs: Matrix<'_>, gradients: Matrix<'_>, rounding: Rounding) -> f64 {
    let inputs = ScalarProducts::of(inputs, rounding);
    let gradients = ScalarProducts::of(gradients, rounding);
    let ghost: f64 = inputs.values.iter().zip(&gradients.values).map(|(&a, &g)| f64::from(a) * f64::from(g)).sum();
    let positions = inputs.lengths.len() as f64;
    let common: f64 = inputs.lengths.iter().zip(&gradients.lengths).map(|(a, g)| a * g).sum();
    let sum = |lengths: &[f64]| lengths.iter().sum::<f64>();
    let error = (inputs.relative + gradients.relative + inputs.relative * gradients.relative) * common * common
        + gradients.absolute * (1.0 + inputs.relative) * sum(&inputs.lengths).powi(2)
        + inputs.absolute * (1.0 + gradients.relative) * sum(&gradients.lengths).powi(2)
        + inputs.absolute * gradients.absolute * positions * positions;
    // Rounding of the f64 sums, of at most 2^32 terms: relative to `common^2`, which bounds the sum of absolute products.
    ghost.max(0.0) + error * (1.0 + 1e-6) + common * common * 1e-6
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
