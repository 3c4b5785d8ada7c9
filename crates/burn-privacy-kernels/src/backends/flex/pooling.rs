//! Max pooling without padding.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::fresh_memory::{Cut, written_in_parts};
use super::pooling_shape::Pooling;

/// Outputs of a row that are computed together.
const TOGETHER: usize = 8;

/// The largest value under the kernel at each place, and which element of the kernel it was (the first of equals; a NaN
/// counts as larger than everything).
pub(super) fn forward(of: &Pooling, input: &[f32]) -> (Vec<f32>, Vec<u8>) {
    let planes = input.len() / of.input_entries();
    let mut chosen = vec![0; planes * of.output_entries()];
    let offsets = offsets(of);
    let planes_and_chosen = input.par_chunks(of.input_entries()).zip(chosen.par_chunks_mut(of.output_entries()));
    let [output] = written_in_parts(
        [Cut::parts(planes, of.output_entries())],
        planes_and_chosen,
        planes_of_a_task(of),
        // Beyond the plane lie zeros, for the outputs beyond the end of a row that are computed in vain.
        || vec![0.0; of.input_entries() + TOGETHER * of.stride[1]],
        |plane, (pixels, chosen), [output]| {
            plane[..pixels.len()].copy_from_slice(pixels);
            Arch::new().dispatch(PlaneForward { of, offsets: &offsets, plane, output, chosen });
        },
    );
    (output, chosen)
}

/// [`forward`] of one plane.
struct PlaneForward<'a> {
    of: &'a Pooling,
    offsets: &'a [usize],
    plane: &'a [f32],
    output: &'a mut [f32],
    chosen: &'a mut [u8],
}

impl WithSimd for PlaneForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match self.of.stride[1] {
            1 => self.with_stride(1), // known when compiled: eight values are one read
            stride => self.with_stride(stride),
        }
    }
}

impl PlaneForward<'_> {
    #[inline(always)]
    fn with_stride(self, stride: usize) {
        let Self { of, offsets, plane, output, chosen } = self;
        let width = of.output(1);
        for (row, (output, chosen)) in output.chunks_exact_mut(width).zip(chosen.chunks_exact_mut(width)).enumerate() {
            let outputs = output.chunks_mut(TOGETHER).zip(chosen.chunks_mut(TOGETHER));
            for (together, (output, chosen)) in outputs.enumerate() {
                let first = row * of.stride[0] * of.input[1] + together * TOGETHER * stride;
                let (values, elements) = largest(&plane[first..], offsets, stride);
                output.copy_from_slice(&values[..output.len()]);
                for (chosen, element) in chosen.iter_mut().zip(elements) {
                    *chosen = element as u8;
                }
            }
        }
    }
}

/// The largest value under the kernel at each of the places `stride` apart, and its element.
#[inline(always)]
fn largest(pixels: &[f32], offsets: &[usize], stride: usize) -> ([f32; TOGETHER], [u32; TOGETHER]) {
    let (mut found, mut chosen) = ([f32::NEG_INFINITY; TOGETHER], [0; TOGETHER]);
    for (element, offset) in (0..).zip(offsets) {
        let values = &pixels[*offset..][..(TOGETHER - 1) * stride + 1];
        // By masks of the values' width, so that vector instructions can be used.
        for place in 0..TOGETHER {
            let value = values[place * stride];
            let larger = (u32::from(value > found[place]) | u32::from(value.is_nan())).wrapping_neg();
            found[place] = f32::from_bits((found[place].to_bits() & !larger) | (value.to_bits() & larger));
            chosen[place] = (chosen[place] & !larger) | (element & larger);
        }
    }
    (found, chosen)
}

/// How far each element of the kernel lies behind the first, in a plane.
fn offsets(of: &Pooling) -> Vec<usize> {
    let elements = u8::try_from(of.kernel[0] * of.kernel[1]).expect("a kernel that the caller has checked");
    (0..elements)
        .map(|element| {
            let (y, x) = of.offset(element);
            y * of.input[1] + x
        })
        .collect()
}

/// The gradient of the input: each output's gradient goes to the pixel that was chosen.
pub(super) fn input_gradient(of: &Pooling, output_gradient: &[f32], chosen: &[u8]) -> Vec<f32> {
    let planes = output_gradient.len() / of.output_entries();
    let width = of.output(1);
    let offsets = offsets(of);
    let gradients = output_gradient.par_chunks(of.output_entries());
    let [found] = written_in_parts(
        [Cut::parts(planes, of.input_entries())],
        gradients.zip(chosen.par_chunks(of.output_entries())),
        planes_of_a_task(of),
        || (),
        |(), (gradient, chosen), [found]| {
            for (row, (gradient, chosen)) in gradient.chunks(width).zip(chosen.chunks(width)).enumerate() {
                let first = row * of.stride[0] * of.input[1];
                for (column, (value, element)) in gradient.iter().zip(chosen).enumerate() {
                    found[first + column * of.stride[1] + offsets[usize::from(*element)]] += value;
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
