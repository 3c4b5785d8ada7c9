//! The Box-Muller transform of the CPU's noise in `f32`, which is what every GPU has.
//!
//! # How near it comes
//!
//! From the same words as on the CPU, a value lies within `1e-6 |z|` of the CPU's `z`, a tolerance that leaves room
//! for divisions and square roots of graphics APIs, which may err in their last two or three bits. The tail reaches as far,
//! 13.37 standard deviations: numbers are taken apart in integers, with the same 128 bits near the ends of their range.
//! Only radii below 2^-62, of probability 2^-125, end there instead.

use std::f32::consts::{FRAC_PI_2, LN_2, SQRT_2};

use cubecl::prelude::*;

/// How far a value may lie from that of the CPU, relative to it.
#[cfg(test)]
pub(super) const TOLERANCE: f64 = 1e-6;

/// Half of a digit's place: what a uniform number has after its last random digit, so that it is never 0.
pub(super) const HALF: u32 = 0x8000_0000;

/// A number of (0, 1): its digits in base 2^32, followed by a [`HALF`].
#[derive(CubeType, Clone, Copy)]
pub(super) struct Fraction {
    pub(super) digit_0: u32,
    pub(super) digit_1: u32,
    pub(super) digit_2: u32,
    pub(super) digit_3: u32,
}

/// Whether the uniform number of these upper 32 bits is above `1 / √2`, where its distance to 1 is what counts.
#[cube]
pub(super) fn is_near_one(high: u32) -> bool {
    high >= 0xB504_F333u32
}

/// `sqrt(-2 ln u)`, with `distance` that of `u` to 0, or to 1 if it is near one; see [`is_near_one`].
#[cube]
pub(super) fn radius(near_one: bool, distance: &Fraction) -> f32 {
    let mut first = distance.digit_0;
    let mut second = distance.digit_1;
    let mut third = distance.digit_2;
    let mut fourth = distance.digit_3;
    let mut fifth = HALF.runtime();
    let mut skipped = 0u32;
    #[unroll]
    for _ in 0..4u32 {
        if first == 0u32 {
            first = second;
            second = third;
            third = fourth;
            fourth = fifth;
            fifth = 0u32;
            skipped += 32u32;
        }
    }
    let zeros = first.leading_zeros();
    let top = (first << zeros) | ((second >> 1u32) >> (31u32 - zeros));
    // distance = 2^exponent mantissa, with a mantissa of [1/√2, √2].
    let in_1_to_2 = f32::cast_from(top) * comptime!(1.0 / 2_147_483_648.0_f32);
    let halved = in_1_to_2 >= SQRT_2;
    let mantissa = select(halved, in_1_to_2 * 0.5f32, in_1_to_2);
    let exponent = select(halved, 0i32, -1i32) - i32::cast_from(skipped + zeros);

    // ln u = exponent ln 2 + ln(1 + f).
    let smallest = select(exponent < -125i32, -125i32, exponent);
    let near_fraction = -mantissa * f32::reinterpret(u32::cast_from(smallest + 127i32) << 23u32);
    let f = select(near_one, near_fraction, mantissa - 1.0f32);
    let whole = select(near_one, 0.0f32, f32::cast_from(exponent));
    // ln(1 + f) = 2 artanh s = f - s (f - 2 s^2 (1/3 + s^2/5 + ..)) with s = f / (2 + f), |s| <= 0.172: the terms left out
    // are below 2^-27 of the first.
    let s = f / (2.0f32 + f);
    let s2 = s * s;
    let tail = comptime!(1.0 / 3.0_f32)
        + s2 * (comptime!(1.0 / 5.0_f32) + s2 * (comptime!(1.0 / 7.0_f32) + s2 * comptime!(1.0 / 9.0_f32)));
    let ln = whole * LN_2 + (f - s * (f - 2.0f32 * s2 * tail));
    (-2.0f32 * ln).sqrt()
}

/// Cosine and sine of the angle `2π (a + 1/2) / 2^64` of a number `a = 2^32 high + low`.
#[cube]
pub(super) fn cos_sin(high: u32, low: u32) -> (f32, f32) {
    let quadrant = (high + 0x2000_0000u32) >> 30u32;
    // The distance from the quadrant's middle, as sign and size: |offset + 1/2|.
    let offset = high - (quadrant << 30u32);
    let negative = offset >= HALF;
    let flip = select(negative, 0xffff_ffffu32, 0u32);
    let size = f32::cast_from(offset ^ flip) * 4_294_967_296.0f32 + (f32::cast_from(low ^ flip) + 0.5f32);
    let rest = size * comptime!(FRAC_PI_2 / 4_611_686_018_427_387_904.0_f32);
    let x = select(negative, -rest, rest);
    let x2 = x * x;
    // Cephes' polynomials for |x| <= π/4 (Moshier, "Methods and programs for mathematical functions", 1989), with errors
    // below a unit in the last place.
    let sin = x + x * (x2 * (-1.666_665_5e-1f32 + x2 * (8.332_161e-3f32 + x2 * -1.951_529_6e-4f32)));
    let cos =
        (1.0f32 - 0.5f32 * x2) + x2 * x2 * (4.166_664_6e-2f32 + x2 * (-1.388_731_6e-3f32 + x2 * 2.443_315_7e-5f32));

    let odd = (quadrant & 1u32) == 1u32;
    let cosine = select(odd, sin, cos);
    let sine = select(odd, cos, sin);
    let cosine_turned = ((quadrant + 1u32) & 2u32) == 2u32;
    let sine_turned = (quadrant & 2u32) == 2u32;
    (select(cosine_turned, -cosine, cosine), select(sine_turned, -sine, sine))
}

#[cfg(test)]
mod tests {
    use super::super::adapter::on_adapter;
    use super::*;

    /// Of each four words, digits of a distance, the radius near 0 and near 1.
    #[cube(launch)]
    fn radii(digits: &[u32], found: &mut [f32]) {
        let i = ABSOLUTE_POS;
        if i < found.len() / 2 {
            let distance = Fraction {
                digit_0: digits[4 * i],
                digit_1: digits[4 * i + 1],
                digit_2: digits[4 * i + 2],
                digit_3: digits[4 * i + 3],
            };
            found[2 * i] = radius(false, &distance);
            found[2 * i + 1] = radius(true, &distance);
        }
    }

    #[test]
    fn radii_are_those_of_exact_arithmetic_at_every_distance_from_an_end() {
        on_adapter("radii_are_those_of_exact_arithmetic_at_every_distance_from_an_end", |adapter| {
            // 1, 2 and a dense number of every length; all zeros; below 1/√2 near 0, and 1 - 1/√2 near 1.
            let mut numbers: Vec<u128> = vec![0, 1];
            for bit in 0..126 {
                let dense = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C834_u128 >> (127 - bit);
                numbers.extend([1 << bit, dense, (1 << bit) - 1]);
            }
            let digits: Vec<u32> = numbers
                .iter()
                .flat_map(|n| [(n >> 96) as u32, (n >> 64) as u32, (n >> 32) as u32, *n as u32])
                .collect();
            let count = 2 * numbers.len();
            let (from, (output, to)) = (adapter.input(&digits), adapter.output(count));
            radii::launch(
                adapter.client(),
                CubeCount::Static(count as u32 / 64 + 1, 1, 1),
                CubeDim::new_1d(32),
                from,
                to,
            );
            let found: Vec<f32> = adapter.read(output).into_iter().map(f32::from_bits).collect();
            for (n, found) in numbers.iter().zip(found.chunks_exact(2)) {
                let distance = (*n as f64 + 0.5) * 2.0_f64.powi(-128);
                let least = 2.0_f64.powi(-62);
                for (found, ln) in found.iter().zip([distance.ln(), (-distance).ln_1p()]) {
                    let expected = (-2.0 * ln).sqrt();
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error <= TOLERANCE * expected || expected < least, "{n:#x}: {found} against {expected}");
                    assert!(*found > 0.0 && (expected > least || *found < 2.0 * least as f32), "{n:#x}: {found}");
                }
            }
        });
    }

    /// Of each two words, low first, cosine and sine.
    #[cube(launch)]
    fn turns(numbers: &[u32], found: &mut [f32]) {
        let i = ABSOLUTE_POS;
        if i < numbers.len() / 2 {
            let (cosine, sine) = cos_sin(numbers[2 * i + 1], numbers[2 * i]);
            found[2 * i] = cosine;
            found[2 * i + 1] = sine;
        }
    }

    #[test]
    fn cosine_and_sine_keep_relative_accuracy_around_the_axes() {
        on_adapter("cosine_and_sine_keep_relative_accuracy_around_the_axes", |adapter| {
            // From each axis, and from each diagonal, distances of every size to both sides.
            let near = (0..62).flat_map(|bit| [(1_u64 << bit) - 1, 0x9E37_79B9_7F4A_7C15 >> (63 - bit)]);
            let numbers: Vec<u64> = near
                .flat_map(|distance| {
                    (0..8_u64).flat_map(move |turn| {
                        let from = turn << 61;
                        [from.wrapping_add(distance), from.wrapping_sub(distance + 1)]
                    })
                })
                .collect();
            let words: Vec<u32> = numbers.iter().flat_map(|n| [*n as u32, (n >> 32) as u32]).collect();
            let (from, (output, to)) = (adapter.input(&words), adapter.output(words.len()));
            turns::launch(
                adapter.client(),
                CubeCount::Static(numbers.len() as u32 / 32 + 1, 1, 1),
                CubeDim::new_1d(32),
                from,
                to,
            );
            let found: Vec<f32> = adapter.read(output).into_iter().map(f32::from_bits).collect();
            for (n, found) in numbers.iter().zip(found.chunks_exact(2)) {
                // The angle from its quadrant's middle, so that the reference keeps relative accuracy too.
                let quadrant = n.wrapping_add(1 << 61) >> 62;
                let offset = n.wrapping_sub(quadrant << 62) as i64;
                let (sin, cos) = ((offset as f64 + 0.5) * (std::f64::consts::TAU / 2.0_f64.powi(64))).sin_cos();
                let expected = [[cos, sin], [-sin, cos], [-cos, -sin], [sin, -cos]][quadrant as usize];
                for (found, expected) in found.iter().zip(expected) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(error <= 0.5 * TOLERANCE * expected.abs(), "{n:#x}: {found} against {expected}");
                }
            }
        });
    }
}
