//! Laplace and discrete Gaussian noise: what scale is needed, and how wide it is.

use crate::Result;
use crate::error::{finite_above_zero, finite_at_least_zero, invalid};

/// The smallest scale b with which the Laplace mechanism of this L1 `sensitivity` is (`epsilon`, `delta`)-private;
/// `epsilon` in nats, `delta` 0 allowed. Rounded up.
///
/// b = sensitivity / (epsilon - 2 ln(1 - delta)), from its exact curve delta = 1 - e^((epsilon - sensitivity/b)/2)
/// (Balle, Barthe and Gaboardi, arXiv 1807.01647, theorem 3).
///
/// # Errors
///
/// If `epsilon` is negative or not finite, `delta` below 0 or not below 1, `sensitivity` not above 0 or not finite, or if
/// epsilon and delta are both 0.
///
/// ```
/// let scale = burn_privacy_accounting::laplace_scale(0.5, 0.0, 2.0)?;
/// assert!((scale - 4.0).abs() < 1e-12);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn laplace_scale(epsilon: f64, delta: f64, sensitivity: f64) -> Result<f64> {
    let epsilon = finite_at_least_zero("epsilon", epsilon)?;
    if !(0.0..1.0).contains(&delta) {
        return Err(invalid("delta", delta, "at least 0 and below 1"));
    }
    let sensitivity = finite_above_zero("sensitivity", sensitivity)?;
    let scale = sensitivity / (epsilon - 2.0 * (-delta).ln_1p()) * (1.0 + 4.0 * f64::EPSILON);
    if scale.is_finite() {
        Ok(scale)
    } else {
        Err(invalid("epsilon", epsilon, "larger: at epsilon 0 and delta 0 no finite scale is enough"))
    }
}

/// Sigmas from which on the variance is sigma^2 to the last digit.
const WIDE: f64 = 10.0;

/// The variance of the discrete Gaussian with parameter `sigma`: P(x) proportional to e^(-x^2 / (2 sigma^2)) on the
/// integers. It is slightly below sigma^2 (Canonne, Kamath and Steinke, arXiv 2004.00010, corollary 9).
///
/// # Errors
///
/// If `sigma` is negative or not finite.
///
/// ```
/// let variance = burn_privacy_accounting::discrete_gaussian_variance(0.5_f64.sqrt())?;
/// assert!((variance - 0.498_979_130_832_82).abs() < 1e-14);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
pub fn discrete_gaussian_variance(sigma: f64) -> Result<f64> {
    let sigma = finite_at_least_zero("sigma", sigma)?;
    if sigma == 0.0 {
        return Ok(0.0);
    }
    // By Poisson's summation formula the relative difference is about 8 pi^2 sigma^2 e^(-2 pi^2 sigma^2).
    if sigma >= WIDE {
        return Ok(sigma * sigma);
    }
    let (mut total, mut second) = (0.0, 0.0);
    for x in (1..=(39.0 * sigma).ceil() as u32 + 1).rev() {
        let x = f64::from(x);
        let weight = 2.0 * (-0.5 * (x / sigma).powi(2)).exp();
        total += weight;
        second += weight * x * x;
    }
    Ok(second / (1.0 + total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_narrow_variances_meet() {
        let below = discrete_gaussian_variance(WIDE * (1.0 - 1e-15)).unwrap();
        assert!((below / (WIDE * WIDE) - 1.0).abs() < 1e-13, "{below}");
        assert_eq!(discrete_gaussian_variance(0.0).unwrap(), 0.0);
        assert!(discrete_gaussian_variance(f64::NAN).is_err());
    }

    #[test]
    fn impossible_scales_are_refused() {
        for (epsilon, delta, sensitivity) in
            [(0.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0), (f64::NAN, 0.0, 1.0)]
        {
            assert!(laplace_scale(epsilon, delta, sensitivity).is_err(), "{epsilon} {delta} {sensitivity}");
        }
    }
}
