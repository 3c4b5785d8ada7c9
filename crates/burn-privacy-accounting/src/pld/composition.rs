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
//! - *Rounding of the power*: z^T changes by at most ((1 + e/|z|)^T - 1) |z|^T for an error e of z.

use std::cell::RefCell;

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use super::lattice::Sparse;
use super::window::{Window, log_largest_weight};

/// Relative error of the transforms per level: a complex multiplication errs by at most sqrt(5) u (Brent, Percival and
/// Zimmermann, 2007), an addition by u, a root by less than 2 u; u is half of this epsilon. With a reserve of 1.5.
pub(super) const TRANSFORM_ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Relative rounding error of each mass of one step.
pub(super) const MASS_ROUNDING: f64 = 1e-13;

/// Powers below e^this are not computed but counted as error.
const NEGLIGIBLE: f64 = -75.0;

/// More grid points are not used.
pub(super) const MOST_POINTS: usize = 1 << 21;

/// Transforms up to this length are planned once a thread.
const KEPT_POINTS: usize = 1 << 18;

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
    let points = fast_length((window.top - window.bottom) / spacing + 4.0)?;
    let last = (window.top / spacing).ceil() as i64 + 2;
    let first = last + 1 - points as i64;
    let (top, length) = (last as f64 * spacing, points as f64 * spacing);
    let at_tilt = log_mean(tilt);
    let (mut missing, mut folded) = (0.0_f64, (0.0, f64::INFINITY));
    let centre = 0.5 * (window.top + window.bottom);
    for factor in [0.3, 0.5, 0.7, 0.85, 1.05, 1.15, 1.25, 1.4, 1.6, 2.0, 2.6, 4.0, 6.0] {
        let u = tilt * factor;
        let k = log_mean(u);
        missing = missing.min(k - u * top);
        if u > tilt {
            let log_scale = log_largest_weight(tilt) + k - (u - tilt) * length;
            if log_scale - u * centre < folded.1 - folded.0 * centre {
                folded = (u, log_scale);
            }
        }
    }

    let half = points / 2 + 1;
    // Sum of count x ln z, and of count x relative error of z.
    let mut logs = vec![Complex::new(0.0, 0.0); half];
    let mut errors = vec![0.0; half];
    let transform_error = TRANSFORM_ROUNDING * ((points as f64).log2() + 4.0);
    let mut buffer = vec![0.0; points];
    let mut spectrum = vec![Complex::new(0.0, 0.0); half];
    for part in parts {
        let log_step_mean = part.step.log_mean(spacing, tilt);
        buffer.fill(0.0);
        for (index, exponent) in part.step.exponents(spacing, tilt) {
            buffer[index.rem_euclid(points as i64) as usize] += (exponent - log_step_mean).exp();
        }
        forward(&mut buffer, &mut spectrum)?;
        for ((z, log), error) in spectrum.iter().zip(&mut logs).zip(&mut errors) {
            let size = z.norm();
            let relative = transform_error / size;
            *log += Complex::new(part.count * size.ln(), part.count * z.arg());
            *error += part.count * (relative + 8.0 * f64::EPSILON);
        }
    }

    // Powers, and the sum of their absolute values and errors.
    let (mut absolute, mut error_sum) = (0.0, 0.0);
    for (k, ((z, log), error)) in spectrum.iter_mut().zip(&logs).zip(&errors).enumerate() {
        let twice = if k == 0 || 2 * k == points { 1.0 } else { 2.0 };
        // The largest size that the true power can have.
        let log_size = log.re + error;
        if log.re.is_nan() || log_size.is_nan() || log_size < NEGLIGIBLE {
            // An exact zero of the computed transform: the true one is at most the transform's error.
            let bound = if log_size.is_nan() { 1.0 } else { log_size.min(NEGLIGIBLE).exp() };
            *z = Complex::new(0.0, 0.0);
            error_sum += twice * bound;
            continue;
        }
        let size = log.re.exp();
        *z = Complex::from_polar(size, log.im);
        absolute += twice * size;
        error_sum += twice * (size * error.exp_m1()).min(1.0 + size);
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

/// The smallest length of at least this many points that the transform is fast for; none beyond the limit.
fn fast_length(needed: f64) -> Option<usize> {
    if needed.is_nan() || needed > MOST_POINTS as f64 {
        return None;
    }
    let needed = (needed as usize).max(32);
    let power = needed.next_power_of_two();
    // 3/4 of a power of two, where that is enough.
    Some(if power / 4 * 3 >= needed { power / 4 * 3 } else { power })
}

thread_local! {
    static PLANNER: RefCell<RealFftPlanner<f64>> = RefCell::new(RealFftPlanner::new());
}

fn with_planner<R>(points: usize, f: impl FnOnce(&mut RealFftPlanner<f64>) -> R) -> R {
    if points <= KEPT_POINTS { PLANNER.with_borrow_mut(f) } else { f(&mut RealFftPlanner::new()) }
}

fn forward(buffer: &mut [f64], spectrum: &mut [Complex<f64>]) -> Option<()> {
    let plan = with_planner(buffer.len(), |planner| planner.plan_fft_forward(buffer.len()));
    plan.process(buffer, spectrum).ok()
}

fn backward(spectrum: &mut [Complex<f64>], buffer: &mut [f64]) -> Option<()> {
    let plan = with_planner(buffer.len(), |planner| planner.plan_fft_inverse(buffer.len()));
    plan.process(spectrum, buffer).ok()
}
