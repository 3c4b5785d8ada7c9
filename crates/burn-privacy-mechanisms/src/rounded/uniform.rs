//! A uniform real number, of which as many digits exist as were asked for.

use num_bigint::BigUint;

/// Where digits come from: each is uniform on `0 .. 2^BITS` and independent of all others.
pub(super) trait Digits {
    /// Bits of a digit, at most 64. The sampler uses 64; tests use few, so that one digit seldom decides.
    const BITS: u32;

    fn next(&mut self) -> u64;
}

/// A real number of [0, 1), uniform.
///
/// Its first digit is drawn at once, every further one when a comparison or a rounding needs it. So nothing is ever rounded
/// away: what is decided from the digits is what the real number decides.
pub(super) struct Uniform {
    first: u64,
    /// The digits after the first, which hardly ever exist.
    more: Vec<u64>,
}

impl Uniform {
    pub(super) fn draw(digits: &mut impl Digits) -> Self {
        Self { first: digits.next(), more: Vec::new() }
    }

    /// `floor(x 2^BITS)`.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// `floor(x 2^(count BITS))`, for a count of at least 1.
    pub(super) fn leading<D: Digits>(&mut self, digits: &mut D, count: usize) -> BigUint {
        while self.more.len() + 1 < count {
            self.more.push(digits.next());
        }
        let rest = self.more.iter().take(count - 1);
        rest.fold(BigUint::from(self.first), |leading, digit| (leading << D::BITS) + *digit)
    }
}
