//! A standard normal value times a standard deviation, rounded to a whole number: exactly.
//!
//! # Algorithm
//!
//! Karney's algorithm N for the normal distribution ("Sampling exactly from the normal distribution", ACM Transactions on
//! Mathematical Software 42, 2016): the size is `k + x` with a whole `k` in proportion to `exp(-k^2 / 2)` and a uniform `x` in
//! [0, 1), accepted with probability `exp(-x (2 k + x) / 2)`; else both are drawn anew. The density of what is accepted is in
//! proportion to `exp(-k^2 / 2 - x (2 k + x) / 2) = exp(-(k + x)^2 / 2)`. The sign is a fair coin.
//!
//! The probability is the product of `k + 1` equal ones, `exp(-g)` with `g = x (2 k + x) / (2 (k + 1))` below 1. A coin of
//! probability `exp(-g)` is made from uniform numbers alone (von Neumann's idea, as in Canonne, Kamath and Steinke 2020, algorithm
//! 1): numbers `u_1, u_2, ..` are drawn as long as `u_j < g / j`. That at least `n` are below has probability `g^n / n!`, so that an
//! even number is with probability `1 - g + g^2 / 2 - .. = exp(-g)`.
//!
//! Every comparison is one of real numbers given by their binary digits, decided on whole numbers from intervals, with more digits
//! drawn until it is decided. No number is rounded, and no floating-point operation is made.

use num_bigint::BigUint;

use super::uniform::{Digits, Uniform};
use super::whole_part;

/// A positive number of the form `mantissa 2^exponent`: what an `f64` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    /// Below 2^53.
    mantissa: u64,
    exponent: i32,
}

impl Scale {
    /// Of a positive, normal `f64`.
    pub(super) fn of(value: f64) -> Self {
        const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = value.to_bits();
        let mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) | (1 << MANTISSA_BITS);
        let exponent = (bits >> MANTISSA_BITS) as i32 & 0x7FF;
        Self { mantissa, exponent: exponent - 1075 }
    }
}

/// The nearest whole number to `scale` times the size of a standard normal value; a coin for the sign is the caller's.
pub(super) fn rounded_size<D: Digits>(digits: &mut D, scale: Scale) -> u128 {
    loop {
        let k = whole_part::draw(digits);
        let mut x = Uniform::draw(digits);
        if (0..=k).all(|_| accepts(digits, k, &mut x)) {
            return rounded(digits, k, &mut x, scale);
        }
    }
}

/// A coin of probability `exp(-x (2 k + x) / (2 (k + 1)))`.
fn accepts<D: Digits>(digits: &mut D, k: u64, x: &mut Uniform) -> bool {
    let mut below = 0;
    loop {
        let mut u = Uniform::draw(digits);
        if !is_below(digits, &mut u, 2 * (k + 1) * (below + 1), k, x) {
            return below % 2 == 0;
        }
        below += 1;
    }
}

/// Whether `factor u < x (2 k + x)`.
///
/// With `n` digits, in units of the last, `u` is in `[U, U + 1)` and `x` in `[X, X + 1)`. Then the left side is in
/// `[factor U, factor U + factor)`, and the right side in `[R, R + 2 k + 3)` with `R = 2 k X + floor(X^2 / 2^(n BITS))`.
#[inline]
fn is_below<D: Digits>(digits: &mut D, u: &mut Uniform, factor: u64, k: u64, x: &mut Uniform) -> bool {
    let wide = |value: u64| u128::from(value);
    if factor < 1 << 32 {
        let left = wide(factor) * wide(u.first());
        let right = wide(2 * k) * wide(x.first()) + ((wide(x.first()) * wide(x.first())) >> D::BITS);
        if left + wide(factor) <= right {
            return true;
        }
        if left >= right + wide(2 * k + 3) {
            return false;
        }
    }
    is_below_by_more_digits(digits, u, factor, k, x)
}

#[cold]
fn is_below_by_more_digits<D: Digits>(digits: &mut D, u: &mut Uniform, factor: u64, k: u64, x: &mut Uniform) -> bool {
    for count in 2.. {
        let (u, x) = (u.leading(digits, count), x.leading(digits, count));
        let left = u * factor;
        let right = &x * (2 * k) + ((&x * &x) >> (count as u64 * u64::from(D::BITS)));
        if &left + factor <= right {
            return true;
        }
        if left >= right + (2 * k + 3) {
            return false;
        }
    }
    unreachable!("a range without an end")
}

/// `floor(scale (k + x) + 1/2)`.
///
/// With `n` digits, `scale (k + x)` is in `[P, P + mantissa) / 2^s` for `P = mantissa (k 2^(n BITS) + X)` and
/// `s = n BITS - exponent`: the whole number is known where both ends have the same.
#[inline]
fn rounded<D: Digits>(digits: &mut D, k: u64, x: &mut Uniform, scale: Scale) -> u128 {
    let bits = D::ROUNDED_FROM as u32 * D::BITS;
    let s = bits as i32 - scale.exponent;
    // 53 bits by 64 and 7.
    if k < 1 << 7 && (1..=122).contains(&s) {
        let leading = x.leading_word(digits);
        let product = u128::from(scale.mantissa) * ((u128::from(k) << bits) + u128::from(leading));
        let low = product + (1 << (s - 1));
        let high = low + u128::from(scale.mantissa - 1);
        if low >> s == high >> s {
            return low >> s;
        }
    }
    rounded_by_more_digits(digits, k, x, scale)
}

#[cold]
fn rounded_by_more_digits<D: Digits>(digits: &mut D, k: u64, x: &mut Uniform, scale: Scale) -> u128 {
    for count in 2.. {
        let bits = count as i32 * D::BITS as i32;
        let s = bits - scale.exponent;
        if s < 1 {
            continue;
        }
        let value = (BigUint::from(k) << bits) + x.leading(digits, count);
        let low = value * scale.mantissa + (BigUint::from(1_u8) << (s - 1));
        let high = &low + (scale.mantissa - 1);
        let [low, high] = [low >> s, high >> s];
        if low == high {
            // A scale of at most 2^60 leaves 67 bits for k, whose probability is below exp(-2^133) there.
            return u128::try_from(low).expect("a normal value below 2^67");
        }
    }
    unreachable!("a range without an end")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digits of so few bits that nearly every decision takes several.
    struct Few<const BITS: u32>(u64);

    impl<const BITS: u32> Digits for Few<BITS> {
        const BITS: u32 = BITS;

        fn next(&mut self) -> u64 {
            // splitmix64
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (z ^ (z >> 31)) >> (64 - BITS)
        }
    }

    /// As the sampler has them.
    struct Pairs(Few<32>);

    impl Digits for Pairs {
        const BITS: u32 = 32;
        const ROUNDED_FROM: usize = 2;

        fn next(&mut self) -> u64 {
            self.0.next()
        }
    }

    /// `P(|z| < x)` from its series, which converges fast for the few standard deviations that are asked for.
    fn within(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / (2.0 * f64::from(n));
            sum += term / f64::from(2 * n + 1);
        }
        sum * (2.0 / std::f64::consts::PI).sqrt()
    }

    /// Chi-square of sizes against the probabilities of the rounded normal, its cells and the bound that it exceeds with a
    /// probability below 1e-7 (Laurent and Massart 2000, x = 16.2).
    fn check<D: Digits>(mut digits: D, std: f64, draws: u32) {
        let scale = Scale::of(std);
        let last = (3.2 * std) as usize + 1;
        let mut counts = vec![0_u32; last + 1];
        for _ in 0..draws {
            counts[usize::try_from(rounded_size(&mut digits, scale)).unwrap().min(last)] += 1;
        }
        let draws = f64::from(draws);
        let mut chi_square = 0.0;
        for (size, count) in counts.iter().enumerate() {
            let from = if size == 0 { 0.0 } else { within((size as f64 - 0.5) / std) };
            let to = if size == last { 1.0 } else { within((size as f64 + 0.5) / std) };
            let expected = (to - from) * draws;
            chi_square += (f64::from(*count) - expected).powi(2) / expected.max(1e-9);
        }
        let freedom = last as f64;
        let bound = freedom + 2.0 * (freedom * 16.2).sqrt() + 2.0 * 16.2;
        assert!(chi_square < bound, "{} bits, std {std}: {chi_square} above {bound}", D::BITS);
    }

    #[test]
    fn rounded_normal_values_have_their_probabilities_from_one_digit_or_many() {
        for std in [1.0, 1.5, 2.73, 7.25] {
            check(Few::<64>(1), std, 200_000);
            check(Few::<32>(2), std, 200_000);
            check(Pairs(Few(5)), std, 200_000);
            check(Few::<4>(3), std, 30_000);
            check(Few::<1>(4), std, 10_000);
        }
    }

    #[test]
    fn one_digit_and_many_round_alike() {
        // The same 64 bits as one digit, and as sixteen of four bits each: the rounding must be the same wherever one digit decides.
        struct Fixed(Vec<u64>);
        impl Digits for Fixed {
            const BITS: u32 = 4;
            fn next(&mut self) -> u64 {
                self.0.pop().unwrap_or(7)
            }
        }
        let mut bits = Few::<64>(9);
        for std in [1.0, 3.7, 2.0_f64.powi(40) * 1.1, 2.0_f64.powi(59)] {
            for k in 0..5 {
                let word = bits.next();
                let nibbles = (0..16).map(|i| (word >> (4 * i)) & 15).collect();
                let mut few = Fixed(nibbles);
                let mut x = Uniform::draw(&mut few);
                let by_few = rounded(&mut few, k, &mut x, Scale::of(std));
                let mut one = Few::<64>(0);
                let mut x = Uniform::draw(&mut { Once(word) });
                assert_eq!(by_few, rounded(&mut one, k, &mut x, Scale::of(std)), "{std} {k} {word:x}");
            }
        }
        struct Once(u64);
        impl Digits for Once {
            const BITS: u32 = 64;
            fn next(&mut self) -> u64 {
                self.0
            }
        }
    }

    #[test]
    fn scales_are_the_numbers_themselves() {
        for value in [1.0, 1.5, 0.1, 2.0_f64.powi(60), 1e12 / 3.0] {
            let Scale { mantissa, exponent } = Scale::of(value);
            assert_eq!(mantissa as f64 * f64::from(exponent).exp2(), value);
            assert!(mantissa < 1 << 53);
        }
    }
}
