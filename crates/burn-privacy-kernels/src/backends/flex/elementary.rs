//! Elementary functions in `f32` that a compiler turns into vector instructions: no branches, no calls, no tables.
//!
//! The standard library calls the C library for one number at a time. Accuracy is what the tests say, over the whole
//! range; a NaN gives a NaN.

/// `e^x`, to 2e-7 relative; 0 below -87.33, where the result would lose precision.
///
/// Cephes' reduction to `[-ln 2 / 2, ln 2 / 2]` and its polynomial (Moshier, "Methods and Programs for Mathematical
/// Functions", 1989).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding and subtracting it rounds to an integer, which then stands in the lowest bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    const SMALLEST: f32 = -87.33;
    let bounded = x.clamp(SMALLEST, 88.72);
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = (bounded - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let tail = polynomial(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5]);
    // Two factors, as 2^128 is no f32.
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = exponent >> 1;
    let scaled = (r * r * tail + r + 1.0) * power_of_two(half) * power_of_two(exponent - half);
    if x < SMALLEST { 0.0 } else { scaled }
}

#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}

/// `tanh x`, to 5e-7 relative: a rational function of the kind that Eigen uses, 1 beyond 9.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let bounded = x.clamp(-7.905_311, 7.905_311);
    let square = bounded * bounded;
    let numerator = polynomial(
        square,
        [-2.760_768_5e-16, 2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3],
    );
    let denominator = polynomial(square, [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3]);
    bounded * numerator / denominator
}

/// `1 / (1 + e^-x)`, to 3e-7 relative above -87.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The standard normal density, and the distribution function to 3e-7 absolute (far less in the tails).
///
/// Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.2.17.
#[inline(always)]
pub(super) fn normal(x: f32) -> (f32, f32) {
    const DENSITY_AT_ZERO: f32 = 0.398_942_3;
    let density = DENSITY_AT_ZERO * exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let tail = density * t * polynomial(t, [1.330_274_5, -1.821_255_9, 1.781_477_9, -0.356_563_78, 0.319_381_54]);
    (density, if x < 0.0 { tail } else { 1.0 - tail })
}

/// The polynomial with these coefficients, highest power first (Horner).
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    let mut i = 1;
    while i < N {
        sum = sum * x + coefficients[i];
        i += 1;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of every size and both signs, and a fine grid.
    fn numbers() -> impl Iterator<Item = f32> {
        let sizes = (-40..7).flat_map(|power| (0..64).map(move |i| 2.0_f32.powi(power) * (1.0 + i as f32 / 64.0)));
        let grid = (0..400_000).map(|i| i as f32 * 2.5e-4);
        sizes.chain(grid).flat_map(|x| [x, -x])
    }

    fn assert_relative(name: &str, found: fn(f32) -> f32, exact: fn(f64) -> f64, range: f32, allowed: f64) {
        for x in numbers().filter(|x| x.abs() <= range) {
            let (found, exact) = (f64::from(found(x)), exact(f64::from(x)));
            assert!((found - exact).abs() <= allowed * exact.abs(), "{name}({x}) = {found}, exactly {exact}");
        }
    }

    #[test]
    fn functions_are_accurate_everywhere() {
        assert_relative("exp", exp, f64::exp, 87.3, 2e-7);
        assert_relative("tanh", tanh, f64::tanh, 100.0, 5e-7);
        assert_relative("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 87.3, 3e-7);
        assert_relative("density", |x| normal(x).0, |x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(), 6.0, 3e-6);
    }

    #[test]
    fn the_normal_distribution_is_that_of_its_series() {
        // 1/2 + density (x + x^3 / 3 + x^5 / (3 5) + ..), in f64.
        for x in numbers().filter(|x| x.abs() <= 6.0) {
            let x64 = f64::from(x);
            let (mut term, mut sum) = (x64, x64);
            for n in 1..200 {
                term *= x64 * x64 / f64::from(2 * n + 1);
                sum += term;
            }
            let exact = 0.5 + sum * (-0.5 * x64 * x64).exp() / std::f64::consts::TAU.sqrt();
            let found = f64::from(normal(x).1);
            assert!((found - exact).abs() <= 3e-7, "{x}: {found}, exactly {exact}");
            assert!(x > -3.0 || (found - exact).abs() <= 1e-2 * exact, "{x}: {found}, exactly {exact}");
        }
        assert_eq!((normal(50.0), normal(-50.0)), ((0.0, 1.0), (0.0, 0.0)));
    }

    #[test]
    fn the_ends_are_right() {
        assert_eq!((exp(f32::NEG_INFINITY), exp(0.0), exp(100.0)), (0.0, 1.0, exp(88.72)));
        assert!(exp(88.72) > 3.3e38 && exp(88.72).is_finite());
        assert!((tanh(f32::INFINITY) - 1.0).abs() < 5e-7 && (tanh(f32::NEG_INFINITY) + 1.0).abs() < 5e-7);
        assert_eq!((sigmoid(f32::NEG_INFINITY), sigmoid(f32::INFINITY)), (1.0 / (1.0 + exp(88.72)), 1.0));
        for of in [exp, tanh, sigmoid, |x| normal(x).1] {
            assert!(of(f32::NAN).is_nan());
        }
    }
}
