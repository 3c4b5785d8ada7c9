//! Convolutions with many channels: images laid out with the channels of a pixel side by side.
//!
//! The sliding windows of a kernel's row then lie in memory as they are, overlapping, and no matrix of windows has to be
//! written: each run of kernel elements next to each other is one matrix product.
//!
//! Long because: forward, both gradients and their tests share one layout, which they explain to each other.

use rayon::prelude::*;

use super::super::fresh_memory::{Cut, written_in_parts};
use super::super::matrix_product::{Matrix, matrix_product, matrix_product_in_rows};
use super::super::transposition::{transpose, transpose_strided};
use super::per_example::{examples_of_a_task, for_each_example, sum_in_parts};
use crate::ops::convolution::shape::{Convolution, Run};

/// Whether this way is the faster one.
pub(super) fn serves(of: &Convolution) -> bool {
    /// With fewer channels the products are too thin, and a matrix of windows is small.
    const CHANNELS: usize = 16;
    !of.is_pointwise() && of.input[0] / of.groups >= CHANNELS && of.channels_out / of.groups >= CHANNELS
}

/// A convolution and the channels of one of its groups.
struct Grouped<'a> {
    of: &'a Convolution,
    channels_in: usize,
    channels_out: usize,
    runs: Vec<Run>,
}

impl<'a> Grouped<'a> {
    fn new(of: &'a Convolution) -> Self {
        Self { of, channels_in: of.input[0] / of.groups, channels_out: of.channels_out / of.groups, runs: of.runs() }
    }

    fn elements(&self) -> usize {
        self.of.kernel[0] * self.of.kernel[1]
    }

    /// Entries of a group's kernel.
    fn entries(&self) -> usize {
        self.channels_out * self.of.window()
    }

    /// Where the runs start in the windows of a pixel, run by run, with the runs.
    fn runs_in_window(&self) -> impl Iterator<Item = (usize, &Run)> {
        self.runs.iter().scan(0, |first, run| {
            let start = *first;
            *first += run.elements.len();
            Some((start * self.channels_in, run))
        })
    }

    /// For each group, the weights of `elements` in turn, each as a matrix of this size whose rows and columns are the
    /// channels out and in that `channels` says.
    fn by_element<'b>(
        &self,
        kernel: &[f32],
        elements: impl Iterator<Item = &'b usize> + Clone,
        [rows, columns]: [usize; 2],
        channels: impl Fn(usize, usize) -> [usize; 2],
    ) -> Vec<f32> {
        let mut weights = Vec::with_capacity(kernel.len());
        for kernel in kernel.chunks_exact(self.entries()) {
            for element in elements.clone() {
                weights.extend((0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))).map(
                    |(row, column)| {
                        let [out, channel] = channels(row, column);
                        kernel[(out * self.channels_in + channel) * self.elements() + element]
                    },
                ));
            }
        }
        weights
    }

    /// Lays a group of an image into its frame.
    fn lay(&self, image: &[f32], frame: &mut [f32]) {
        let ([_, height, width], channels) = (self.of.input, self.channels_in);
        self.of.for_each_line_of_a_channel(|line, place| {
            let (pixels, frame) = (&image[line.start..], &mut frame[place * channels..]);
            transpose_strided(pixels, [height * width, self.of.stride[1]], frame, channels, [channels, line.len()]);
        });
    }

    /// Takes a group of an image out of its frame.
    fn lift(&self, frame: &[f32], image: &mut [f32]) {
        let ([_, height, width], channels) = (self.of.input, self.channels_in);
        let stride = self.of.stride[1];
        self.of.for_each_line_of_a_channel(|line, place| {
            let pixels = line.len().div_ceil(stride);
            let frame = &frame[place * channels..(place + pixels) * channels];
            if stride == 1 {
                transpose(frame, channels, &mut image[line.start..], height * width, [pixels, channels]);
                return;
            }
            for (pixel, values) in frame.chunks_exact(channels).enumerate() {
                for (channel, value) in values.iter().enumerate() {
                    image[channel * height * width + line.start + pixel * stride] = *value;
                }
            }
        });
    }

    /// The windows' part of a run: a row for each column of the outputs.
    fn windows<'b>(&self, frame: &'b [f32], run: &Run) -> Matrix<'b> {
        let channels = self.channels_in;
        Matrix::overlapping(&frame[run.place * channels..], self.of.columns(), run.elements.len() * channels, channels)
    }
}

/// `[examples, channels_out, height_out, width_out]`.
pub(super) fn forward(of: &Convolution, input: &[f32], kernel: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let grouped = Grouped::new(of);
    // [element of the run, channel in, channel out]
    let elements = grouped.runs.iter().flat_map(|run| &run.elements);
    let sizes = [grouped.channels_in, grouped.channels_out];
    let weights = grouped.by_element(kernel, elements, sizes, |channel, out| [out, channel]);
    let (channels, channels_out, columns) = (grouped.channels_in, grouped.channels_out, of.columns());
    let examples = input.len() / of.input_entries();
    let (image, positions, pitch) = (of.input[1] * of.input[2], of.positions(), of.pitch());
    let [output] = written_in_parts(
        [Cut::parts(examples, of.output_entries())],
        input.par_chunks(of.input_entries()),
        examples_of_a_task(examples),
        || (vec![0.0; of.frame_entries() * channels], vec![0.0; columns * channels_out]),
        |(frame, by_column), input, [output]| {
            let groups = input.chunks_exact(channels * image).zip(output.chunks_exact_mut(channels_out * positions));
            for (group, (input, output)) in groups.enumerate() {
                grouped.lay(input, frame);
                let weights = &weights[group * grouped.entries()..];
                for (first, run) in grouped.runs_in_window() {
                    let rows = run.elements.len() * channels;
                    let weights = &weights[first * channels_out..(first + rows) * channels_out];
                    let weights = Matrix::new(weights, rows, channels_out);
                    matrix_product(by_column, first > 0, grouped.windows(frame, run), weights);
                }
                let width = of.output(1);
                for row in 0..of.output(0) {
                    let by_column = &by_column[row * pitch * channels_out..];
                    transpose(by_column, channels_out, &mut output[row * width..], positions, [width, channels_out]);
                }
            }
            if let Some(bias) = bias {
                for (values, bias) in output.chunks_exact_mut(positions).zip(bias) {
                    values.iter_mut().for_each(|value| *value += bias);
                }
            }
        },
    );
    output
}

/// `[examples, channels_in, height_in, width_in]` from the output's gradient: the convolution of that gradient with the
/// kernel reversed, for each place within a stride.
pub(super) fn input_gradient(of: &Convolution, output_gradient: &[f32], kernel: &[f32]) -> Vec<f32> {
    let grouped = Grouped::new(of);
    let (channels, channels_out) = (grouped.channels_in, grouped.channels_out);
    // [element of the run from the last, channel out, channel in]
    let elements = grouped.runs.iter().flat_map(|run| run.elements.iter().rev());
    let weights = grouped.by_element(kernel, elements, [channels_out, channels], |out, channel| [out, channel]);
    // Places of one part of the frame that hold pixels, and how far before them windows reach.
    let part = of.part_entries();
    let pixels = of.places_of_pixels();
    let margin = grouped.runs.iter().map(|run| run.place % part + run.elements.len() - 1).max().unwrap_or(0);
    let examples = output_gradient.len() / of.output_entries();
    let (image, positions, pitch) = (of.input[1] * of.input[2], of.positions(), of.pitch());
    let [found] = written_in_parts(
        [Cut::parts(examples, of.input_entries())],
        output_gradient.par_chunks(of.output_entries()),
        examples_of_a_task(examples),
        || (vec![0.0; of.frame_entries() * channels], vec![0.0; (margin + part) * channels_out]),
        |(frame, by_column), gradient, [found]| {
            let groups = gradient.chunks_exact(channels_out * positions).zip(found.chunks_exact_mut(channels * image));
            for (group, (gradient, found)) in groups.enumerate() {
                let width = of.output(1);
                for row in 0..of.output(0) {
                    let by_column = &mut by_column[(margin + row * pitch) * channels_out..];
                    transpose(&gradient[row * width..], positions, by_column, channels_out, [channels_out, width]);
                }
                let weights = &weights[group * grouped.entries()..];
                for (of_part, frame) in frame.chunks_exact_mut(part * channels).enumerate() {
                    let frame = &mut frame[pixels.start * channels..pixels.end * channels];
                    let mut add = false;
                    for (first, run) in grouped.runs_in_window().filter(|(_, run)| run.place / part == of_part) {
                        let (length, first) = (run.elements.len(), first / channels);
                        let weights = &weights[first * channels * channels_out..][..length * channels * channels_out];
                        let weights = Matrix::new(weights, length * channels_out, channels);
                        let start = margin + pixels.start - (run.place % part + length - 1);
                        let gradients = &by_column[start * channels_out..];
                        let gradients =
                            Matrix::overlapping(gradients, pixels.len(), length * channels_out, channels_out);
                        matrix_product(frame, add, gradients, weights);
                        add = true;
                    }
                    if !add {
                        frame.fill(0.0); // pixels that no window touches
                    }
                }
                grouped.lift(frame, found);
            }
        },
    );
    found
}

/// Memory that one thread uses again for every example.
struct Scratch {
    frame: Vec<f32>,
    columns: Vec<f32>,
}

impl Scratch {
    fn new(grouped: &Grouped<'_>) -> Self {
        let of = grouped.of;
        Self {
            frame: vec![0.0; of.frame_entries() * grouped.channels_in],
            columns: vec![0.0; grouped.channels_out * of.columns()],
        }
    }
}

/// Writes one example's kernel gradient to `by_run`: `[channel out, element, channel in]`, the elements in the
/// order of the runs.
fn write_kernel_gradient(
    grouped: &Grouped<'_>,
    scratch: &mut Scratch,
    input: &[f32],
    output_gradient: &[f32],
    by_run: &mut [f32],
) {
    let of = grouped.of;
    let (channels, channels_out) = (grouped.channels_in, grouped.channels_out);
    let inputs = input.chunks_exact(channels * of.input[1] * of.input[2]);
    let gradients = output_gradient.chunks_exact(channels_out * of.positions());
    for ((input, gradient), by_run) in inputs.zip(gradients).zip(by_run.chunks_exact_mut(grouped.entries())) {
        grouped.lay(input, &mut scratch.frame);
        let gradient = Matrix::new(of.gradient_columns(gradient, &mut scratch.columns), channels_out, of.columns());
        for (first, run) in grouped.runs_in_window() {
            let windows = grouped.windows(&scratch.frame, run);
            matrix_product_in_rows(&mut by_run[first..], of.window(), false, gradient, windows);
        }
    }
}

/// A kernel's gradient as the kernel itself is laid out: `[channel out, channel in, element]`.
fn in_kernel_order<T: Copy + Default>(grouped: &Grouped<'_>, by_run: &[T], found: &mut [T]) {
    let (channels, elements, window) = (grouped.channels_in, grouped.elements(), grouped.of.window());
    let order: Vec<usize> = grouped.runs.iter().flat_map(|run| run.elements.iter().copied()).collect();
    let in_order = order.is_sorted();
    for (by_run, found) in by_run.chunks_exact(window).zip(found.chunks_exact_mut(window)) {
        if in_order {
            transpose(by_run, channels, found, elements, [elements, channels]);
            continue;
        }
        for (values, element) in by_run.chunks_exact(channels).zip(&order) {
            for (value, found) in values.iter().zip(found[*element..].iter_mut().step_by(elements)) {
                *found = *value;
            }
        }
    }
}

/// Each example's gradient of the kernel: `[examples, entries]`.
pub(super) fn kernel_gradients(of: &Convolution, input: &[f32], output_gradient: &[f32]) -> Vec<f32> {
    let grouped = Grouped::new(of);
    for_each_example(
        of,
        input,
        output_gradient,
        || (Scratch::new(&grouped), vec![0.0; of.entries()]),
        |(scratch, by_run), image, gradient, found| {
            write_kernel_gradient(&grouped, scratch, image, gradient, by_run);
            in_kernel_order(&grouped, by_run, found);
        },
    )
}

/// `sum_i w_i G_i` of the examples' kernel gradients: `[entries]`. Examples of weight zero are not looked at.
pub(super) fn weighted_kernel_gradient(
    of: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weights: &[f32],
) -> Vec<f64> {
    let grouped = Grouped::new(of);
    let by_run = sum_in_parts(
        of,
        input,
        output_gradient,
        weights,
        || Scratch::new(&grouped),
        |scratch, image, gradient, found| write_kernel_gradient(&grouped, scratch, image, gradient, found),
    );
    let mut found = vec![0.0; of.entries()];
    in_kernel_order(&grouped, &by_run, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Convolution = Convolution {
        input: [16, 6, 5],
        channels_out: 17,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [(1, 1), (1, 1)],
        groups: 1,
    };

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed * 104_729) % 1009) as f32 / 504.0 - 1.0).collect()
    }

    /// Calls `visit` with the places of every product of a pixel and a weight: in input, kernel and output.
    fn for_each_product(of: &Convolution, mut visit: impl FnMut(usize, usize, usize)) {
        let [channels, height, width] = of.input;
        let [of_input, of_output] = [channels / of.groups, of.channels_out / of.groups];
        for out in 0..of.channels_out {
            for channel in 0..of_input {
                for (ky, kx) in (0..of.kernel[0]).flat_map(|y| (0..of.kernel[1]).map(move |x| (y, x))) {
                    for (y, x) in (0..of.output(0)).flat_map(|y| (0..of.output(1)).map(move |x| (y, x))) {
                        let pixel = |at: usize, k: usize, axis: usize| {
                            (at * of.stride[axis] + k * of.dilation[axis]).checked_sub(of.padding[axis].0)
                        };
                        let (Some(row), Some(column)) = (pixel(y, ky, 0), pixel(x, kx, 1)) else { continue };
                        if row < height && column < width {
                            let group = out / of_output;
                            visit(
                                ((group * of_input + channel) * height + row) * width + column,
                                ((out * of_input + channel) * of.kernel[0] + ky) * of.kernel[1] + kx,
                                (out * of.output(0) + y) * of.output(1) + x,
                            );
                        }
                    }
                }
            }
        }
    }

    fn assert_close<T: Copy + Into<f64>>(found: &[T], exact: &[f64], what: &str, of: &Convolution) {
        assert_eq!(found.len(), exact.len());
        for (i, (found, exact)) in found.iter().zip(exact).enumerate() {
            assert!(
                ((*found).into() - exact).abs() < 2e-5 * (5.0 + exact.abs()),
                "{what} {i}: {}, exactly {exact}, of {of:?}",
                (*found).into()
            );
        }
    }

    fn check(of: Convolution) {
        assert!(serves(&of) && of.fits(of.entries()), "{of:?}");
        let weights = [0.5, 0.0, 2.0];
        let examples = weights.len();
        let input = numbers(examples * of.input_entries(), 1);
        let gradient = numbers(examples * of.output_entries(), 2);
        let kernel = numbers(of.entries(), 3);
        let bias = numbers(of.channels_out, 4);

        let mut outputs = vec![0.0; gradient.len()];
        let mut inputs = vec![0.0; input.len()];
        let mut kernels = vec![0.0; examples * of.entries()];
        for example in 0..examples {
            for (i, value) in outputs[example * of.output_entries()..][..of.output_entries()].iter_mut().enumerate() {
                *value = f64::from(bias[i / of.positions()]);
            }
            for_each_product(&of, |x, w, y| {
                let (of_x, of_w) = (example * of.input_entries() + x, example * of.entries() + w);
                let of_y = example * of.output_entries() + y;
                outputs[of_y] += f64::from(input[of_x]) * f64::from(kernel[w]);
                inputs[of_x] += f64::from(gradient[of_y]) * f64::from(kernel[w]);
                kernels[of_w] += f64::from(gradient[of_y]) * f64::from(input[of_x]);
            });
        }
        let weighted: Vec<f64> = (0..of.entries())
            .map(|w| (0..examples).map(|i| f64::from(weights[i]) * kernels[i * of.entries() + w]).sum())
            .collect();
        assert_close(&forward(&of, &input, &kernel, Some(&bias)), &outputs, "output", &of);
        assert_close(&input_gradient(&of, &gradient, &kernel), &inputs, "input gradient", &of);
        assert_close(&kernel_gradients(&of, &input, &gradient), &kernels, "kernel gradient", &of);
        assert_close(&weighted_kernel_gradient(&of, &input, &gradient, &weights), &weighted, "weighted sum", &of);
    }

    #[test]
    fn they_are_the_sums_of_products_that_define_them() {
        check(PLAIN);
        check(Convolution { padding: [(0, 0), (0, 0)], ..PLAIN });
        check(Convolution { padding: [(2, 0), (1, 3)], kernel: [2, 4], ..PLAIN });
        check(Convolution { input: [48, 5, 7], channels_out: 34, groups: 2, ..PLAIN });
        check(Convolution { input: [24, 9, 8], channels_out: 16, ..PLAIN });
        check(Convolution { kernel: [6, 5], padding: [(0, 0), (0, 0)], ..PLAIN });
    }

    #[test]
    fn strides_and_dilations_too() {
        check(Convolution { input: [16, 7, 8], stride: [2, 2], ..PLAIN });
        check(Convolution { input: [16, 8, 7], stride: [3, 2], dilation: [1, 2], ..PLAIN });
        check(Convolution { input: [16, 8, 9], dilation: [2, 3], padding: [(2, 2), (3, 3)], ..PLAIN });
        // Pixels that no window touches, parts of one place, and one pixel in all.
        let bare = Convolution { padding: [(0, 0), (0, 0)], ..PLAIN };
        check(Convolution { input: [16, 9, 11], kernel: [1, 2], stride: [3, 4], ..bare });
        check(Convolution { input: [16, 7, 7], kernel: [1, 1], stride: [2, 2], ..bare });
        check(Convolution { input: [16, 2, 2], kernel: [2, 2], stride: [2, 2], ..bare });
        check(Convolution { input: [16, 1, 1], stride: [2, 2], ..PLAIN });
    }
}
