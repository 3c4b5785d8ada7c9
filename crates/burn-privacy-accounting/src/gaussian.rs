//! The Gaussian mechanism's exact privacy curve (Balle and Wang, arXiv 1805.06530, theorem 8).
//!
//! With m = sensitivity / standard deviation,
//!
//! ```text
//! delta(epsilon) = Phi(m/2 - epsilon/m) - e^epsilon Phi(-m/2 - epsilon/m).
//! ```
//!
//! With x = epsilon/m - m/2 and Mills' ratio R this is density(x) (R(x) - R(x + m)), which is computed in logarithms;
//! for small m the difference is the integral of -R'(s) = 1 - s R(s). So a delta of 1e-300 is as exact as one of 0.1.

use crate::Result;
use crate::error::{any_epsilon, finite_above_zero, finite_at_least_zero, invalid, open_delta, probability};
use crate::mills::{falling_slope, ln_density, mills_ratio};
use crate::search::bisect;

/// Results are moved outward by this much of themselves, which is above their error.
const ROUNDING: f64 = 2e-12;

/// The exact delta of the Gaussian mechanism at `epsilon` nats; `noise_multiplier` is standard deviation / L2
/// sensitivity. Rounded up by 2e-12 of itself, and more where the noise multiplier is below 0.001; never 0 at a finite
/// epsilon, where the smallest float is the bound. 1 without noise.
///
/// # Errors
///
/// If `noise_multiplier` is negative or not finite, or `epsilon` negative or NaN.
///
/// ```
/// let delta = burn_privacy_accounting::gaussian_delta(2.0, 3.0)?;
/// assert!((delta / 3.400_911_735_673_529e-10 - 1.0).abs() < 1e-9);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn gaussian_delta(noise_multiplier: f64, epsilon: f64) -> Result<f64> {
    let noise_multiplier = finite_at_least_zero("noise_multiplier", noise_multiplier)?;
    let epsilon = any_epsilon("epsilon", epsilon)?;
    let delta = ln_delta(1.0 / noise_multiplier, epsilon).exp();
    if delta == 0.0 {
        // Below the smallest float, but 0 only at infinity.
        return Ok(if epsilon < f64::INFINITY { f64::from_bits(1) } else { 0.0 });
    }
    // A rounding that is beyond a float leaves 1.
    Ok((delta * (1.0 + delta_rounding(noise_multiplier, epsilon))).min(1.0))
}

/// Bound of the relative error of a delta: with little noise, epsilon/m and m/2 nearly cancel.
pub(crate) fn delta_rounding(noise_multiplier: f64, epsilon: f64) -> f64 {
    let mean = 1.0 / noise_multiplier;
    let (place, half) = (epsilon / mean, 0.5 * mean);
    ROUNDING + 4.0 * f64::EPSILON * (place + mean) * ((place - half).abs() + 1.0)
}

/// The smallest epsilon of the Gaussian mechanism at `delta`, in nats; `noise_multiplier` is standard deviation / L2
/// sensitivity. Rounded up by 2e-12 of itself. Infinite without noise, 0 if `delta` suffices for that.
///
/// # Errors
///
/// If `noise_multiplier` is negative or not finite, or `delta` not strictly between 0 and 1.
pub fn gaussian_epsilon(noise_multiplier: f64, delta: f64) -> Result<f64> {
    let noise_multiplier = finite_at_least_zero("noise_multiplier", noise_multiplier)?;
    let log_delta = open_delta(delta)?.ln();
    let mean = 1.0 / noise_multiplier;
    if mean == f64::INFINITY {
        return Ok(f64::INFINITY);
    }
    // With what rounding may have taken: next to epsilon 0 it is more than a small part of epsilon.
    let holds = |epsilon: f64| ln_delta(mean, epsilon) + delta_rounding(noise_multiplier, epsilon).ln_1p() <= log_delta;
    if holds(0.0) {
        return Ok(0.0);
    }
    // Phi(m/2 - e/m) alone is below delta at e = m^2/2 + m sqrt(2 ln(1/delta)).
    let enough = mean * (0.5 * mean + (-2.0 * log_delta).sqrt()) * (1.0 + ROUNDING);
    if enough == f64::INFINITY {
        return Ok(f64::INFINITY);
    }
    let epsilon = bisect(0.0, enough, holds);
    Ok(epsilon * (1.0 + ROUNDING))
}

/// A lower bound of the same epsilon: that of a delta which is larger by more than rounding, less what it was rounded up by.
pub(crate) fn gaussian_epsilon_below(noise_multiplier: f64, delta: f64) -> Result<f64> {
    let above = gaussian_epsilon(noise_multiplier, delta)?;
    let raised = delta * (1.0 + 10.0 * ROUNDING + 4.0 * delta_rounding(noise_multiplier, above));
    Ok(if raised < 1.0 { gaussian_epsilon(noise_multiplier, raised)? * (1.0 - 10.0 * ROUNDING) } else { 0.0 })
}

/// The smallest standard deviation with which the Gaussian mechanism of this L2 `sensitivity` is
/// (`epsilon`, `delta`)-private; `epsilon` in nats. Rounded up by 2e-12 of itself. `epsilon` 0 is allowed.
///
/// # Errors
///
/// If `epsilon` is negative, NaN or infinite, `delta` not strictly between 0 and 1, `sensitivity` not above 0 or not
/// finite, or if the result is beyond the range of floats.
///
/// ```
/// let standard_deviation = burn_privacy_accounting::gaussian_sigma(1.0, 1e-5, 2.0)?;
/// assert!((standard_deviation / (2.0 * 3.730_631_634_815_942) - 1.0).abs() < 1e-10);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn gaussian_sigma(epsilon: f64, delta: f64, sensitivity: f64) -> Result<f64> {
    let epsilon = finite_at_least_zero("epsilon", epsilon)?;
    let log_delta = open_delta(delta)?.ln();
    let sensitivity = finite_above_zero("sensitivity", sensitivity)?;
    // Delta grows with m; search the largest m that holds in logarithms.
    let holds = |log_mean: f64| {
        let mean = log_mean.exp();
        ln_delta(mean, epsilon) + delta_rounding(1.0 / mean, epsilon).ln_1p() <= log_delta
    };
    let (mut low, mut high) = (-1.0, 1.0);
    while !holds(low) {
        low *= 2.0;
        if low < -700.0 {
            return Err(invalid("delta", delta, "larger: no finite noise reaches it at this epsilon"));
        }
    }
    while holds(high) {
        high *= 2.0;
        if high > 700.0 {
            return Err(invalid("epsilon", epsilon, "smaller: at this epsilon hardly any noise is needed"));
        }
    }
    let log_mean = bisect(high, low, holds);
    let result = sensitivity / log_mean.exp() * (1.0 + ROUNDING);
    if result.is_finite() {
        Ok(result)
    } else {
        Err(invalid("sensitivity", sensitivity, "smaller: the standard deviation is beyond the range of floats"))
    }
}

/// What the central limit theorem says about the epsilon of Poisson-sampled Gaussian steps (Bu, Dong, Long and Su, arXiv
/// 1911.11607): that of a single Gaussian with m = q sqrt(T (e^(1/s^2) - 1)).
///
/// **It is not a bound.** The true epsilon is often larger; other libraries show this number by default in places. It is
/// here for comparison with their results only.
///
/// # Errors
///
/// If `sampling_rate` is not a probability, `noise_multiplier` negative or not finite, or `delta` not strictly between
/// 0 and 1.
pub fn gdp_clt_epsilon_not_a_bound(sampling_rate: f64, noise_multiplier: f64, steps: u64, delta: f64) -> Result<f64> {
    let rate = probability("sampling_rate", sampling_rate)?;
    let noise = finite_at_least_zero("noise_multiplier", noise_multiplier)?;
    let delta = open_delta(delta)?;
    let mean = rate * (steps as f64 * (1.0 / noise / noise).exp_m1()).sqrt();
    if mean == 0.0 || rate == 0.0 || steps == 0 {
        return Ok(0.0);
    }
    if mean.is_finite() { gaussian_epsilon(1.0 / mean, delta) } else { Ok(f64::INFINITY) }
}

/// ln delta for m = sensitivity / standard deviation, from negative infinity to 0; never NaN.
fn ln_delta(mean: f64, epsilon: f64) -> f64 {
    if mean == 0.0 || epsilon == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    if mean == f64::INFINITY {
        return 0.0;
    }
    let x = epsilon / mean - 0.5 * mean;
    if x > 1e150 {
        return f64::NEG_INFINITY;
    }
    if mean < 1.0 {
        // Gauss-Legendre on [x, x + m]: -R' is smooth on the scale of 1.
        return ln_density(x) + integral_of_slope(x, mean).ln();
    }
    if x < 0.0 {
        // Here delta is above 0.2, and 1 - delta is computed.
        return (-ln_density(x).exp() * (mills_ratio(-x) + mills_ratio(x + mean))).ln_1p().min(0.0);
    }
    ln_density(x) + (mills_ratio(x) - mills_ratio(x + mean)).ln()
}

/// Integral of 1 - s R(s) over `[x, x + width]`, by the ten-point Gauss-Legendre rule.
fn integral_of_slope(x: f64, width: f64) -> f64 {
    const NODES: [(f64, f64); 5] = [
        (0.148_874_338_981_631_2, 0.295_524_224_714_752_87),
        (0.433_395_394_129_247_2, 0.269_266_719_309_996_35),
        (0.679_409_568_299_024_4, 0.219_086_362_515_982_04),
        (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
        (0.973_906_528_517_171_7, 0.066_671_344_308_688_14),
    ];
    let half = 0.5 * width;
    let center = x + half;
    let sum: f64 = NODES
        .iter()
        .map(|(node, weight)| weight * (falling_slope(center - half * node) + falling_slope(center + half * node)))
        .sum();
    half * sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accountant, Adjacency, DpEvent, PldAccountant};

    proptest::proptest! {
        /// Where epsilon is nearly 0, a rounding of delta is more than a small part of it: the epsilon was below the one whose delta,
        /// rounded up, is the target.
        #[test]
        fn an_epsilon_suffices_for_its_delta(log_noise in -3.0..5.0_f64, log_epsilon in -40.0..3.0_f64, below in 0.0..1.0_f64) {
            let noise = log_noise.exp();
            // Down to what an epsilon of nearly 0 allows.
            let delta = gaussian_delta(noise, log_epsilon.exp()).unwrap() * (1.0 - 1e-12 * below);
            proptest::prop_assume!(delta > 1e-300 && delta < 1.0);
            let epsilon = gaussian_epsilon(noise, delta).unwrap();
            // But for the rounding of logarithms.
            let slack = 1.0 + 5e-13;
            proptest::prop_assert!(gaussian_delta(noise, epsilon).unwrap() <= delta * slack, "{}", epsilon);
            let lower = gaussian_epsilon_below(noise, delta).unwrap();
            proptest::prop_assert!(lower <= epsilon && lower <= log_epsilon.exp(), "{lower} {epsilon}");
            let sigma = gaussian_sigma(epsilon, delta, 1.0).unwrap();
            proptest::prop_assert!(gaussian_delta(sigma, epsilon).unwrap() <= delta * slack, "{sigma}");
        }
    }

    /// The true one is 3.9e-343.
    #[test]
    fn deltas_below_the_smallest_float_are_not_zero() {
        let found = gaussian_delta(1.0, 40.0).unwrap();
        assert!(found > 0.0 && found < 1e-300, "{found:e}");
        let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
        accountant.compose(&DpEvent::gaussian(1.0).unwrap(), 1).unwrap();
        let (lower, upper) = accountant.delta_bounds(40.0).unwrap();
        assert!(lower == 0.0 && upper > 0.0, "{lower:e} {upper:e}");
        assert_eq!(accountant.delta(f64::INFINITY).unwrap(), 0.0);
    }

    /// The reason for its name: here the limit is below a certified lower bound.
    #[test]
    fn the_central_limit_falls_below_the_truth() {
        let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
        let step = DpEvent::poisson_sampled(0.005, DpEvent::gaussian(0.7).unwrap()).unwrap();
        accountant.compose(&step, 2_000).unwrap();
        let (lower, _) = accountant.epsilon_bounds(1e-5).unwrap();
        let by_limit = gdp_clt_epsilon_not_a_bound(0.005, 0.7, 2_000, 1e-5).unwrap();
        assert!(by_limit < lower, "{by_limit} {lower}");
        assert!(by_limit > 0.5 * lower, "{by_limit} {lower}");
    }

    #[test]
    fn the_central_limit_has_its_edges() {
        assert_eq!(gdp_clt_epsilon_not_a_bound(0.0, 1.0, 10, 1e-5).unwrap(), 0.0);
        assert_eq!(gdp_clt_epsilon_not_a_bound(0.1, 1.0, 0, 1e-5).unwrap(), 0.0);
        assert_eq!(gdp_clt_epsilon_not_a_bound(0.1, 0.0, 10, 1e-5).unwrap(), f64::INFINITY);
        assert!(gdp_clt_epsilon_not_a_bound(0.1, f64::NAN, 10, 1e-5).is_err());
    }
}
