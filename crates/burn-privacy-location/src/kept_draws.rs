//! Draws that are kept: the same for one mask, subject, period and place, without a file of draws.

use hmac::Mac;
use zeroize::Zeroize;

use super::mask::PointMask;
use super::place::Place;
use super::randomness::PointRandomness;
use burn_privacy_anonymize::pseudonym::{PseudonymKey, keyed};

/// Draws that are kept: the same mask, subject, period and place have the same randomness, without a file of draws.
///
/// The place is part of what is drawn for: one noise vector on two places would show how far apart they are. So is the mask with
/// all its parameters: one noise vector at two scales would show the place.
pub struct KeptDraws {
    key: [u8; 32],
}

impl KeptDraws {
    /// Draws under a secret key (`burn-privacy anonymize key`). Whoever has it undoes every mask made under it.
    pub fn new(key: &PseudonymKey) -> Self {
        Self { key: key.derive("places", "draws") }
    }

    /// What a mask releases for a subject at a place within a period: the same each time; none as [`PointMask::mask`] says.
    ///
    /// Subject and period are bytes: names in an encoding that is not UTF-8 stay apart.
    pub fn report(
        &self,
        mask: &dyn PointMask,
        subject: impl AsRef<[u8]>,
        period: impl AsRef<[u8]>,
        place: Place,
    ) -> Option<Place> {
        self.report_checked(mask, subject.as_ref(), period.as_ref(), place).0
    }

    /// As [`Self::report`], with the second number of [`PointMask::mask_checked`].
    pub(super) fn report_checked(
        &self,
        mask: &dyn PointMask,
        subject: &[u8],
        period: &[u8],
        place: Place,
    ) -> (Option<Place>, u64) {
        mask.mask_checked(place, &self.randomness(&mask.parameters(), subject, period, mask.drawn_for(place)))
    }

    /// The randomness of one mask for a subject at a place (two numbers that name it) within a period.
    fn randomness(&self, mask: &[u64], subject: &[u8], period: &[u8], place: [u64; 2]) -> PointRandomness {
        let mut mac = keyed(&self.key);
        // Lengths first, so that no two lists of parts run together to the same bytes.
        mac.update(&(mask.len() as u64).to_le_bytes());
        for number in mask {
            mac.update(&number.to_le_bytes());
        }
        for bytes in [subject, period] {
            mac.update(&(bytes.len() as u64).to_le_bytes());
            mac.update(bytes);
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
    use std::sync::Arc;

    use super::super::cell_response::CellResponse;
    use super::super::geodesy::{azimuth, distance};
    use super::super::population::Population;
    use super::super::radial::Disc;
    use super::*;

    #[test]
    fn a_kept_draw_is_the_same_for_subject_period_and_place_alone() {
        let key = PseudonymKey::from_hex(&"17".repeat(32)).unwrap();
        let draws = KeptDraws::new(&key);
        let words = |subject: &str, period: &str, place| {
            draws.randomness(&[1], subject.as_bytes(), period.as_bytes(), place).words
        };
        let first = words("ada", "2026-11", [1, 2]);
        assert_eq!(first, KeptDraws::new(&key).randomness(&[1], b"ada", b"2026-11", [1, 2]).words);
        assert_ne!(first, draws.randomness(&[2], b"ada", b"2026-11", [1, 2]).words);
        for other in [
            words("bob", "2026-11", [1, 2]),
            words("ada", "2026-12", [1, 2]),
            words("ada", "2026-11", [2, 1]),
            words("ada2", "026-11", [1, 2]),
        ] {
            assert_ne!(first, other);
        }
        // Two names of Latin-1 are no UTF-8, and two people all the same.
        let of_bytes = |subject: &[u8]| draws.randomness(&[1], subject, b"2026-11", [1, 2]).words;
        assert_ne!(of_bytes(b"Ren\xe9"), of_bytes(b"Ren\xe8"));
    }

    #[test]
    fn masks_with_other_parameters_have_other_coins() {
        let key = PseudonymKey::from_hex(&"17".repeat(32)).unwrap();
        let draws = KeptDraws::new(&key);
        let place = Place::new(51.5, -0.12).unwrap();
        let moved = |mask: &dyn PointMask, subject: usize| {
            let report = draws.report(mask, subject.to_string(), "2026", place).unwrap();
            (azimuth(place, report), distance(place, report))
        };
        // Two radii that share a direction and a quantile would give the place away.
        let (near, far) = (Disc::new(100.0).unwrap(), Disc::new(200.0).unwrap());
        for subject in 0..50 {
            let ((near, short), (far, long)) = (moved(&near, subject), moved(&far, subject));
            assert!((near - far).abs() > 1e-6 && (long / short - 2.0).abs() > 1e-9, "{subject}");
        }
        // Two answers about one cell agree as seldom as independent ones do: with common coins they agree in over 75 of 100.
        let cells: Vec<_> = (0..4).map(|i| (Place::new(50.0 + f64::from(i), 0.0).unwrap(), 1.0)).collect();
        let cells = Arc::new(Population::new(cells).unwrap());
        let [weak, strong] = [0.01, 0.02].map(|epsilon| CellResponse::new(Arc::clone(&cells), epsilon).unwrap());
        let agree = (0..1_000).filter(|&subject| moved(&weak, subject) == moved(&strong, subject)).count();
        assert!(agree < 350, "{agree} of 1,000 answers agree");
    }
}
