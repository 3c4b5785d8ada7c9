//! The transform of one image, and of many.

use std::sync::Arc;

use rayon::prelude::*;
use rustfft::num_complex::Complex;
use rustfft::num_traits::Float;
use rustfft::{Fft, FftNum, FftPlanner};

use super::filters::{ANGLES, OCTAVES, average, wavelet};
use super::low_pass::{LowPass, cast};
use crate::{FeatureError, Result};

/// Channels of one gray image: 1 + 16 + 64.
pub const CHANNELS: usize = 1 + OCTAVES * ANGLES + ANGLES * ANGLES;

/// Pixels that are reflected on each side.
const MARGIN: usize = 4;

/// The largest side: 1,024 pixels.
const LARGEST: usize = 1 << 10;

/// The scattering transform (see the [module](super)) of square images of one size, in `f32` (fast) or `f64`.
///
/// ```
/// use burn_privacy_features::scattering::{CHANNELS, Scattering};
///
/// let scattering = Scattering::<f32>::new(28)?;
/// let image = vec![0.5; 28 * 28];
/// let features = scattering.transform(&image)?;
/// assert_eq!(features.len(), CHANNELS * 7 * 7);
/// // An image without edges has no waves: only its average is left.
/// assert!((features[0] - 0.5).abs() < 1e-4 && features[49..].iter().all(|x| x.abs() < 1e-5));
/// # Ok::<(), burn_privacy_features::FeatureError>(())
/// ```
pub struct Scattering<T: FftNum + Float> {
    side: usize,
    /// M.
    size: usize,
    /// By octave, then by angle: `[M, M]`, transposed.
    wavelets: [Vec<Vec<T>>; OCTAVES],
    forward: Arc<dyn Fft<T>>,
    /// Of sides M and M / 2.
    inverse: [Arc<dyn Fft<T>>; OCTAVES],
    /// For images of sides M and M / 2.
    low_pass: [LowPass<T>; OCTAVES],
}

/// Memory that one thread uses again and again.
struct Workspace<T> {
    padded: Vec<T>,
    spectrum: Vec<Complex<T>>,
    second_spectrum: Vec<Complex<T>>,
    folded: Vec<Complex<T>>,
    turned: Vec<Complex<T>>,
    fft: Vec<Complex<T>>,
    modulus: Vec<T>,
    averaging: Vec<T>,
}

impl<T: FftNum + Float> Scattering<T> {
    /// For images of `side` x `side` pixels.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Invalid`] unless the side is a multiple of 4 from 8 to 1,024.
    pub fn new(side: usize) -> Result<Self> {
        if !side.is_multiple_of(4) || !(8..=LARGEST).contains(&side) {
            return Err(FeatureError::invalid("the images' side", side, "a multiple of 4 from 8 to 1024 pixels"));
        }
        let size = side + 2 * MARGIN;
        let phi = average(size);
        let wavelets = [0, 1].map(|octave| {
            let turned =
                |filter: Vec<f64>| (0..size * size).map(|at| cast(filter[at % size * size + at / size])).collect();
            (0..ANGLES).map(|angle| turned(wavelet(size, octave, angle))).collect()
        });
        let mut planner = FftPlanner::new();
        Ok(Self {
            side,
            size,
            wavelets,
            forward: planner.plan_fft_forward(size),
            inverse: [planner.plan_fft_inverse(size), planner.plan_fft_inverse(size / 2)],
            low_pass: [LowPass::new(&phi, 0), LowPass::new(&phi, 1)],
        })
    }

    /// Side of the images, in pixels.
    pub const fn side(&self) -> usize {
        self.side
    }

    /// Places of a channel: n/4 x n/4.
    pub const fn positions(&self) -> usize {
        (self.side / 4) * (self.side / 4)
    }

    /// The features of one gray image: `[81, n/4, n/4]` of `[n, n]`.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] if the image has another number of pixels.
    pub fn transform(&self, image: &[T]) -> Result<Vec<T>> {
        self.transform_all(image, 1)
    }

    /// The features of many gray images, on all cores: `[images, 81, n/4, n/4]` of `[images, n, n]`. An image's features do
    /// not depend on the images beside it.
    ///
    /// # Errors
    ///
    /// [`FeatureError::Length`] unless there are `images` images.
    pub fn transform_all(&self, images: &[T], count: usize) -> Result<Vec<T>> {
        let pixels = self.side * self.side;
        if images.len() != pixels * count {
            return Err(FeatureError::Length { what: "pixels", given: images.len(), expected: pixels * count });
        }
        let mut features = vec![T::zero(); count * CHANNELS * self.positions()];
        images
            .par_chunks_exact(pixels)
            .zip(features.par_chunks_exact_mut(CHANNELS * self.positions()))
            .for_each_init(|| self.workspace(), |workspace, (image, out)| self.scatter(image, out, workspace));
        Ok(features)
    }

    fn workspace(&self) -> Workspace<T> {
        let area = self.size * self.size;
        let zero = Complex::new(T::zero(), T::zero());
        let plans = [&self.forward, &self.inverse[0], &self.inverse[1]];
        let fft = plans.iter().map(|plan| plan.get_inplace_scratch_len()).max().unwrap_or(0);
        Workspace {
            padded: vec![T::zero(); area],
            spectrum: vec![zero; area],
            second_spectrum: vec![zero; area],
            folded: vec![zero; area],
            turned: vec![zero; area],
            fft: vec![zero; fft],
            modulus: vec![T::zero(); area],
            averaging: vec![T::zero(); self.low_pass.iter().map(LowPass::scratch).max().unwrap_or(0)],
        }
    }

    fn scatter(&self, image: &[T], out: &mut [T], workspace: &mut Workspace<T>) {
        let positions = self.positions();
        let (zeroth, rest) = out.split_at_mut(positions);
        let (first, second) = rest.split_at_mut(OCTAVES * ANGLES * positions);
        reflect(image, self.side, &mut workspace.padded);
        self.low_pass[0].apply(&workspace.padded, &mut workspace.averaging, zeroth);
        let Workspace { padded, spectrum, turned, fft, .. } = workspace;
        self.spectrum_of(padded, spectrum, turned, fft);
        let mut first = first.chunks_exact_mut(positions);
        let mut second = second.chunks_exact_mut(positions);
        for octave in 0..OCTAVES {
            for angle in 0..ANGLES {
                let Workspace { spectrum, folded, turned, fft, modulus, averaging, .. } = workspace;
                self.modulus(spectrum, octave, &self.wavelets[octave][angle], [folded, turned, fft], modulus);
                let side = self.size >> octave;
                if let Some(out) = first.next() {
                    self.low_pass[octave].apply(&modulus[..side * side], averaging, out);
                }
                if octave > 0 {
                    continue;
                }
                let Workspace { second_spectrum, turned, fft, modulus, .. } = workspace;
                self.spectrum_of(modulus, second_spectrum, turned, fft);
                for (wave, out) in self.wavelets[1].iter().zip(&mut second) {
                    let Workspace { second_spectrum, folded, turned, fft, modulus, averaging, .. } = workspace;
                    self.modulus(second_spectrum, 1, wave, [folded, turned, fft], modulus);
                    self.low_pass[1].apply(&modulus[..side * side / 4], averaging, out);
                }
            }
        }
    }

    /// The transform of a real `[M, M]`, with rows and columns exchanged.
    fn spectrum_of(&self, image: &[T], out: &mut [Complex<T>], turned: &mut [Complex<T>], fft: &mut [Complex<T>]) {
        for (complex, &real) in turned.iter_mut().zip(image) {
            *complex = Complex::new(real, T::zero());
        }
        self.forward.process_with_scratch(turned, fft);
        transpose(turned, out, self.size);
        self.forward.process_with_scratch(out, fft);
    }

    /// |inverse transform of spectrum x wave|, at every pixel (octave 0) or every second one (octave 1).
    fn modulus(
        &self,
        spectrum: &[Complex<T>],
        octave: usize,
        wave: &[T],
        [folded, turned, fft]: [&mut Vec<Complex<T>>; 3],
        out: &mut [T],
    ) {
        let (size, side) = (self.size, self.size >> octave);
        let area = side * side;
        let folded = &mut folded[..area];
        if octave == 0 {
            for ((product, &value), &weight) in folded.iter_mut().zip(spectrum).zip(wave) {
                *product = value * weight;
            }
        } else {
            // Keeping every second pixel folds the spectrum: the mean of its four quarters.
            for row in 0..side {
                let (upper, lower) = (row * size, (row + side) * size);
                let parts = [upper, upper + side, lower, lower + side].map(|start| {
                    let range = start..start + side;
                    spectrum[range.clone()].iter().zip(&wave[range])
                });
                let [a, b, c, d] = parts;
                for ((((out, a), b), c), d) in
                    folded[row * side..(row + 1) * side].iter_mut().zip(a).zip(b).zip(c).zip(d)
                {
                    *out = (*a.0 * *a.1 + *b.0 * *b.1) + (*c.0 * *c.1 + *d.0 * *d.1);
                }
            }
        }
        let inverse = &self.inverse[octave];
        inverse.process_with_scratch(folded, fft);
        let turned = &mut turned[..area];
        transpose(folded, turned, side);
        inverse.process_with_scratch(turned, fft);
        // Of the inverse transforms, and of the mean.
        let scale: T = cast(1.0 / (area as f64 * (1 << (2 * octave)) as f64));
        for (modulus, value) in out.iter_mut().zip(turned.iter()) {
            *modulus = value.norm_sqr().sqrt() * scale;
        }
    }
}

/// Rows become columns.
fn transpose<T: Copy>(from: &[T], to: &mut [T], side: usize) {
    for (row, values) in from.chunks_exact(side).enumerate() {
        for (column, &value) in values.iter().enumerate() {
            to[column * side + row] = value;
        }
    }
}

/// Adds [`MARGIN`] reflected pixels on each side; the edge is not repeated.
fn reflect<T: Copy>(image: &[T], side: usize, out: &mut [T]) {
    let place = |at: usize| {
        let at = at.abs_diff(MARGIN);
        if at < side { at } else { 2 * (side - 1) - at }
    };
    let size = side + 2 * MARGIN;
    for (row, out) in out.chunks_exact_mut(size).enumerate() {
        let row = &image[place(row) * side..][..side];
        for (column, out) in out.iter_mut().enumerate() {
            *out = row[place(column)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflections_leave_the_edge_single() {
        let image: Vec<usize> = (0..64).collect();
        let mut out = vec![0; 256];
        reflect(&image, 8, &mut out);
        // Row 4 is the image's first.
        assert_eq!(out[64..80], [4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3]);
        assert_eq!(out[0], 4 * 8 + 4);
    }

    #[test]
    fn other_sides_are_refused() {
        for side in [0, 4, 27, 30, 2_000] {
            let error = Scattering::<f32>::new(side).err().unwrap().to_string();
            assert!(error.contains("a multiple of 4"), "{error}");
        }
        assert!(Scattering::<f32>::new(8).unwrap().transform(&[0.0; 63]).is_err());
    }
}
