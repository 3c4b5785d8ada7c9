//! Gaussian noise rounded to whole numbers, drawn without any rounding of its own.

mod normal;
mod uniform;
mod whole_part;

use std::fmt;

use rayon::prelude::*;

use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose};
use crate::uniform::check_elements;

use normal::{Scale, rounded_size};
use uniform::Digits;

/// Elements that share a stream: their number of words is not fixed, so that an element is found by drawing those before it.
const TILE: u64 = 64;

/// Elements that one task of the thread pool draws.
const CHUNK: u64 = 64 * TILE;

/// The smallest standard deviation, in units of the grid.
const SMALLEST: f64 = 1.0;

/// The largest.
const LARGEST: f64 = (1_u64 << 60) as f64;

/// The noise of one step of a run for sums that are whole numbers: to each, a Gaussian value rounded to the nearest whole number.
///
/// Element `i` depends only on `(key, step, i)` and the standard deviation.
///
/// # Formal guarantee
///
/// For a whole number `s` and a real Gaussian `z`, `s + round(z) = round(s + z)`. So the noisy sum is a function of `s + z`, taken
/// coordinate by coordinate, and post-processing of the Gaussian mechanism on the whole numbers: whatever holds for that one
/// (Rényi and privacy loss bounds, in any number of dimensions, subsampled or not) holds for this one, with no error term. The
/// only precondition is that sums of neighbors, as whole numbers, differ by at most the sensitivity: the rounding *to* the grid is
/// the caller's, and belongs into it.
///
/// The distribution is exact for uniform words: `round(z)` is decided from as many binary digits of random numbers as it takes, on
/// integers alone (the algorithm is in this module's `normal`). There is no floating-point number in it that an
/// attack on its lowest bits (Mironov 2012; Haney et al. 2022) could start from. What remains is that ChaCha20 is only
/// pseudo-random, and that the *time* that it takes varies, with the noise and not with the data.
///
/// # Layout
///
/// Each step has a key of its own, of [`Purpose::RoundedNoise`], words 0 to 7. With that key, stream `t` gives elements
/// `64 t .. 64 t + 64` in order: first a 64-bit number whose bit `i` is the sign of element `i`, then the digits that each of them
/// takes, a word each. How many words an element takes depends on the standard deviation, too: the elements of a tile are
/// independent if all are drawn with one. Noise of another begins at [`whole_tiles`](Self::whole_tiles).
///
/// # Sources
///
/// Karney, "Sampling exactly from the normal distribution", ACM Transactions on Mathematical Software 42, 2016; Canonne,
/// Kamath and Steinke, "The discrete Gaussian for differential privacy", 2020, for coins of probability `exp(-g)`.
pub struct RoundedStepNoise {
    key: PrivacyKey,
}

impl RoundedStepNoise {
    /// The noise of a step of the run with this key.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StepOutOfRange`].
    pub fn new(key: &PrivacyKey, step: u64) -> Result<Self, MechanismError> {
        Ok(Self { key: KeyStream::open(key, Purpose::RoundedNoise, step, 0)?.derive_key(key) })
    }

    /// The first element from `element` on that begins a tile, and so shares its words with none before it.
    pub fn whole_tiles(element: u64) -> u64 {
        element.div_ceil(TILE).saturating_mul(TILE)
    }

    /// Adds noise of standard deviation `std`, from element `first_element` on: `values` and `std` in units of the grid.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StandardDeviation`] unless `std` is 0 (no noise) or from 1 to 2^60;
    /// [`MechanismError::ElementOutOfRange`] if the elements run past `u64::MAX`. On an error `values` are left as they were.
    pub fn add(&self, first_element: u64, values: &mut [i128], std: f64) -> Result<(), MechanismError> {
        check_elements(first_element, values.len())?;
        if std == 0.0 {
            return Ok(());
        }
        if !(SMALLEST..=LARGEST).contains(&std) {
            return Err(MechanismError::StandardDeviation {
                std,
                format: "multiples of a grid's spacing",
                smallest: SMALLEST,
                largest: LARGEST,
            });
        }
        let scale = Scale::of(std);
        let until_chunk = CHUNK - first_element % CHUNK;
        let (head, rest) = values.split_at_mut(values.len().min(until_chunk as usize));
        let after_head = first_element + head.len() as u64;
        rayon::join(
            || self.add_run(first_element, head, scale),
            || {
                rest.par_chunks_mut(CHUNK as usize)
                    .enumerate()
                    .for_each(|(chunk, values)| self.add_run(after_head + chunk as u64 * CHUNK, values, scale));
            },
        );
        Ok(())
    }

    fn add_run(&self, mut first: u64, mut values: &mut [i128], scale: Scale) {
        while !values.is_empty() {
            let skipped = first % TILE;
            let (part, rest) = values.split_at_mut(values.len().min((TILE - skipped) as usize));
            let mut words = Words(KeyStream::at(&self.key, first / TILE, 0));
            let signs = words.next() | words.next() << 32;
            for _ in 0..skipped {
                rounded_size(&mut words, scale);
            }
            for (value, place) in part.iter_mut().zip(skipped..) {
                let size = rounded_size(&mut words, scale) as i128;
                *value += if signs >> place & 1 == 0 { size } else { -size };
            }
            first = first.wrapping_add(part.len() as u64);
            values = rest;
        }
    }
}

impl fmt::Debug for RoundedStepNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoundedStepNoise").field("key", &self.key).finish()
    }
}

struct Words(KeyStream);

impl Digits for Words {
    const BITS: u32 = 32;
    // The spacing of a grid is about 2^-40 of the standard deviation: 64 bits nearly always round, 32 never.
    const ROUNDED_FROM: usize = 2;

    #[inline]
    fn next(&mut self) -> u64 {
        u64::from(self.0.next_word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> RoundedStepNoise {
        RoundedStepNoise::new(&PrivacyKey::from_bytes([9; 32]), 3).unwrap()
    }

    #[test]
    fn an_element_does_not_depend_on_how_the_list_is_cut() {
        let (noise, std) = (noise(), 2.5e12);
        let mut whole = vec![0_i128; 3 * CHUNK as usize + 100];
        noise.add(0, &mut whole, std).unwrap();
        for (first, count) in
            [(0, 1), (1, 63), (63, 2), (64, 64), (100, 5_000), (CHUNK - 1, 2), (CHUNK, CHUNK as usize)]
        {
            let mut part = vec![0; count];
            noise.add(first, &mut part, std).unwrap();
            assert_eq!(part, whole[first as usize..first as usize + count], "{first} {count}");
        }
        let mut last = [0; 3];
        noise.add(u64::MAX - 3, &mut last, std).unwrap();
        assert!(noise.add(u64::MAX - 1, &mut last, std).is_err());
    }

    #[test]
    fn it_is_added_to_what_is_there() {
        let (noise, std) = (noise(), 1e9);
        let (mut zeros, mut sums) = (vec![0_i128; 200], (0..200_i128).map(|i| i << 50).collect::<Vec<_>>());
        noise.add(7, &mut zeros, std).unwrap();
        noise.add(7, &mut sums, std).unwrap();
        assert!(zeros.iter().zip(&sums).zip(0..).all(|((noise, sum), i)| *sum == (i << 50) + noise));
        let before = sums.clone();
        noise.add(7, &mut sums, 0.0).unwrap();
        assert_eq!(sums, before);
    }

    #[test]
    fn noise_of_another_standard_deviation_has_a_tile_of_its_own() {
        for (element, first) in [(0, 0), (1, 64), (63, 64), (64, 64), (65, 128), (7_850, 7_872)] {
            assert_eq!(RoundedStepNoise::whole_tiles(element), first);
        }
        // Where elements were skipped at another standard deviation, what comes next begins at another word.
        let after_63 = |std: f64| {
            (0..300_u64).filter(move |&step| {
                let noise = RoundedStepNoise::new(&PrivacyKey::from_bytes([9; 32]), step).unwrap();
                let (mut run, mut alone) = ([0_i128; 64], [0_i128]);
                noise.add(0, &mut run, 2_f64.powi(40)).unwrap();
                noise.add(63, &mut alone, std).unwrap();
                let [in_run, alone] = [run[63] as f64 / 2_f64.powi(40), alone[0] as f64 / std];
                (in_run - alone).abs() > 1e-10
            })
        };
        assert_eq!(after_63(2_f64.powi(40)).count(), 0);
        // A power of two only moves the point of the digits.
        assert!(after_63(5e17).count() > 30);
    }

    #[test]
    fn no_two_elements_have_the_same_noise() {
        // 10,000 values of standard deviation 2^59: two are equal with a probability of about 4e-11.
        let mut values = vec![0_i128; 10_000];
        noise().add(0, &mut values, 2.0_f64.powi(59)).unwrap();
        let different: std::collections::HashSet<i128> = values.iter().map(|value| value.abs()).collect();
        assert_eq!(different.len(), values.len());
    }

    #[test]
    fn steps_and_keys_have_their_own() {
        let draw = |key: u8, step| {
            let mut values = [0; 8];
            let noise = RoundedStepNoise::new(&PrivacyKey::from_bytes([key; 32]), step).unwrap();
            noise.add(0, &mut values, 1e15).unwrap();
            values
        };
        assert_eq!(draw(1, 0), draw(1, 0));
        assert!(draw(1, 0).iter().zip(draw(1, 1)).all(|(a, b)| *a != b));
        assert!(draw(1, 0).iter().zip(draw(2, 0)).all(|(a, b)| *a != b));
    }

    #[test]
    fn what_a_grid_cannot_carry_is_refused() {
        for std in [-1.0, 0.5, 1.2e18, f64::NAN, f64::INFINITY] {
            let mut values = [1, 2];
            assert!(matches!(noise().add(0, &mut values, std), Err(MechanismError::StandardDeviation { .. })));
            assert_eq!(values, [1, 2]);
        }
    }
}
