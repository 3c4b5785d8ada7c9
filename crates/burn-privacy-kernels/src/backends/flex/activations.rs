//! Activations, value by value and for the softmax row by row: on all cores, in the machine's widest vectors, over the
//! memory of what they are given where nothing else holds it.

use rayon::prelude::*;

use super::elementary::{exp, normal, sigmoid, tanh};
use super::fresh_memory::{Cut, written_in_parts};
use super::lanes::{largest, sum, sum_of_products};
use crate::ops::pointwise::Pointwise;

/// Values that one task handles: they fit the nearest caches.
const BLOCK: usize = 1 << 13;

/// Below so many values one thread is done before others have woken up, which takes up to 100 microseconds.
const SMALL: usize = 1 << 16;

impl Pointwise {
    /// Writes `f(x)` over every `x`.
    pub(super) fn apply(self, values: &mut [f32]) {
        for_each_block(values, |block| Apply { of: self, values: block });
    }

    /// `f(x)` of every `x`.
    pub(super) fn applied(self, values: &[f32]) -> Vec<f32> {
        if values.len() < SMALL {
            let mut found = values.to_vec();
            self.apply(&mut found);
            return found;
        }
        let cut = Cut { total: values.len(), part: BLOCK };
        let [found] = written_in_parts(
            [cut],
            values.par_chunks(BLOCK),
            1,
            || (),
            |(), values, [found]| {
                found.copy_from_slice(values);
                self.apply(found);
            },
        );
        found
    }

    /// Writes `g f'(x)` over every `g`, from what the forward pass kept: see [`keeps_input`](Self::keeps_input).
    ///
    /// # Panics
    ///
    /// If the slices differ in length.
    pub(super) fn pull_back(self, gradient: &mut [f32], kept: &[f32]) {
        assert_eq!(gradient.len(), kept.len(), "a gradient and the values it belongs to");
        if gradient.len() < SMALL {
            pulp::Arch::new().dispatch(PullBack { of: self, gradient, kept });
            return;
        }
        gradient.par_chunks_mut(BLOCK).zip(kept.par_chunks(BLOCK)).for_each(|(gradient, kept)| {
            pulp::Arch::new().dispatch(PullBack { of: self, gradient, kept });
        });
    }

    /// Whether the gradient needs the input, rather than the output.
    pub(super) fn keeps_input(self) -> bool {
        matches!(self, Self::Gelu | Self::Silu)
    }
}

fn for_each_block<'a, W: pulp::WithSimd<Output = ()>>(values: &'a mut [f32], work: impl Fn(&'a mut [f32]) -> W + Sync) {
    if values.len() < SMALL {
        pulp::Arch::new().dispatch(work(values));
    } else {
        values.par_chunks_mut(BLOCK).for_each(|block| pulp::Arch::new().dispatch(work(block)));
    }
}

struct Apply<'a> {
    of: Pointwise,
    values: &'a mut [f32],
}

impl pulp::WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let values = self.values;
        match self.of {
            // Comparisons that a NaN fails, so that it is passed on.
            Pointwise::Relu => values.iter_mut().for_each(|x| *x = if *x <= 0.0 { 0.0 } else { *x }),
            Pointwise::Tanh => values.iter_mut().for_each(|x| *x = tanh(*x)),
            Pointwise::Sigmoid => values.iter_mut().for_each(|x| *x = sigmoid(*x)),
            Pointwise::Silu => values.iter_mut().for_each(|x| *x *= sigmoid(*x)),
            Pointwise::Gelu => values.iter_mut().for_each(|x| *x *= normal(*x).1),
        }
    }
}

struct PullBack<'a> {
    of: Pointwise,
    gradient: &'a mut [f32],
    kept: &'a [f32],
}

impl pulp::WithSimd for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let pairs = self.gradient.iter_mut().zip(self.kept);
        match self.of {
            Pointwise::Relu => pairs.for_each(|(g, y)| *g = if *y <= 0.0 { 0.0 } else { *g }),
            Pointwise::Tanh => pairs.for_each(|(g, y)| *g *= 1.0 - y * y),
            Pointwise::Sigmoid => pairs.for_each(|(g, y)| *g *= y * (1.0 - y)),
            Pointwise::Silu => pairs.for_each(|(g, x)| {
                let s = sigmoid(*x);
                *g *= s * (1.0 + x * (1.0 - s));
            }),
            Pointwise::Gelu => pairs.for_each(|(g, x)| {
                let (density, distribution) = normal(*x);
                *g *= distribution + x * density;
            }),
        }
    }
}

/// Writes the softmax of every row over it.
pub(super) fn softmax(values: &mut [f32], length: usize) {
    for_each_rows(values, length, |rows| Softmax { rows, length });
}

fn for_each_rows<'a, W: pulp::WithSimd<Output = ()>>(
    values: &'a mut [f32],
    length: usize,
    work: impl Fn(&'a mut [f32]) -> W + Sync,
) {
    if values.len() < SMALL {
        pulp::Arch::new().dispatch(work(values));
    } else {
        values.par_chunks_mut(rows_of_a_task(length) * length).for_each(|rows| pulp::Arch::new().dispatch(work(rows)));
    }
}

fn rows_of_a_task(length: usize) -> usize {
    (BLOCK / length).max(1)
}

/// Writes the gradient of the input over that of the output: `y (g - sum g y)`.
///
/// # Panics
///
/// If the slices differ in length.
pub(super) fn softmax_pull_back(gradient: &mut [f32], outputs: &[f32], length: usize) {
    assert_eq!(gradient.len(), outputs.len(), "a gradient and the values it belongs to");
    let arch = pulp::Arch::new();
    if gradient.len() < SMALL {
        return arch.dispatch(SoftmaxPullBack { gradient, outputs, length });
    }
    let block = rows_of_a_task(length) * length;
    gradient.par_chunks_mut(block).zip(outputs.par_chunks(block)).for_each(|(gradient, outputs)| {
        arch.dispatch(SoftmaxPullBack { gradient, outputs, length });
    });
}

struct Softmax<'a> {
    rows: &'a mut [f32],
    length: usize,
}

impl pulp::WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        for row in self.rows.chunks_exact_mut(self.length) {
            let largest = largest(row);
            row.iter_mut().for_each(|x| *x = exp(*x - largest));
            let scale = 1.0 / sum(row);
            row.iter_mut().for_each(|x| *x *= scale);
        }
    }
}

struct SoftmaxPullBack<'a> {
    gradient: &'a mut [f32],
    outputs: &'a [f32],
    length: usize,
}

impl pulp::WithSimd for SoftmaxPullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let rows = self.gradient.chunks_exact_mut(self.length).zip(self.outputs.chunks_exact(self.length));
        for (gradient, outputs) in rows {
            let sum = sum_of_products(gradient, outputs);
            gradient.iter_mut().zip(outputs).for_each(|(g, y)| *g = y * (*g - sum));
        }
    }
}
