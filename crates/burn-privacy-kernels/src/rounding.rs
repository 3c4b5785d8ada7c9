//! Upper bounds of norms computed in floating point.
//!
//! A clip factor `C / n` keeps an example's contribution below `C` only if `n` is not below the true norm.
//! Products computed in f32 (and in TF32 on some accelerators) and then summed can cancel, so the computed
//! norm of an adversarial example may lie far below the true one. Every norm here is therefore a computed
//! value plus a bound of its own rounding error, by the standard model of floating-point arithmetic
//! (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 3.1): a sum of `n` products
//! accumulated in any order is off by at most `gamma_n * sum |a_i b_i|` with `gamma_n = n u / (1 - n u)`.

use burn::tensor::{Device, Tensor};

use crate::backends::flex as flex_kernels;

/// The smallest positive normal f32: what a product that underflows (or is flushed to zero) can lose.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;

/// The rounding behaviour of a device's arithmetic, from which error bounds of norms are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rounding {
    unit: f64,
    product_unit: f64,
}

impl Rounding {
    /// IEEE 754 single precision throughout: unit roundoff 2^-24.
    pub const SINGLE: Rounding = Rounding { unit: 5.960_464_477_539_063e-8, product_unit: 5.960_464_477_539_063e-8 };

    /// Matrix products with inputs rounded to TF32 (10 explicit bits), accumulated in f32: unit roundoff 2^-11 a factor.
    pub const TENSOR_FLOAT: Rounding = Rounding { unit: 5.960_464_477_539_063e-8, product_unit: 4.882_812_5e-4 };

    /// What to assume of `device`: f32 on flex and WebGPU shading language, TF32 products where a vendor's
    /// matrix units may be used for f32 inputs (CUDA, ROCm, Metal, native Vulkan).
    pub fn of(device: &Device) -> Self {
        let name = format!("{device:?}").to_lowercase();
        let is_single = ["flex", "ndarray"].iter().any(|cpu| name.contains(cpu))
            || (name.contains("wgpu") && !name.contains("metal") && !name.contains("cuda"));
        if is_single { Self::SINGLE } else { Self::TENSOR_FLOAT }
    }

    /// What the clipping norm is multiplied by, so that neither the rounding of a clip factor, nor that of the product it enters, nor that of
    /// the sum of contributions lifts the sum's sensitivity above the clipping norm.
    pub fn shrink(&self, margin: f64) -> f64 {
        1.0 - margin - 16.0 * self.unit - if self.product_unit > self.unit { 4.0 * self.product_unit } else { 0.0 }
    }

    /// Relative bound `gamma_n` of a sum of `terms` f32 values or products accumulated in any order.
    pub fn sum(&self, terms: usize) -> f64 {
        gamma(self.unit, terms as f64 + 4.0)
    }

    /// Relative bound, with respect to the sum of absolute products, of a matrix product whose inner axis has
    /// `terms` entries.
    pub fn matrix_product(&self, terms: usize) -> f64 {
        let inputs =
            if self.product_unit > self.unit { 2.0 * self.product_unit * (1.0 + self.product_unit) } else { 0.0 };
        inputs + gamma(self.unit, terms as f64 + 4.0)
    }
}

/// What a sum of `terms` products can lose because products underflow, or are flushed to zero.
pub fn underflow(terms: usize) -> f64 {
    terms as f64 * UNDERFLOW
}

fn gamma(unit: f64, terms: f64) -> f64 {
    let product = unit * terms;
    if product < 0.5 { product / (1.0 - product) } else { f64::INFINITY }
}

/// Upper bound of `sum x^2` over every axis but the first: `[rows, ..] -> [rows]`.
///
/// The relative part bounds the summation error of the squares, the absolute part what squares that underflow
/// may lose. An overflow gives infinity, which excludes the example.
///
/// Long rows are summed in blocks, and the blocks' sums again: each term then passes through hundreds of additions
/// instead of millions, for which `gamma` would be large and in the end infinite.
pub fn sum_of_squares_bound<const D: usize>(values: Tensor<D>, rounding: Rounding) -> Tensor<1> {
    if let Some(bound) = flex_kernels::sum_of_squares_bound(&values) {
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

/// Upper bound, per example, of the squared norm of the error of `sum_t a_t g_t^T` computed as a matrix
/// product with inner axis `terms`: `(gamma * ||A||_F * ||G||_F)^2`, which bounds
/// `gamma * || |A|^T |G| ||_F`.
pub fn squared_product_error(
    squared_inputs: Tensor<1>,
    squared_output_gradients: Tensor<1>,
    terms: usize,
    entries: usize,
    rounding: Rounding,
) -> Tensor<1> {
    let relative = rounding.matrix_product(terms);
    // Underflow of products and of their square loses at most `terms * UNDERFLOW` an entry.
    let absolute = underflow(terms) * (entries as f64).sqrt();
    let product = squared_inputs * squared_output_gradients;
    product * (relative * relative * (1.0 + 8.0 * rounding.unit)) + absolute
}

/// Length of axis 0, and entries of everything behind it.
pub fn rows_and_length<const D: usize>(values: &Tensor<D>) -> [usize; 2] {
    let dims = values.dims();
    let length = dims[1..].iter().product::<usize>();
    [dims[0], length]
}
