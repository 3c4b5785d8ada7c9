//! Narrowing a bracket of a parameter until one part in a million less fails the target.

use crate::Result;

/// Noise multipliers below this are not searched: a target that would allow less (an epsilon of thousands, or one that so little
/// sampling never spends) is answered with this one or with 0.
pub(super) const SMALLEST_NOISE_MULTIPLIER: f64 = 0.01;

/// Noise multipliers above this are not searched.
pub(super) const LARGEST_NOISE_MULTIPLIER: f64 = 1e12;

/// Sampling rates below this are not searched.
pub(super) const SMALLEST_SAMPLING_RATE: f64 = 1e-15;

/// Relative width of the bracket at which a calibration stops.
const RELATIVE_TOLERANCE: f64 = 1e-9;

/// One part in a million: how much weaker a parameter has to be to fail.
pub(super) const WEAKER: f64 = 1e-6;

/// How often a search is repeated further out.
const MOST_REPEATS: usize = 24;

/// On which side of the result the target holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// For larger values: noise.
    Above,
    /// For smaller values: sampling rates.
    Below,
}

impl Holds {
    /// 1 for larger values.
    pub(super) fn sign(self) -> f64 {
        if self == Self::Above { 1.0 } else { -1.0 }
    }

    /// A value weaker by a share, within what is searched.
    fn weaker(self, value: f64, by: f64) -> f64 {
        match self {
            Self::Above => (value * (1.0 - by)).max(SMALLEST_NOISE_MULTIPLIER),
            Self::Below => (value * (1.0 + by)).min(1.0),
        }
    }
}

/// Finds a value that holds the target while one weaker by [`WEAKER`] fails it, between a value that fails and one that
/// holds.
pub(super) fn narrow(
    epsilon: impl Fn(f64) -> Result<f64>,
    target: f64,
    failing: (f64, f64),
    holding: (f64, f64),
) -> Result<f64> {
    let holds = if failing.0 < holding.0 { Holds::Above } else { Holds::Below };
    let found = narrowed(&epsilon, target, failing, holding)?;
    weakest(epsilon, target, found, holds)
}

/// Moves a value that holds on to weaker ones as long as one weaker by [`WEAKER`] holds, too.
///
/// A bound by privacy loss distributions is not quite monotonic, since each parameter has a grid of its own: next to a
/// narrow bracket there may be weaker values that hold.
pub(super) fn weakest(epsilon: impl Fn(f64) -> Result<f64>, target: f64, mut found: f64, holds: Holds) -> Result<f64> {
    for _ in 0..MOST_REPEATS {
        let mut holding = (found, target);
        let mut by = WEAKER;
        let failing = loop {
            let next = holds.weaker(found, by);
            if next == holding.0 {
                return Ok(next);
            }
            let at_next = epsilon(next)?;
            if at_next > target {
                break (next, at_next);
            }
            holding = (next, at_next);
            by = (4.0 * by).min(0.5);
        };
        if holding.0 == found {
            break;
        }
        found = narrowed(&epsilon, target, failing, holding)?;
    }
    Ok(found)
}

/// Narrows a bracket of two positive values, of which the first fails the target and the second holds it, and returns
/// the end that holds. Works on logarithms: secant steps (Illinois rule), and a bisection whenever they don't halve it.
fn narrowed(
    epsilon: impl Fn(f64) -> Result<f64>,
    target: f64,
    failing: (f64, f64),
    holding: (f64, f64),
) -> Result<f64> {
    // The residual's sign is the decision itself; its size only steers the search.
    let residual = |value: f64| {
        if value.is_infinite() {
            f64::INFINITY
        } else if target > 0.0 && value > 0.0 {
            (value / target).ln()
        } else {
            value - target
        }
    };
    let (mut low, mut at_low) = (failing.0.ln(), residual(failing.1));
    let (mut high, mut at_high) = (holding.0.ln(), residual(holding.1));
    let mut result = holding.0;
    let mut bisect = true;
    for _ in 0..200 {
        let width = (low - high).abs();
        if width <= RELATIVE_TOLERANCE {
            break;
        }
        let secant = high - at_high * (low - high) / (at_low - at_high);
        let usable = !bisect && at_low.is_finite() && at_low != at_high && secant.is_finite();
        let inner = 0.25 * RELATIVE_TOLERANCE;
        let next = if usable {
            // Strictly inside, and a hair towards the failing end, so that both ends close in.
            secant.clamp(low.min(high) + inner, low.max(high) - inner)
        } else {
            0.5 * (low + high)
        };
        let parameter = next.exp();
        let value = epsilon(parameter)?;
        if value <= target {
            (high, at_high) = (next, residual(value));
            result = parameter;
            at_low /= if usable { 2.0 } else { 1.0 };
        } else {
            (low, at_low) = (next, residual(value));
            at_high /= if usable { 2.0 } else { 1.0 };
        }
        bisect = (low - high).abs() > 0.5 * width && usable;
    }
    Ok(result)
}
