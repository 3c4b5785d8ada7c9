//! Upper bounds of the squared norms of rows.

use burn::tensor::Tensor;

use super::examples::rows_and_length;
#[cfg(feature = "flex")]
use crate::backends::flex;
use crate::rounding::{Rounding, underflow};

/// Upper bound of `sum x^2` over every axis but the first: `[rows, ..] -> [rows]`.
///
/// The relative part bounds the summation error of the squares, the absolute part what squares that underflow
/// may lose. An overflow gives infinity, which excludes the example.
///
/// Long rows are summed in blocks, and the blocks' sums again: each term then passes through hundreds of additions
/// instead of millions, for which `gamma` would be large and in the end infinite.
pub fn sum_of_squares_bound<const D: usize>(values: Tensor<D>, rounding: Rounding) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if let Some(bound) = flex::sum_of_squares_bound(&values) {
        return bound;
    }
    let [rows, length] = rows_and_length(&values);
    let mut sums = values.reshape([rows, length]).square();
    let mut terms = 0;
    loop {
        let [_, left] = sums.dims();
        let block = block_length(left);
        terms += block;
        if block == left {
            break;
        }
        let blocks = left.div_ceil(block);
        if blocks * block > left {
            let zeros = Tensor::zeros([rows, blocks * block - left], &sums.device());
            sums = Tensor::cat(vec![sums, zeros], 1);
        }
        sums = sums.reshape([rows * blocks, block]).sum_dim(1).reshape([rows, blocks]);
    }
    sums.sum_dim(1).reshape([rows]) * (1.0 + rounding.sum(terms)) + underflow(length)
}

/// The longest sum that is taken in one piece.
const BLOCK: usize = 256;

/// `length` itself if it is at most [`BLOCK`]; else its largest divisor up to there, if that is not too small (no copy
/// is needed to cut it), else [`BLOCK`].
fn block_length(length: usize) -> usize {
    if length <= BLOCK {
        return length;
    }
    (BLOCK / 4..=BLOCK).rev().find(|block| length.is_multiple_of(*block)).unwrap_or(BLOCK)
}

/// Upper bound of `(||computed|| + error)^2`, the squared norm of a gradient that was computed with an error of
/// at most `sqrt(squared_error)` in norm.
pub fn add_error(squared_norm: Tensor<1>, squared_error: Tensor<1>, rounding: Rounding) -> Tensor<1> {
    let norm = (squared_norm.sqrt() + squared_error.sqrt()) * (1.0 + rounding.sum(2));
    norm.square() * (1.0 + rounding.sum(1))
}
