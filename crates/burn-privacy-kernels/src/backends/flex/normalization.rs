//! Normalization layers: statistics, scale and shift of a row while it is in cache, and their gradients.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::lanes::{sum, sum_of_products};
use super::normalization_shape::Normalization;

/// What the forward pass finds.
pub(super) struct Normalized {
    pub(super) output: Vec<f32>,
    /// The values with mean 0 and variance 1 in each row.
    pub(super) values: Vec<f32>,
    /// `1 / sqrt(variance + epsilon)` of each row.
    pub(super) inverse_deviations: Vec<f32>,
}

/// `scale (x - mean) / sqrt(variance + epsilon) + shift`, over rows of values.
pub(super) fn forward(of: &Normalization, input: &[f32], scale: &[f32], shift: Option<&[f32]>) -> Normalized {
    let block = of.rows_of_a_task() * of.row;
    let of_values = Cut { total: input.len(), part: block };
    let of_rows = Cut { total: input.len() / of.row, part: of.rows_of_a_task() };
    let [output, values, inverse_deviations] = written_in_parts(
        [of_values, of_values, of_rows],
        input.par_chunks(block).enumerate(),
        1,
        || (),
        |(), (task, input), [output, values, inverse_deviations]| {
            let first_row = task * of.rows_of_a_task();
            Arch::new().dispatch(Forward { of, first_row, input, scale, shift, output, values, inverse_deviations });
        },
    );
    Normalized { output, values, inverse_deviations }
}

struct Forward<'a> {
    of: &'a Normalization,
    first_row: usize,
    input: &'a [f32],
    scale: &'a [f32],
    shift: Option<&'a [f32]>,
    output: &'a mut [f32],
    values: &'a mut [f32],
    inverse_deviations: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { of, first_row, input, scale, shift, output, values, inverse_deviations } = self;
        let length = of.row as f32;
        let rows = output.chunks_exact_mut(of.row).zip(values.chunks_exact_mut(of.row)).zip(input.chunks_exact(of.row));
        for (row, (((output, values), input), inverse)) in rows.zip(inverse_deviations).enumerate() {
            let mean = sum(input) / length;
            for (value, x) in values.iter_mut().zip(input) {
                *value = x - mean;
            }
            let variance = sum_of_products(values, values) / length;
            *inverse = 1.0 / (variance + of.epsilon).sqrt();
            for value in values.iter_mut() {
                *value *= *inverse;
            }
            let features = of.features_of_row(first_row + row);
            let scale = &scale[features.clone()];
            match shift.map(|shift| &shift[features]) {
                Some(shift) if of.run == 1 => {
                    for (((y, x), scale), shift) in output.iter_mut().zip(&*values).zip(scale).zip(shift) {
                        *y = scale * x + shift;
                    }
                }
                None if of.run == 1 => {
                    for ((y, x), scale) in output.iter_mut().zip(&*values).zip(scale) {
                        *y = scale * x;
                    }
                }
                shift => {
                    let runs = output.chunks_exact_mut(of.run).zip(values.chunks_exact(of.run)).zip(scale);
                    for (feature, ((output, values), scale)) in runs.enumerate() {
                        let shift = match shift {
                            Some(shift) => shift[feature],
                            None => 0.0,
                        };
                        for (y, x) in output.iter_mut().zip(values) {
                            *y = scale * x + shift;
                        }
                    }
                }
            }
        }
    }
}

/// Writes the gradient of the input over that of the output: with `h = scale g` and means over the row,
/// `(h - mean(h) - x mean(h x)) / sqrt(variance + epsilon)`, `x` the normalized values.
pub(super) fn pull_back(
    of: &Normalization,
    gradient: &mut [f32],
    values: &[f32],
    inverse_deviations: &[f32],
    scale: &[f32],
) {
    let block = of.rows_of_a_task() * of.row;
    let tasks = gradient
        .par_chunks_mut(block)
        .zip(values.par_chunks(block))
        .zip(inverse_deviations.par_chunks(of.rows_of_a_task()));
    tasks.enumerate().for_each(|(task, ((gradient, values), inverse_deviations))| {
        let first_row = task * of.rows_of_a_task();
        Arch::new().dispatch(PullBack { of, first_row, gradient, values, inverse_deviations, scale });
    });
}

struct PullBack<'a> {
    of: &'a Normalization,
    first_row: usize,
    gradient: &'a mut [f32],
    values: &'a [f32],
    inverse_deviations: &'a [f32],
    scale: &'a [f32],
}

impl WithSimd for PullBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { of, first_row, gradient, values, inverse_deviations, scale } = self;
        let length = of.row as f32;
        let rows = gradient.chunks_exact_mut(of.row).zip(values.chunks_exact(of.row)).zip(inverse_deviations);
        for (row, ((gradient, values), inverse)) in rows.enumerate() {
            let scale = &scale[of.features_of_row(first_row + row)];
            if of.run == 1 {
                for (g, scale) in gradient.iter_mut().zip(scale) {
                    *g *= scale;
                }
            } else {
                for (gradient, scale) in gradient.chunks_exact_mut(of.run).zip(scale) {
                    for g in gradient {
                        *g *= scale;
                    }
                }
            }
            let mean = sum(gradient) / length;
            let slope = sum_of_products(gradient, values) / length;
            for (g, x) in gradient.iter_mut().zip(values) {
                *g = (*g - mean - x * slope) * inverse;
            }
        }
    }
}

/// Per example and feature, `sum x g` and `sum g` over the positions, or the sums of their sizes: `[examples, features]`
/// each. Values are `[examples, features, positions]`, or `[examples, positions, features]` with `features_last`.
pub(super) fn feature_sums(
    values: &[f32],
    gradient: &[f32],
    [features, positions]: [usize; 2],
    features_last: bool,
    absolute: bool,
) -> [Vec<f32>; 2] {
    let entries = features * positions;
    let examples = values.len().checked_div(entries).unwrap_or(0);
    let mut found = [vec![0.0; examples * features], vec![0.0; examples * features]];
    let [products, sums] = &mut found;
    let tasks = products
        .par_chunks_mut(features)
        .zip(sums.par_chunks_mut(features))
        .zip(values.par_chunks(entries))
        .zip(gradient.par_chunks(entries));
    tasks.for_each(|(((products, sums), values), gradient)| {
        Arch::new().dispatch(FeatureSums { values, gradient, features_last, absolute, products, sums });
    });
    found
}

/// One example's [`feature_sums`].
struct FeatureSums<'a> {
    values: &'a [f32],
    gradient: &'a [f32],
    features_last: bool,
    absolute: bool,
    products: &'a mut [f32],
    sums: &'a mut [f32],
}

impl WithSimd for FeatureSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { values, gradient, features_last, absolute, products, sums } = self;
        let size = |x: f32| if absolute { x.abs() } else { x };
        let features = products.len();
        if features_last {
            for (values, gradient) in values.chunks_exact(features).zip(gradient.chunks_exact(features)) {
                for (((product, sum), x), g) in products.iter_mut().zip(&mut *sums).zip(values).zip(gradient) {
                    *product += size(x * g);
                    *sum += size(*g);
                }
            }
        } else {
            let positions = values.len() / features;
            let rows = values.chunks_exact(positions).zip(gradient.chunks_exact(positions));
            for (((values, gradient), product), sum) in rows.zip(products).zip(sums) {
                let (xs, x_rest) = values.as_chunks::<16>();
                let (gs, g_rest) = gradient.as_chunks::<16>();
                let (mut of_products, mut of_gradients) = ([0.0; 16], [0.0; 16]);
                for (x, g) in xs.iter().zip(gs) {
                    for (((x, g), product), sum) in x.iter().zip(g).zip(&mut of_products).zip(&mut of_gradients) {
                        *product += size(x * g);
                        *sum += size(*g);
                    }
                }
                for (x, g) in x_rest.iter().zip(g_rest) {
                    *product += size(x * g);
                    *sum += size(*g);
                }
                *product += of_products.iter().sum::<f32>();
                *sum += of_gradients.iter().sum::<f32>();
            }
        }
    }
}
