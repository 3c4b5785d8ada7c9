//! Max pooling without padding.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::pooling_shape::Pooling;

/// The largest value under the kernel at each place, and which element of the kernel it was (the first of equals; a NaN
/// counts as larger than everything).
pub(super) fn forward(of: &Pooling, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let planes = input.len() / of.input_entries();
    let mut chosen = vec![0; planes * of.output_entries()];
    let width = of.output(1);
    let elements = u8::try_from(of.kernel[0] * of.kernel[1]).expect("a kernel that the caller has checked");
    let planes_and_chosen = input.par_chunks(of.input_entries()).zip(chosen.par_chunks_mut(of.output_entries()));
    let [output] = written_in_parts(
        [Cut::parts(planes, of.output_entries())],
        planes_and_chosen,
        planes_of_a_task(of),
        || vec![0_u32; width],
        |elements_of_row, (plane, chosen), [output]| {
            output.fill(f32::NEG_INFINITY);
            Arch::new().dispatch(PlaneForward { of, elements, plane, output, chosen, elements_of_row });
        },
    );
    (output, chosen)
}

/// [`forward`] of one plane.
struct PlaneForward<'a> {
    of: &'a Pooling,
    /// Elements of the kernel.
    elements: u8,
    plane: &'a [f32],
    output: &'a mut [f32],
    chosen: &'a mut [u8],
    /// Zeros, as many as outputs in a row.
    elements_of_row: &'a mut [u32],
}

impl WithSimd for PlaneForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { of, elements, plane, output, chosen, elements_of_row } = self;
        let width = elements_of_row.len();
        for (row, (output, chosen)) in output.chunks_exact_mut(width).zip(chosen.chunks_exact_mut(width)).enumerate() {
            for element in 0..elements {
                let (y, x) = of.offset(element);
                let pixels = &plane[(row * of.stride[0] + y) * of.input[1] + x..];
                match of.stride[1] {
                    1 => choose(output, elements_of_row, pixels.iter(), element),
                    stride => choose(output, elements_of_row, pixels.iter().step_by(stride), element),
                }
            }
            for (chosen, element) in chosen.iter_mut().zip(elements_of_row.iter()) {
                *chosen = *element as u8;
            }
            elements_of_row.fill(0);
        }
    }
}

/// Takes the values that are larger than those found so far.
#[inline(always)]
fn choose<'a>(found: &mut [f32], chosen: &mut [u32], values: impl Iterator<Item = &'a f32>, element: u8) {
    // By masks of the values' width, so that vector instructions can be used.
    for ((found, chosen), value) in found.iter_mut().zip(chosen).zip(values) {
        let larger = (u32::from(*value > *found) | u32::from(value.is_nan())).wrapping_neg();
        *found = f32::from_bits((found.to_bits() & !larger) | (value.to_bits() & larger));
        *chosen = (*chosen & !larger) | (u32::from(element) & larger);
    }
}

/// The gradient of the input: each output's gradient goes to the pixel that was chosen.
pub(super) fn input_gradient(of: &Pooling, output_gradient: &[f32], chosen: &[u8]) -> Vec<f32> {
    let planes = output_gradient.len() / of.output_entries();
    let width = of.output(1);
    let gradients = output_gradient.par_chunks(of.output_entries());
    let [found] = written_in_parts(
        [Cut::parts(planes, of.input_entries())],
        gradients.zip(chosen.par_chunks(of.output_entries())),
        planes_of_a_task(of),
        || (),
        |(), (gradient, chosen), [found]| {
            for (row, (gradient, chosen)) in gradient.chunks(width).zip(chosen.chunks(width)).enumerate() {
                for (column, (value, element)) in gradient.iter().zip(chosen).enumerate() {
                    let (y, x) = of.offset(*element);
                    found[(row * of.stride[0] + y) * of.input[1] + column * of.stride[1] + x] += value;
                }
            }
        },
    );
    found
}

/// Planes are small: so many are handed to a thread at once.
fn planes_of_a_task(of: &Pooling) -> usize {
    (1 << 15) / of.input_entries() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAPPING: Pooling = Pooling { input: [3, 4], kernel: [2, 2], stride: [1, 2] };

    #[test]
    fn the_first_of_the_largest_is_chosen_and_gets_the_gradient() {
        #[rustfmt::skip]
        let plane = [
            1.0, 5.0, 0.0, 0.0,
            5.0, 2.0, 0.0, 0.0,
            9.0, 3.0, -1.0, 7.0,
        ];
        let (output, chosen) = forward(&OVERLAPPING, &plane);
        assert_eq!(output, [5.0, 0.0, 9.0, 7.0]);
        assert_eq!(chosen, [1, 0, 2, 3]);
        #[rustfmt::skip]
        assert_eq!(input_gradient(&OVERLAPPING, &[1.0, 2.0, 4.0, 8.0], &chosen), [
            0.0, 1.0, 2.0, 0.0,
            0.0, 0.0, 0.0, 0.0,
            4.0, 0.0, 0.0, 8.0,
        ]);
    }

    #[test]
    fn a_nan_is_passed_on() {
        let (output, chosen) =
            forward(&Pooling { input: [1, 3], kernel: [1, 3], stride: [1, 1] }, &[1.0, f32::NAN, 2.0]);
        assert!(output[0].is_nan());
        assert_eq!(chosen, [1]);
    }
}
