//! Gaussian noise from a key stream.

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::box_muller::normal_pairs;
use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::key_stream_lanes::{BlockWords, LANES, fill_blocks};
use crate::stream::{Purpose, stream_number};
use crate::uniform::check_elements;

/// The largest standard normal value that can be drawn, rounded up: `sqrt(2 · 129 · ln 2) = 13.3728…`.
///
/// An ideal Gaussian exceeds it with probability 9e-41, less than the 2^-128 that the radius resolves.
pub const MAX_DEVIATION: f64 = 13.373;

/// Blocks of the stream that hold whole pairs: 8 pairs of 6 words.
const BLOCKS_PER_RUN: usize = 3;

/// Values of a run of blocks.
const RUN: usize = 16;

/// Values drawn together: a run of blocks in each lane.
const TILE: usize = RUN * LANES;

/// Values that one task of the thread pool draws: whole tiles, so that only the ends are computed in vain.
const CHUNK: usize = 64 * TILE;

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
    check_single_precision_std(std)?;
    update_with_normals(key, step, first_element, out, |value, z| *value = (std * z) as f32)
}

/// `values[i] = (values[i] + noise[i]) / divisor`, with the noise of [`fill_gaussian_f32`]; the sum and the quotient
/// are rounded to `f32`.
///
/// What a noisy mean needs, in one pass over memory.
///
/// # Errors
///
/// As [`fill_gaussian_f32`]. On an error `values` are left as they were.
pub fn add_gaussian_f32(
    key: &PrivacyKey,
    step: u64,
    first_element: u64,
    values: &mut [f32],
    std: f64,
    divisor: f32,
) -> Result<(), MechanismError> {
    check_single_precision_std(std)?;
    update_with_normals(key, step, first_element, values, |value, z| *value = (*value + (std * z) as f32) / divisor)
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
    update_with_normals(key, step, first_element, out, |value, z| *value = std * z)
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

/// Calls `update(&mut values[i], z)` for the standard normal values `z` of `first .. first + values.len()`.
fn update_with_normals<T: Send>(
    key: &PrivacyKey,
    step: u64,
    first: u64,
    values: &mut [T],
    update: impl Fn(&mut T, f64) + Sync,
) -> Result<(), MechanismError> {
    check_elements(first, values.len())?;
    let stream = stream_number(Purpose::Noise, step)?;
    // The first task ends where a chunk of the numbering does, so that all others begin with a tile.
    let until_chunk = CHUNK - (first % CHUNK as u64) as usize;
    let (head, rest) = values.split_at_mut(until_chunk.min(values.len()));
    let after_head = first + head.len() as u64;
    let arch = pulp::Arch::new();
    let task = |first, values: &mut [T]| arch.dispatch(UpdateChunk { key, stream, first, values, update: &update });
    if rest.is_empty() {
        task(first, head); // too little for a second thread
        return Ok(());
    }
    rayon::join(
        || task(first, head),
        || {
            rest.par_chunks_mut(CHUNK)
                .enumerate()
                .for_each(|(chunk, values)| task(after_head + (chunk * CHUNK) as u64, values));
        },
    );
    Ok(())
}

/// [`update_with_normals`] on one thread, as something to compile for the widest vectors of the machine: the same
/// operations in the same order, none fused, and so the same values everywhere.
struct UpdateChunk<'a, T, F> {
    key: &'a PrivacyKey,
    stream: u64,
    first: u64,
    values: &'a mut [T],
    update: &'a F,
}

impl<T, F: Fn(&mut T, f64)> pulp::WithSimd for UpdateChunk<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let mut tile = Tile { words: [[[0; LANES]; 16]; BLOCKS_PER_RUN], normals: [[0.0; RUN]; LANES] };
        let Self { mut first, mut values, .. } = self;
        while !values.is_empty() {
            let (number, skipped) = (first / TILE as u64, (first % TILE as u64) as usize);
            let (now, later) = values.split_at_mut((TILE - skipped).min(values.len()));
            tile.draw(simd, self.key, self.stream, number);
            for (value, z) in now.iter_mut().zip(&tile.normals.as_flattened()[skipped..]) {
                (self.update)(value, *z);
            }
            first += now.len() as u64;
            values = later;
        }
    }
}

/// The standard normal values that are drawn together and the words they are made of; wiped when dropped.
struct Tile {
    words: [BlockWords; BLOCKS_PER_RUN],
    normals: [[f64; RUN]; LANES],
}

impl Tile {
    /// Draws the values `number · TILE` and following of a stream.
    ///
    /// Lane `l` holds blocks `3l`, `3l + 1` and `3l + 2` of the tile, and so the run of pairs `8l` to `8l + 7`: a pair's
    /// words lie in the same place for every lane.
    #[inline(always)]
    fn draw<S: pulp::Simd>(&mut self, simd: S, key: &PrivacyKey, stream: u64, number: u64) {
        let first_block = number * (BLOCKS_PER_RUN * LANES) as u64;
        for (block, words) in self.words.iter_mut().enumerate() {
            fill_blocks(simd, key, stream, first_block + block as u64, BLOCKS_PER_RUN as u64, words);
        }
        let lanes = self.words.as_flattened();
        for pair in 0..RUN / 2 {
            let mut numbers = [[0; LANES]; 3];
            for (numbers, word) in numbers.iter_mut().zip([6 * pair, 6 * pair + 2, 6 * pair + 4]) {
                for lane in 0..LANES {
                    numbers[lane] = u64::from(lanes[word][lane]) | (u64::from(lanes[word + 1][lane]) << 32);
                }
            }
            let [high, low, angle] = &numbers;
            let [cosines, sines] = normal_pairs(high, low, angle);
            for ((run, cosine), sine) in self.normals.iter_mut().zip(cosines).zip(sines) {
                run[2 * pair] = cosine;
                run[2 * pair + 1] = sine;
            }
        }
    }
}

impl Drop for Tile {
    fn drop(&mut self) {
        self.words.as_flattened_mut().as_flattened_mut().zeroize();
        self.normals.as_flattened_mut().zeroize();
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
