//! A uniform real number, of which as many digits exist as were asked for.

use num_bigint::BigUint;

/// Where digits come from: each is uniform on `0 .. 2^BITS` and independent of all others.
pub(super) trait Digits {
    /// Bits of a digit, at most 64. The sampler uses 32; tests use few, so that one digit seldom decides.
    const BITS: u32;

    /// How many digits rounding looks at first: one or two, of 64 bits together at most.
    const ROUNDED_FROM: usize = 1;

    fn next(&mut self) -> u64;
}

/// A real number of [0, 1), uniform.
///
/// Its first digit is drawn at once, every further one when a comparison or a rounding needs it. So nothing is ever rounded
/// away: what is decided from the digits is what the real number decides.
pub(super) struct Uniform {
    first: u64,
    second: Option<u64>,
    /// The digits after the second, which hardly ever exist.
    more: Vec<u64>,
}

impl Uniform {
    #[inline]
    pub(super) fn draw(digits: &mut impl Digits) -> Self {
        Self { first: digits.next(), second: None, more: Vec::new() }
    }

    /// `floor(x 2^BITS)`.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// `floor(x 2^(ROUNDED_FROM BITS))`.
    #[inline]
    pub(super) fn leading_word<D: Digits>(&mut self, digits: &mut D) -> u64 {
        if D::ROUNDED_FROM == 1 { self.first } else { (self.first << D::BITS) + self.second(digits) }
    }

    /// `floor(x 2^(count BITS))`, for a count of at least 2.
    pub(super) fn leading<D: Digits>(&mut self, digits: &mut D, count: usize) -> BigUint {
        let leading = (BigUint::from(self.first) << D::BITS) + self.second(digits);
        while self.more.len() + 2 < count {
            self.more.push(digits.next());
        }
        let rest = self.more.iter().take(count - 2);
        rest.fold(leading, |leading, digit| (leading << D::BITS) + *digit)
    }

    #[inline]
    fn second(&mut self, digits: &mut impl Digits) -> u64 {
        *self.second.get_or_insert_with(|| digits.next())
    }
}
