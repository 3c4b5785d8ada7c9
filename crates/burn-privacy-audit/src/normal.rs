//! The standard normal distribution.

use statrs::function::erf::{erfc, erfc_inv};

/// P[Z <= x].
pub fn cdf(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

/// P[Z > x].
pub fn survival(x: f64) -> f64 {
    0.5 * erfc(x / std::f64::consts::SQRT_2)
}

/// The x with P[Z <= x] = `probability`; infinite at 0 and 1.
pub fn quantile(probability: f64) -> f64 {
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let start = -std::f64::consts::SQRT_2 * erfc_inv(2.0 * probability);
    // A Newton step takes the inverse's last digits.
    let density = (-0.5 * start * start).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if density > 0.0 { start - (cdf(start) - probability) / density } else { start }
}

/// ln P[Z > x], finite wherever a double can hold it.
pub fn log_survival(x: f64) -> f64 {
    let tail = survival(x);
    if tail > 1e-300 {
        return tail.ln();
    }
    // Mills' ratio, whose first terms are exact to 1e-6 beyond 37.
    let square = x * x;
    -0.5 * square - x.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() + (-1.0 / square + 2.5 / (square * square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_invert_the_distribution() {
        for p in [1e-12, 1e-5, 0.01, 0.3, 0.5, 0.9, 0.999_999] {
            assert!((cdf(quantile(p)) / p - 1.0).abs() < 1e-12, "{p}");
        }
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
    }

    #[test]
    fn the_tail_goes_on_beyond_the_doubles() {
        // mpmath: log(ncdf(-x)).
        for (x, expected) in [(5.0, -15.064_998_393_988_727), (36.0, -652.503_224_6), (40.0, -804.608_442_0)] {
            assert!((log_survival(x) / expected - 1.0).abs() < 1e-6, "{x}: {}", log_survival(x));
        }
    }
}
