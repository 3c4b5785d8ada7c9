//! The gradients `a g^T` of a layer's weights, one an example, without forming them: their norms, and their weighted sum
//! where it is so small that the overhead of a general matrix product would be most of it.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::convolution::weighted_sum_in_parts;
use super::fresh_memory::{Cut, written_in_parts};
use super::lanes;
use super::matrix_product::{Matrix, matrix_product};
use super::row_pairs::RowPairs;
use super::rows::{PART, SMALL, round_up, squares_on_one_thread};
use super::small_product::{MOST_COLUMNS, is_small, rows_of_a_task};

/// Upper bounds of `(|a|^2 + ones) |g|^2` for each pair of rows: of `|a g^T|^2`, and with one for `ones` of the bias too.
///
/// Squares of f32 and their products are far from the ends of f64's range, so that only its rounding counts: at most a
/// factor of `1 + n 2^-53` for `n` squares (Higham, section 4.2). The result is rounded up to f32. It is not finite, and
/// the example left out, where `|a|^2` or `|g|^2` is not representable in f32: the scaled gradient, which may lose what lies below
/// f32's range, is then multiplied by inputs of at most 2^64.
pub(super) fn squared_norms(pairs: RowPairs<'_>, ones: f64) -> Vec<f32> {
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    let arch = Arch::new();
    if inputs.len() + gradients.len() < SMALL {
        return arch.dispatch(SquaredNorms { pairs, ones });
    }
    let rows = PART.div_ceil(d_input + d_output);
    let parts = inputs.par_chunks(rows * d_input).zip(gradients.par_chunks(rows * d_output));
    parts
        .flat_map_iter(|(inputs, gradients)| {
            arch.dispatch(SquaredNorms { pairs: RowPairs { inputs, gradients, ..pairs }, ones })
        })
        .collect()
}

struct SquaredNorms<'a> {
    pairs: RowPairs<'a>,
    ones: f64,
}

impl WithSimd for SquaredNorms<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Vec<f32> {
        let RowPairs { inputs, d_input, gradients, d_output } = self.pairs;
        let mut bounds = squares_on_one_thread(inputs, d_input);
        for (bound, gradient) in bounds.iter_mut().zip(squares_on_one_thread(gradients, d_output)) {
            *bound = round_up((f64::from(*bound) + self.ones) * f64::from(gradient) * (1.0 + 4.0 * f64::EPSILON));
        }
        bounds
    }
}

/// `sum_i w_i a_i g_i^T`, rows one after the other, and `sum_i w_i g_i`. A row of weight zero adds zero whatever it holds.
///
/// The rows of a leaf are added in f32, leaves in f64.
pub(super) fn weighted_sum(pairs: RowPairs<'_>, weights: &[f32], leaves: &[Range<usize>]) -> [Vec<f64>; 2] {
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    if !is_small([d_input, d_output]) {
        return [
            weighted_sum_in_blocks(pairs, weights, leaves),
            super::rows::weighted_sum(gradients, d_output, weights),
        ];
    }
    let mut sums = [vec![0.0; d_input * d_output], vec![0.0; d_output]];
    let of_leaf = |leaf: &Range<usize>| {
        let pairs = RowPairs {
            inputs: &inputs[leaf.start * d_input..leaf.end * d_input],
            gradients: &gradients[leaf.start * d_output..leaf.end * d_output],
            ..pairs
        };
        weighted_sum_of_rows(pairs, &weights[leaf.clone()])
    };
    if weights.len() <= rows_of_a_task([d_input, d_output]) {
        leaves.iter().for_each(|leaf| add(&mut sums, of_leaf(leaf)));
    } else {
        let of_leaves: Vec<[Vec<f32>; 2]> = leaves.par_iter().map(of_leaf).collect();
        of_leaves.into_iter().for_each(|next| add(&mut sums, next));
    }
    sums
}

fn add(sums: &mut [Vec<f64>; 2], next: [Vec<f32>; 2]) {
    for (sums, next) in sums.iter_mut().zip(next) {
        sums.iter_mut().zip(next).for_each(|(sum, value)| *sum += f64::from(value));
    }
}

/// The larger sums: in blocks that stay in a core's own cache, from the first leaf to the last.
fn weighted_sum_in_blocks(pairs: RowPairs<'_>, weights: &[f32], leaves: &[Range<usize>]) -> Vec<f64> {
    /// Rows and columns of a block: 64 KiB of f32 and twice as much of f64.
    const BLOCK: [usize; 2] = [64, 256];
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    let scaled = super::rows::weighted(gradients, d_output, weights);
    // Excluded rows are zero in `inputs` too, so that no product of theirs is anything but zero.
    let (inputs, scaled) = (Matrix::new(inputs, weights.len(), d_input), Matrix::new(&scaled, weights.len(), d_output));
    let blocks = d_input.div_ceil(BLOCK[0]);
    let cut = Cut { total: d_input * d_output, part: BLOCK[0] * d_output };
    let [sums] = written_in_parts(
        [cut],
        (0..blocks).into_par_iter(),
        1,
        || vec![0.0; BLOCK[0] * BLOCK[1]],
        |product, block, [sums]| {
            let rows = sums.len() / d_output;
            let inputs = inputs.columns_from(block * BLOCK[0], rows);
            for first in (0..d_output).step_by(BLOCK[1]) {
                let columns = BLOCK[1].min(d_output - first);
                let (gradients, product) = (scaled.columns_from(first, columns), &mut product[..rows * columns]);
                for leaf in leaves {
                    let inputs = inputs.rows_from(leaf.start, leaf.len()).transposed();
                    matrix_product(product, false, inputs, gradients.rows_from(leaf.start, leaf.len()));
                    for (sums, row) in sums.chunks_exact_mut(d_output).zip(product.chunks_exact(columns)) {
                        super::rows::add_scaled(&mut sums[first..first + columns], 1.0, row);
                    }
                }
            }
        },
    );
    sums
}

/// `sum_i w_i sum_t a_it g_it^T` and `sum_i w_i sum_t g_it`, with `positions` rows an example, which are summed in f32; examples
/// in f64.
pub(super) fn weighted_sum_of_sequences(pairs: RowPairs<'_>, weights: &[f32], positions: usize) -> [Vec<f64>; 2] {
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    let entries = d_input * d_output;
    let rows = inputs.chunks_exact(positions * d_input).zip(gradients.chunks_exact(positions * d_output));
    let mut weight = weighted_sum_in_parts(
        weights,
        rows.collect(),
        entries + d_output,
        || (),
        |(), (input, gradient), found| {
            let (found, of_bias) = found.split_at_mut(entries);
            of_bias.fill(0.0);
            for row in gradient.chunks_exact(d_output) {
                of_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            let (input, gradient) =
                (Matrix::new(input, positions, d_input), Matrix::new(gradient, positions, d_output));
            matrix_product(found, false, input.transposed(), gradient);
        },
    );
    let bias = weight.split_off(entries);
    [weight, bias]
}

/// [`weighted_sum`] with a weight for each row.
fn weighted_sum_of_rows(pairs: RowPairs<'_>, weights: &[f32]) -> [Vec<f32>; 2] {
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    if d_output == 1 && (2..=MOST_COLUMNS).contains(&d_input) {
        // The inputs side by side in vectors, instead of the one output.
        let turned = RowPairs { inputs: gradients, d_input: 1, gradients: inputs, d_output: d_input };
        let [weight, _] = weighted_sum_of_rows(turned, weights);
        let mut bias = lanes::sum_of_products(gradients, weights);
        if !bias.is_finite() {
            let products = gradients.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
            bias = products.map(|(value, weight)| weight * value).sum();
        }
        return [weight, vec![bias]];
    }
    Arch::new().dispatch(WeightedSum { pairs, weights })
}

struct WeightedSum<'a> {
    pairs: RowPairs<'a>,
    weights: &'a [f32],
}

impl WithSimd for WeightedSum<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Vec<f32>; 2] {
        match self.pairs.d_output.div_ceil(S::F32_LANES) {
            1 => self.with_vectors::<S, 1>(simd),
            2 => self.with_vectors::<S, 2>(simd),
            3 | 4 => self.with_vectors::<S, 4>(simd),
            5..=8 => self.with_vectors::<S, 8>(simd),
            _ => self.with_vectors::<S, MOST_COLUMNS>(simd),
        }
    }
}

impl WeightedSum<'_> {
    /// With so many vectors a row, if that is enough.
    #[inline(always)]
    fn with_vectors<S: Simd, const VECTORS: usize>(self, simd: S) -> [Vec<f32>; 2] {
        let RowPairs { d_input, d_output, .. } = self.pairs;
        let mut sum_of_gradients = [simd.splat_f32s(0.0); VECTORS];
        let mut sums = Vec::with_capacity(d_input * d_output);
        let row = |sum: &[S::f32s; VECTORS], sums: &mut Vec<f32>| {
            sums.extend_from_slice(&pulp::bytemuck::cast_slice::<S::f32s, f32>(sum)[..d_output]);
        };
        // Sums of some inputs at a time, which stay in registers.
        let mut first = 0;
        while first < d_input {
            let found: &[[S::f32s; VECTORS]] = match d_input - first {
                1 => &self.of_inputs::<S, VECTORS, 1>(simd, first, &mut sum_of_gradients),
                2 => &self.of_inputs::<S, VECTORS, 2>(simd, first, &mut sum_of_gradients),
                3 => &self.of_inputs::<S, VECTORS, 3>(simd, first, &mut sum_of_gradients),
                _ => &self.of_inputs::<S, VECTORS, 4>(simd, first, &mut sum_of_gradients),
            };
            found.iter().for_each(|sum| row(sum, &mut sums));
            first += found.len();
        }
        let mut bias = Vec::new();
        row(&sum_of_gradients, &mut bias);
        [sums, bias]
    }

    /// The sums of the inputs from `first` on, and that of the gradients.
    #[inline(always)]
    fn of_inputs<S: Simd, const VECTORS: usize, const INPUTS: usize>(
        &self,
        simd: S,
        first: usize,
        sum_of_gradients: &mut [S::f32s; VECTORS],
    ) -> [[S::f32s; VECTORS]; INPUTS] {
        let RowPairs { inputs, d_input, gradients, d_output } = self.pairs;
        let zero = [simd.splat_f32s(0.0); VECTORS];
        let (mut sums, mut sum) = ([zero; INPUTS], zero);
        // Whole vectors: their lanes beyond a row's end hold what follows it, and are cut off in the end. Rows that too
        // little follows are copied to where zeros do.
        let width = VECTORS * S::F32_LANES;
        let mut padded = [0.0; MOST_COLUMNS];
        let mut left = gradients;
        for (input, &weight) in inputs.chunks_exact(d_input).zip(self.weights) {
            let (row, next) = left.split_at(d_output);
            let gradient = left.get(..width).unwrap_or_else(|| {
                padded[..d_output].copy_from_slice(row);
                &padded[..width]
            });
            left = next;
            if weight == 0.0 {
                continue;
            }
            let (weight, gradient) = (simd.splat_f32s(weight), S::as_simd_f32s(gradient).0);
            let scaled: [S::f32s; VECTORS] = std::array::from_fn(|vector| simd.mul_f32s(weight, gradient[vector]));
            for (sum, value) in sum.iter_mut().zip(scaled) {
                *sum = simd.add_f32s(*sum, value);
            }
            for (sums, factor) in sums.iter_mut().zip(&input[first..first + INPUTS]) {
                let factor = simd.splat_f32s(*factor);
                for (sum, value) in sums.iter_mut().zip(scaled) {
                    *sum = simd.mul_add_e_f32s(factor, value, *sum);
                }
            }
        }
        *sum_of_gradients = sum;
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: u32) -> Vec<f32> {
        (0..count as u32).map(|i| ((i * 37 + seed) % 101) as f32 / 50.0 - 1.0).collect()
    }

    #[test]
    fn norms_are_bounded_from_above_and_closely() {
        for (rows, d_input, d_output) in [(5, 4, 10), (3, 17, 1), (40, 300, 900)] {
            let (inputs, gradients) = (values(rows * d_input, 3), values(rows * d_output, 71));
            let pairs = RowPairs { inputs: &inputs, d_input, gradients: &gradients, d_output };
            let found = squared_norms(pairs, 1.0);
            assert_eq!(found.len(), rows);
            for (row, found) in found.into_iter().enumerate() {
                let square = |of: &[f32], length: usize| -> f64 {
                    of[row * length..][..length].iter().map(|&x| f64::from(x) * f64::from(x)).sum()
                };
                let exact = (square(&inputs, d_input) + 1.0) * square(&gradients, d_output);
                assert!(
                    f64::from(found) >= exact && f64::from(found) <= exact * (1.0 + 4e-7),
                    "{row}: {found} {exact}"
                );
            }
        }
        let of = |inputs: &[f32], gradients: &[f32]| {
            squared_norms(RowPairs { inputs, d_input: 1, gradients, d_output: 1 }, 0.0)[0]
        };
        assert!(of(&[1e-30], &[1e-30]) > 0.0);
        assert_eq!(of(&[1e19], &[10.0]), f32::INFINITY);
        // In f64 the product is 1e-20.
        assert_eq!(of(&[1e20], &[1e-30]), f32::INFINITY);
        assert!(of(&[f32::INFINITY], &[0.0]).is_nan() && of(&[f32::NAN], &[1.0]).is_nan());
    }

    #[test]
    fn small_sums_are_those_of_their_definition() {
        for (examples, positions, d_input, d_output) in
            [(1, 1, 1, 1), (7, 1, 4, 10), (7, 1, 10, 1), (3, 5, 6, 17), (2, 2, 8, 32), (5, 1, 37, 50)]
        {
            let rows = examples * positions;
            let (mut inputs, mut gradients) = (values(rows * d_input, 5), values(rows * d_output, 19));
            let mut weights = values(examples, 11);
            if examples > 1 {
                weights[1] = 0.0;
                // The wider sums are given zeros there.
                let excluded = if is_small([d_input, d_output]) { f32::NAN } else { 0.0 };
                inputs[positions * d_input..2 * positions * d_input].fill(excluded);
                gradients[positions * d_output..2 * positions * d_output].fill(f32::INFINITY);
            }
            let pairs = RowPairs { inputs: &inputs, d_input, gradients: &gradients, d_output };
            let leaves: Vec<Range<usize>> = (0..examples).map(|i| i..i + 1).collect();
            let [weight, bias] = match positions {
                1 => weighted_sum(pairs, &weights, &leaves),
                _ => weighted_sum_of_sequences(pairs, &weights, positions),
            };
            let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
                let rows = (0..rows).filter(|row| weights[row / positions] != 0.0);
                rows.map(|row| f64::from(weights[row / positions]) * of(row)).sum()
            };
            let gradient = |row: usize, j: usize| f64::from(gradients[row * d_output + j]);
            for j in 0..d_output {
                assert!((bias[j] - sum(&|row| gradient(row, j))).abs() < 1e-5);
                for k in 0..d_input {
                    let exact = sum(&|row| f64::from(inputs[row * d_input + k]) * gradient(row, j));
                    assert!((weight[k * d_output + j] - exact).abs() < 1e-5, "{k}, {j}");
                }
            }
        }
    }
}
