//! Gaussian noise from a key stream.

mod kernel_noise;
mod tile;

use std::cell::RefCell;
use std::fmt;

use rayon::prelude::*;

use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose};
use crate::uniform::check_elements;

pub use kernel_noise::KernelNoise;
use tile::{TILE, Tile, UpdateChunk};

/// The largest standard normal value that can be drawn, rounded up: `sqrt(2 · 129 · ln 2) = 13.3728…`.
///
/// An ideal Gaussian exceeds it with probability 9e-41, less than the 2^-128 that the radius resolves.
pub const MAX_DEVIATION: f64 = 13.373;

/// Values that one task of the thread pool draws: whole tiles, so that only the ends are computed in vain.
const CHUNK: usize = 128 * TILE;

/// The Gaussian noise of one step of a run: a vector of up to 2^64 elements, of which any part can be drawn.
///
/// Element `i` depends only on `(key, step, i)` and the standard deviation: not on the number of threads, nor on how a
/// list of tensors is cut. `first_element` is the cumulative index over all tensors of the step, so that no two tensors
/// share noise.
///
/// # Layout
///
/// Each step has a key of its own (which words make it, and which words are read with it, is in
/// [`stream`](crate::stream)), so that an accelerator that draws the noise learns that step's key alone.
///
/// Pair `64t + p`, `p < 64`, gives the elements `128t + p = r cos θ` and `128t + 64 + p = r sin θ`, with
/// `θ = 2π (a + 1/2) / 2^64` for a 64-bit `a` and `r = sqrt(-2 ln((n + 1/2) / 2^64))` for a 64-bit `n`, which 64 more bits
/// refine where it lies within 2^52 of an end of its range, once in 2^11 pairs: `r = sqrt(-2 ln((m + 1/2) / 2^128))` with
/// `m = 2^64 n + more`.
///
/// # Formal guarantees
///
/// For uniform words the values are, up to the rounding of `f64`, independent Gaussians whose tail reaches 13.37
/// ([`MAX_DEVIATION`]) standard deviations: the distribution function of the radius differs from the ideal one by at
/// most 2^-129 where it is within 2^-12 of 0 or 1, elsewhere by at most 2^-65, and that of the angle by at most 2^-65.
/// A step's key is a value of ChaCha20 at a place of its own, so steps are as independent as ChaCha20 is pseudo-random.
/// The result is a float: the crate's documentation says what that does not protect against.
///
/// # Source
///
/// Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29, 1958.
pub struct StepNoise {
    key: PrivacyKey,
    /// The tile that the last part may have ended in: parts that follow each other within a tile draw it once.
    last: RefCell<Tile>,
}

impl StepNoise {
    /// The noise of a step of the run with this key.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StepOutOfRange`].
    pub fn new(key: &PrivacyKey, step: u64) -> Result<Self, MechanismError> {
        let key = KeyStream::open(key, Purpose::Noise, step, 0)?.derive_key(key);
        Ok(Self { key, last: RefCell::new(Tile::empty()) })
    }

    /// Fills `out` with noise of mean 0 and standard deviation `std`, from element `first_element` on.
    ///
    /// All arithmetic is in `f64`; `std · z` is rounded once to `f32`.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StandardDeviation`] unless `std` is 0 (all zeros: no noise) or lies between the smallest value
    /// that `f32` carries with full precision (2^-102, 2e-31) and the largest that cannot overflow (1.3e37);
    /// [`MechanismError::ElementOutOfRange`] if the elements run past `u64::MAX`. On an error `out` is left as it was.
    pub fn fill_f32(&self, first_element: u64, out: &mut [f32], std: f64) -> Result<(), MechanismError> {
        check_single_precision_std(std)?;
        self.update(first_element, out, |value, z| *value = (std * z) as f32)
    }

    /// `values[i] = (values[i] + noise[i]) / divisor`, with the noise of [`fill_f32`](Self::fill_f32); the sum and the
    /// quotient are rounded to `f32`.
    ///
    /// What a noisy mean needs, in one pass over memory.
    ///
    /// # Errors
    ///
    /// As [`fill_f32`](Self::fill_f32). On an error `values` are left as they were.
    pub fn add_f32(
        &self,
        first_element: u64,
        values: &mut [f32],
        std: f64,
        divisor: f32,
    ) -> Result<(), MechanismError> {
        check_single_precision_std(std)?;
        self.update(first_element, values, |value, z| *value = (*value + (std * z) as f32) / divisor)
    }

    /// `values[i] = (values[i] + noise[i]) / divisor`, with the noise of [`fill_f32`](Self::fill_f32) before its rounding: all in
    /// `f64`, for sums that `f32` would round before noise is added.
    ///
    /// # Errors
    ///
    /// As [`fill_f32`](Self::fill_f32). On an error `values` are left as they were.
    pub fn add_f64(
        &self,
        first_element: u64,
        values: &mut [f64],
        std: f64,
        divisor: f64,
    ) -> Result<(), MechanismError> {
        check_single_precision_std(std)?;
        self.update(first_element, values, |value, z| *value = (*value + std * z) / divisor)
    }

    /// The noise of [`fill_f32`](Self::fill_f32) before its rounding; `std` is 0 or between 2^-969 (1e-292) and 1.3e307.
    ///
    /// # Errors
    ///
    /// As [`fill_f32`](Self::fill_f32).
    pub fn fill_f64(&self, first_element: u64, out: &mut [f64], std: f64) -> Result<(), MechanismError> {
        check_std(std, "f64", f64::MIN_POSITIVE * 2.0_f64.powi(53), f64::MAX)?;
        self.update(first_element, out, |value, z| *value = std * z)
    }

    /// What an accelerator must be told to draw the `count` values of [`fill_f32`](Self::fill_f32) itself.
    ///
    /// # Errors
    ///
    /// As [`fill_f32`](Self::fill_f32).
    pub fn for_kernel(&self, first_element: u64, count: usize, std: f64) -> Result<KernelNoise, MechanismError> {
        check_single_precision_std(std)?;
        check_elements(first_element, count)?;
        let mut key = [0; 8];
        for (word, bytes) in key.iter_mut().zip(self.key.expose().as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let nearest = std as f32;
        let std = if f64::from(nearest) < std { nearest.next_up() } else { nearest };
        let (first_tile, skipped) = (first_element / TILE as u64, (first_element % TILE as u64) as u32);
        Ok(KernelNoise { key, first_tile, skipped, std })
    }

    /// Calls `update(&mut values[i], z)` for the standard normal values `z` of `first .. first + values.len()`.
    fn update<T: Send>(
        &self,
        first: u64,
        values: &mut [T],
        update: impl Fn(&mut T, f64) + Sync,
    ) -> Result<(), MechanismError> {
        check_elements(first, values.len())?;
        let key = &self.key;
        // The first task ends where a chunk of the numbering does, so that all others begin with a tile.
        let until_chunk = CHUNK - (first % CHUNK as u64) as usize;
        let (head, rest) = values.split_at_mut(until_chunk.min(values.len()));
        let after_head = first + head.len() as u64;
        let arch = pulp::Arch::new();
        let task = |first, values: &mut [T], tile: &mut Tile| {
            arch.dispatch(UpdateChunk { key, first, values, tile, update: &update });
        };
        let tile = &mut *self.last.borrow_mut();
        if rest.is_empty() {
            task(first, head, tile); // too little for a second thread
            return Ok(());
        }
        rayon::join(
            || task(first, head, tile),
            || {
                rest.par_chunks_mut(CHUNK)
                    .enumerate()
                    .for_each(|(chunk, values)| task(after_head + (chunk * CHUNK) as u64, values, &mut Tile::empty()));
            },
        );
        Ok(())
    }
}

impl fmt::Debug for StepNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepNoise").field("key", &self.key).finish_non_exhaustive()
    }
}

/// [`StepNoise::fill_f32`] of the step's noise.
///
/// # Errors
///
/// As [`StepNoise::new`] and [`StepNoise::fill_f32`]; `out` is left as it was.
pub fn fill_gaussian_f32(
    key: &PrivacyKey,
    step: u64,
    first_element: u64,
    out: &mut [f32],
    std: f64,
) -> Result<(), MechanismError> {
    StepNoise::new(key, step)?.fill_f32(first_element, out, std)
}

/// [`StepNoise::fill_f64`] of the step's noise.
///
/// # Errors
///
/// As [`StepNoise::new`] and [`StepNoise::fill_f64`]; `out` is left as it was.
pub fn fill_gaussian_f64(
    key: &PrivacyKey,
    step: u64,
    first_element: u64,
    out: &mut [f64],
    std: f64,
) -> Result<(), MechanismError> {
    StepNoise::new(key, step)?.fill_f64(first_element, out, std)
}

/// [`check_std`] for `f32`: 24 bits of precision must remain for values of one standard deviation.
fn check_single_precision_std(std: f64) -> Result<(), MechanismError> {
    check_std(std, "f32", f64::from(f32::MIN_POSITIVE) * 2.0_f64.powi(24), f64::from(f32::MAX))
}

/// Checks that `std` is 0, or large enough to keep its precision and small enough not to overflow at the tail's end.
fn check_std(std: f64, format: &'static str, smallest: f64, max: f64) -> Result<(), MechanismError> {
    let largest = max / (2.0 * MAX_DEVIATION);
    if std == 0.0 || (smallest..=largest).contains(&std) {
        return Ok(());
    }
    Err(MechanismError::StandardDeviation { std, format, smallest, largest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::reference_words;

    fn key() -> PrivacyKey {
        PrivacyKey::from_bytes(std::array::from_fn(|i| (7 * i) as u8))
    }

    #[test]
    fn what_is_added_is_what_would_be_filled_in() {
        let noise = StepNoise::new(&key(), 4).unwrap();
        let (std, divisor) = (2.5, 8.0);
        let mut filled = [0.0_f64; 300];
        noise.fill_f64(70, &mut filled, std).unwrap();
        let (mut wide, mut narrow) = ([3.0_f64; 300], [3.0_f32; 300]);
        noise.add_f64(70, &mut wide, std, divisor).unwrap();
        noise.add_f32(70, &mut narrow, std, divisor as f32).unwrap();
        for ((filled, wide), narrow) in filled.into_iter().zip(wide).zip(narrow) {
            assert_eq!(wide, (3.0 + filled) / divisor);
            assert_eq!(narrow, (3.0 + filled as f32) / divisor as f32);
        }
    }

    #[test]
    fn noise_follows_the_documented_layout() {
        // From an independent ChaCha20 and the standard library's functions; elements enough for a dozen refined radii.
        let (key, step, std) = (key(), 9, 2.5);
        let of_step = reference_words(&key, (11 << 56) + step, 0, 8);
        let key_of_step = PrivacyKey::from_bytes(std::array::from_fn(|i| of_step[i / 4].to_le_bytes()[i % 4]));
        let mut noise = vec![0.0_f64; 128 * 400];
        fill_gaussian_f64(&key, step, 0, &mut noise, std).unwrap();
        let mut refined = 0;
        for (tile, noise) in noise.chunks_exact(128).enumerate() {
            let words = reference_words(&key_of_step, 0, 256 * tile as u128, 256);
            for p in 0..64 {
                let number = |words: &[u32], at: usize| u64::from(words[at]) | (u64::from(words[at + 1]) << 32);
                let at = 16 * (p % 16) + 4 * (p / 16);
                let (n, a) = (number(&words, at), number(&words, at + 2));
                let u = if (1 << 52..u64::MAX - (1 << 52) + 1).contains(&n) {
                    (n as f64 + 0.5) / 2.0_f64.powi(64)
                } else {
                    refined += 1;
                    let more = reference_words(&key_of_step, 0, (1 << 67) + 2 * (64 * tile + p) as u128, 2);
                    ((u128::from(n) << 64) | u128::from(number(&more, 0))) as f64 / 2.0_f64.powi(128)
                };
                let angle = std::f64::consts::TAU * (a as f64 / 2.0_f64.powi(64));
                // Near 1 the reference keeps only the absolute accuracy of the uniform.
                let r = std * (-2.0 * u.ln()).sqrt();
                let tolerance = 1e-13 + 1e-15 / r;
                assert!((noise[p] - r * angle.cos()).abs() < tolerance, "tile {tile}, pair {p}");
                assert!((noise[64 + p] - r * angle.sin()).abs() < tolerance, "tile {tile}, pair {p}");
            }
        }
        assert!((2..=40).contains(&refined), "{refined} of 25,600 pairs, 12.5 expected");
    }

    #[test]
    fn noise_of_a_known_key_is_frozen() {
        // Bits, so that any change of the layout or of the arithmetic shows on any machine.
        let mut noise = [0.0_f64; 66];
        fill_gaussian_f64(&key(), 9, 0, &mut noise, 1.0).unwrap();
        let frozen = [0x3FD9_C10F_6494_196B, 0x3FF8_0F66_C85F_AD30, 0xBFA9_49A9_178C_DAE4, 0x3FCB_C42E_30A2_45BB];
        assert_eq!([noise[0], noise[1], noise[64], noise[65]].map(f64::to_bits), frozen);
    }

    #[test]
    fn every_start_and_every_cut_gives_the_same_elements() {
        let key = key();
        let mut whole = vec![0.0_f32; 2 * CHUNK + 777];
        fill_gaussian_f32(&key, 1, 0, &mut whole, 3.0).unwrap();
        let noise = StepNoise::new(&key, 1).unwrap();
        for first in [0, 1, 2, 3, 127, 128, 129, CHUNK - 1, CHUNK, CHUNK + 1, whole.len() - 1, whole.len()] {
            for length in [0, 1, 2, 3, 127, 128, 129, 255, CHUNK - 1, CHUNK + 5] {
                let end = (first + length).min(whole.len());
                let mut part = vec![0.0_f32; end - first];
                fill_gaussian_f32(&key, 1, first as u64, &mut part, 3.0).unwrap();
                assert_eq!(part, whole[first..end], "{first} + {length}");
                noise.fill_f32(first as u64, &mut part, 3.0).unwrap();
                assert_eq!(part, whole[first..end], "{first} + {length}, after other parts");
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
    fn a_kernel_is_told_the_steps_key_and_where_to_begin() {
        let noise = StepNoise::new(&key(), 5).unwrap();
        let told = noise.for_kernel(3 * 128 + 17, 10, 0.7).unwrap();
        assert_eq!(told.key.to_vec(), reference_words(&key(), (11 << 56) + 5, 0, 8));
        assert_eq!((told.first_tile, told.skipped), (3, 17));
        // The nearest f32 to 0.7 lies below it, that to 0.1 above.
        assert_eq!(told.std, 0.7_f32.next_up());
        assert_eq!(noise.for_kernel(0, 1, 0.1).unwrap().std, 0.1);
        assert!(!format!("{told:?}{noise:?}").contains(&told.key[0].to_string()), "{told:?}");
        assert!(noise.for_kernel(0, 1, f64::NAN).is_err() && noise.for_kernel(u64::MAX, 2, 1.0).is_err());
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
