//! Convolutions by a matrix of sliding windows for each example.

use rayon::prelude::*;

use super::super::fresh_memory::{Cut, written_in_parts};
use super::super::matrix_product::{Matrix, matrix_product};
use super::per_example::{examples_of_a_task, for_each_example, sum_in_parts};
use crate::ops::convolution::shape::Convolution;

/// Memory that one thread uses again for every example.
struct Scratch {
    /// The image in its frames.
    frames: Vec<f32>,
    /// The matrix of windows of one group.
    windows: Vec<f32>,
    /// Outputs or output gradients of one group, by column.
    columns: Vec<f32>,
}

impl Scratch {
    fn new(convolution: &Convolution) -> Self {
        let channels = convolution.channels_out / convolution.groups;
        Self {
            frames: vec![0.0; convolution.input[0] * convolution.frame_entries()],
            windows: vec![0.0; convolution.window() * convolution.columns()],
            columns: vec![0.0; channels * convolution.columns()],
        }
    }

    /// Calls `with` for each group with its number, its matrix of windows and the memory for columns.
    fn for_each_group(&mut self, of: &Convolution, image: &[f32], mut with: impl FnMut(usize, Matrix<'_>, &mut [f32])) {
        let Self { frames, windows, columns } = self;
        let frames: &[f32] = if of.is_framed() {
            image
        } else {
            of.lay(image, frames);
            frames
        };
        for group in 0..of.groups {
            let channels = of.part(frames, group, of.input[0], of.frame_entries());
            if of.is_pointwise() {
                with(group, Matrix::new(channels, of.window(), of.columns()), columns);
            } else {
                of.unfold(channels, windows);
                with(group, Matrix::new(windows, of.window(), of.columns()), columns);
            }
        }
    }
}

/// `[examples, channels_out, height_out, width_out]`, rows of examples in parallel.
pub(super) fn forward(of: &Convolution, input: &[f32], kernel: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let examples = input.len() / of.input_entries();
    let [output] = written_in_parts(
        [Cut::parts(examples, of.output_entries())],
        input.par_chunks(of.input_entries()),
        examples_of_a_task(examples),
        || Scratch::new(of),
        |scratch, image, [output]| {
            let (channels, positions) = (of.channels_out / of.groups, of.positions());
            scratch.for_each_group(of, image, |group, windows, columns| {
                let output = &mut output[group * channels * positions..(group + 1) * channels * positions];
                let weights = of.part(kernel, group, of.channels_out, of.window());
                let weights = Matrix::new(weights, channels, of.window());
                if of.columns() == positions {
                    matrix_product(output, false, weights, windows);
                } else {
                    matrix_product(columns, false, weights, windows);
                    of.for_each_output_line(channels, |line, column| {
                        output[line].copy_from_slice(&columns[column]);
                    });
                }
            });
            if let Some(bias) = bias {
                for (values, bias) in output.chunks_exact_mut(positions).zip(bias) {
                    values.iter_mut().for_each(|value| *value += bias);
                }
            }
        },
    );
    output
}

/// `[examples, channels_in, height_in, width_in]` from the output's gradient.
pub(super) fn input_gradient(of: &Convolution, output_gradient: &[f32], kernel: &[f32]) -> Vec<f32> {
    let examples = output_gradient.len() / of.output_entries();
    let [found] = written_in_parts(
        [Cut::parts(examples, of.input_entries())],
        output_gradient.par_chunks(of.output_entries()),
        examples_of_a_task(examples),
        || Scratch::new(of),
        |Scratch { frames, windows, columns }, gradient, [found]| {
            let channels = of.channels_out / of.groups;
            let (frame, image) = (of.frame_entries(), of.input[1] * of.input[2]);
            frames.fill(0.0);
            for group in 0..of.groups {
                let gradient = of.part(gradient, group, of.channels_out, of.positions());
                let gradient = Matrix::new(of.gradient_columns(gradient, columns), channels, of.columns());
                let weights = of.part(kernel, group, of.channels_out, of.window());
                let weights = Matrix::new(weights, channels, of.window()).transposed();
                let inputs = of.channels_of_group(group, of.input[0]);
                if of.is_pointwise() {
                    let found = &mut found[inputs.start * image..inputs.end * image];
                    matrix_product(found, false, weights, gradient);
                } else {
                    matrix_product(windows, false, weights, gradient);
                    of.fold(windows, &mut frames[inputs.start * frame..inputs.end * frame]);
                }
            }
            if !of.is_pointwise() {
                of.lift(frames, found);
            }
        },
    );
    found
}

/// Writes one example's kernel gradient `g A^T` to `found`.
fn write_kernel_gradient(
    of: &Convolution,
    scratch: &mut Scratch,
    image: &[f32],
    output_gradient: &[f32],
    found: &mut [f32],
) {
    let channels = of.channels_out / of.groups;
    scratch.for_each_group(of, image, |group, windows, columns| {
        let gradient = of.part(output_gradient, group, of.channels_out, of.positions());
        let gradient = Matrix::new(of.gradient_columns(gradient, columns), channels, of.columns());
        let found = &mut found[group * channels * of.window()..(group + 1) * channels * of.window()];
        matrix_product(found, false, gradient, windows.transposed());
    });
}

/// Each example's gradient of the kernel: `[examples, entries]`.
pub(super) fn kernel_gradients(of: &Convolution, input: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    for_each_example(
        of,
        input,
        output_gradient,
        || Scratch::new(of),
        |scratch, image, gradient, found| write_kernel_gradient(of, scratch, image, gradient, found),
    )
}

/// `sum_i w_i G_i` of the examples' kernel gradients: `[entries]`. Examples of weight zero are not looked at.
pub(super) fn weighted_kernel_gradient(
    of: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weights: &[f32],
) -> Vec<f64> {
    sum_in_parts(
        of,
        input,
        output_gradient,
        weights,
        || Scratch::new(of),
        |scratch, image, gradient, found| write_kernel_gradient(of, scratch, image, gradient, found),
    )
}

/// Calls `with` for each group with a row of windows, and a row of output gradients, for each position.
pub(in super::super) fn with_positions(
    of: &Convolution,
    image: &[f32],
    output_gradient: &[f32],
    mut with: impl FnMut(Matrix<'_>, Matrix<'_>),
) {
    let channels = of.channels_out / of.groups;
    Scratch::new(of).for_each_group(of, image, |group, windows, columns| {
        let gradient = of.part(output_gradient, group, of.channels_out, of.positions());
        let gradient = Matrix::new(of.gradient_columns(gradient, columns), channels, of.columns());
        with(windows.transposed(), gradient.transposed());
    });
}
