//! The composed loss on a window, by the fast Fourier transform of *tilted* masses, with its rounding error.
//!
//! With a tilt s, masses p_i e^(s l_i) / M(s) are transformed instead of p_i. Under the tilt the total loss is
//! concentrated around the epsilon that is asked for, so that the transform's rounding errors are relative to what
//! matters there and not to 1: a delta of 1e-12, or 1e-200, is as precise as one of 0.1.
//!
//! What lies outside of the window folds into it; see [`super::window`]. Rounding is counted as follows.
//! - *Rounding of the transforms*: each output is a sum of inputs times rounded roots of unity along a tree of log2(N)
//!   levels, so that its error is at most c log2(N) u x the sum of the absolute inputs (Higham, Accuracy and Stability
//!   of Numerical Algorithms, section 24.1), which is 1 here.
//! - *Rounding of the power*: z^T changes by at most (|z| + e)^T - |z|^T for an error e of z.

use realfft::num_complex::Complex;

use super::lattice::Sparse;
use super::transform::{TRANSFORM_ROUNDING, backward, fast_length, forward};
use super::window::{Window, log_largest_weight};

/// Powers below e^this are not computed but counted as error.
const NEGLIGIBLE: f64 = -75.0;

/// Masses of the composed, tilted loss on consecutive grid points.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    /// Grid index of the first mass.
    pub(super) first: i64,
    pub(super) masses: Vec<f64>,
    /// Bound of the error of each mass, from rounding.
    pub(super) cell_error: f64,
    /// The window's length, and its tilt.
    pub(super) length: f64,
    pub(super) tilt: f64,
    /// Bound of P's mass above the window.
    pub(super) missing: f64,
    /// (u, ln c): mass folded from above adds at most c e^(-u epsilon) to delta.
    pub(super) folded: (f64, f64),
    /// ln E_P[e^(tilt x total loss); finite].
    pub(super) log_mean: f64,
}

/// A step and how often it is done.
pub(super) struct Part<'a> {
    pub(super) step: &'a Sparse,
    pub(super) count: f64,
}

/// Composes on a window; none if it has too many grid points.
pub(super) fn compose(parts: &[Part<'_>], spacing: f64, window: Window) -> Option<Composed> {
    let tilt = window.tilt;
    let log_mean = |s: f64| parts.iter().map(|part| part.count * part.step.log_mean(spacing, s)).sum::<f64>();
    // Two points beyond the top, one below the bottom: an epsilon at either end has a grid point on both of its sides.
    let points = fast_length((window.top - window.bottom) / spacing + 5.0)?;
    let last = (window.top / spacing).ceil() as i64 + 2;
    let first = last + 1 - points as i64;
    let (top, length) = (last as f64 * spacing, points as f64 * spacing);
    let at_tilt = log_mean(tilt);
    let (mut missing, mut folded) = (0.0_f64, (0.0, f64::INFINITY));
    for u in [window.tilt_of_missing, window.tilt_of_folded] {
        let k = log_mean(u);
        missing = missing.min(k - u * top);
        if u > tilt {
            folded = (u, log_largest_weight(tilt) + k - (u - tilt) * length);
        }
    }

    let half = points / 2 + 1;
    let transform_error = TRANSFORM_ROUNDING * ((points as f64).log2() + 4.0);
    let mut buffer = vec![0.0; points];
    let mut spectra = Vec::with_capacity(parts.len());
    for part in parts {
        let log_step_mean = part.step.log_mean(spacing, tilt);
        buffer.fill(0.0);
        for (index, exponent) in part.step.exponents(spacing, tilt) {
            buffer[index.rem_euclid(points as i64) as usize] += (exponent - log_step_mean).exp();
        }
        let mut spectrum = vec![Complex::new(0.0, 0.0); half];
        forward(&mut buffer, &mut spectrum)?;
        spectra.push(spectrum);
    }

    // Powers, and the sum of their absolute values and errors.
    let mut spectrum = vec![Complex::new(0.0, 0.0); half];
    let (mut absolute, mut error_sum) = (0.0, 0.0);
    for (k, power) in spectrum.iter_mut().enumerate() {
        let twice = if k == 0 || 2 * k == points { 1.0 } else { 2.0 };
        // ln of the power's size, and of the largest size that the true one can have: z^T is at most (|z| + e)^T.
        let (mut log_size, mut largest) = (0.0, 0.0);
        for (part, spectrum) in parts.iter().zip(&spectra) {
            let size = spectrum[k].norm_sqr().sqrt();
            log_size += part.count * size.ln();
            largest += part.count * ((size + transform_error).ln() + 8.0 * f64::EPSILON);
        }
        if largest.is_nan() || largest < NEGLIGIBLE {
            error_sum += twice * if largest.is_nan() { 1.0 } else { NEGLIGIBLE.exp() };
            continue;
        }
        // Infinite for an exact zero of the computed transform; then the true power is at most the error.
        let error = largest - log_size;
        let phase: f64 = parts.iter().zip(&spectra).map(|(part, spectrum)| part.count * spectrum[k].arg()).sum();
        let size = log_size.exp();
        *power = Complex::from_polar(size, phase);
        absolute += twice * size;
        let changed = if error.is_finite() { size * error.exp_m1() } else { largest.exp() };
        error_sum += twice * changed.min(1.0 + size);
    }
    // The mean's phase at the highest frequency has to be real, which it is up to rounding.
    spectrum[0].im = 0.0;
    if let Some(last) = spectrum.last_mut() {
        last.im = 0.0;
    }
    backward(&mut spectrum, &mut buffer)?;
    let scale = 1.0 / points as f64;
    let offset = first.rem_euclid(points as i64) as usize;
    let masses: Vec<f64> = buffer[offset..].iter().chain(&buffer[..offset]).map(|mass| mass * scale).collect();
    let cell_error = scale * (error_sum + transform_error * absolute);
    Some(Composed { first, masses, cell_error, length, tilt, missing: missing.exp(), folded, log_mean: at_tilt })
}
