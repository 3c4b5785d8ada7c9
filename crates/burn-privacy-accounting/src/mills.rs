//! The Gaussian tail, to the last few bits: Mills' ratio R(x) = P(N(0,1) > x) / density(x).
//!
//! `statrs` has an `erfc`, but it is only good to 1e-10, which is not enough here.

use std::f64::consts::PI;

/// Below this argument a power series is used, above it a continued fraction.
const SERIES_BELOW: f64 = 1.5;

/// ln of the standard normal density.
pub(crate) fn ln_density(x: f64) -> f64 {
    -0.5 * x * x - 0.5 * (2.0 * PI).ln()
}

/// Mills' ratio for x >= -1.
pub(crate) fn mills_ratio(x: f64) -> f64 {
    if x < SERIES_BELOW { ratio_by_series(x) } else { 1.0 / (x + tail_of_fraction(x)) }
}

/// P(N(0,1) > z) for z >= 0.
pub(crate) fn tail_probability(z: f64) -> f64 {
    mills_ratio(z) * ln_density(z).exp()
}

/// -R'(x) = 1 - x R(x) for x >= -1, without cancellation for large x.
pub(crate) fn falling_slope(x: f64) -> f64 {
    if x < SERIES_BELOW {
        return 1.0 - x * ratio_by_series(x);
    }
    // With R = 1/(x + t): 1 - x R = t R.
    let tail = tail_of_fraction(x);
    tail / (x + tail)
}

/// 1/(2 density(x)) - sum of x^(2k+1) / (1 3 5 ... (2k+1)).
fn ratio_by_series(x: f64) -> f64 {
    let square = x * x;
    let mut sum = 1.0;
    for k in (1..=30).rev() {
        sum = 1.0 + square / f64::from(2 * k + 1) * sum;
    }
    0.5 * (2.0 * PI).sqrt() * (0.5 * square).exp() - x * sum
}

/// t in R(x) = 1/(x + t), t = 1/(x + 2/(x + 3/(x + ...))), for x >= 1.5.
fn tail_of_fraction(x: f64) -> f64 {
    // The error falls like exp(-1.7 x sqrt(levels)).
    let levels = if x < 3.0 { 300 } else { 80 };
    let mut denominator = x;
    for k in (2..=levels).rev() {
        denominator = x + f64::from(k) / denominator;
    }
    1.0 / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(found: f64, truth: f64, relative: f64) {
        assert!((found / truth - 1.0).abs() <= relative, "found {found}, truth {truth}");
    }

    #[test]
    fn mills_ratio_meets_known_values() {
        assert_close(mills_ratio(0.0), (0.5 * PI).sqrt(), 1e-15);
        // Values of a 40-digit evaluation.
        for (x, truth) in [
            (-1.0, 3.4770518117036944),
            (1.0, 0.6556795424187984),
            (2.0, 0.4213692292880545),
            (3.0, 0.3045902987101033),
            (10.0, 0.09902859647173193),
            (37.0, 0.027007327965128336),
        ] {
            assert_close(mills_ratio(x), truth, 1e-14);
        }
    }

    #[test]
    fn the_ways_agree_where_they_meet() {
        for meeting in [SERIES_BELOW, 3.0] {
            assert_close(mills_ratio(meeting), mills_ratio(meeting.next_down()), 1e-14);
            assert_close(falling_slope(meeting), falling_slope(meeting.next_down()), 1e-14);
        }
    }

    #[test]
    fn agrees_with_statrs_as_far_as_that_goes() {
        for step in -10..100 {
            let x = f64::from(step) * 0.1;
            let other = 0.5 * statrs::function::erf::erfc(x / 2.0_f64.sqrt()) / ln_density(x).exp();
            assert_close(mills_ratio(x), other, 2e-10);
        }
    }

    #[test]
    fn slope_is_the_derivative() {
        for x in [-0.9, 0.3, 1.4, 1.6, 2.9, 3.1, 8.0] {
            let difference = (mills_ratio(x - 1e-5) - mills_ratio(x + 1e-5)) / 2e-5;
            assert!((difference - falling_slope(x)).abs() < 1e-9, "{x}");
        }
    }
}
