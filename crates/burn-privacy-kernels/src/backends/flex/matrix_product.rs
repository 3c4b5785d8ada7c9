//! Matrix products `[rows, inner] x [inner, columns]` of strided slices of f32, on one thread or all.

/// A matrix in a slice: element `(row, column)` is `values[row * row_step + column * column_step]`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    ///
    /// # Panics
    ///
    /// If `values` has another length than `rows * columns`.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} x {columns}");
        Self { values, rows, columns, row_step: columns, column_step: 1 }
    }

    /// Rows of `columns` values that start `row_step` apart, and may overlap.
    ///
    /// # Panics
    ///
    /// If they are not all in `values`.
    pub(super) fn overlapping(values: &'a [f32], rows: usize, columns: usize, row_step: usize) -> Self {
        let end = if rows == 0 { 0 } else { (rows - 1) * row_step + columns };
        assert!(end <= values.len(), "{rows} rows of {columns}, {row_step} apart, in {}", values.len());
        Self { values, rows, columns, row_step, column_step: 1 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// `columns` columns from column `first` on.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub(super) fn columns_from(self, first: usize, columns: usize) -> Self {
        assert!(first + columns <= self.columns, "columns {first} and {columns} more of {}", self.columns);
        let skipped = (first * self.column_step).min(self.values.len());
        Self { values: &self.values[skipped..], columns, ..self }
    }

    /// `rows` rows from row `first` on.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub(super) fn rows_from(self, first: usize, rows: usize) -> Self {
        self.transposed().columns_from(first, rows).transposed()
    }

    /// The columns and how far apart they start, where each lies in one piece.
    pub(super) fn columns_in_memory(&self) -> Option<(&'a [f32], usize)> {
        (self.row_step == 1).then_some((self.values, self.column_step))
    }

    /// # Panics
    ///
    /// If there is no such element.
    pub(super) fn at(&self, row: usize, column: usize) -> f32 {
        assert!(row < self.rows && column < self.columns, "({row}, {column}) of {} x {}", self.rows, self.columns);
        self.values[row * self.row_step + column * self.column_step]
    }

    pub(super) fn transposed(self) -> Self {
        Self { rows: self.columns, columns: self.rows, row_step: self.column_step, column_step: self.row_step, ..self }
    }
}

/// `out = a b`, or `out += a b`: rows one after the other. On the calling thread.
///
/// # Panics
///
/// If the sizes don't fit.
pub(super) fn matrix_product(out: &mut [f32], add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    require_size(out.len(), a, b);
    matrix_product_in_rows(out, b.columns, add, a, b);
}

/// [`matrix_product`] whose rows start `row_step` apart in `out`; what lies between them is left as it is.
///
/// # Panics
///
/// If the sizes don't fit.
pub(super) fn matrix_product_in_rows(out: &mut [f32], row_step: usize, add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    let end = if a.rows == 0 { 0 } else { (a.rows - 1) * row_step + b.columns };
    assert!(b.columns <= row_step && end <= out.len(), "{} rows {row_step} apart in {}", a.rows, out.len());
    require_size(a.rows * b.columns, a, b);
    // SAFETY: the slice holds all rows, which don't overlap, and is borrowed exclusively.
    #[allow(unsafe_code)]
    unsafe {
        product(out.as_mut_ptr(), row_step, add, a, b, gemm::Parallelism::None);
    }
}

/// `out += a b` on all threads.
///
/// # Panics
///
/// If the sizes don't fit.
pub(super) fn add_parallel_product(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>) {
    require_size(out.len(), a, b);
    // SAFETY: the slice has the size of the product, and is borrowed exclusively.
    #[allow(unsafe_code)]
    unsafe {
        product(out.as_mut_ptr(), b.columns, true, a, b, gemm::Parallelism::Rayon(0));
    }
}

/// `a b` on all threads, rows one after the other.
///
/// # Panics
///
/// If the sizes don't fit.
pub(super) fn parallel_product(a: Matrix<'_>, b: Matrix<'_>) -> Vec<f32> {
    let size = a.rows * b.columns;
    let mut out = Vec::with_capacity(size);
    require_size(size, a, b);
    // SAFETY: the vector has room for the product; all of it is written, and nothing read, where nothing is added.
    #[allow(unsafe_code)]
    unsafe {
        product(out.as_mut_ptr(), b.columns, false, a, b, gemm::Parallelism::Rayon(0));
        out.set_len(size);
    }
    out
}

fn require_size(size: usize, a: Matrix<'_>, b: Matrix<'_>) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a matrix product");
    assert_eq!(size, a.rows * b.columns, "the size of a matrix product");
}

/// Writes the product to `out`, or adds it, in rows `row_step` apart.
///
/// # Safety
///
/// The inner sizes are equal, and `out` points to such rows, which don't overlap and which nothing else uses; they need not
/// hold anything where nothing is added.
#[allow(unsafe_code)]
unsafe fn product(out: *mut f32, row_step: usize, add: bool, a: Matrix<'_>, b: Matrix<'_>, threads: gemm::Parallelism) {
    if a.rows * b.columns == 0 {
        return;
    }
    let step = |size: usize| isize::try_from(size).expect("a slice is shorter than isize::MAX");
    // SAFETY: `Matrix`'s constructors make every element that `gemm` reads lie in its slice; the caller
    // answers for `out`.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out,
            1,
            step(row_step),
            add,
            a.values.as_ptr(),
            step(a.column_step),
            step(a.row_step),
            b.values.as_ptr(),
            step(b.column_step),
            step(b.row_step),
            1.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_transposes_add_up() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [0.0; 4];
        matrix_product(&mut out, false, Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2));
        assert_eq!(out, [5.0, 11.0, 14.0, 23.0]);
        matrix_product(&mut out, true, Matrix::new(&a, 3, 2).transposed(), Matrix::new(&b, 2, 3).transposed());
        assert_eq!(out, [5.0 + 11.0, 11.0 + 16.0, 14.0 + 14.0, 23.0 + 20.0]);
    }

    #[test]
    fn products_on_all_threads_write_every_value() {
        // Large enough to be cut for several threads; sums of small integers are exact.
        let (rows, inner, columns) = (301, 130, 217);
        let a: Vec<f32> = (0..rows * inner).map(|i| (i % 7) as f32 - 3.0).collect();
        let b: Vec<f32> = (0..inner * columns).map(|i| (i % 5) as f32 - 2.0).collect();
        let (a, b) = (Matrix::new(&a, rows, inner), Matrix::new(&b, inner, columns));
        let found = parallel_product(a, b);
        let mut alone = vec![0.0; rows * columns];
        matrix_product(&mut alone, false, a, b);
        assert_eq!(found, alone);
        add_parallel_product(&mut alone, a, b);
        assert!(found.iter().zip(&alone).all(|(once, twice)| 2.0 * once == *twice));
    }

    #[test]
    fn rows_may_lie_apart() {
        let mut out = [9.0; 5];
        let (a, b) = ([1.0, 2.0], [3.0, 4.0]);
        matrix_product_in_rows(&mut out, 3, false, Matrix::new(&a, 2, 1), Matrix::new(&b, 1, 2));
        assert_eq!(out, [3.0, 4.0, 9.0, 6.0, 8.0]);
    }

    #[test]
    fn an_empty_inner_axis_gives_zeros() {
        let mut out = [7.0; 4];
        matrix_product(&mut out, false, Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        assert_eq!(out, [0.0; 4]);
        assert_eq!(parallel_product(Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2)), [0.0; 4]);
    }
}
