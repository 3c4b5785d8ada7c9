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
    product(out, add, a, b, gemm::Parallelism::None);
}

/// [`matrix_product`] on all threads.
pub(super) fn parallel_matrix_product(out: &mut [f32], add: bool, a: Matrix<'_>, b: Matrix<'_>) {
    product(out, add, a, b, gemm::Parallelism::Rayon(0));
}

fn product(out: &mut [f32], add: bool, a: Matrix<'_>, b: Matrix<'_>, threads: gemm::Parallelism) {
    assert_eq!(a.columns, b.rows, "the inner sizes of a matrix product");
    assert_eq!(out.len(), a.rows * b.columns, "the size of a matrix product");
    if out.is_empty() {
        return;
    }
    let step = |size: usize| isize::try_from(size).expect("a slice is shorter than isize::MAX");
    // SAFETY: `Matrix::new`, `Matrix::columns_from` and the assertions make every element that `gemm` reads or writes lie in its slice,
    // and `out` is borrowed exclusively.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            out.as_mut_ptr(),
            1,
            step(b.columns),
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
    fn an_empty_inner_axis_gives_zeros() {
        let mut out = [7.0; 4];
        matrix_product(&mut out, false, Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 2));
        assert_eq!(out, [0.0; 4]);
    }
}
