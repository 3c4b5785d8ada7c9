//! The whole part `k` of a normal value's size, before it is accepted: exactly in proportion to `exp(-k^2 / 2)`.

use num_bigint::{BigInt, BigUint};

use super::uniform::{Digits, Uniform};

/// `floor(F(k) 2^64)` of the distribution function `F(k) = sum_(i <= k) exp(-i^2 / 2) / sum_i exp(-i^2 / 2)`.
///
/// A test computes them again, from the bounds that decide where these don't.
const CUMULATIVE: [u64; 10] = [
    0x9202_5B19_482C_E72B,
    0xEA91_7985_47A0_EF93,
    0xFE54_15C6_E9DA_4BAE,
    0xFFF3_5233_1990_8C11,
    0xFFFF_DC31_B8EF_5942,
    0xFFFF_FFDA_A2D7_2344,
    0xFFFF_FFFF_F1A2_0DA4,
    0xFFFF_FFFF_FFFD_F76C,
    0xFFFF_FFFF_FFFF_FFE4,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Draws `k` by comparing one uniform number with the distribution function, from one digit where that decides.
pub(super) fn draw<D: Digits>(digits: &mut D) -> u64 {
    let mut uniform = Uniform::draw(digits);
    let first = uniform.first();
    for (k, cumulative) in (0..).zip(CUMULATIVE) {
        // What is below F(k), by one digit, and what is at least F(k).
        let cumulative = cumulative >> (64 - D::BITS);
        if first < cumulative {
            return k;
        }
        if first == cumulative {
            break;
        }
    }
    by_more_digits(&mut uniform, digits)
}

fn by_more_digits<D: Digits>(uniform: &mut Uniform, digits: &mut D) -> u64 {
    let (mut k, mut count) = (0, 2);
    loop {
        let leading = uniform.leading(digits, count);
        let [low, high] = cumulative_bounds(k, count as u32 * D::BITS);
        // The number is in [leading, leading + 1) of the last digit's units, the distribution function in [low, high].
        if leading < low {
            return k;
        }
        if leading >= high {
            k += 1;
        } else {
            count += 1;
        }
    }
}

/// Whole numbers at and below, and at and above, `F(k) 2^bits`.
fn cumulative_bounds(k: u64, bits: u32) -> [BigUint; 2] {
    // Products and quotients are rounded below: 64 bits more than asked for leave room for that.
    let fine = bits + 64;
    let [low, high] = root_of_inverse_e(fine);
    let (mut below, mut above) = (Sums::default(), Sums::default());
    // exp(-i^2 / 2) from its predecessor: the exponent grows by i - 1/2, a factor of the root i + (i - 1) times.
    let one = BigUint::from(1_u8) << fine;
    let (mut term_low, mut term_high) = (one.clone(), one);
    let mut i = 0;
    loop {
        below.add(&term_low, i <= k);
        above.add(&term_high, i <= k);
        // The terms after this one are each below its half.
        if i > k && term_low == BigUint::ZERO {
            above.total += &term_high;
            break;
        }
        for _ in 0..2 * i + 1 {
            term_low = (term_low * &low) >> fine;
            term_high = ((term_high * &high) >> fine) + 1_u8;
        }
        i += 1;
    }
    [(below.to_k << bits) / above.total, (above.to_k << bits) / below.total + 1_u8]
}

#[derive(Default)]
struct Sums {
    to_k: BigUint,
    total: BigUint,
}

impl Sums {
    fn add(&mut self, term: &BigUint, to_k: bool) {
        self.total += term;
        if to_k {
            self.to_k += term;
        }
    }
}

/// Bounds of `exp(-1/2) 2^bits`, from its alternating series.
fn root_of_inverse_e(bits: u32) -> [BigUint; 2] {
    let mut term = BigUint::from(1_u8) << bits;
    let (mut sum, mut terms) = (BigInt::ZERO, 0_u32);
    while term != BigUint::ZERO {
        let signed = BigInt::from(term.clone());
        if terms % 2 == 0 {
            sum += signed
        } else {
            sum -= signed
        }
        terms += 1;
        term /= 2 * terms;
    }
    // Each term was rounded below by less than the terms before it lost, plus one: in all below two units a term.
    let slack = 2 * terms + 2;
    [sum.clone() - slack, sum + slack].map(|bound| bound.to_biguint().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_what_the_series_says() {
        for (k, cumulative) in CUMULATIVE.into_iter().enumerate() {
            let [low, high] = cumulative_bounds(k as u64, 128);
            let both = [low, high].map(|bound| bound >> 64_u32);
            assert_eq!(both, [BigUint::from(cumulative), BigUint::from(cumulative)], "{k}");
        }
    }

    #[test]
    fn bounds_enclose_and_narrow() {
        for k in [0, 1, 5, 30] {
            let [low, high] = cumulative_bounds(k, 300);
            assert!(low < high && &high - &low < BigUint::from(8_u8), "{k}: {low} {high}");
        }
        let [low, high] = root_of_inverse_e(53);
        let unit = 2_f64.powi(53);
        let [low, high] = [low, high].map(|bound| u64::try_from(bound).unwrap() as f64 / unit);
        let root = (-0.5_f64).exp();
        assert!(low < root && root < high && high - low < 1e-13, "{low} {root} {high}");
    }
}
