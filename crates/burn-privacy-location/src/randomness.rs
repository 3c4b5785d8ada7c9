//! The random bits of one point.

use burn_privacy_mechanisms::{PrivacyKey, Purpose, fill_secret_words};
use hmac::Mac;
use zeroize::Zeroize;

use super::error::LocationError;
use burn_privacy_anonymize::pseudonym::keyed;

/// 64-bit words that a point has.
const WORDS: usize = 4;
/// `2^-53`.
const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;

/// The coins of one point. Secret: whoever knows them undoes the mask.
///
/// # Layout
///
/// Four 64-bit numbers. Fresh: elements `4 · row` to `4 · row + 3` of the stream
/// ([`InputPerturbation`](Purpose::InputPerturbation), step 0) of a key that serves nothing else. Kept: HMAC-SHA-256 under a
/// key of the domain of places, of subject, period and place.
pub struct PointRandomness {
    pub(super) words: [u64; WORDS],
}

impl PointRandomness {
    /// The randomness of a row: a pure function of `(key, row)`.
    ///
    /// # Errors
    ///
    /// [`LocationError::Mechanism`] for a row beyond 2^62 - 1.
    pub fn fresh(key: &PrivacyKey, row: u64) -> Result<Self, LocationError> {
        Ok(Self::fresh_rows(key, row, 1)?.swap_remove(0))
    }

    /// The randomness of `count` rows from `first` on: as [`Self::fresh`], and much faster.
    ///
    /// # Errors
    ///
    /// As [`Self::fresh`].
    pub fn fresh_rows(key: &PrivacyKey, first: u64, count: usize) -> Result<Vec<Self>, LocationError> {
        let mut words = vec![0; WORDS * count];
        let first = first.saturating_mul(WORDS as u64);
        fill_secret_words(key, Purpose::InputPerturbation, 0, first, &mut words)?;
        let all = words.as_chunks::<WORDS>().0.iter().map(|&words| Self { words }).collect();
        words.zeroize();
        Ok(all)
    }

    /// 128 bits as a number of (0, 1) and its complement, both with a relative error of `2^-53`: the smaller of the two is
    /// never rounded to nothing.
    pub(super) fn wide_unit(&self) -> (f64, f64) {
        let bits = (u128::from(self.words[0]) << 64) | u128::from(self.words[1]);
        let as_unit = |bits: u128| (bits as f64 + 0.5) / 2.0_f64.powi(128);
        (as_unit(bits), as_unit(!bits))
    }

    /// A direction: radians of [0, 2 pi), from 53 bits.
    pub(super) fn angle(&self) -> f64 {
        std::f64::consts::TAU * ((self.words[2] >> 11) as f64 * UNIT)
    }

    /// Two words, for coins with thresholds of 64 bits.
    pub(super) fn coins(&self) -> [u64; 2] {
        [self.words[0], self.words[1]]
    }

    /// The last word: for choices out of few.
    pub(super) fn word(&self) -> u64 {
        self.words[3]
    }

    /// Other randomness that depends on this one alone, for another attempt.
    pub(super) fn again(&self, attempt: u64) -> Self {
        let mut key = [0; 8 * WORDS];
        for (bytes, word) in key.chunks_exact_mut(8).zip(self.words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut mac = keyed(&key);
        key.zeroize();
        mac.update(b"burn-privacy places: another attempt");
        mac.update(&attempt.to_le_bytes());
        Self::of_bytes(mac.finalize().into_bytes().into())
    }

    /// The randomness of 32 secret bytes.
    pub(super) fn of_bytes(mut bytes: [u8; 32]) -> Self {
        let mut words = [0; WORDS];
        for (word, eight) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*eight);
        }
        bytes.zeroize();
        Self { words }
    }
}

impl Drop for PointRandomness {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}

impl std::fmt::Debug for PointRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PointRandomness(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::Entropy;

    use super::*;

    #[test]
    fn rows_have_randomness_of_their_own_however_it_is_drawn() {
        let key = PrivacyKey::draw(Entropy::seeded(3)).unwrap();
        let many = PointRandomness::fresh_rows(&key, 100, 20).unwrap();
        for (place, one) in many.iter().enumerate() {
            assert_eq!(one.words, PointRandomness::fresh(&key, 100 + place as u64).unwrap().words);
        }
        let mut all: Vec<u64> = many.iter().flat_map(|one| one.words).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 80);
        assert!(PointRandomness::fresh(&key, u64::MAX / 2).is_err());
        assert_ne!(many[0].again(0).words, many[0].again(1).words);
    }

    #[test]
    fn the_ends_of_the_unit_interval_are_never_reached() {
        let of = |first, second| PointRandomness { words: [first, second, u64::MAX, u64::MAX] };
        let (low, high) = of(0, 0).wide_unit();
        assert!(low == 2.0_f64.powi(-129) && high == 1.0);
        let (_, complement) = of(u64::MAX, u64::MAX).wide_unit();
        assert!(complement == 2.0_f64.powi(-129));
        assert!(of(0, 0).angle() < std::f64::consts::TAU);
    }
}
