//! Radii of planar Laplace noise: the inverse of their distribution, by the branch -1 of Lambert's function.

/// The radius, in units of 1/epsilon, beyond which a share `beyond` of planar Laplace noise lies: the solution `x >= 0` of
/// `(1 + x) e^-x = beyond`. `within` must be `1 - beyond`; both are given so that neither end loses digits.
///
/// It is `-W(-beyond / e) - 1` with `W` the branch -1 of Lambert's function (Andrés et al., "Geo-indistinguishability",
/// CCS 2013, section 5). With `s = -ln(beyond)` it solves `x - ln(1 + x) = s`, from the series at the branch point or the
/// asymptotic one, by two steps of Halley's method. The absolute error is below 1e-13 for `beyond >= 2^-110` (tested against the
/// equation itself).
pub(super) fn radius_beyond(beyond: f64, within: f64) -> f64 {
    let s = if within < 0.5 { -(-within).ln_1p() } else { -beyond.ln() };
    if s <= 0.0 {
        return 0.0;
    }
    let mut x = if s < 1.0 {
        let t = (2.0 * s).sqrt();
        t * (1.0 + t * (1.0 / 3.0 + t * (1.0 / 36.0 - t / 270.0)))
    } else {
        let l = 1.0 + s;
        let ln = l.ln();
        s + ln + ln / l
    };
    for _ in 0..2 {
        let f = x - x.ln_1p() - s;
        let inverse = 1.0 / (1.0 + x);
        let (first, second) = (x * inverse, inverse * inverse);
        let step = f / first;
        x -= step / (1.0 - 0.5 * step * second / first);
    }
    x.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_solves_its_equation_over_the_whole_range() {
        let mut x = 1e-9_f64;
        while x < 76.0 {
            // (1 + x) e^-x and its complement, which is x^2/2 - x^3/3 + x^4/8 - .. for small x.
            let beyond = (1.0 + x) * (-x).exp();
            let within = if x < 1e-2 {
                x * x * (0.5 - x / 3.0 + x * x / 8.0 - x.powi(3) / 30.0 + x.powi(4) / 144.0)
            } else {
                1.0 - beyond
            };
            let found = radius_beyond(beyond, within);
            assert!((found - x).abs() < 1e-13 * (1.0 + x), "{x}: {found}");
            x *= 1.03;
        }
        assert_eq!(radius_beyond(1.0, 0.0), 0.0);
    }

    #[test]
    fn the_median_is_the_known_one() {
        // Half of it lies within 1.678346990016661 / epsilon, the median of the gamma distribution of shape 2.
        assert!((radius_beyond(0.5, 0.5) - 1.678_346_990_016_661).abs() < 1e-13);
    }
}
