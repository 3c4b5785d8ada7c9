//! Sums of rows, side by side in as many lanes as vectors have: to be compiled into code for the widest of them.

const LANES: usize = 16;

/// The sum of a row.
#[inline(always)]
pub(super) fn sum(row: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane += x;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// The scalar product of two rows of the same length.
#[inline(always)]
pub(super) fn sum_of_products(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (of_a, rest_of_a) = a.as_chunks::<LANES>();
    let (of_b, rest_of_b) = b.as_chunks::<LANES>();
    for (a, b) in of_a.iter().zip(of_b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f32 = rest_of_a.iter().zip(rest_of_b).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The largest value of a row; a NaN is passed over.
#[inline(always)]
pub(super) fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    rest.iter().chain(&lanes).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// The sums of the squares of rows of `length` values, in f64.
#[inline(always)]
pub(super) fn sums_of_squares(values: &[f32], length: usize) -> Vec<f64> {
    let mut sums = vec![0.0; values.len() / length];
    if length >= LANES {
        for (sum, row) in sums.iter_mut().zip(values.chunks_exact(length)) {
            *sum = sum_of_squares(row);
        }
        return sums;
    }
    // Rows shorter than the lanes: all squares first.
    let mut squares = vec![0.0; values.len()];
    for (square, &x) in squares.iter_mut().zip(values) {
        *square = f64::from(x) * f64::from(x);
    }
    for (sum, row) in sums.iter_mut().zip(squares.chunks_exact(length)) {
        *sum = row.iter().fold(0.0, |sum, square| sum + square);
    }
    sums
}

/// The sum of the squares of a row, in f64.
#[inline(always)]
pub(super) fn sum_of_squares(row: &[f32]) -> f64 {
    let (blocks, rest) = row.as_chunks::<LANES>();
    let rest: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    let mut lanes = [0.0_f64; LANES];
    for block in blocks {
        for (lane, &x) in lanes.iter_mut().zip(block) {
            *lane += f64::from(x) * f64::from(x);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// The sum of a row and its scalar product with another of the same length, in f64.
#[inline(always)]
pub(super) fn sum_and_product(row: &[f32], other: &[f32]) -> [f64; 2] {
    let (mut sums, mut products) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (blocks, rest) = row.as_chunks::<LANES>();
    let (other_blocks, other_rest) = other.as_chunks::<LANES>();
    for (block, other) in blocks.iter().zip(other_blocks) {
        for (((sum, product), &x), &y) in sums.iter_mut().zip(&mut products).zip(block).zip(other) {
            *sum += f64::from(x);
            *product += f64::from(x) * f64::from(y);
        }
    }
    let mut found = [sums.iter().sum(), products.iter().sum()];
    for (&x, &y) in rest.iter().zip(other_rest) {
        found[0] += f64::from(x);
        found[1] += f64::from(x) * f64::from(y);
    }
    found
}
