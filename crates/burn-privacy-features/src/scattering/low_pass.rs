//! The last average of each path, as two small matrix products.
//!
//! Averaging with phi, keeping every fourth pixel and dropping the outermost ring is linear, and phi is a product of one
//! function of the row and one of the column: the result is `A u A^T` with a matrix A of `n/4` rows. That is several times cheaper
//! than a Fourier transform and back, of which there would be 81 for each image.

use std::f64::consts::TAU;

use rustfft::num_traits::Float;

/// A, transposed and padded to a whole number of eights: `[N, width]`.
pub(super) struct LowPass<T> {
    /// Side of the image that is averaged, N.
    from: usize,
    /// Side of the result, n/4.
    to: usize,
    /// `to`, rounded up to a multiple of 8.
    width: usize,
    transposed: Vec<T>,
}

impl<T: Float> LowPass<T> {
    /// For images of side M / 2^octave, from phi's transform along an axis of M.
    pub(super) fn new(phi: &[f64], octave: usize) -> Self {
        let size = phi.len();
        let from = size >> octave;
        let (rings, step) = (size / 4, from * 4 / size);
        // Kymatio's periodization: the middle band is cut out, and what is left is added up.
        let cut = size / (2 << octave)..size / (2 << octave) + size - from;
        let mut periodic = vec![0.0; from];
        for (at, value) in phi.iter().enumerate().filter(|(at, _)| !cut.contains(at)) {
            periodic[at % from] += value;
        }
        let (to, width) = (rings - 2, (rings - 2).next_multiple_of(8));
        let mut transposed = vec![T::zero(); from * width];
        for pixel in 0..from {
            for result in 0..to {
                let mut sum = 0.0;
                for (frequency, value) in periodic.iter().enumerate() {
                    // Every fourth pixel: the frequency is folded. The ring is dropped: results begin at 1.
                    let forth = TAU * (frequency % rings * (result + 1) % rings) as f64 / rings as f64;
                    let back = TAU * (frequency * pixel % from) as f64 / from as f64;
                    sum += value * (forth - back).cos();
                }
                transposed[pixel * width + result] = cast(sum / (rings * step) as f64);
            }
        }
        Self { from, to, width, transposed }
    }

    /// Writes `A u A^T`, `[n/4, n/4]`.
    ///
    /// # Shapes
    ///
    /// - image: `[N, N]`
    /// - scratch: at least `N` times the padded width
    #[inline]
    pub(super) fn apply(&self, image: &[T], scratch: &mut [T], result: &mut [T]) {
        let Self { from, to, width, .. } = *self;
        // scratch = u A^T
        for (row, scratch) in image.chunks_exact(from).zip(scratch.chunks_exact_mut(width)) {
            for (block, sums) in scratch.chunks_exact_mut(8).enumerate() {
                let mut eight = [T::zero(); 8];
                for (&pixel, weights) in row.iter().zip(self.transposed.chunks_exact(width)) {
                    let (weights, _) = weights[8 * block..].as_chunks::<8>();
                    for lane in 0..8 {
                        eight[lane] = eight[lane] + pixel * weights[0][lane];
                    }
                }
                sums.copy_from_slice(&eight);
            }
        }
        // result = A scratch
        for block in 0..width / 8 {
            for row in 0..to {
                let mut eight = [T::zero(); 8];
                for pixel in 0..from {
                    let weight = self.transposed[pixel * width + row];
                    let (sums, _) = scratch[pixel * width + 8 * block..].as_chunks::<8>();
                    for lane in 0..8 {
                        eight[lane] = eight[lane] + weight * sums[0][lane];
                    }
                }
                let end = to.min(8 * block + 8);
                result[row * to + 8 * block..row * to + end].copy_from_slice(&eight[..end - 8 * block]);
            }
        }
    }

    /// Length of the scratch space.
    pub(super) fn scratch(&self) -> usize {
        self.from * self.width
    }
}

/// To the transform's precision.
pub(super) fn cast<T: Float>(value: f64) -> T {
    // Both precisions hold every f64, rounded.
    T::from(value).unwrap_or_else(T::zero)
}
