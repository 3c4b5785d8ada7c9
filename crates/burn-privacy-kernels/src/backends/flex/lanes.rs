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
    match length {
        1 => sums_of_few_squares::<1>(values, &mut sums),
        2 => sums_of_few_squares::<2>(values, &mut sums),
        3 => sums_of_few_squares::<3>(values, &mut sums),
        4 => sums_of_few_squares::<4>(values, &mut sums),
        5 => sums_of_few_squares::<5>(values, &mut sums),
        6 => sums_of_few_squares::<6>(values, &mut sums),
        7 => sums_of_few_squares::<7>(values, &mut sums),
        8 => sums_of_few_squares::<8>(values, &mut sums),
        9 => sums_of_few_squares::<9>(values, &mut sums),
        10 => sums_of_few_squares::<10>(values, &mut sums),
        11 => sums_of_few_squares::<11>(values, &mut sums),
        12 => sums_of_few_squares::<12>(values, &mut sums),
        13 => sums_of_few_squares::<13>(values, &mut sums),
        14 => sums_of_few_squares::<14>(values, &mut sums),
        _ => sums_of_few_squares::<15>(values, &mut sums),
    }
    sums
}

/// [`sums_of_squares`] of rows whose length the compiler knows, so that a row takes no loop.
#[inline(always)]
fn sums_of_few_squares<const LENGTH: usize>(values: &[f32], sums: &mut [f64]) {
    for (sum, row) in sums.iter_mut().zip(values.as_chunks::<LENGTH>().0) {
        let mut lanes = [0.0_f64; 4];
        for (i, &x) in row.iter().enumerate() {
            lanes[i % 4] += f64::from(x) * f64::from(x);
        }
        *sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
    }
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
    for width in [8, 4, 2, 1] {
        let (kept, added) = lanes.split_at_mut(width);
        for (kept, added) in kept.iter_mut().zip(added) {
            *kept += *added;
        }
    }
    lanes[0] + rest
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
