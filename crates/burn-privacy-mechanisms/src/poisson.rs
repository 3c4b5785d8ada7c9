//! Poisson sampling: one independent coin for each record.

use rayon::prelude::*;
use zeroize::Zeroize;

use crate::error::MechanismError;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose, stream_number};

/// Records that one task of the thread pool decides. Fixed, so that the pattern of work depends on the population
/// alone.
const CHUNK: u64 = 1 << 16;

/// Records decided between two reads of the stream.
const BLOCK: usize = 128;

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
/// 8 bytes of key stream for each record of the population, whatever the rate: about 7 ns a record on one core. Which
/// coins are flipped, in which order and by which task depends on `population` alone, never on the records; the
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
/// let key = PrivacyKey::draw(&Entropy::os())?;
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
        return Err(MechanismError::Population { population, largest });
    }
    let stream = stream_number(Purpose::Sampling, step)?;
    let coin = Coin::new(rate);
    if population <= CHUNK {
        return Ok(sample_range(key, stream, 0, population, coin));
    }
    let parts: Vec<Vec<usize>> = (0..population.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let start = chunk * CHUNK;
            sample_range(key, stream, start, population.min(start + CHUNK), coin)
        })
        .collect();
    Ok(parts.concat())
}

/// A coin whose probability of heads is a multiple of 2^-64, 0 and 1 included.
#[derive(Debug, Clone, Copy)]
struct Coin {
    /// Heads if a uniform 64-bit number is below this.
    threshold: u64,
    /// Heads in any case: the probability 1, whose threshold would not fit.
    certain: bool,
}

impl Coin {
    /// The coin of the probability `floor(rate · 2^64) / 2^64`; `rate` lies in `[0, 1]`.
    fn new(rate: f64) -> Self {
        // Scaling by a power of two is exact, and the cast rounds down (and saturates at rate 1).
        let threshold = (rate * 2.0_f64.powi(64)) as u64;
        Self { threshold, certain: rate >= 1.0 }
    }

    fn heads(self, bits: u64) -> bool {
        (bits < self.threshold) | self.certain
    }
}

/// The included records of `start .. end`. Both the coins and the writes are free of data-dependent branches.
fn sample_range(key: &PrivacyKey, stream: u64, start: u64, end: u64, coin: Coin) -> Vec<usize> {
    let mut reader = KeyStream::at(key, stream, 2 * u128::from(start));
    let mut included = Vec::new();
    let mut bytes = [0_u8; 8 * BLOCK];
    let mut block = [0_usize; BLOCK];
    let mut record = start as usize; // fits: checked against the population
    let end = end as usize;
    while record < end {
        let count = BLOCK.min(end - record);
        let bytes = &mut bytes[..8 * count];
        reader.read(bytes);
        let mut heads = 0;
        for eight in bytes.chunks_exact(8) {
            let bits =
                u64::from_le_bytes([eight[0], eight[1], eight[2], eight[3], eight[4], eight[5], eight[6], eight[7]]);
            block[heads] = record;
            heads += usize::from(coin.heads(bits));
            record += 1;
        }
        included.extend_from_slice(&block[..heads]);
    }
    bytes.zeroize();
    included
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
        assert!(!Coin::new(1.0 - 2.0_f64.powi(-53)).certain);
        for rate in [0.005, 0.1, 1.0 / 3.0, 1e-9, 3e-19, 0.999_999] {
            let threshold = Coin::new(rate).threshold;
            assert!(threshold as f64 * 2.0_f64.powi(-64) <= rate, "{rate}");
            assert!((threshold as f64 + 2_048.0_f64.min(threshold as f64 * 1e-15 + 1.0)) * 2.0_f64.powi(-64) >= rate);
        }
        let tails = Coin::new(0.0);
        assert!(!tails.heads(0));
        assert!(Coin::new(1.0).heads(u64::MAX));
    }

    #[test]
    fn what_is_no_probability_or_no_index_is_refused() {
        for rate in [f64::NAN, -1e-300, 1.0 + f64::EPSILON, f64::INFINITY, f64::NEG_INFINITY] {
            let error = poisson_sample(&key(), 0, 10, rate).unwrap_err();
            assert!(matches!(error, MechanismError::SamplingRate { .. }), "{error}");
        }
        let error = poisson_sample(&key(), 0, u64::MAX, 0.5).unwrap_err();
        assert!(matches!(error, MechanismError::Population { .. }), "{error}");
        assert!(poisson_sample(&key(), 1 << 60, 10, 0.5).is_err());
    }
}
