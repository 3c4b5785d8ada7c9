//! Draws that are kept: the same for one subject, period and place, without a file of draws.

use hmac::Mac;
use zeroize::Zeroize;

use super::mask::PointMask;
use super::place::Place;
use super::randomness::PointRandomness;
use burn_privacy_anonymize::pseudonym::{PseudonymKey, keyed};

/// Draws that are kept: the same subject, period and place have the same randomness, without a file of draws.
///
/// The place is part of what is drawn for: one noise vector on two places would show how far apart they are.
pub struct KeptDraws {
    key: [u8; 32],
}

impl KeptDraws {
    /// Draws under a secret key (`burn-privacy anonymize key`). Whoever has it undoes every mask made under it.
    #[must_use]
    pub fn new(key: &PseudonymKey) -> Self {
        Self { key: key.derive("places", "draws") }
    }

    /// What a mask releases for a subject at a place within a period: the same each time; none as [`PointMask::mask`] says.
    #[must_use]
    pub fn report(&self, mask: &dyn PointMask, subject: &str, period: &str, place: Place) -> Option<Place> {
        mask.mask(place, &self.randomness(subject, period, mask.drawn_for(place)))
    }

    /// The randomness of a subject at a place (two numbers that name it) within a period.
    pub(super) fn randomness(&self, subject: &str, period: &str, place: [u64; 2]) -> PointRandomness {
        let mut mac = keyed(&self.key);
        for text in [subject, period] {
            mac.update(&(text.len() as u64).to_le_bytes());
            mac.update(text.as_bytes());
        }
        for number in place {
            mac.update(&number.to_le_bytes());
        }
        PointRandomness::of_bytes(mac.finalize().into_bytes().into())
    }
}

impl Drop for KeptDraws {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl std::fmt::Debug for KeptDraws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeptDraws(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_draw_is_the_same_for_subject_period_and_place_alone() {
        let key = PseudonymKey::from_hex(&"17".repeat(32)).unwrap();
        let draws = KeptDraws::new(&key);
        let words = |subject: &str, period: &str, place| draws.randomness(subject, period, place).words;
        let first = words("ada", "2026-11", [1, 2]);
        assert_eq!(first, KeptDraws::new(&key).randomness("ada", "2026-11", [1, 2]).words);
        for other in [
            words("bob", "2026-11", [1, 2]),
            words("ada", "2026-12", [1, 2]),
            words("ada", "2026-11", [2, 1]),
            words("ada2", "026-11", [1, 2]),
        ] {
            assert_ne!(first, other);
        }
    }
}
