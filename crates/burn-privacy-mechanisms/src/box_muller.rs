//! The Box-Muller transform in `f64`, from 128 random bits a pair, with functions of our own.
//!
//! The standard library's `ln`, `sin` and `cos` may differ between platforms and versions; these use only additions,
//! multiplications, one division and one square root, each correctly rounded by IEEE 754, so that equal words give
//! equal noise on every machine. The polynomials are the best of their degree (Remez's algorithm in 50 digits), with
//! errors below half a unit in the last place; tests hold them against the standard library. Work goes in blocks
//! without branches that depend on the values, so that the compiler can use vector instructions: leading zeros are read
//! off an exponent, and 64-bit integers are converted unsigned, as vectors without AVX-512 cannot do either directly.

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};
use std::hint::select_unpredictable;

/// Draws `N` pairs of independent standard normal values, `r cos θ` and `r sin θ`, from uniform numbers: the radius's and
/// the angle's, and where [`is_rare`] holds of the radius's, once in 2^11 pairs, 64 more bits for it.
#[inline(always)] // into code for the widest vectors
pub(crate) fn normal_pairs<const N: usize>(
    radius: &[u64; N],
    angle: &[u64; N],
    more_bits: impl Fn(usize) -> u64,
) -> [[f64; N]; 2] {
    let [mut exponents, mut fractions] = [[0.0; N]; 2];
    for ((exponent, fraction), number) in exponents.iter_mut().zip(&mut fractions).zip(radius) {
        LogParts { exponent: *exponent, fraction: *fraction } = LogParts::of_common(*number);
    }
    if radius.iter().fold(false, |rare, number| rare | is_rare(*number)) {
        for lane in (0..N).filter(|lane| is_rare(radius[*lane])) {
            LogParts { exponent: exponents[lane], fraction: fractions[lane] } =
                LogParts::of_rare(radius[lane], more_bits(lane));
        }
    }
    let mut radii = [0.0; N];
    for ((radius, exponent), fraction) in radii.iter_mut().zip(exponents).zip(fractions) {
        *radius = LogParts { exponent, fraction }.radius();
    }
    let mut pairs = [[0.0; N]; 2];
    let [cosines, sines] = &mut pairs;
    for (((radius, angle), cosine), sine) in radii.iter().zip(angle).zip(cosines).zip(sines) {
        let (cos, sin) = Angle::of_uniform(*angle).cos_sin();
        (*cosine, *sine) = (radius * cos, radius * sin);
    }
    pairs
}

/// A positive number below 1, taken apart for its logarithm: `2^exponent · (1 + fraction)`, with `1 + fraction` in
/// `[1/√2, √2]`.
#[derive(Debug, Clone, Copy, Default)]
struct LogParts {
    exponent: f64,
    fraction: f64,
}

impl LogParts {
    /// The uniform `(n + 1/2) · 2^-64`; for numbers that are not [rare](is_rare).
    #[inline(always)]
    fn of_common(n: u64) -> Self {
        let (near_one, distance) = distance_to_end(n);
        Self::of(near_one, distance as f64, 64)
    }

    /// The uniform `(m + 1/2) · 2^-128`, with `m = n · 2^64 + more`; from `2^-129` to `1 - 2^-129`.
    fn of_rare(n: u64, more: u64) -> Self {
        let (near_one, distance) = distance_to_end(n);
        let more = if near_one { !more } else { more };
        Self::of(near_one, ((u128::from(distance) << 64) | u128::from(more)) as f64, 128)
    }

    /// `u` or, near one, `1 - u`, is `(distance + 1/2) · 2^-bits`.
    #[inline(always)]
    fn of(near_one: bool, distance: f64, bits: u32) -> Self {
        /// Two, where the exponent is: added so that the difference is not negative.
        const TWO: u64 = 2 << 52;
        let x = distance + 0.5;
        let shifted = (x.to_bits() - (FRAC_1_SQRT_2.to_bits() - TWO)) >> 52; // exponent of x, plus 2
        let mantissa = f64::from_bits((x.to_bits() + TWO).wrapping_sub(shifted << 52));
        let exponent = f64::from(shifted as i32 - 2 - bits as i32);
        let near = -x * power_of_two(-(bits as i32));
        Self {
            exponent: select_unpredictable(near_one, 0.0, exponent),
            fraction: select_unpredictable(near_one, near, mantissa - 1.0),
        }
    }

    #[inline(always)]
    fn radius(&self) -> f64 {
        (-2.0 * self.ln()).sqrt()
    }

    /// The natural logarithm, to a few units of 2^-53 relative.
    ///
    /// `ln(1 + f) = 2 artanh s` with `s = f / (2 + f)`, `|s| <= 0.1716`, and `artanh s = s + s^3 P(s^2)` with a relative
    /// error below 2^-59.
    #[inline(always)]
    fn ln(&self) -> f64 {
        let f = self.fraction;
        let s = f / (2.0 + f);
        let s2 = s * s;
        let tail = polynomial(
            s2,
            &[
                0.073_979_748_120_039_8,
                0.076_570_252_803_817_25,
                0.090_917_821_628_667_13,
                0.111_110_992_865_965_78,
                0.142_857_143_711_937_6,
                0.199_999_999_997_073_4,
                0.333_333_333_333_336_7,
            ],
        );
        // 2s = f - s f, so that the leading term, f, is exact.
        self.exponent * LN_2 + (f - s * (f - 2.0 * s2 * tail))
    }
}

/// Whether the number is above `2^64 / √2`, and its distance to the nearer end of the range: itself, or its complement.
///
/// With the complement nothing is lost however near to 1 the uniform lies.
#[inline(always)]
fn distance_to_end(n: u64) -> (bool, u64) {
    let near_one = n >= 0xB504_F333_F9DE_6485;
    (near_one, n ^ select_unpredictable(near_one, u64::MAX, 0))
}

/// Whether a number is so near to an end that 64 bits do not fill the mantissa of its distance.
#[inline(always)]
fn is_rare(n: u64) -> bool {
    n.wrapping_add(1 << 52) < 1 << 53
}

/// `2^exponent` for exponents of normal numbers.
#[inline(always)]
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// An angle: `quadrant · π/2 + rest`, with `|rest| <= π/4`.
#[derive(Debug, Clone, Copy, Default)]
struct Angle {
    quadrant: u64,
    rest: f64,
}

impl Angle {
    /// The angle `2π (n + 1/2) / 2^64`.
    ///
    /// The half makes the set of angles symmetric: neither function is ever zero, and both signs are equally likely.
    #[inline(always)]
    fn of_uniform(n: u64) -> Self {
        let quadrant = n.wrapping_add(1 << 61) >> 62;
        let offset = n.wrapping_sub(quadrant << 62) as i64; // exact, -2^61 .. 2^61
        let sign = select_unpredictable(offset < 0, u64::MAX, 0);
        let size = 2 * (offset as u64 ^ sign) + 1; // |2 offset + 1|
        let rest = size as f64 * (PI / 18_446_744_073_709_551_616.0);
        Self { quadrant, rest: f64::from_bits(rest.to_bits() | (sign << 63)) }
    }

    /// Cosine and sine, each to a few units of 2^-53 relative.
    #[inline(always)]
    fn cos_sin(&self) -> (f64, f64) {
        let x = self.rest;
        let x2 = x * x;
        // sin x = x + x^3 S(x^2), cos x = 1 - x^2 / 2 + x^4 C(x^2), with errors below 2^-58 and 2^-64 for |x| <= π/4.
        let sin_tail = polynomial(
            x2,
            &[
                1.589_682_793_031_643_7e-10,
                -2.505_075_865_331_895_3e-8,
                2.755_731_369_522_703e-6,
                -1.984_126_982_981_695_3e-4,
                8.333_333_333_322_425e-3,
                -0.166_666_666_666_666_32,
            ],
        );
        let sin = x + x * (x2 * sin_tail);
        let cos_tail = polynomial(
            x2,
            &[
                -1.135_966_988_891_087e-11,
                2.087_572_368_485_145_3e-9,
                -2.755_731_435_524_500_7e-7,
                2.480_158_728_949_183_7e-5,
                -1.388_888_888_887_413_8e-3,
                4.166_666_666_666_66e-2,
                -0.5,
            ],
        );
        let cos = 1.0 + x2 * cos_tail;

        // Odd quadrants swap the two; quadrants 1 and 2 turn the cosine's sign, 2 and 3 the sine's. In bits, so that
        // no branch and no table is needed.
        let swap = (cos.to_bits() ^ sin.to_bits()) & (self.quadrant & 1).wrapping_neg();
        let cos_sign = (self.quadrant.wrapping_add(1) & 2) << 62;
        let sin_sign = (self.quadrant & 2) << 62;
        (f64::from_bits(cos.to_bits() ^ swap ^ cos_sign), f64::from_bits(sin.to_bits() ^ swap ^ sin_sign))
    }
}

/// The polynomial with these coefficients, highest power first (Horner).
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let mut sum = coefficients[0];
    for &coefficient in &coefficients[1..] {
        sum = sum * x + coefficient;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A few hundred 128-bit numbers of every size: all zeros and ones, the neighbors of powers of two, of the
    /// switch to the complement, and one dense number for each length.
    fn numbers() -> Vec<u128> {
        let mut numbers = vec![0, 1, 2, 3, u128::MAX, u128::MAX - 1];
        let switch = 0xB504_F333_F9DE_6485_u128 << 64;
        numbers.extend([switch - 1, switch, switch + 1, switch + (1 << 70), switch - (1 << 70)]);
        for bit in 1..128 {
            let power = 1_u128 << bit;
            let dense = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C834_u128 >> (127 - bit);
            numbers.extend([power - 1, power, power + 1, dense, !power, !dense, dense | 1]);
        }
        numbers
    }

    fn ln_of(n: u128) -> f64 {
        LogParts::of_rare((n >> 64) as u64, n as u64).ln()
    }

    /// The same logarithm by the standard library: of `1 - v` above one half, of `u` below.
    fn ln_by_std(n: u128) -> f64 {
        let scaled = |n: u128| {
            // 2n + 1 has up to 129 bits; below 2^64 it is kept whole, above the half cannot be seen.
            let twice = if n >> 64 == 0 { (2 * n + 1) as f64 } else { 2.0 * n as f64 };
            twice * 2.0_f64.powi(-129)
        };
        if n >> 127 == 1 { (-scaled(!n)).ln_1p() } else { scaled(n).ln() }
    }

    #[test]
    fn the_logarithm_agrees_with_the_standard_library_everywhere() {
        for n in numbers() {
            let (ours, std) = (ln_of(n), ln_by_std(n));
            assert!(ours < 0.0, "{n:#x}");
            assert!((ours - std).abs() <= 4.0 * f64::EPSILON * std.abs(), "{n:#x}: {ours:e} against {std:e}");
        }
    }

    #[test]
    fn the_logarithm_of_64_bits_is_that_of_the_middle_of_what_128_could_be() {
        let numbers = numbers().into_iter().map(|n| (n >> 64) as u64).chain(angles());
        for n in numbers.filter(|&n| !is_rare(n)) {
            let (ours, std) = (LogParts::of_common(n).ln(), ln_by_std((u128::from(n) << 64) | (1 << 63)));
            assert!((ours - std).abs() <= 4.0 * f64::EPSILON * std.abs(), "{n:#x}: {ours:e} against {std:e}");
        }
    }

    #[test]
    fn radii_near_an_end_are_refined_and_no_others() {
        let rare = [0, 1, (1 << 52) - 1, u64::MAX, u64::MAX - (1 << 52) + 1];
        let common = [1 << 52, u64::MAX - (1 << 52), 1 << 63];
        let radius: [u64; 8] = std::array::from_fn(|i| *rare.get(i).unwrap_or_else(|| &common[i - rare.len()]));
        let more = |lane: usize| (lane as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [cosines, sines] = normal_pairs(&radius, &[1 << 61; 8], |lane| {
            assert!(lane < rare.len(), "{lane}");
            more(lane)
        });
        for lane in 0..8 {
            let n = radius[lane];
            let expected = if lane < rare.len() { LogParts::of_rare(n, more(lane)) } else { LogParts::of_common(n) };
            let (cos, sin) = cos_sin(1 << 61);
            assert_eq!([cosines[lane], sines[lane]], [expected.radius() * cos, expected.radius() * sin], "{n:#x}");
        }
    }

    #[test]
    fn the_logarithm_is_exact_at_both_ends() {
        assert_eq!(ln_of(u128::MAX), -(2.0_f64.powi(-129)));
        assert_eq!(ln_of(u128::MAX - 1), -3.0 * 2.0_f64.powi(-129));
        assert_eq!(ln_of(0), -129.0 * LN_2);
    }

    #[test]
    fn the_radius_has_the_documented_range() {
        let radius = |n| (-2.0 * ln_of(n)).sqrt();
        assert_eq!(radius(u128::MAX), 2.0_f64.powi(-64));
        assert!(radius(0) > 13.3728 && radius(0) < crate::MAX_DEVIATION);
    }

    fn cos_sin(n: u64) -> (f64, f64) {
        Angle::of_uniform(n).cos_sin()
    }

    fn angles() -> impl Iterator<Item = u64> {
        let edges = (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, !(1_u64 << bit), 3_u64.wrapping_shl(bit)]);
        edges.chain((0..20_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    #[test]
    fn cosine_and_sine_agree_with_the_standard_library() {
        for n in angles() {
            let (cos, sin) = cos_sin(n);
            let angle = 2.0 * PI * (n as f64 / 2.0_f64.powi(64));
            // The reference's angle is rounded to 2^-51 near a full turn.
            assert!((cos - angle.cos()).abs() < 2e-15 && (sin - angle.sin()).abs() < 2e-15, "{n:#x}");
            assert!((cos * cos + sin * sin - 1.0).abs() < 6e-16, "{n:#x}");
            assert!(cos != 0.0 && sin != 0.0, "{n:#x}");
        }
    }

    #[test]
    fn cosine_and_sine_keep_relative_accuracy_in_the_first_octant() {
        for n in angles().map(|n| n >> 3) {
            let (cos, sin) = cos_sin(n);
            let angle = if n >> 62 == 0 {
                (2 * n + 1) as f64 * (PI / 2.0_f64.powi(64))
            } else {
                continue;
            };
            assert!((cos - angle.cos()).abs() <= 2.0 * f64::EPSILON * cos, "{n:#x}");
            assert!((sin - angle.sin()).abs() <= 2.0 * f64::EPSILON * sin, "{n:#x}");
        }
    }

    #[test]
    fn the_set_of_angles_is_symmetric() {
        for n in angles() {
            let (cos, sin) = cos_sin(n);
            assert_eq!(cos_sin(!n), (cos, -sin), "mirrored at the axis, {n:#x}");
            assert_eq!(cos_sin(n.wrapping_add(1 << 63)), (-cos, -sin), "half a turn, {n:#x}");
            assert_eq!(cos_sin(n.wrapping_add(1 << 62)), (-sin, cos), "a quarter turn, {n:#x}");
        }
    }
}
