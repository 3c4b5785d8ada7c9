//! What is done for each example of a convolution, in parallel, and sums over examples.

use rayon::prelude::*;

use super::super::fresh_memory::{Cut, written_in_parts};
use super::super::rows::add_scaled;
use crate::ops::convolution::shape::Convolution;

/// Few tasks, as each begins with memory of its own; but some for each thread, as threads may be held up.
pub(super) fn examples_of_a_task(examples: usize) -> usize {
    (examples / (4 * rayon::current_num_threads())).max(1)
}

/// What `write` writes to its last argument, zeros before, for each example, from the image and the output gradient: as many
/// values an example as the kernel has.
pub(super) fn for_each_example<S>(
    of: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    scratch: impl Fn() -> S + Send + Sync,
    write: impl Fn(&mut S, &[f32], &[f32], &mut [f32]) + Send + Sync,
) -> Vec<f32> {
    let examples = input.len() / of.input_entries();
    let images = input.par_chunks(of.input_entries());
    let [found] = written_in_parts(
        [Cut::parts(examples, of.entries())],
        images.zip(output_gradient.par_chunks(of.output_entries())),
        examples_of_a_task(examples),
        scratch,
        |scratch, (image, gradient), [found]| write(scratch, image, gradient, found),
    );
    found
}

/// Sums of examples are formed in so many parts, whatever the number of threads: the result depends on it.
const PARTS: usize = 8;

/// The weighted sum of what `write` writes to its last argument for each example of weight other than zero, from the image and
/// the output gradient: as many values as the kernel has. Values are f32, the sum f64.
pub(super) fn sum_in_parts<S>(
    of: &Convolution,
    input: &[f32],
    output_gradient: &[f32],
    weights: &[f32],
    scratch: impl Fn() -> S + Sync,
    write: impl Fn(&mut S, &[f32], &[f32], &mut [f32]) + Sync,
) -> Vec<f64> {
    let examples = input.chunks_exact(of.input_entries()).zip(output_gradient.chunks_exact(of.output_entries()));
    weighted_sum_in_parts(weights, examples.collect(), of.entries(), scratch, |scratch, (image, gradient), found| {
        write(scratch, image, gradient, found);
    })
}

/// The weighted sum, in f64, of what `write` writes to its last argument for each example of weight other than zero:
/// `entries` values.
pub(in super::super) fn weighted_sum_in_parts<Example: Copy + Send + Sync, S>(
    weights: &[f32],
    examples: Vec<Example>,
    entries: usize,
    scratch: impl Fn() -> S + Sync,
    write: impl Fn(&mut S, Example, &mut [f32]) + Sync,
) -> Vec<f64> {
    let each = weights.len().div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f64>> = weights
        .par_chunks(each)
        .zip(examples.par_chunks(each))
        .map(|(weights, examples)| {
            let (mut scratch, mut found, mut sum) = (scratch(), vec![0.0; entries], vec![0.0; entries]);
            for (weight, example) in weights.iter().zip(examples) {
                if *weight != 0.0 {
                    write(&mut scratch, *example, &mut found);
                    add_scaled(&mut sum, *weight, &found);
                }
            }
            sum
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut total = parts.next().unwrap_or_else(|| vec![0.0; entries]);
    for part in parts {
        total.iter_mut().zip(part).for_each(|(total, value)| *total += value);
    }
    total
}
