//! Transposes of matrices, in small squares that stay in registers and the nearest cache.

const SIDE: usize = 8;

/// `to[j, i] = from[i, j]`, with the rows of `from` and `to` `from_step` and `to_step` apart.
///
/// # Panics
///
/// If a slice is too short.
pub(super) fn transpose<T: Copy + Default>(
    from: &[T],
    from_step: usize,
    to: &mut [T],
    to_step: usize,
    [rows, columns]: [usize; 2],
) {
    let (whole_rows, whole_columns) = (rows - rows % SIDE, columns - columns % SIDE);
    for row in (0..whole_rows).step_by(SIDE) {
        for column in (0..whole_columns).step_by(SIDE) {
            let mut square = [[T::default(); SIDE]; SIDE];
            for (i, values) in square.iter_mut().enumerate() {
                let start = (row + i) * from_step + column;
                values.copy_from_slice(&from[start..start + SIDE]);
            }
            for j in 0..SIDE {
                let start = (column + j) * to_step + row;
                for (to, values) in to[start..start + SIDE].iter_mut().zip(&square) {
                    *to = values[j];
                }
            }
        }
    }
    for row in 0..rows {
        let first = if row < whole_rows { whole_columns } else { 0 };
        for column in first..columns {
            to[column * to_step + row] = from[row * from_step + column];
        }
    }
}

/// [`transpose`] of every `stride`-th of `columns` columns.
pub(super) fn transpose_strided(
    from: &[f32],
    [from_step, stride]: [usize; 2],
    to: &mut [f32],
    to_step: usize,
    [rows, columns]: [usize; 2],
) {
    if stride == 1 {
        return transpose(from, from_step, to, to_step, [rows, columns]);
    }
    for row in 0..rows {
        let values = from[row * from_step..][..columns].iter().step_by(stride);
        for (to, value) in to[row..].iter_mut().step_by(to_step).zip(values) {
            *to = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_finds_its_place() {
        for (rows, columns) in [(1, 1), (3, 20), (8, 8), (17, 9), (24, 31), (0, 5)] {
            for stride in [1, 2, 3] {
                let (from_step, to_step) = (columns + 3, rows + 2);
                let from: Vec<f32> = (0..rows * from_step).map(|i| i as f32).collect();
                let mut to = vec![-1.0; columns * to_step];
                transpose_strided(&from, [from_step, stride], &mut to, to_step, [rows, columns]);
                for (j, row) in to.chunks(to_step).enumerate() {
                    for (i, value) in row.iter().enumerate() {
                        let taken = i < rows && j < columns.div_ceil(stride);
                        assert_eq!(*value, if taken { from[i * from_step + j * stride] } else { -1.0 });
                    }
                }
            }
        }
    }
}
