//! The wavelets' Fourier transforms.
//!
//! A Gabor filter of width s, angle theta, frequency xi and slant sl, made periodic over M x M pixels:
//!
//! `g[x, y] = sum over shifts of exp(-(R diag(1, sl^2) R^T / (2 s^2))(X, Y) + i xi (X cos theta + Y sin theta)) / (2 * 3.1415 s^2 / sl)`
//!
//! with shifts of -2 to 2 periods each way. A Morlet wavelet is a Gabor filter less the multiple of its envelope that makes its
//! sum 0. Kymatio writes 3.1415 for pi and keeps the real part of the transform; so does this.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Octaves.
pub(super) const OCTAVES: usize = 2;

/// Angles.
pub(super) const ANGLES: usize = 8;

/// Kymatio's pi: on purpose, so that features are the same.
#[allow(clippy::approx_constant)]
const ALMOST_PI: f64 = 3.1415;

/// A Gabor filter, `[M, M]` row after row.
fn gabor(size: usize, width: f64, angle: f64, frequency: f64, slant: f64) -> Vec<Complex<f64>> {
    let (sin, cos) = angle.sin_cos();
    let slant_squared = slant * slant;
    let over = 1.0 / (2.0 * width * width);
    let rows = (cos * cos + slant_squared * sin * sin) * over;
    let both = cos * sin * (1.0 - slant_squared) * over;
    let columns = (sin * sin + slant_squared * cos * cos) * over;
    let scale = 1.0 / (2.0 * ALMOST_PI * width * width / slant);
    let mut filter = Vec::with_capacity(size * size);
    for row in 0..size {
        for column in 0..size {
            let mut sum = Complex::new(0.0, 0.0);
            for row_shift in -2..=2_i32 {
                for column_shift in -2..=2_i32 {
                    let x = row as f64 + f64::from(row_shift) * size as f64;
                    let y = column as f64 + f64::from(column_shift) * size as f64;
                    let exponent = -(rows * x * x + 2.0 * both * x * y + columns * y * y);
                    sum += Complex::from_polar(exponent.exp(), frequency * (x * cos + y * sin));
                }
            }
            filter.push(sum * scale);
        }
    }
    filter
}

/// The two-dimensional Fourier transform of `[M, M]`.
pub(super) fn fourier(mut image: Vec<Complex<f64>>, size: usize) -> Vec<Complex<f64>> {
    let fft = FftPlanner::new().plan_fft_forward(size);
    for _ in 0..2 {
        fft.process(&mut image);
        image = transposed(&image, size);
    }
    image
}

fn transposed(image: &[Complex<f64>], size: usize) -> Vec<Complex<f64>> {
    (0..size * size).map(|at| image[at % size * size + at / size]).collect()
}

/// The real part of the transform of psi, `[M, M]`.
pub(super) fn wavelet(size: usize, octave: usize, angle: usize) -> Vec<f64> {
    let scale = (1 << octave) as f64;
    let (width, slant) = (0.8 * scale, 4.0 / ANGLES as f64);
    let theta = (ANGLES as f64 / 2.0 - 1.0 - angle as f64) * std::f64::consts::PI / ANGLES as f64;
    let frequency = 3.0 / 4.0 * std::f64::consts::PI / scale;
    let mut wave = gabor(size, width, theta, frequency, slant);
    let envelope = gabor(size, width, theta, 0.0, slant);
    let sum = |filter: &[Complex<f64>]| filter.iter().sum::<Complex<f64>>();
    let share = sum(&wave) / sum(&envelope);
    for (wave, envelope) in wave.iter_mut().zip(&envelope) {
        *wave -= share * envelope;
    }
    fourier(wave, size).into_iter().map(|value| value.re).collect()
}

/// The transform of phi along one axis: phi's is the product of two of these.
pub(super) fn average(size: usize) -> Vec<f64> {
    let width = 0.8 * (1 << (OCTAVES - 1)) as f64;
    let scale = 1.0 / (2.0 * ALMOST_PI * width * width).sqrt();
    let mut line: Vec<Complex<f64>> = (0..size)
        .map(|at| {
            let sum: f64 = (-2..=2_i32)
                .map(|shift| at as f64 + f64::from(shift) * size as f64)
                .map(|x| (-x * x / (2.0 * width * width)).exp())
                .sum();
            Complex::new(sum * scale, 0.0)
        })
        .collect();
    FftPlanner::new().plan_fft_forward(size).process(&mut line);
    line.into_iter().map(|value| value.re).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an independent program, at 40 x 40 (images of 32 pixels).
    #[test]
    fn filters_are_those_of_the_definition() {
        let near =
            |value: f64, expected: f64| assert!((value - expected).abs() < 1e-5 * expected, "{value} {expected}");
        let phi = average(40);
        near(phi.iter().sum::<f64>().powi(2), 99.47477);
        near(phi[0] * phi[0], 1.000_029_4);
        near(phi[1] * phi[2], 0.853_948_7);
        let psi = wavelet(40, 0, 0);
        near(psi.iter().sum(), 165.279_71);
        near(psi.iter().map(|x| x * x).sum(), 88.374_58);
        near(psi[6 * 40 + 14], 0.971_442_2);
        let psi = wavelet(40, 1, 1);
        near(psi[5 * 40 + 5], 0.959_348_3);
        // It is the largest entry, and waves have no mean.
        assert!(psi.iter().all(|&value| value <= psi[5 * 40 + 5]) && psi[0].abs() < 1e-12);
    }

    #[test]
    fn the_average_is_separable() {
        let (size, line) = (36, average(36));
        let plane = fourier(gabor(size, 1.6, 0.0, 0.0, 1.0), size);
        for (at, value) in plane.iter().enumerate() {
            assert!((value.re - line[at / size] * line[at % size]).abs() < 1e-12);
        }
    }
}
