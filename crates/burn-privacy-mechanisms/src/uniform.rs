//! Uniform numbers: for everything that is not secret (validators, tests, initial weights), and for mechanisms.

use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose};

/// Fills `out` with uniform numbers of the open interval (0, 1).
///
/// Element `first_element + i` lands in `out[i]` and depends only on `(key, purpose, step, first_element + i)`. It is
/// `(k + 1/2) · 2^-53` with `k` the top 53 bits of its 64-bit number (layout in [`stream`](crate::stream)), rounded
/// to even where that needs a 54th bit, so that `2^-54 <= x <= 1 - 2^-53`.
///
/// # Errors
///
/// [`MechanismError::SecretPurpose`] for a purpose that [is secret](Purpose::is_secret);
/// [`MechanismError::StepOutOfRange`]; [`MechanismError::ElementOutOfRange`] if the elements run past `u64::MAX`.
pub fn fill_uniform(
    key: &PrivacyKey,
    purpose: Purpose,
    step: u64,
    first_element: u64,
    out: &mut [f64],
) -> Result<(), MechanismError> {
    if purpose.is_secret() {
        return Err(MechanismError::SecretPurpose { purpose });
    }
    fill(key, purpose, step, first_element, out, open_unit)
}

/// As [`fill_uniform`], for the coins and the noise of a mechanism: numbers that must stay unknown.
///
/// # Errors
///
/// [`MechanismError::OtherPurpose`] for any purpose but [`Purpose::InputPerturbation`],
/// [`Purpose::OutputPerturbation`] and [`Purpose::Assignment`] ([`Purpose::Sampling`] and [`Purpose::Noise`] have
/// functions of their own); the others as [`fill_uniform`].
pub fn fill_secret_uniform(
    key: &PrivacyKey,
    purpose: Purpose,
    step: u64,
    first_element: u64,
    out: &mut [f64],
) -> Result<(), MechanismError> {
    match purpose {
        Purpose::InputPerturbation | Purpose::OutputPerturbation | Purpose::Assignment => {
            fill(key, purpose, step, first_element, out, open_unit)
        }
        _ => Err(MechanismError::OtherPurpose { purpose }),
    }
}

/// As [`fill_secret_uniform`], but the 64-bit numbers themselves: for mechanisms that need more bits than a float holds.
///
/// Element `first_element + i` lands in `out[i]` and is the one whose top 53 bits [`fill_secret_uniform`] gives.
///
/// # Errors
///
/// As [`fill_secret_uniform`].
pub fn fill_secret_words(
    key: &PrivacyKey,
    purpose: Purpose,
    step: u64,
    first_element: u64,
    out: &mut [u64],
) -> Result<(), MechanismError> {
    let (Purpose::InputPerturbation | Purpose::OutputPerturbation | Purpose::Assignment) = purpose else {
        return Err(MechanismError::OtherPurpose { purpose });
    };
    fill(key, purpose, step, first_element, out, |word| word)
}

/// Fills `out` with what `of_word` makes of the elements' 64-bit numbers.
fn fill<T>(
    key: &PrivacyKey,
    purpose: Purpose,
    step: u64,
    first_element: u64,
    out: &mut [T],
    of_word: impl Fn(u64) -> T,
) -> Result<(), MechanismError> {
    check_elements(first_element, out.len())?;
    let mut stream = KeyStream::open(key, purpose, step, 2 * u128::from(first_element))?;
    let mut bytes = [0_u8; 8];
    for value in out {
        stream.read(&mut bytes);
        *value = of_word(u64::from_le_bytes(bytes));
    }
    Ok(())
}

/// A 64-bit number as a point of (0, 1), as [`fill_uniform`] documents.
fn open_unit(bits: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
    // Near 1 the half is rounded to even; the largest k is odd, and would round up to 1 itself.
    (((bits >> 11) as f64 + 0.5) * UNIT).min(1.0 - UNIT)
}

/// Checks that `count` elements from `first` on have indices that fit 64 bits.
pub(crate) fn check_elements(first: u64, count: usize) -> Result<(), MechanismError> {
    let last = u64::MAX;
    match u64::try_from(count).ok().and_then(|n| first.checked_add(n)) {
        Some(_) => Ok(()),
        None => Err(MechanismError::ElementOutOfRange { first, count, last: last - 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::reference_words;

    #[test]
    fn numbers_follow_the_documented_layout() {
        let key = PrivacyKey::from_bytes([3; 32]);
        let mut numbers = [0.0; 100];
        fill_uniform(&key, Purpose::Testing, 4, 1_001, &mut numbers).unwrap();
        let words = reference_words(&key, (6 << 56) + 4, 2_002, 200);
        for (x, w) in numbers.iter().zip(words.chunks_exact(2)) {
            let bits = u64::from(w[0]) | (u64::from(w[1]) << 32);
            assert_eq!(*x, ((bits >> 11) as f64 + 0.5) / 2.0_f64.powi(53));
        }
    }

    #[test]
    fn the_ends_are_never_reached() {
        assert_eq!(open_unit(0), 2.0_f64.powi(-54));
        assert_eq!(open_unit(u64::MAX), 1.0 - 2.0_f64.powi(-53));
        assert_eq!(open_unit(1 << 63), 0.5);
    }

    #[test]
    fn secret_streams_are_not_given_out() {
        let key = PrivacyKey::from_bytes([3; 32]);
        for purpose in [Purpose::Sampling, Purpose::Noise] {
            let error = fill_uniform(&key, purpose, 0, 0, &mut [0.0]).unwrap_err();
            assert_eq!(error, MechanismError::SecretPurpose { purpose });
        }
        assert!(fill_uniform(&key, Purpose::Testing, 0, u64::MAX, &mut [0.0]).is_err());
        assert!(fill_uniform(&key, Purpose::Testing, u64::MAX, 0, &mut [0.0]).is_err());
    }

    #[test]
    fn secret_numbers_are_for_mechanisms_only() {
        let key = PrivacyKey::draw(crate::Entropy::seeded(1)).unwrap();
        let mut out = [0.0; 4];
        for purpose in [Purpose::Sampling, Purpose::Noise, Purpose::Testing] {
            let error = fill_secret_uniform(&key, purpose, 0, 0, &mut out).unwrap_err();
            assert_eq!(error, MechanismError::OtherPurpose { purpose });
        }
        fill_secret_uniform(&key, Purpose::InputPerturbation, 0, 0, &mut out).unwrap();
        assert!(out.iter().all(|x| *x > 0.0 && *x < 1.0));
        let mut words = [0; 4];
        fill_secret_words(&key, Purpose::InputPerturbation, 0, 0, &mut words).unwrap();
        assert_eq!(words.map(open_unit), out);
        assert!(fill_secret_words(&key, Purpose::Noise, 0, 0, &mut words).is_err());
        let error = fill_uniform(&key, Purpose::InputPerturbation, 0, 0, &mut out).unwrap_err();
        assert_eq!(error, MechanismError::SecretPurpose { purpose: Purpose::InputPerturbation });
    }
}
