//! The Box-Muller transform in `f64`, from 192 random bits a pair, with functions of our own.
//!
//! The standard library's `ln`, `sin` and `cos` may differ between platforms and versions; these use only additions,
//! multiplications, one division and one square root, each correctly rounded by IEEE 754, so that equal words give
//! equal noise on every machine. The series are plain Taylor series, long enough that what is cut off lies below half a
//! unit in the last place; tests hold them against the standard library. Work goes in blocks without branches that
//! depend on the values, so that the compiler can use vector instructions.

use std::f64::consts::{LN_2, PI, SQRT_2};
use std::hint::select_unpredictable;

/// Draws `N` pairs of independent standard normal values, `r cos θ` and `r sin θ`, from uniform numbers: the high
/// and the low half of the radius's and the angle's.
#[inline(always)] // into code for the widest vectors
pub(crate) fn normal_pairs<const N: usize>(high: &[u64; N], low: &[u64; N], angle: &[u64; N]) -> [[f64; N]; 2] {
    let mut radius = [0.0; N];
    for ((radius, high), low) in radius.iter_mut().zip(high).zip(low) {
        *radius = LogParts::of_common_uniform(*high, *low).radius();
    }
    if high.iter().any(|&high| !is_common(high)) {
        for ((radius, high), low) in radius.iter_mut().zip(high).zip(low) {
            *radius = LogParts::of_uniform(*high, *low).radius();
        }
    }
    let mut pairs = [[0.0; N]; 2];
    let [cosines, sines] = &mut pairs;
    for (((radius, angle), cosine), sine) in radius.iter().zip(angle).zip(cosines).zip(sines) {
        let (cos, sin) = Angle::of_uniform(*angle).cos_sin();
        (*cosine, *sine) = (radius * cos, radius * sin);
    }
    pairs
}

/// A positive number at most 1, taken apart for its logarithm: `2^exponent · (1 + fraction)`, with `1 + fraction` in
/// `[1/√2, √2]`.
#[derive(Debug, Clone, Copy, Default)]
struct LogParts {
    exponent: f64,
    fraction: f64,
}

impl LogParts {
    /// The uniform `u = (n + 1/2) · 2^-128`, with `n = hi · 2^64 + lo`; from `2^-129` to `1 - 2^-129`.
    ///
    /// Above `1/√2` the fraction is `-(n' + 1/2) · 2^-128`, with `n'` the complement of `n`, which loses nothing
    /// however near to 1 the uniform lies.
    #[inline(always)]
    fn of_uniform(hi: u64, lo: u64) -> Self {
        Self::with(hi, lo, normalise)
    }

    /// [`of_uniform`](Self::of_uniform) where [`is_common`] holds, without a branch; nonsense elsewhere.
    #[inline(always)]
    fn of_common_uniform(hi: u64, lo: u64) -> Self {
        Self::with(hi, lo, normalise_high)
    }

    #[inline(always)]
    fn with(hi: u64, lo: u64, normalise: impl Fn(u64, u64) -> (u32, u64)) -> Self {
        /// `2^64 / √2`: from here on the complement is used.
        const NEAR_ONE: u64 = 0xB504_F333_F9DE_6485;
        let near_one = hi >= NEAR_ONE;
        let flip = select_unpredictable(near_one, u64::MAX, 0);
        let (zeros, high) = normalise(hi ^ flip, lo ^ flip);
        // 63 bits, so that the signed conversion, which every machine has, can be used.
        let mantissa = (high >> 1) as i64 as f64 * (1.0 / (1_u64 << 62) as f64);

        // Bring the mantissa to [1/√2, √2], where the series is short.
        let large = mantissa > SQRT_2;
        let exponent = -1.0 - f64::from(zeros) + select_unpredictable(large, 1.0, 0.0);
        let far = mantissa * select_unpredictable(large, 0.5, 1.0) - 1.0;
        let near = -mantissa * power_of_two(-1 - zeros as i32);
        Self {
            exponent: select_unpredictable(near_one, 0.0, exponent),
            fraction: select_unpredictable(near_one, near, far),
        }
    }

    #[inline(always)]
    fn radius(&self) -> f64 {
        (-2.0 * self.ln()).sqrt()
    }

    /// The natural logarithm, to a few units of 2^-53 relative.
    ///
    /// `ln(1 + f) = 2 artanh s` with `s = f / (2 + f)`, `|s| <= 0.1716`. The series is cut after `s^21`: the rest is
    /// below
    /// `s^22 / 23 < 1e-18` relative.
    #[inline(always)]
    fn ln(&self) -> f64 {
        let f = self.fraction;
        let s = f / (2.0 + f);
        let s2 = s * s;
        let tail = polynomial(
            s2,
            &[
                1.0 / 21.0,
                1.0 / 19.0,
                1.0 / 17.0,
                1.0 / 15.0,
                1.0 / 13.0,
                1.0 / 11.0,
                1.0 / 9.0,
                1.0 / 7.0,
                1.0 / 5.0,
                1.0 / 3.0,
            ],
        );
        // 2s = f - s f, so that the leading term, f, is exact.
        self.exponent * LN_2 + (f - s * (f - 2.0 * s2 * tail))
    }
}

/// Whether neither the high half of a uniform number nor its complement is zero: all but one in 2^63 draws.
#[inline(always)]
fn is_common(hi: u64) -> bool {
    hi.wrapping_add(1) > 1
}

/// Leading zeros `z` of the 128-bit `n` and, in its top 64 bits, the mantissa `m` of
/// `(n + 1/2) · 2^-128 = m · 2^-(z + 1)`, `m` in `[1, 2]`.
#[inline(always)]
fn normalise(hi: u64, lo: u64) -> (u32, u64) {
    if hi == 0 { normalise_low(lo) } else { normalise_high(hi, lo) }
}

/// [`normalise`] where `hi` is not 0. The half lies below the 64 bits that are kept.
#[inline(always)]
fn normalise_high(hi: u64, lo: u64) -> (u32, u64) {
    let zeros = hi.leading_zeros();
    (zeros, hi.wrapping_shl(zeros) | ((lo >> 1).wrapping_shr(63_u32.wrapping_sub(zeros))))
}

/// The leading zeros of the 128-bit `lo` (64 to 128) and the top 64 bits of `lo + 1/2`: once in 2^64 draws.
#[cold]
fn normalise_low(lo: u64) -> (u32, u64) {
    match lo.leading_zeros() {
        64 => (128, 1 << 63), // 1/2 itself
        0 => (64, lo),
        zeros => (64 + zeros, (lo << zeros) | (1 << (zeros - 1))),
    }
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
        Self { quadrant, rest: (2 * offset + 1) as f64 * (PI / 18_446_744_073_709_551_616.0) }
    }

    /// Cosine and sine, each to a few units of 2^-53 relative.
    #[inline(always)]
    fn cos_sin(&self) -> (f64, f64) {
        let x = self.rest;
        let x2 = x * x;
        // Cut after x^17 and x^16: the rest is below 1e-19 and 3e-18 for |x| <= π/4.
        let sin_tail = polynomial(
            x2,
            &[
                1.0 / 355_687_428_096_000.0,
                -1.0 / 1_307_674_368_000.0,
                1.0 / 6_227_020_800.0,
                -1.0 / 39_916_800.0,
                1.0 / 362_880.0,
                -1.0 / 5_040.0,
                1.0 / 120.0,
                -1.0 / 6.0,
            ],
        );
        let sin = x + x * (x2 * sin_tail);
        let cos_tail = polynomial(
            x2,
            &[
                1.0 / 20_922_789_888_000.0,
                -1.0 / 87_178_291_200.0,
                1.0 / 479_001_600.0,
                -1.0 / 3_628_800.0,
                1.0 / 40_320.0,
                -1.0 / 720.0,
                1.0 / 24.0,
                -1.0 / 2.0,
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

    /// A few hundred 128-bit numbers of every size: all zeros and ones, the neighbours of powers of two, of the
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
        LogParts::of_uniform((n >> 64) as u64, n as u64).ln()
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
