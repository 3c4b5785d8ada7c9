//! Attention, one head of one example at a time: scores, softmax and weighted values while they are in cache.

use rayon::prelude::*;

use super::activations::{softmax, softmax_pull_back};
use super::attention_shape::Attention;
use super::fresh_memory::{Cut, written_in_parts};
use super::matrix_product::{Matrix, matrix_product};

/// Queries, keys and values, `[examples, positions, width]` each (keys and values with positions of their own).
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) query: &'a [f32],
    pub(super) key: &'a [f32],
    pub(super) value: &'a [f32],
}

impl<'a> Inputs<'a> {
    fn of_example(&self, of: &Attention, example: usize) -> Self {
        let part = |values: &'a [f32], positions: usize| {
            let entries = positions * of.width();
            &values[example * entries..(example + 1) * entries]
        };
        Self { query: part(self.query, of.queries), key: part(self.key, of.keys), value: part(self.value, of.keys) }
    }
}

/// The output `[examples, queries, width]`, and the weights `[examples, heads, queries, keys]` that it is made with.
pub(super) fn forward(of: &Attention, inputs: Inputs<'_>) -> [Vec<f32>; 2] {
    let (outputs, weights) = (of.queries * of.width(), of.heads * of.queries * of.keys);
    let examples = inputs.query.len() / outputs;
    written_in_parts(
        [Cut::parts(examples, outputs), Cut::parts(examples, weights)],
        (0..examples).into_par_iter(),
        1,
        || vec![0.0; of.queries * of.head_width],
        |mixed, example, [output, weights]| {
            let inputs = inputs.of_example(of, example);
            for (head, weights) in weights.chunks_exact_mut(of.queries * of.keys).enumerate() {
                let (query, key, value) = of.of_head(inputs.query, inputs.key, inputs.value, head);
                matrix_product(weights, false, query, key.transposed());
                let scale = of.scale();
                weights.iter_mut().for_each(|score| *score *= scale);
                softmax(weights, of.keys);
                let weights = Matrix::new(weights, of.queries, of.keys);
                matrix_product(mixed, false, weights, value);
                of.write_head(mixed, output, head);
            }
        },
    )
}

/// The gradients of queries, keys and values from that of the output.
pub(super) fn pull_back(of: &Attention, inputs: Inputs<'_>, weights: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
    let (of_queries, of_keys) = (of.queries * of.width(), of.keys * of.width());
    let entries = of.heads * of.queries * of.keys;
    let examples = gradient.len() / of_queries;
    written_in_parts(
        [Cut::parts(examples, of_queries), Cut::parts(examples, of_keys), Cut::parts(examples, of_keys)],
        weights.par_chunks(entries).zip(gradient.par_chunks(of_queries)).enumerate(),
        1,
        || (vec![0.0; of.queries * of.keys], vec![0.0; of.queries.max(of.keys) * of.head_width]),
        |(scores, mixed), (example, (weights, gradient)), [of_query, of_key, of_value]| {
            let inputs = inputs.of_example(of, example);
            for (head, weights) in weights.chunks_exact(of.queries * of.keys).enumerate() {
                let (query, key, value) = of.of_head(inputs.query, inputs.key, inputs.value, head);
                let gradient = of.head(gradient, of.queries, head);
                matrix_product(scores, false, gradient, value.transposed());
                softmax_pull_back(scores, weights, of.keys);
                let scale = of.scale();
                scores.iter_mut().for_each(|score| *score *= scale);

                let weights = Matrix::new(weights, of.queries, of.keys);
                let scores = Matrix::new(scores, of.queries, of.keys);
                let (queries, keys) = (of.queries * of.head_width, of.keys * of.head_width);
                matrix_product(&mut mixed[..queries], false, scores, key);
                of.write_head(&mixed[..queries], of_query, head);
                matrix_product(&mut mixed[..keys], false, scores.transposed(), query);
                of.write_head(&mixed[..keys], of_key, head);
                matrix_product(&mut mixed[..keys], false, weights.transposed(), gradient);
                of.write_head(&mixed[..keys], of_value, head);
            }
        },
    )
}

impl Attention {
    fn scale(&self) -> f32 {
        1.0 / (self.head_width as f32).sqrt()
    }

    /// The columns of a head: `[positions, head_width]`.
    fn head<'a>(&self, values: &'a [f32], positions: usize, head: usize) -> Matrix<'a> {
        Matrix::new(values, positions, self.width()).columns_from(head * self.head_width, self.head_width)
    }

    fn of_head<'a>(
        &self,
        query: &'a [f32],
        key: &'a [f32],
        value: &'a [f32],
        head: usize,
    ) -> (Matrix<'a>, Matrix<'a>, Matrix<'a>) {
        (self.head(query, self.queries, head), self.head(key, self.keys, head), self.head(value, self.keys, head))
    }

    /// Writes the columns of a head.
    fn write_head(&self, of_head: &[f32], values: &mut [f32], head: usize) {
        let first = head * self.head_width;
        for (row, of_head) in values.chunks_exact_mut(self.width()).zip(of_head.chunks_exact(self.head_width)) {
            row[first..first + self.head_width].copy_from_slice(of_head);
        }
    }
}
