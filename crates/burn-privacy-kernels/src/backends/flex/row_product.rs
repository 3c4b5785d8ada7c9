//! Products of rows with one matrix whose every row has the same bits beside any number of other rows, at any place.
//!
//! The sensitivity of a released sum rests on it: what a record adds must be a function of that record (see the module
//! `exact_sum` of `burn-privacy`). The general product of `gemm` (read in gemm-common 0.19.0, `gemm.rs`) forms each element in
//! one register, along the inner axis, and so does not know what lies beside it; but which way it takes depends on the sizes:
//!
//! - The inner axis is cut into pieces, whose sums are added up in memory: of 512 where both other sizes are at most 64, else of
//!   equal length, at least 512. Here it is cut into pieces of at most 512 before.
//! - One row, or one column, goes by a product of a matrix and a vector. Here a single row is doubled; a matrix of one column is
//!   a scalar product for each row.
//! - At most 256 elements whose factors both lie along the inner axis are formed by vectors along that axis. Here such a matrix
//!   is turned first.
//!
//! The number of threads changes who forms an element, not how.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::sum_of_products;
use super::matrix_product::{Matrix, add_parallel_product, parallel_product};
use super::rows::{PART, SMALL, repeated};
use super::small_product::{is_small, rows_of_a_task, small_product};
use super::transposition::transpose;

/// The longest piece of the inner axis that `gemm` is given: it cuts none that is as short.
const PIECE: usize = 512;

/// So many elements, or fewer, `gemm` may form along the inner axis.
const FEW: usize = 256;

/// `rows matrix`, plus `bias` in each row where there is one: rows one after the other.
///
/// # Panics
///
/// If a size doesn't fit, or the matrix is empty.
pub(super) fn row_product(rows: &[f32], matrix: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns) = (matrix.rows(), matrix.columns());
    assert!(inner * columns > 0 && rows.len().is_multiple_of(inner), "rows of {inner} in {}", rows.len());
    assert!(bias.is_none_or(|bias| bias.len() == columns), "a bias of {columns}");
    if is_small([inner, columns]) {
        return of_small_matrix(rows, matrix, bias);
    }
    if columns == 1 {
        let column: Vec<f32> = (0..inner).map(|k| matrix.at(k, 0)).collect();
        return of_one_column(rows, &column, bias.map_or(0.0, |bias| bias[0]));
    }
    general(rows, matrix, bias)
}

fn of_small_matrix(rows: &[f32], matrix: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let task = rows_of_a_task([matrix.rows(), matrix.columns()]) * matrix.rows();
    if rows.len() <= task {
        return small_product(rows, matrix, bias);
    }
    let parts: Vec<Vec<f32>> = rows.par_chunks(task).map(|rows| small_product(rows, matrix, bias)).collect();
    parts.concat()
}

fn of_one_column(rows: &[f32], column: &[f32], bias: f32) -> Vec<f32> {
    let inner = column.len();
    let count = rows.len() / inner;
    let least = if rows.len() < SMALL { count.max(1) } else { PART.div_ceil(inner) };
    let arch = Arch::new();
    let work = |rows: &[f32]| arch.dispatch(OneColumn { rows, column, bias });
    if count <= least {
        return work(rows);
    }
    rows.par_chunks(least * inner).flat_map_iter(work).collect()
}

struct OneColumn<'a> {
    rows: &'a [f32],
    column: &'a [f32],
    bias: f32,
}

impl WithSimd for OneColumn<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let Self { rows, column, bias } = self;
        let mut products = vec![0.0; rows.len() / column.len()];
        for (product, row) in products.iter_mut().zip(rows.chunks_exact(column.len())) {
            *product = sum_of_products(row, column) + bias;
        }
        products
    }
}

fn general(rows: &[f32], matrix: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns) = (matrix.rows(), matrix.columns());
    let found = rows.len() / inner;
    let doubled = if found == 1 { rows.repeat(2) } else { Vec::new() };
    let rows = if found == 1 { &doubled[..] } else { rows };
    let count = rows.len() / inner;
    let turned = if count * columns <= FEW { turned(matrix) } else { None };
    let matrix = turned.as_ref().map_or(matrix, |turned| Matrix::new(turned, inner, columns));

    let rows = Matrix::new(rows, count, inner);
    let length = inner.div_ceil(inner.div_ceil(PIECE));
    let piece = |first: usize| {
        let length = length.min(inner - first);
        (rows.columns_from(first, length), matrix.rows_from(first, length))
    };
    let (first_rows, first_matrix) = piece(0);
    let mut out = match bias {
        Some(bias) => {
            let mut out = repeated(bias, count);
            add_parallel_product(&mut out, first_rows, first_matrix);
            out
        }
        None => parallel_product(first_rows, first_matrix),
    };
    for first in (length..inner).step_by(length) {
        let (rows, matrix) = piece(first);
        add_parallel_product(&mut out, rows, matrix);
    }
    out.truncate(found * columns);
    out
}

/// The same matrix with its rows one after the other, where its columns were.
fn turned(matrix: Matrix<'_>) -> Option<Vec<f32>> {
    let (columns, step) = matrix.columns_in_memory()?;
    let mut out = vec![0.0; matrix.rows() * matrix.columns()];
    transpose(columns, step, &mut out, matrix.columns(), [matrix.columns(), matrix.rows()]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 1.7
        };
        (0..count).map(|_| next()).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|x| x.to_bits()).collect()
    }

    /// Rows of a long list, each alone: any run of them must have the same bits.
    fn assert_rows_are_their_own([inner, columns]: [usize; 2], counts: impl Iterator<Item = usize>) {
        const ROWS: usize = 300;
        let (rows, weights, bias) = (values(ROWS * inner, 1), values(inner * columns, 2), values(columns, 3));
        let by_rows = Matrix::new(&weights, inner, columns);
        let by_columns = Matrix::new(&weights, columns, inner).transposed();
        let ways = [(by_rows, None), (by_rows, Some(&bias[..])), (by_columns, None), (by_columns, Some(&bias[..]))];
        let alone = ways.map(|(matrix, bias)| -> Vec<u32> {
            rows.chunks_exact(inner).flat_map(|row| bits(&row_product(row, matrix, bias))).collect()
        });
        for count in counts {
            let first = (count * 37) % (ROWS + 1 - count);
            for ((matrix, bias), alone) in ways.iter().zip(&alone) {
                let found = row_product(&rows[first * inner..(first + count) * inner], *matrix, *bias);
                assert!(
                    bits(&found) == alone[first * columns..(first + count) * columns],
                    "{count} rows of {inner} x {columns} from {first}"
                );
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_beside_any_others() {
        for size in [[1, 1], [4, 10], [16, 16], [300, 1], [1, 300], [2, 200], [200, 2], [3, 90], [65, 64], [64, 65]] {
            assert_rows_are_their_own(size, 1..=300);
        }
        for size in [[513, 7], [600, 70], [128, 2], [1030, 33], [90, 300]] {
            assert_rows_are_their_own(size, (1..=300).filter(|count| *count < 20 || count % 7 == 1));
        }
    }

    #[test]
    fn rows_of_wide_layers_have_the_same_bits_beside_any_others() {
        assert_rows_are_their_own([784, 1024], [1, 2, 3, 5, 8, 31, 64, 65, 129, 300].into_iter());
        assert_rows_are_their_own([1024, 10], [1, 2, 25, 26, 64, 65, 300].into_iter());
    }

    #[test]
    fn products_are_those_of_their_definition() {
        for [inner, columns] in [[4, 10], [700, 1], [1, 40], [1100, 3], [40, 50]] {
            for count in [0, 1, 2, 9] {
                // Sums of small integers are exact.
                let whole = |count, seed| values(count, seed).iter().map(|x| (x * 3.0).round()).collect::<Vec<f32>>();
                let (rows, weights, bias) = (whole(count * inner, 1), whole(inner * columns, 2), whole(columns, 3));
                let matrix = Matrix::new(&weights, inner, columns);
                let found = row_product(&rows, matrix, Some(&bias));
                let expected = |i: usize, j: usize| {
                    (0..inner).map(|k| rows[i * inner + k] * weights[k * columns + j]).sum::<f32>() + bias[j]
                };
                let expected: Vec<f32> = (0..count * columns).map(|i| expected(i / columns, i % columns)).collect();
                assert_eq!(found, expected, "{count} rows of {inner} x {columns}");
            }
        }
    }
}
