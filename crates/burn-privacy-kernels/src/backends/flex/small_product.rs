//! Products with a matrix so small that a general product would spend most of its time on getting ready.

use pulp::{Arch, Simd, WithSimd};

use super::matrix_product::Matrix;

/// The most columns of the small matrix: whole vectors, whatever the machine's.
pub(super) const MOST_COLUMNS: usize = 32;

/// The most values of the small matrix.
const MOST_ENTRIES: usize = 256;

/// The most multiplications that one thread is given: some 100 microseconds, which others take to wake up.
const MOST_MULTIPLICATIONS: usize = 1 << 21;

/// Whether a matrix is small enough to multiply rows by it, or to be a sum of rows' products. It does not depend on the number
/// of rows: one more must change no other row's way of being computed.
pub(super) fn is_small(matrix: [usize; 2]) -> bool {
    let [inner, columns] = matrix;
    columns <= MOST_COLUMNS && inner * columns <= MOST_ENTRIES
}

/// The most rows for one thread.
pub(super) fn rows_of_a_task([inner, columns]: [usize; 2]) -> usize {
    (MOST_MULTIPLICATIONS / (inner * columns).max(1)).max(1)
}

/// `a b`, plus `bias` in each row where there is one: rows one after the other, as those of `a`. On the calling thread.
///
/// # Panics
///
/// If `b` has more than [`MOST_COLUMNS`] columns, or a size doesn't fit.
pub(super) fn small_product(a: &[f32], b: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns) = (b.rows(), b.columns());
    assert!(columns <= MOST_COLUMNS && inner > 0, "{inner} x {columns}");
    assert!(a.len().is_multiple_of(inner) && bias.is_none_or(|bias| bias.len() == columns), "the sizes of a product");
    Arch::new().dispatch(SmallProduct { a, b, bias })
}

struct SmallProduct<'a> {
    a: &'a [f32],
    b: Matrix<'a>,
    bias: Option<&'a [f32]>,
}

impl WithSimd for SmallProduct<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        match self.b.columns().div_ceil(S::F32_LANES) {
            1 => self.with_vectors::<S, 1>(simd),
            2 => self.with_vectors::<S, 2>(simd),
            3 | 4 => self.with_vectors::<S, 4>(simd),
            5..=8 => self.with_vectors::<S, 8>(simd),
            _ => self.with_vectors::<S, MOST_COLUMNS>(simd),
        }
    }
}

impl SmallProduct<'_> {
    /// With so many vectors a row, if that is enough. What a row writes beyond its end, the next writes over.
    #[inline(always)]
    fn with_vectors<S: Simd, const VECTORS: usize>(self, simd: S) -> Vec<f32> {
        let Self { a, b, bias } = self;
        let (inner, columns) = (b.rows(), b.columns());
        let row = |values: &mut dyn Iterator<Item = f32>| {
            let mut row = [simd.splat_f32s(0.0); VECTORS];
            let places = pulp::bytemuck::cast_slice_mut::<S::f32s, f32>(&mut row);
            places.iter_mut().zip(values).for_each(|(place, value)| *place = value);
            row
        };
        let b: Vec<_> = (0..inner).map(|k| row(&mut (0..columns).map(|column| b.at(k, column)))).collect();
        let bias = row(&mut bias.unwrap_or_default().iter().copied());
        let rows = a.len() / inner;
        let width = VECTORS * S::F32_LANES;
        let mut out = vec![0.0; rows * columns + width];
        for (index, a) in a.chunks_exact(inner).enumerate() {
            let mut sums = bias;
            for (factor, b) in a.iter().zip(&b) {
                let factor = simd.splat_f32s(*factor);
                for (sum, value) in sums.iter_mut().zip(b) {
                    *sum = simd.mul_add_e_f32s(factor, *value, *sum);
                }
            }
            let (places, _) = S::as_mut_simd_f32s(&mut out[index * columns..index * columns + width]);
            places.copy_from_slice(&sums);
        }
        out.truncate(rows * columns);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_those_of_their_definition() {
        for (rows, inner, columns) in [(1, 1, 1), (7, 4, 10), (9, 10, 1), (3, 8, 32), (5, 13, 17), (0, 2, 3)] {
            // Sums of small integers are exact.
            let values = |count: usize, step: usize| -> Vec<f32> {
                (0..count).map(|i| ((i * step) % 11) as f32 - 5.0).collect()
            };
            let (a, b, bias) = (values(rows * inner, 7), values(inner * columns, 5), values(columns, 3));
            let transposed: Vec<f32> = (0..columns * inner).map(|i| b[i % inner * columns + i / inner]).collect();
            let expected = |bias: &dyn Fn(usize) -> f32| -> Vec<f32> {
                let at =
                    |row: usize, j: usize| (0..inner).map(|k| a[row * inner + k] * b[k * columns + j]).sum::<f32>();
                (0..rows * columns).map(|i| at(i / columns, i % columns) + bias(i % columns)).collect()
            };
            let b = Matrix::new(&b, inner, columns);
            assert_eq!(small_product(&a, b, None), expected(&|_| 0.0));
            assert_eq!(small_product(&a, b, Some(&bias)), expected(&|j| bias[j]));
            let b = Matrix::new(&transposed, columns, inner).transposed();
            assert_eq!(small_product(&a, b, Some(&bias)), expected(&|j| bias[j]));
        }
    }
}
