//! Gaussian noise from a key stream.

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::box_muller::{BYTES_PER_BLOCK, BYTES_PER_PAIR, PAIRS_PER_BLOCK, normal_pairs};
use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose, stream_number};
use crate::uniform::check_elements;

/// The largest standard normal value that can be drawn, rounded up: `sqrt(2 · 129 · ln 2) = 13.3728…`.
///
/// An ideal Gaussian exceeds it with probability 9e-41, less than the 2^-128 that the radius resolves.
pub const MAX_DEVIATION: f64 = 13.373;

/// 32-bit words of the stream that a pair of values uses.
const WORDS_PER_PAIR: u128 = 6;

/// Values that one task of the thread pool draws. Even, so that no pair is computed twice.
const CHUNK: usize = 1 << 14;

/// Fills `out` with independent Gaussian noise of mean 0 and standard deviation `std`, as `f32`.
///
/// `out[i]` is element `first_element + i` of the step's noise and depends only on `(key, step, first_element + i)`
/// and `std`: not on the number of threads, nor on how a list of tensors is cut. `first_element` is the cumulative
/// index over all tensors of the step, so that no two tensors share noise.
///
/// All arithmetic is in `f64`; `std · z` is rounded once to `f32`.
///
/// # Layout
///
/// Elements `2p` and `2p + 1` are `r cos θ` and `r sin θ` of pair `p`, with `r = sqrt(-2 ln((n + 1/2) / 2^128))` for a
/// 128-bit `n` and `θ = 2π (a + 1/2) / 2^64` for a 64-bit `a`; which words they come from is in
/// [`stream`](crate::stream).
///
/// # Formal guarantees
///
/// For uniform words the values are, up to the rounding of `f64`, independent Gaussians whose tail reaches 13.37
/// ([`MAX_DEVIATION`]) standard deviations: the distribution function of the radius differs from the ideal one by at
/// most 2^-129 anywhere, and that of the angle by at most 2^-65. The result is a float: the crate's documentation says
/// what that does not protect against.
///
/// # Errors
///
/// [`MechanismError::StandardDeviation`] unless `std` is 0 (all zeros: no noise) or lies between the smallest value
/// that `f32` carries with full precision (2^-102, 2e-31) and the largest that cannot overflow (1.3e37);
/// [`MechanismError::StepOutOfRange`]; [`MechanismError::ElementOutOfRange`] if the elements run past `u64::MAX`.
/// On an error `out` is left as it was.
///
/// # Source
///
/// Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958.
pub fn fill_gaussian_f32(
    key: &PrivacyKey,
    step: u64,
    first_element: u64,
    out: &mut [f32],
    std: f64,
) -> Result<(), MechanismError> {
    // 24 bits of precision must remain for values of one standard deviation.
    let smallest = f64::from(f32::MIN_POSITIVE) * 2.0_f64.powi(24);
    check_std(std, "f32", smallest, f64::from(f32::MAX))?;
    fill(key, step, first_element, out, |z| (std * z) as f32)
}

/// Fills `out` with independent Gaussian noise of mean 0 and standard deviation `std`, as `f64`.
///
/// The same noise as [`fill_gaussian_f32`] before its rounding: layout, guarantees and errors are the same, with
/// `std` 0 or between 2^-969 (1e-292) and 1.3e307.
pub fn fill_gaussian_f64(
    key: &PrivacyKey,
    step: u64,
    first_element: u64,
    out: &mut [f64],
    std: f64,
) -> Result<(), MechanismError> {
    check_std(std, "f64", f64::MIN_POSITIVE * 2.0_f64.powi(53), f64::MAX)?;
    fill(key, step, first_element, out, |z| std * z)
}

/// Checks that `std` is 0, or large enough to keep its precision and small enough not to overflow at the tail's end.
fn check_std(std: f64, format: &'static str, smallest: f64, max: f64) -> Result<(), MechanismError> {
    let largest = max / (2.0 * MAX_DEVIATION);
    if std == 0.0 || (smallest..=largest).contains(&std) {
        return Ok(());
    }
    Err(MechanismError::StandardDeviation { std, format, smallest, largest })
}

/// Fills `out` with `make(z)` for the standard normal values `z` of `first .. first + out.len()`.
fn fill<T: Send>(
    key: &PrivacyKey,
    step: u64,
    first: u64,
    out: &mut [T],
    make: impl Fn(f64) -> T + Sync,
) -> Result<(), MechanismError> {
    check_elements(first, out.len())?;
    let stream = stream_number(Purpose::Noise, step)?;
    if out.is_empty() {
        return Ok(());
    }
    // An odd start takes the sine half of a pair; from then on every chunk starts at a pair.
    let (head, rest) = out.split_at_mut(usize::from(first % 2 == 1));
    if let [value] = head {
        let mut both = [0.0; 2];
        fill_from_pair(key, stream, first / 2, &mut both, &|z| z);
        *value = make(both[1]);
    }
    let first_pair = first.div_ceil(2);
    if rest.len() <= CHUNK {
        fill_from_pair(key, stream, first_pair, rest, &make);
    } else {
        rest.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
            fill_from_pair(key, stream, first_pair + (chunk * (CHUNK / 2)) as u64, values, &make);
        });
    }
    Ok(())
}

/// Fills `out` from the cosine half of `pair` on; an odd length drops the last sine half.
fn fill_from_pair<T>(key: &PrivacyKey, stream: u64, pair: u64, out: &mut [T], make: &impl Fn(f64) -> T) {
    let mut reader = KeyStream::at(key, stream, WORDS_PER_PAIR * u128::from(pair));
    let mut bytes = [0_u8; BYTES_PER_BLOCK];
    let mut pairs = [[0.0_f64; 2]; PAIRS_PER_BLOCK];
    let arch = pulp::Arch::new();
    for block in out.chunks_mut(2 * PAIRS_PER_BLOCK) {
        // A short last block leaves old words behind what it reads; their values are not used.
        reader.read(&mut bytes[..BYTES_PER_PAIR * block.len().div_ceil(2)]);
        arch.dispatch(Block { bytes: &bytes, pairs: &mut pairs });
        for (value, &z) in block.iter_mut().zip(pairs.as_flattened()) {
            *value = make(z);
        }
    }
    bytes.zeroize();
    pairs.as_flattened_mut().zeroize();
}

/// [`normal_pairs`] as something to compile for the widest vectors of the machine: the same operations in the same
/// order, none fused, and so the same values.
struct Block<'a> {
    bytes: &'a [u8; BYTES_PER_BLOCK],
    pairs: &'a mut [[f64; 2]; PAIRS_PER_BLOCK],
}

impl pulp::NullaryFnOnce for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        normal_pairs(self.bytes, self.pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::reference_words;

    fn key() -> PrivacyKey {
        PrivacyKey::from_bytes(std::array::from_fn(|i| (7 * i) as u8))
    }

    #[test]
    fn noise_follows_the_documented_layout() {
        // From an independent ChaCha20 and the standard library's functions, words 6p to 6p + 5.
        let (key, step, std) = (key(), 9, 2.5);
        let mut noise = [0.0_f64; 600];
        fill_gaussian_f64(&key, step, 0, &mut noise, std).unwrap();
        let words = reference_words(&key, (2 << 56) + step, 0, 6 * 300);
        for (pair, w) in words.chunks_exact(6).enumerate() {
            let number = |at: usize| u64::from(w[at]) | (u64::from(w[at + 1]) << 32);
            let n = (u128::from(number(0)) << 64) | u128::from(number(2));
            let u = n as f64 / 2.0_f64.powi(128);
            let angle = std::f64::consts::TAU * (number(4) as f64 / 2.0_f64.powi(64));
            let r = std * (-2.0 * u.ln()).sqrt();
            assert!((noise[2 * pair] - r * angle.cos()).abs() < 1e-13, "pair {pair}");
            assert!((noise[2 * pair + 1] - r * angle.sin()).abs() < 1e-13, "pair {pair}");
        }
    }

    #[test]
    fn noise_of_a_known_key_is_frozen() {
        // Bits, so that any change of the layout or of the arithmetic shows on any machine.
        let mut noise = [0.0_f64; 4];
        fill_gaussian_f64(&key(), 9, 0, &mut noise, 1.0).unwrap();
        let frozen = [0x3FB4_B710_8D95_1D61, 0x3FB9_89AB_6943_E36D, 0xBFE8_907C_1FD4_ED16, 0xBFE7_ACB7_B48D_8EF9];
        assert_eq!(noise.map(f64::to_bits), frozen);
    }

    #[test]
    fn every_start_and_every_cut_gives_the_same_elements() {
        let key = key();
        let mut whole = vec![0.0_f32; 2 * CHUNK + 777];
        fill_gaussian_f32(&key, 1, 0, &mut whole, 3.0).unwrap();
        for first in [0, 1, 2, 3, 127, 128, 129, CHUNK - 1, CHUNK, CHUNK + 1, whole.len() - 1, whole.len()] {
            for length in [0, 1, 2, 3, 127, 128, 129, 255, CHUNK - 1, CHUNK + 5] {
                let end = (first + length).min(whole.len());
                let mut part = vec![0.0_f32; end - first];
                fill_gaussian_f32(&key, 1, first as u64, &mut part, 3.0).unwrap();
                assert_eq!(part, whole[first..end], "{first} + {length}");
            }
        }
    }

    #[test]
    fn single_precision_is_the_rounded_double() {
        let (mut single, mut double) = ([0.0_f32; 1_000], [0.0_f64; 1_000]);
        fill_gaussian_f32(&key(), 5, 33, &mut single, 0.7).unwrap();
        fill_gaussian_f64(&key(), 5, 33, &mut double, 0.7).unwrap();
        assert!(single.iter().zip(double).all(|(&s, d)| s == d as f32));
    }

    #[test]
    fn the_far_end_of_the_numbering_works_and_beyond_is_refused() {
        let mut two = [0.0_f64; 2];
        let key = key();
        fill_gaussian_f64(&key, 0, u64::MAX - 2, &mut two, 1.0).unwrap();
        assert!(two.iter().all(|z| z.abs() < MAX_DEVIATION && *z != 0.0));
        let error = fill_gaussian_f64(&key, 0, u64::MAX - 1, &mut two, 1.0).unwrap_err();
        assert!(matches!(error, MechanismError::ElementOutOfRange { count: 2, .. }), "{error}");
    }

    #[test]
    fn standard_deviations_that_cannot_be_drawn_are_refused_and_touch_nothing() {
        let key = key();
        let mut out = [7.0_f32; 3];
        for std in [f64::NAN, f64::INFINITY, -1.0, 1e-35, 1e38, f64::NEG_INFINITY, -0.5] {
            let error = fill_gaussian_f32(&key, 0, 0, &mut out, std).unwrap_err();
            assert!(matches!(error, MechanismError::StandardDeviation { format: "f32", .. }), "{error}");
        }
        assert!(fill_gaussian_f32(&key, 1 << 56, 0, &mut out, 1.0).is_err());
        assert_eq!(out, [7.0; 3]);
        fill_gaussian_f32(&key, 0, 0, &mut out, 1e37).unwrap();
        assert!(out.iter().all(|x| x.is_finite()));
        fill_gaussian_f32(&key, 0, 0, &mut out, 0.0).unwrap();
        assert_eq!(out, [0.0; 3]);
        fill_gaussian_f32(&key, 0, 0, &mut [], 1.0).unwrap();
    }
}
