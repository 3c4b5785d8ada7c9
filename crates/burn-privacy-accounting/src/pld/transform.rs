//! Fast Fourier transforms: their lengths, plans and rounding.

use std::cell::RefCell;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Relative error of the transforms per level: a complex multiplication errs by at most sqrt(5) u (Brent, Percival and
/// Zimmermann, 2007), an addition by u, a root by less than 2 u; u is half of this epsilon. With a reserve of 1.5.
pub(super) const TRANSFORM_ROUNDING: f64 = 4.0 * f64::EPSILON;

/// More grid points are not used.
pub(super) const MOST_POINTS: usize = 1 << 21;

/// Transforms up to this length are planned once a thread. Of longer ones, whose plans take up to 30 MB each, only the last length
/// is kept: both bounds of a bracket have the same, and planning takes longer than transforming.
const KEPT_POINTS: usize = 1 << 18;

/// The smallest length of at least this many points that the transform is fast for: a power of two times 1, 9/8, 5/4,
/// 3/2 or 7/4; none beyond the limit.
pub(super) fn fast_length(needed: f64) -> Option<usize> {
    if needed.is_nan() || needed > MOST_POINTS as f64 {
        return None;
    }
    let needed = (needed as usize).max(32);
    let eighth = needed.next_power_of_two() / 16;
    [9, 10, 12, 14, 16].into_iter().map(|eighths| eighth * eighths).find(|&length| length >= needed)
}

/// A transform and its inverse.
#[derive(Clone)]
struct Plans {
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
}

impl Plans {
    fn new(planner: &mut RealFftPlanner<f64>, points: usize) -> Self {
        Self { forward: planner.plan_fft_forward(points), backward: planner.plan_fft_inverse(points) }
    }
}

thread_local! {
    static PLANNER: RefCell<RealFftPlanner<f64>> = RefCell::new(RealFftPlanner::new());
    /// The last ones beyond [`KEPT_POINTS`].
    static LONG: RefCell<Option<(usize, Plans)>> = const { RefCell::new(None) };
}

fn plans(points: usize) -> Plans {
    if points <= KEPT_POINTS {
        return PLANNER.with_borrow_mut(|planner| Plans::new(planner, points));
    }
    LONG.with_borrow_mut(|long| match long {
        Some((length, plans)) if *length == points => plans.clone(),
        _ => {
            // What is there is freed first.
            *long = None;
            let plans = Plans::new(&mut RealFftPlanner::new(), points);
            long.insert((points, plans)).1.clone()
        }
    })
}

/// The transform of real numbers.
pub(super) fn forward(buffer: &mut [f64], spectrum: &mut [Complex<f64>]) -> Option<()> {
    plans(buffer.len()).forward.process(buffer, spectrum).ok()
}

/// Its inverse, times the length.
pub(super) fn backward(spectrum: &mut [Complex<f64>], buffer: &mut [f64]) -> Option<()> {
    plans(buffer.len()).backward.process(spectrum, buffer).ok()
}
