//! Passes over the rows of a matrix, one row an example.

use std::hint::select_unpredictable;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::lanes::sums_of_squares;

/// Below so many values one thread is done before others have woken up, which takes up to 100 microseconds.
pub(super) const SMALL: usize = 1 << 17;

/// Values that one task handles, at least.
pub(super) const PART: usize = 1 << 15;

/// `row`, `count` times.
pub(super) fn repeated(row: &[f32], count: usize) -> Vec<f32> {
    if count * row.len() < SMALL {
        return row.repeat(count);
    }
    let (cut, least) = (Cut::parts(count, row.len()), PART.div_ceil(row.len()));
    let [rows] =
        written_in_parts([cut], (0..count).into_par_iter(), least, || (), |(), _, [place]| place.copy_from_slice(row));
    rows
}

/// Upper bounds of the rows' sums of squares.
///
/// A square of an f32 is exact in f64 and can neither overflow nor underflow there, so that only the additions round:
/// by a factor of at most `1 + n 2^-53` (Higham, section 4.2), and the result is rounded up to f32.
pub(super) fn squares(values: &[f32], length: usize) -> Vec<f32> {
    let arch = Arch::new();
    if values.len() < SMALL {
        return arch.dispatch(SumsOfSquares { values, length });
    }
    let parts = values.par_chunks(PART.div_ceil(length) * length);
    parts.flat_map_iter(|values| arch.dispatch(SumsOfSquares { values, length })).collect()
}

/// [`squares`] of rows that one thread passes over.
struct SumsOfSquares<'a> {
    values: &'a [f32],
    length: usize,
}

impl WithSimd for SumsOfSquares<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        squares_on_one_thread(self.values, self.length)
    }
}

/// [`squares`], to be compiled into code for the widest vectors.
#[inline(always)]
pub(super) fn squares_on_one_thread(values: &[f32], length: usize) -> Vec<f32> {
    let slack = 1.0 + length as f64 * f64::EPSILON;
    let mut bounds = vec![0.0; values.len() / length];
    // Not a mapped iterator: what collects one may be compiled for narrower vectors.
    for (bound, sum) in bounds.iter_mut().zip(sums_of_squares(values, length)) {
        *bound = round_up(sum * slack);
    }
    bounds
}

/// The smallest f32 that is not below `value`; infinity above the largest.
#[inline(always)]
pub(super) fn round_up(value: f64) -> f32 {
    let nearest = value as f32;
    // `next_up`, but in operations that vectors have. Below a value that is not zero there is no -0.
    let up = if nearest < 0.0 { u32::MAX } else { 1 };
    f32::from_bits(nearest.to_bits().wrapping_add(if f64::from(nearest) < value { up } else { 0 }))
}

/// The factors `scale / max(norm, least)` of the square roots of sums of squared norms, zero where one is not finite, and
/// whether all are finite.
///
/// Sums, root and quotient are formed in f64: but for its rounding, a factor errs by one rounding to f32.
pub(super) fn clip_factors(squared_norms: &[&[f32]], least: f64, scale: f64) -> (Vec<f32>, bool) {
    Arch::new().dispatch(ClipFactors { squared_norms, least, scale })
}

struct ClipFactors<'a> {
    squared_norms: &'a [&'a [f32]],
    least: f64,
    scale: f64,
}

impl WithSimd for ClipFactors<'_> {
    type Output = (Vec<f32>, bool);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (Vec<f32>, bool) {
        let mut totals = vec![0.0; self.squared_norms[0].len()];
        for squares in self.squared_norms {
            for (total, &square) in totals.iter_mut().zip(*squares) {
                *total += f64::from(square);
            }
        }
        let mut factors = vec![0.0; totals.len()];
        let mut all_finite = true;
        for (factor, &total) in factors.iter_mut().zip(&totals) {
            let norm = total.sqrt();
            let quotient = self.scale / if norm > self.least { norm } else { self.least };
            *factor = select_unpredictable(total.is_finite(), quotient as f32, 0.0);
            all_finite &= total.is_finite();
        }
        (factors, all_finite)
    }
}

/// Rows times their weights. A row of weight zero becomes zero whatever it holds.
pub(super) fn weighted(values: &[f32], length: usize, weights: &[f32]) -> Vec<f32> {
    let scale = |out: &mut [f32], row: &[f32], weight: f32| {
        if weight != 0.0 {
            for (out, value) in out.iter_mut().zip(row) {
                *out = weight * value;
            }
        }
    };
    if values.len() < SMALL {
        let mut found = vec![0.0; values.len()];
        let rows = found.chunks_mut(length).zip(values.chunks(length)).zip(weights);
        rows.for_each(|((out, row), &weight)| scale(out, row, weight));
        return found;
    }
    let cut = Cut { total: values.len(), part: length };
    let rows = values.par_chunks(length).zip(weights);
    let [found] = written_in_parts(
        [cut],
        rows,
        PART.div_ceil(length),
        || (),
        |(), (row, &weight), [out]| scale(out, row, weight),
    );
    found
}

/// The weighted sum of the rows, in f64. A row of weight zero adds zero whatever it holds.
pub(super) fn weighted_sum(values: &[f32], length: usize, weights: &[f32]) -> Vec<f64> {
    /// Columns that one task sums: they stay in the nearest cache.
    const BLOCK: usize = 2048;
    let mut sums = vec![0.0; length];
    let add = |(block, sums): (usize, &mut [f64])| {
        for (row, &weight) in values.chunks_exact(length).zip(weights) {
            if weight != 0.0 {
                add_scaled(sums, weight, &row[block * BLOCK..]);
            }
        }
    };
    if values.len() < SMALL {
        sums.chunks_mut(BLOCK).enumerate().for_each(add);
    } else {
        sums.par_chunks_mut(BLOCK).enumerate().for_each(add);
    }
    sums
}

/// `sums += weight row`, as far as both go; only the additions round.
pub(super) fn add_scaled(sums: &mut [f64], weight: f32, row: &[f32]) {
    Arch::new().dispatch(AddScaled { sums, weight, row });
}

struct AddScaled<'a> {
    sums: &'a mut [f64],
    weight: f32,
    row: &'a [f32],
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let weight = f64::from(self.weight);
        for (sum, value) in self.sums.iter_mut().zip(self.row) {
            *sum += weight * f64::from(*value);
        }
    }
}

/// The weighted sum over examples of a table's gradients, in f64: rows of `length` values, to which an example's `positions`
/// tokens each add a row of its gradient. The rows of one example that have one token are summed in f32 before.
pub(super) fn weighted_table_sum(
    tokens: &[i64],
    gradients: &[f32],
    [positions, length]: [usize; 2],
    weights: &[f32],
    rows: usize,
) -> Vec<f64> {
    let mut table = vec![0.0; rows * length];
    let mut order: Vec<usize> = (0..positions).collect();
    let mut sum = vec![0.0_f32; length];
    let examples = tokens.chunks_exact(positions).zip(gradients.chunks_exact(positions * length)).zip(weights);
    for ((tokens, gradients), &weight) in examples {
        if weight == 0.0 {
            continue;
        }
        order.sort_unstable_by_key(|&position| (tokens[position], position));
        for same in order.chunk_by(|&a, &b| tokens[a] == tokens[b]) {
            let row = |position: usize| &gradients[position * length..(position + 1) * length];
            let (first, others) = (row(same[0]), &same[1..]);
            let place = tokens[same[0]] as usize * length;
            let place = &mut table[place..place + length];
            if others.is_empty() {
                add_scaled(place, weight, first);
                continue;
            }
            sum.copy_from_slice(first);
            for &other in others {
                sum.iter_mut().zip(row(other)).for_each(|(sum, value)| *sum += value);
            }
            add_scaled(place, weight, &sum);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_up_gives_the_next_float_that_is_not_below() {
        let largest = f64::from(f32::MAX);
        for value in [0.0, 1.0, 0.1, -0.1, -1.0, 1e-60, -1e-60, 1e-40, -1e-40, largest, 1.00000001 * largest, 1e300] {
            let found = round_up(value);
            assert!(f64::from(found) >= value && (found == 0.0 || f64::from(found.next_down()) < value), "{value:e}");
        }
        assert_eq!(round_up(f64::INFINITY), f32::INFINITY);
        assert_eq!(round_up(-1e300), f32::MIN);
        assert!(round_up(f64::NAN).is_nan());
    }

    #[test]
    fn squares_are_bounded_from_above_and_closely() {
        let row: Vec<f32> = (0..1003).map(|i| ((i * 37 % 101) as f32 - 50.0) * 1e-3).collect();
        let exact: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let found = f64::from(squares(&row, row.len())[0]);
        assert!(found >= exact && found <= exact * (1.0 + 2e-7));
        // What f32 would lose to underflow or overflow.
        assert!(squares(&[1e-30, 1e-30], 2)[0] > 0.0);
        assert_eq!(squares(&[3e38, 3e38], 2), [f32::INFINITY]);
        assert!(squares(&[f32::NAN, 1.0], 2)[0].is_nan());
    }

    #[test]
    fn rows_of_every_length_have_their_own_square() {
        for length in 1..40 {
            let values: Vec<f32> = (0..3 * length).map(|i| (i * 29 % 17) as f32 - 8.0).collect();
            let expected = values.chunks_exact(length).map(|row| row.iter().map(|x| x * x).sum::<f32>());
            for (found, expected) in squares(&values, length).into_iter().zip(expected) {
                assert!(found >= expected && found <= expected.next_up(), "{length}: {found} against {expected}");
            }
        }
    }

    #[test]
    fn factors_clip_what_is_longer_and_drop_what_is_not_finite() {
        let squares = [4.0, 0.25, 0.0, f32::INFINITY, 1.0, f32::NAN, 3e38, f32::MIN_POSITIVE];
        let (factors, all_finite) = clip_factors(&[&squares], 1.0, 0.5);
        assert_eq!(factors[..6], [0.25, 0.5, 0.5, 0.0, 0.5, 0.0]);
        assert!((f64::from(factors[6]) * 3e38_f64.sqrt() - 0.5).abs() < 1e-7 && factors[7] == 0.5);
        assert!(!all_finite && clip_factors(&[&squares[..3]], 1.0, 0.5).1);
        // 9 + 16 = 25, also where f32 would overflow.
        assert_eq!(clip_factors(&[&[9.0, f32::MAX], &[16.0, f32::MAX]], 1.0, 1.0).0[0], 0.2);
        assert!(clip_factors(&[&[9.0, f32::MAX], &[16.0, f32::MAX]], 1.0, 1.0).0[1] > 0.0);
    }

    #[test]
    fn rows_of_weight_zero_vanish_whatever_they_hold() {
        let values = [1.0, 2.0, f32::NAN, f32::INFINITY, 3.0, 4.0];
        assert_eq!(weighted(&values, 2, &[0.5, 0.0, 2.0]), [0.5, 1.0, 0.0, 0.0, 6.0, 8.0]);
        assert_eq!(weighted_sum(&values, 2, &[0.5, 0.0, 2.0]), [6.5, 9.0]);
    }
}
