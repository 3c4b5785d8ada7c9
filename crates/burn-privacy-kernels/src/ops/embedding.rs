//! Gradients of tables of vectors.

use burn::tensor::{Int, Tensor};

#[cfg(feature = "flex")]
use crate::backends::flex;

/// The weighted sum of the examples' gradients of a table of `rows` rows, in f64: `[rows * length]`, from `[examples, tokens]`,
/// `[examples, tokens, length]` and `[examples]`.
///
/// `None` without a kernel for it, and for tokens that are no row: then each example's gradient is to be formed.
pub fn weighted_table_gradient(
    tokens: &Tensor<2, Int>,
    gradient: &Tensor<3>,
    weights: &Tensor<1>,
    rows: usize,
) -> Option<Tensor<1>> {
    #[cfg(feature = "flex")]
    return flex::weighted_table_gradient(tokens, gradient, weights, rows);
    #[cfg(not(feature = "flex"))]
    {
        let _ = (tokens, gradient, weights, rows);
        None
    }
}
