//! From Renyi divergences to (epsilon, delta) and back, and the same for zero-concentrated differential privacy.
//!
//! With divergence at most R(a) at order a > 1, a mechanism is (epsilon, delta)-private for
//!
//! ```text
//! epsilon = R(a) + ln(1 - 1/a) - ln(a delta)/(a - 1)                 (given delta)
//! ln delta = (a - 1) (R(a) - epsilon + ln(1 - 1/a)) - ln a           (given epsilon)
//! ```
//!
//! (Canonne, Kamath and Steinke, arXiv 2004.00010, proposition 12; it holds for every a > 1 and every epsilon >= 0
//! there; a negative result proves epsilon = 0.) Besides, total variation is at most sqrt(1 - e^-R) (Bretagnolle and
//! Huber), so that delta^2 >= 1 - e^-R proves epsilon = 0.
//!
//! For a fixed epsilon, ln delta is convex in a wherever (a - 1) R(a) is. So the a at which an epsilon suffices are an
//! interval, epsilon is quasi-convex in a, and the search for the best order can't be caught in a local minimum.

use crate::Result;
use crate::error::{any_epsilon, finite_at_least_zero, invalid, open_delta, probability};
use crate::search::minimize;

/// Range of ln(order - 1) that is searched.
const SEARCHED: (f64, f64) = (-11.5, 23.0);

/// Where the search starts, unless a better guess is known: order 5.
const START: f64 = 1.4;

/// Precision in ln(order - 1). Where epsilon is flat around its minimum, its own error is about the square of this; at tiny
/// rates and large noise it falls and then rises steeply, and its error is about this.
const PRECISION: f64 = 1e-8;

/// The order whose divergence is used for the total variation bound: the lowest one of the usual grids.
pub(crate) const TOTAL_VARIATION_ORDER: f64 = 1.1;

/// Terms of the conversion are rounded up by this much of their size.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// Epsilon from the divergence at one order, not clamped at 0.
pub(crate) fn epsilon_at(order: f64, divergence: f64, log_delta: f64) -> f64 {
    let above = order - 1.0;
    let shift = (-1.0 / order).ln_1p();
    let tail = -(log_delta + order.ln()) / above;
    divergence + shift + tail + ROUNDING * (divergence.abs() + shift.abs() + tail.abs())
}

/// ln delta from the divergence at one order, not clamped at 0.
pub(crate) fn log_delta_at(order: f64, divergence: f64, epsilon: f64) -> f64 {
    let above = order - 1.0;
    let shift = (-1.0 / order).ln_1p();
    let size = above * (divergence.abs() + epsilon + shift.abs()) + order.ln();
    above * (divergence - epsilon + shift) - order.ln() + ROUNDING * size
}

/// True if a divergence this small at any order proves epsilon = 0 at this delta.
pub(crate) fn total_variation_suffices(divergence: f64, delta: f64) -> bool {
    divergence == 0.0 || delta * delta + (-divergence).exp_m1() > 0.0
}

/// Total variation, so delta at epsilon 0, from a divergence at any order.
pub(crate) fn total_variation(divergence: f64) -> f64 {
    ((-(-divergence).exp_m1()).sqrt() * (1.0 + ROUNDING)).min(1.0)
}

/// The best epsilon over all real orders, and its order. `divergence` is never NaN.
pub(crate) fn best_epsilon(mut divergence: impl FnMut(f64) -> f64, delta: f64) -> (f64, f64) {
    if total_variation_suffices(divergence(TOTAL_VARIATION_ORDER), delta) {
        return (0.0, TOTAL_VARIATION_ORDER);
    }
    let log_delta = delta.ln();
    let (position, epsilon) = minimize(
        |t| {
            let order = 1.0 + t.exp();
            epsilon_at(order, divergence(order), log_delta)
        },
        START,
        SEARCHED,
        PRECISION,
    );
    // Below 0 at an order means that epsilon 0 has at most this delta there, since divergences are not negative.
    (epsilon.max(0.0), 1.0 + position.exp())
}

/// The best delta over all real orders.
pub(crate) fn best_delta(mut divergence: impl FnMut(f64) -> f64, epsilon: f64) -> f64 {
    let variation = total_variation(divergence(TOTAL_VARIATION_ORDER));
    if epsilon == f64::INFINITY || variation == 0.0 {
        return 0.0;
    }
    let (_, log_delta) = minimize(
        |t| {
            let order = 1.0 + t.exp();
            log_delta_at(order, divergence(order), epsilon)
        },
        START,
        SEARCHED,
        PRECISION,
    );
    rounded_up_exp(log_delta).min(variation)
}

/// exp, rounded up; at most 1 and never 0.
pub(crate) fn rounded_up_exp(log_value: f64) -> f64 {
    (log_value.exp() * (1.0 + ROUNDING)).clamp(f64::MIN_POSITIVE, 1.0)
}

/// What an (`epsilon`, `delta`) for one record means for a group of `group_size` records: the epsilon and the delta of
/// the group, rounded up.
///
/// k epsilon, and delta (e^(k epsilon) - 1) / (e^epsilon - 1), at most 1 (Vadhan, The Complexity of Differential Privacy,
/// 2017, lemma 2.2, with the geometric sum kept). It holds for any mechanism; one that is known to be Gaussian has a
/// smaller cost: its noise multiplier divided by the size of the group.
///
/// # Errors
///
/// If `epsilon` is negative or NaN, `delta` not a probability, or `group_size` is 0.
///
/// ```
/// let (epsilon, delta) = burn_privacy_accounting::group_privacy(0.5, 1e-9, 4)?;
/// assert!((epsilon - 2.0).abs() < 1e-12 && (delta / 9.848_6e-9 - 1.0).abs() < 1e-4);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn group_privacy(epsilon: f64, delta: f64, group_size: u64) -> Result<(f64, f64)> {
    let epsilon = any_epsilon("epsilon", epsilon)?;
    let delta = probability("delta", delta)?;
    if group_size == 0 {
        return Err(invalid("group_size", group_size, "at least 1"));
    }
    if group_size == 1 {
        return Ok((epsilon, delta));
    }
    let size = group_size as f64;
    let of_group = size * epsilon * (1.0 + ROUNDING);
    // (e^(k x) - 1) / (e^x - 1), in logarithms; k where x is 0.
    let log_sum = if epsilon < 1e-12 {
        size.ln() + size * epsilon
    } else {
        let log_expm1 = |x: f64| if x > 30.0 { x + (-(-x).exp()).ln_1p() } else { x.exp_m1().ln() };
        log_expm1(size * epsilon) - log_expm1(epsilon)
    };
    let of_group_delta = match delta {
        0.0 => 0.0,
        _ if log_sum.is_nan() => 1.0,
        _ => ((delta.ln() + log_sum).exp() * (1.0 + 1e-12 + ROUNDING * log_sum.abs())).min(1.0),
    };
    Ok((of_group, of_group_delta))
}

/// The epsilon of a `rho`-zCDP mechanism at `delta`, in nats: the best over all real orders of the conversion above,
/// with divergence rho x order (Bun and Steinke, arXiv 1605.02065, definition 1.1). An upper bound, rounded up.
///
/// # Errors
///
/// If `rho` is negative or not finite, or `delta` is not strictly between 0 and 1.
///
/// ```
/// let epsilon = burn_privacy_accounting::zcdp_epsilon(0.125, 1e-5)?;
/// assert!((epsilon - 2.165_715_5).abs() < 1e-7);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn zcdp_epsilon(rho: f64, delta: f64) -> Result<f64> {
    let rho = finite_at_least_zero("rho", rho)?;
    Ok(best_epsilon(|order| rho * order, open_delta(delta)?).0)
}

/// The delta of a `rho`-zCDP mechanism at `epsilon` nats, as [`zcdp_epsilon`] but the other way round.
///
/// # Errors
///
/// If `rho` is negative or not finite, or `epsilon` negative or NaN.
pub fn zcdp_delta(rho: f64, epsilon: f64) -> Result<f64> {
    let rho = finite_at_least_zero("rho", rho)?;
    Ok(best_delta(|order| rho * order, any_epsilon("epsilon", epsilon)?))
}
