//! Why a step's sum has the stated sensitivity, rounding included: nothing is rounded in it.
//!
//! # Theorem
//!
//! Let two data sets differ by one record, present or absent, and let the same coins be drawn for all others. Then the sums that
//! [`clipped_sum`](crate::clipped_sum) computes for them at the same weights differ by exactly that record's contribution, whose
//! norm is at most C. Nothing is assumed about batches, blocks, threads or their order.
//!
//! Proof. All numbers that are added are integers in floats of 53 bits:
//!
//! 1. A feature is a whole number of [`FEATURE_UNIT`]s of absolute value at most 2^15, the constant feature is 2^15 of them, and a
//!    row with it has norm at most sqrt(2) 2^15 ([`Records`](crate::Records) truncates toward zero).
//! 2. A weight is rounded to a whole number of [`WEIGHT_UNIT`]s; a class's weights have norm at most [`LONGEST_WEIGHTS`], 2^37 of them,
//!    which is checked before each step. Every partial sum of a score's products is, by Cauchy and Schwarz, at most
//!    2^37 sqrt(2) 2^15 < 2^53 in size. So it is an integer that `f64` holds: scores are computed without rounding in any order and
//!    any blocking, with fused multiplications or without, and **depend on the record and on the weights alone**.
//! 3. Residual and clip factor are functions of the scores, the label and the row's norm, computed one record at a time in `f64`.
//!    Their product is truncated toward zero to whole multiples of `scale(C)` 2^-20, where `scale(C)` is the next power of two from C.
//! 4. A truncated residual r has norm at most C (1 - 1e-12) / |row|, the row's norm being at least 1 by the constant feature. (The
//!    margin is for the few roundings of `f64` in computing it.) Hence |r| <= C, and its entries are at most 2^20 multiples. The gradient
//!    is the outer product of r and row: its norm is |r| |row| <= C.
//! 5. An entry of the sum of n gradients is a sum of integers of size at most 2^20 2^15; with n at most [`MOST_RECORDS`] = 2^18, every
//!    partial sum is at most 2^53. So it is exact in any order, too.
//!
//! A matrix product that adds and multiplies in any order serves; one of Strassen's kind, which subtracts, would not, and faer's is
//! none. A test compares it with integer arithmetic. Noise is added to the exact sum in `f64`, with the caveat of
//! `burn-privacy-mechanisms` about the lowest bits of floating-point Gaussians.

/// A feature is a whole number of these.
pub const FEATURE_UNIT: f64 = 1.0 / FEATURE_ONE;

/// 1 in units of features.
pub(crate) const FEATURE_ONE: f64 = (1 << 15) as f64;

/// A weight is a whole number of these where gradients are taken.
pub const WEIGHT_UNIT: f64 = 1.0 / (1 << 22) as f64;

/// The longest that one class's weights may be: 2^15.
pub const LONGEST_WEIGHTS: f64 = (1 << 15) as f64;

/// The most records of one sum.
pub const MOST_RECORDS: usize = 1 << 18;

/// The largest expected number of records of a step: twice as many fit.
pub const MOST_EXPECTED: usize = MOST_RECORDS / 2;

/// The part of C that is kept back for the roundings of a norm and of two quotients.
pub(crate) const MARGIN: f64 = 1.0 - 1e-12;

/// What residuals are whole multiples of, for clipping norm C.
pub(crate) fn residual_unit(clip: f64) -> f64 {
    let power = clip.log2().ceil().exp2();
    // The logarithm may round down next to a power of two.
    let scale = if power < clip { 2.0 * power } else { power };
    scale / (1 << 20) as f64
}
