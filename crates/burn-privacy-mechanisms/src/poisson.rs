//! Poisson sampling: one independent coin for each record.

use std::ops::Range;

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::key_stream_lanes::{BlockWords, LANES, fill_blocks};
use crate::stream::{Purpose, stream_number};

/// Records whose coins lie in one block of the stream.
const COINS: usize = 8;

/// Records decided together: a block in each lane.
const TILE: usize = COINS * LANES;

/// Records that one task of the thread pool decides: whole tiles. Fixed, so that the pattern of work depends on the
/// population alone.
const CHUNK: u64 = 128 * TILE as u64;

/// Draws a Poisson sample: each of the records `0 .. population` is included independently with probability
/// `floor(q · 2^64) / 2^64`, where `q` is `rate`.
///
/// Returns the included records in increasing order: `[n]` with `n` random, possibly zero. Record `i` is included if
/// the 64-bit number at word `2i` of the stream `(key, Sampling, step)` is below `floor(q · 2^64)`. It depends on
/// nothing else: a record's coin is the same whatever the population.
///
/// # Formal guarantees
///
/// The probability is at most `q` and above `q - 2^-64`, so accounting with `q` bounds the privacy loss from above
/// (it grows with the sampling rate). `q = 1` includes every record and `q = 0` none, exactly. Amplification holds
/// as long as the sample and the key stay secret.
///
/// # Cost
///
/// 8 bytes of key stream for each record of the population, whatever the rate below 1: about 4 ns a record on one core.
/// Which coins are flipped, in which order and by which task depends on `population` alone, never on the records; the
/// length of the result is random and is as secret as the sample.
///
/// # Errors
///
/// [`MechanismError::SamplingRate`] if `rate` is not in `[0, 1]` (NaN included); [`MechanismError::StepOutOfRange`];
/// [`MechanismError::Population`] if a record's index would not fit `usize`.
///
/// # Source
///
/// Zhu and Wang, "Poisson subsampled Rényi differential privacy", ICML 2019, for the sampling scheme.
///
/// ```
/// use burn_privacy_mechanisms::{Entropy, PrivacyKey, poisson_sample};
///
/// let key = PrivacyKey::draw(Entropy::os())?;
/// assert_eq!(poisson_sample(&key, 0, 4, 1.0)?, [0, 1, 2, 3]);
/// assert!(poisson_sample(&key, 0, 4, 0.0)?.is_empty());
/// # Ok::<(), burn_privacy_mechanisms::MechanismError>(())
/// ```
pub fn poisson_sample(key: &PrivacyKey, step: u64, population: u64, rate: f64) -> Result<Vec<usize>, MechanismError> {
    if !(0.0..=1.0).contains(&rate) {
        return Err(MechanismError::SamplingRate { rate });
    }
    // A `Vec<usize>` holds at most isize::MAX bytes.
    let largest = u64::try_from(isize::MAX as usize / size_of::<usize>()).unwrap_or(u64::MAX);
    if population > largest {
        return Err(MechanismError::Population { largest });
    }
    let stream = stream_number(Purpose::Sampling, step)?;
    if rate == 1.0 {
        return Ok((0..population as usize).collect()); // fits: checked above
    }
    let coin = Coin::new(rate);
    let arch = pulp::Arch::new();
    let sample = |chunk: u64| {
        let records = chunk * CHUNK..population.min((chunk + 1) * CHUNK);
        arch.dispatch(SampleRange { key, stream, records, coin })
    };
    if population <= CHUNK {
        return Ok(sample(0));
    }
    let parts: Vec<Vec<usize>> = (0..population.div_ceil(CHUNK)).into_par_iter().map(sample).collect();
    Ok(parts.concat())
}

/// A coin whose probability of heads is a multiple of 2^-64 below 1, 0 included.
#[derive(Debug, Clone, Copy)]
struct Coin {
    /// Heads if a uniform 64-bit number is below this.
    threshold: u64,
}

impl Coin {
    /// The coin of the probability `floor(rate · 2^64) / 2^64`; `rate` lies in `[0, 1)`.
    fn new(rate: f64) -> Self {
        // Scaling by a power of two is exact, and the cast rounds down.
        Self { threshold: (rate * 2.0_f64.powi(64)) as u64 }
    }

    /// Heads is 1, tails 0, for the coin whose low and high words these are.
    #[inline(always)]
    fn heads(self, low: u32, high: u32) -> u32 {
        let (threshold_low, threshold_high) = (self.threshold as u32, (self.threshold >> 32) as u32);
        u32::from((high < threshold_high) | ((high == threshold_high) & (low < threshold_low)))
    }
}

/// The included records of a range that begins with a tile, as something to compile for the widest vectors of the
/// machine. Both the coins and the writes are free of data-dependent branches.
struct SampleRange<'a> {
    key: &'a PrivacyKey,
    stream: u64,
    records: Range<u64>,
    coin: Coin,
}

impl pulp::WithSimd for SampleRange<'_> {
    type Output = Vec<usize>;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> Vec<usize> {
        let Self { key, stream, records, coin } = self;
        let mut included = Vec::new();
        let mut words: BlockWords = [[0; LANES]; 16];
        let mut found = [0_usize; TILE];
        let end = records.end as usize; // fits: checked against the population
        for first in (records.start as usize..end).step_by(TILE) {
            fill_blocks(simd, key, stream, (first / COINS) as u64, &mut words);
            // Bit `c` of a lane is coin `c` of its block.
            let mut heads = [0_u32; LANES];
            for (coin_of_block, [low, high]) in words.as_chunks::<2>().0.iter().enumerate() {
                for ((heads, low), high) in heads.iter_mut().zip(low).zip(high) {
                    *heads |= coin.heads(*low, *high) << coin_of_block;
                }
            }
            let mut count = 0;
            for place in 0..TILE.min(end - first) {
                found[count] = first + place;
                count += ((heads[place / COINS] >> (place % COINS)) & 1) as usize;
            }
            included.extend_from_slice(&found[..count]);
        }
        words.as_flattened_mut().zeroize();
        found.zeroize();
        included
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::reference_words;

    fn key() -> PrivacyKey {
        PrivacyKey::from_bytes([9; 32])
    }

    #[test]
    fn coins_follow_the_documented_layout() {
        // 0.3 · 2^64 rounds down to this integer.
        let threshold = (0.3 * 2.0_f64.powi(64)) as u64;
        let words = reference_words(&key(), (1 << 56) + 77, 0, 2_000);
        let expected: Vec<usize> = (0..1_000)
            .filter(|&i| (u64::from(words[2 * i]) | (u64::from(words[2 * i + 1]) << 32)) < threshold)
            .collect();
        assert_eq!(poisson_sample(&key(), 77, 1_000, 0.3).unwrap(), expected);
    }

    #[test]
    fn a_larger_population_changes_no_earlier_coin() {
        let large = poisson_sample(&key(), 0, 3 * CHUNK + 5, 0.01).unwrap();
        assert!(large.is_sorted());
        for population in [1, 127, 128, 129, 1_000, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 13] {
            let small = poisson_sample(&key(), 0, population, 0.01).unwrap();
            let prefix: Vec<usize> = large.iter().copied().filter(|&i| (i as u64) < population).collect();
            assert_eq!(small, prefix, "{population}");
        }
    }

    #[test]
    fn the_ends_of_the_rate_are_exact() {
        assert!(poisson_sample(&key(), 0, 0, 0.5).unwrap().is_empty());
        assert!(poisson_sample(&key(), 0, 100_000, 0.0).unwrap().is_empty());
        assert!(poisson_sample(&key(), 0, 100_000, -0.0).unwrap().is_empty());
        assert!(poisson_sample(&key(), 0, 100_000, 1e-300).unwrap().is_empty());
        let all = poisson_sample(&key(), 0, 100_000, 1.0).unwrap();
        assert_eq!(all, (0..100_000).collect::<Vec<_>>());
    }

    #[test]
    fn the_probability_is_the_rate_rounded_down() {
        assert_eq!(Coin::new(2.0_f64.powi(-65)).threshold, 0);
        assert_eq!(Coin::new(2.0_f64.powi(-64)).threshold, 1);
        assert_eq!(Coin::new(0.5).threshold, 1 << 63);
        assert_eq!(Coin::new(1.0 - 2.0_f64.powi(-53)).threshold, u64::MAX - ((1 << 11) - 1));
        for rate in [0.005, 0.1, 1.0 / 3.0, 1e-9, 3e-19, 0.999_999] {
            let threshold = Coin::new(rate).threshold;
            assert!(threshold as f64 * 2.0_f64.powi(-64) <= rate, "{rate}");
            assert!((threshold as f64 + 2_048.0_f64.min(threshold as f64 * 1e-15 + 1.0)) * 2.0_f64.powi(-64) >= rate);
        }
    }

    #[test]
    fn heads_are_the_numbers_below_the_threshold() {
        for rate in [0.0, 3e-19, 1e-9, 0.3, 0.5, 1.0 - 2.0_f64.powi(-53)] {
            let coin = Coin::new(rate);
            let near = (-3..=3_i64).map(|step| coin.threshold.wrapping_add_signed(step));
            for bits in near.chain([0, 1, u64::from(u32::MAX), 1 << 32, u64::MAX]) {
                let heads = coin.heads(bits as u32, (bits >> 32) as u32);
                assert_eq!(heads, u32::from(bits < coin.threshold), "{rate}, {bits}");
            }
        }
    }

    #[test]
    fn what_is_no_probability_or_no_index_is_refused() {
        for rate in [f64::NAN, -1e-300, 1.0 + f64::EPSILON, f64::INFINITY, f64::NEG_INFINITY] {
            let error = poisson_sample(&key(), 0, 10, rate).unwrap_err();
            assert!(matches!(error, MechanismError::SamplingRate { .. }), "{error}");
        }
        let error = poisson_sample(&key(), 0, u64::MAX, 0.5).unwrap_err();
        assert!(matches!(error, MechanismError::Population { .. }), "{error}");
        // How many records there are is private.
        assert!(!error.to_string().contains(&u64::MAX.to_string()), "{error}");
        assert!(poisson_sample(&key(), 1 << 60, 10, 0.5).is_err());
    }
}
