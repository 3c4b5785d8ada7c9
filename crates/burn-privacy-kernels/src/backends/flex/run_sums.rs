//! Sums `sum_r w_r sum_i a_i g_i^T` over runs of rows: a run's products are added in f32 while they are in registers, and from
//! there to f64.
//!
//! A run is a leaf of records, or the positions of one record. A general product would write each run's sum to memory, to be
//! read again for the conversion: with runs of 32 rows that is a third of its time.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::row_pairs::RowPairs;
use super::rows::SMALL;

/// Rows whose products are added in f32, and what their sum is multiplied by.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) rows: Range<usize>,
    pub(super) weight: f32,
}

/// Inputs of a tile, and vectors of its gradients: their products fill the registers of most machines.
const INPUTS: usize = 6;
const VECTORS: usize = 2;
/// Values of the widest tile's row: two vectors of 512 bits.
const MOST_WIDTH: usize = 32;
/// The most groups of inputs that one task has: with [`ROWS_AT_ONCE`] they fit a core's own cache.
const MOST_GROUPS: usize = 8;
/// Multiplications that one thread has done before others have woken up.
const MOST_MULTIPLICATIONS: usize = 1 << 21;
/// About so many rows are laid out at once.
const ROWS_AT_ONCE: usize = 512;

/// The sum, rows of `d_output` values one after the other. A run of weight zero adds nothing whatever it holds.
///
/// # Panics
///
/// If a run has rows that are not there.
pub(super) fn run_sums(pairs: RowPairs<'_>, runs: &[Run]) -> Vec<f64> {
    let RowPairs { d_input, d_output, .. } = pairs;
    let arch = Arch::new();
    let width = VECTORS * arch.dispatch(Lanes);
    let runs: Vec<Run> = runs.iter().filter(|run| run.weight != 0.0 && !run.rows.is_empty()).cloned().collect();
    let parts: Vec<Part<'_>> = parts(&runs).into_iter().map(|runs| Part::new(pairs, runs, width)).collect();

    let groups = d_input.div_ceil(INPUTS);
    let each = groups.div_ceil(4 * rayon::current_num_threads()).clamp(1, MOST_GROUPS);
    let work = |first: usize, sums: &mut [f64]| arch.dispatch(Block { pairs, parts: &parts, first, width, sums });
    if parts.iter().map(|part| part.gradients.len()).sum::<usize>() * d_input < MOST_MULTIPLICATIONS {
        let mut sums = vec![0.0; d_input * d_output];
        work(0, &mut sums);
        return sums;
    }
    let rows = each * INPUTS;
    let [sums] = written_in_parts(
        [Cut { total: d_input * d_output, part: rows * d_output }],
        (0..groups.div_ceil(each)).into_par_iter(),
        1,
        || (),
        |(), task, [sums]| work(task * rows, sums),
    );
    sums
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Runs of about [`ROWS_AT_ONCE`] rows together, in their order.
fn parts(runs: &[Run]) -> Vec<&[Run]> {
    let mut parts = Vec::new();
    let (mut first, mut rows) = (0, 0);
    for (i, run) in runs.iter().enumerate() {
        if rows > 0 && rows + run.rows.len() > ROWS_AT_ONCE {
            parts.push(&runs[first..i]);
            (first, rows) = (i, 0);
        }
        rows += run.rows.len();
    }
    if rows > 0 {
        parts.push(&runs[first..]);
    }
    parts
}

/// Runs with their gradients laid out: panels of `width` columns, and in each the rows of the runs one after the other. Beyond the
/// last column there are zeros.
struct Part<'a> {
    runs: &'a [Run],
    rows: usize,
    gradients: Vec<f32>,
}

impl<'a> Part<'a> {
    fn new(pairs: RowPairs<'_>, runs: &'a [Run], width: usize) -> Self {
        let RowPairs { gradients, d_output, .. } = pairs;
        let rows = runs.iter().map(|run| run.rows.len()).sum::<usize>();
        let panels = d_output.div_ceil(width);
        let lay = |panel: usize, out: &mut [f32]| {
            let columns = panel * width..d_output.min((panel + 1) * width);
            let rows = runs.iter().flat_map(|run| run.rows.clone());
            for (out, row) in out.chunks_exact_mut(width).zip(rows) {
                let row = &gradients[row * d_output..(row + 1) * d_output];
                out[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
        };
        let mut laid = vec![0.0; panels * rows * width];
        let of_panels = rows * width;
        if laid.len() < SMALL {
            laid.chunks_exact_mut(of_panels).enumerate().for_each(|(panel, out)| lay(panel, out));
        } else {
            laid.par_chunks_exact_mut(of_panels).enumerate().for_each(|(panel, out)| lay(panel, out));
        }
        Self { runs, rows, gradients: laid }
    }
}

/// The sums of the inputs from `first` on, as many as there is room for.
struct Block<'a> {
    pairs: RowPairs<'a>,
    parts: &'a [Part<'a>],
    first: usize,
    width: usize,
    sums: &'a mut [f64],
}

impl WithSimd for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { pairs: RowPairs { inputs, d_input, d_output, .. }, parts, first, width, sums } = self;
        let found = sums.len() / d_output;
        let mut laid: Vec<f32> = Vec::new();
        for part in parts {
            // Groups of inputs, in each the rows one after the other; zeros beyond the last input.
            laid.clear();
            laid.resize(found.div_ceil(INPUTS) * part.rows * INPUTS, 0.0);
            for (group, laid) in laid.chunks_exact_mut(part.rows * INPUTS).enumerate() {
                let columns = first + group * INPUTS..first + found.min((group + 1) * INPUTS);
                let rows = part.runs.iter().flat_map(|run| run.rows.clone());
                for (laid, row) in laid.chunks_exact_mut(INPUTS).zip(rows) {
                    laid[..columns.len()].copy_from_slice(&inputs[row * d_input..(row + 1) * d_input][columns.clone()]);
                }
            }
            for (panel, gradients) in part.gradients.chunks_exact(part.rows * width).enumerate() {
                let columns = panel * width..d_output.min((panel + 1) * width);
                let groups = laid.chunks_exact(part.rows * INPUTS).zip(sums.chunks_mut(INPUTS * d_output));
                for (inputs, sums) in groups {
                    let mut tile = [[0.0; MOST_WIDTH]; INPUTS];
                    for (tile, sums) in tile.iter_mut().zip(sums.chunks_exact(d_output)) {
                        tile[..columns.len()].copy_from_slice(&sums[columns.clone()]);
                    }
                    add_runs(simd, part.runs, inputs, gradients, &mut tile);
                    for (tile, sums) in tile.iter().zip(sums.chunks_exact_mut(d_output)) {
                        sums[columns.clone()].copy_from_slice(&tile[..columns.len()]);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add_runs<S: Simd>(simd: S, runs: &[Run], inputs: &[f32], gradients: &[f32], tile: &mut [[f64; MOST_WIDTH]; INPUTS]) {
    let (inputs, _) = inputs.as_chunks::<INPUTS>();
    let (gradients, _) = S::as_simd_f32s(gradients);
    let (gradients, _) = gradients.as_chunks::<VECTORS>();
    let mut start = 0;
    for run in runs {
        let end = start + run.rows.len();
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; INPUTS];
        for (input, gradient) in inputs[start..end].iter().zip(&gradients[start..end]) {
            for (sums, input) in sums.iter_mut().zip(input) {
                let input = simd.splat_f32s(*input);
                for (sum, gradient) in sums.iter_mut().zip(gradient) {
                    *sum = simd.mul_add_e_f32s(input, *gradient, *sum);
                }
            }
        }
        let weight = f64::from(run.weight);
        for (tile, sums) in tile.iter_mut().zip(&sums) {
            let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
            for (total, sum) in tile.iter_mut().zip(sums) {
                *total += weight * f64::from(*sum);
            }
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small whole numbers, whose sums are exact.
    fn whole(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 + seed * 11) % 13) as f32 - 6.0).collect()
    }

    #[test]
    fn sums_are_those_of_their_definition() {
        for (rows, d_input, d_output) in [(1, 1, 1), (40, 7, 33), (70, 64, 16), (1_100, 50, 70), (33, 300, 1)] {
            let (inputs, gradients) = (whole(rows * d_input, 1), whole(rows * d_output, 2));
            let pairs = RowPairs { inputs: &inputs, d_input, gradients: &gradients, d_output };
            let runs: Vec<Run> = (0..rows)
                .step_by(32)
                .enumerate()
                .map(|(i, first)| Run { rows: first..rows.min(first + 32), weight: (i % 3) as f32 * 0.5 })
                .collect();
            let mut expected = vec![0.0; d_input * d_output];
            for run in &runs {
                for row in run.rows.clone() {
                    for (k, input) in inputs[row * d_input..(row + 1) * d_input].iter().enumerate() {
                        for (j, gradient) in gradients[row * d_output..(row + 1) * d_output].iter().enumerate() {
                            expected[k * d_output + j] += f64::from(run.weight * input * gradient);
                        }
                    }
                }
            }
            assert!(run_sums(pairs, &runs) == expected, "{rows} rows of {d_input} and {d_output}");
        }
    }

    #[test]
    fn runs_of_weight_zero_vanish_whatever_they_hold() {
        let pairs = RowPairs { inputs: &[f32::NAN, 2.0], d_input: 1, gradients: &[f32::INFINITY, 3.0], d_output: 1 };
        let runs = [Run { rows: 0..1, weight: 0.0 }, Run { rows: 1..2, weight: 0.25 }];
        assert_eq!(run_sums(pairs, &runs), [1.5]);
        assert_eq!(run_sums(pairs, &[]), [0.0]);
    }
}
