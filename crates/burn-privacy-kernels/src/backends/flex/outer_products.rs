//! The gradients `a g^T` of a layer's weights, one an example, without forming them: their norms, and their weighted sum
//! where it is so small that the overhead of a general matrix product would be most of it.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::convolution::weighted_sum_in_parts;
use super::lanes;
use super::row_pairs::RowPairs;
use super::rows::{PART, SMALL, round_up, squares_on_one_thread};
use super::run_sums::{Run, run_sums};
use super::small_product::{MOST_COLUMNS, is_small, rows_of_a_task};

/// Upper bounds of `(|a|^2 + ones) |g|^2` for each pair of rows: of `|a g^T|^2`, and with one for `ones` of the bias too.
///
/// Squares of f32 and their products are far from the ends of f64's range, so that only its rounding counts: at most a
/// factor of `1 + n 2^-53` for `n` squares (Higham, section 4.2). The result is rounded up to f32. It is not finite, and
/// the example left out, where `|a|^2` or `|g|^2` is none in f32: the scaled gradient, which may lose what lies below
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
    let RowPairs { d_input, gradients, d_output, .. } = pairs;
    if !is_small([d_input, d_output]) {
        // Excluded rows are zero in `inputs` too, so that no product of theirs is anything but zero.
        let scaled = super::rows::weighted(gradients, d_output, weights);
        let leaves: Vec<Run> = leaves.iter().map(|leaf| Run { rows: leaf.clone(), weight: 1.0 }).collect();
        return [
            run_sums(RowPairs { gradients: &scaled, ..pairs }, &leaves),
            super::rows::weighted_sum(gradients, d_output, weights),
        ];
    }
    let leaves_of_a_task =
        rows_of_a_task([d_input, d_output]).div_ceil(weights.len().div_ceil(leaves.len().max(1)).max(1));
    if leaves.len() <= leaves_of_a_task {
        return small_weighted_sum(pairs, weights, leaves);
    }
    let of_task = |leaves: &[Range<usize>]| small_weighted_sum(pairs, weights, leaves);
    let of_tasks: Vec<[Vec<f64>; 2]> = leaves.par_chunks(leaves_of_a_task).map(of_task).collect();
    let mut sums = [vec![0.0; d_input * d_output], vec![0.0; d_output]];
    for (sum, next) in of_tasks.into_iter().flat_map(|next| [0, 1].into_iter().zip(next)) {
        sums[sum].iter_mut().zip(next).for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// `sum_i w_i sum_t a_it g_it^T` and `sum_i w_i sum_t g_it`, with `positions` rows an example, which are summed in f32; examples
/// in f64.
pub(super) fn weighted_sum_of_sequences(pairs: RowPairs<'_>, weights: &[f32], positions: usize) -> [Vec<f64>; 2] {
    let RowPairs { gradients, d_output, .. } = pairs;
    let of_example = |(i, &weight): (usize, &f32)| Run { rows: i * positions..(i + 1) * positions, weight };
    let runs: Vec<Run> = weights.iter().enumerate().map(of_example).collect();
    let bias = weighted_sum_in_parts(
        weights,
        gradients.chunks_exact(positions * d_output).collect(),
        d_output,
        || (),
        |(), gradient, of_bias| {
            of_bias.fill(0.0);
            for row in gradient.chunks_exact(d_output) {
                of_bias.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        },
    );
    [run_sums(pairs, &runs), bias]
}

/// [`weighted_sum`] of a small matrix, on one thread.
fn small_weighted_sum(pairs: RowPairs<'_>, weights: &[f32], leaves: &[Range<usize>]) -> [Vec<f64>; 2] {
    let RowPairs { inputs, d_input, gradients, d_output } = pairs;
    if d_output == 1 && (2..=MOST_COLUMNS).contains(&d_input) {
        // The inputs side by side in vectors, instead of the one output.
        let turned = RowPairs { inputs: gradients, d_input: 1, gradients: inputs, d_output: d_input };
        let [weight, _] = small_weighted_sum(turned, weights, leaves);
        let of_leaf = |leaf: &Range<usize>| {
            let (gradients, weights) = (&gradients[leaf.clone()], &weights[leaf.clone()]);
            let sum = lanes::sum_of_products(gradients, weights);
            if sum.is_finite() {
                return f64::from(sum);
            }
            let products = gradients.iter().zip(weights).filter(|(_, weight)| **weight != 0.0);
            f64::from(products.map(|(value, weight)| weight * value).sum::<f32>())
        };
        return [weight, vec![leaves.iter().map(of_leaf).sum()]];
    }
    Arch::new().dispatch(WeightedSum { pairs, weights, leaves })
}

struct WeightedSum<'a> {
    pairs: RowPairs<'a>,
    weights: &'a [f32],
    leaves: &'a [Range<usize>],
}

impl WithSimd for WeightedSum<'_> {
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Vec<f64>; 2] {
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
    fn with_vectors<S: Simd, const VECTORS: usize>(self, simd: S) -> [Vec<f64>; 2] {
        let RowPairs { d_input, d_output, .. } = self.pairs;
        let (mut sums, mut bias) = (vec![0.0; d_input * d_output], vec![0.0; d_output]);
        // Sums of some inputs at a time, which stay in registers.
        for (number, sums) in sums.chunks_mut(4 * d_output).enumerate() {
            let (first, bias) = (4 * number, if number == 0 { &mut bias[..] } else { &mut [] });
            match sums.len() / d_output {
                1 => self.of_inputs::<S, VECTORS, 1>(simd, first, sums, bias),
                2 => self.of_inputs::<S, VECTORS, 2>(simd, first, sums, bias),
                3 => self.of_inputs::<S, VECTORS, 3>(simd, first, sums, bias),
                _ => self.of_inputs::<S, VECTORS, 4>(simd, first, sums, bias),
            }
        }
        [sums, bias]
    }

    /// Adds the sums of the inputs from `first` on, and those of the gradients where there is a place for them, leaf by leaf.
    #[inline(always)]
    fn of_inputs<S: Simd, const VECTORS: usize, const INPUTS: usize>(
        &self,
        simd: S,
        first: usize,
        totals: &mut [f64],
        bias: &mut [f64],
    ) {
        let RowPairs { inputs, d_input, gradients, d_output } = self.pairs;
        let zero = [simd.splat_f32s(0.0); VECTORS];
        // Whole vectors: their lanes beyond a row's end hold what follows it, and are cut off in the end. Rows that too
        // little follows are copied to where zeros do.
        let width = VECTORS * S::F32_LANES;
        let mut padded = [0.0; MOST_COLUMNS];
        let add = |totals: &mut [f64], sums: &[S::f32s; VECTORS]| {
            for (total, sum) in totals.iter_mut().zip(pulp::bytemuck::cast_slice::<S::f32s, f32>(sums)) {
                *total += f64::from(*sum);
            }
        };
        for leaf in self.leaves {
            let (mut sums, mut sum) = ([zero; INPUTS], zero);
            let inputs = inputs[leaf.start * d_input..leaf.end * d_input].chunks_exact(d_input);
            let mut left = &gradients[leaf.start * d_output..];
            for (input, &weight) in inputs.zip(&self.weights[leaf.clone()]) {
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
            for (totals, sums) in totals.chunks_exact_mut(d_output).zip(&sums) {
                add(totals, sums);
            }
            add(bias, &sum);
        }
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
