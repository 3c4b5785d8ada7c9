//! The coins and the noise of one cell.

use zeroize::Zeroize;

use crate::error::MechanismError;
use crate::gaussian::fill_gaussian_f64;
use crate::key::PrivacyKey;
use crate::stream::{KeyStream, Purpose};

/// 64-bit words that a cell has.
const WORDS: usize = 2;

/// The coins and the noise of one cell of one record. Secret: whoever knows them undoes the perturbation.
///
/// # Layout
///
/// Two 64-bit numbers, elements `2 · record` and `2 · record + 1` of stream
/// ([`InputPerturbation`](Purpose::InputPerturbation), step `cell`), and two standard normal values, the same elements
/// of the noise of step `cell` ([`fill_gaussian_f64`]).
pub struct CellRandomness {
    pub(super) words: [u64; WORDS],
    pub(super) normals: [f64; 2],
}

impl CellRandomness {
    /// The randomness of a cell: a pure function of `(key, record, cell)`.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StepOutOfRange`] for a cell beyond 2^56 - 1; [`MechanismError::ElementOutOfRange`] for a
    /// record beyond 2^63 - 2.
    pub fn draw(key: &PrivacyKey, record: u64, cell: u64) -> Result<Self, MechanismError> {
        let mut block = RandomnessBlock::default();
        block.fill(key, cell, record, 1, true)?;
        Ok(block.cell(0))
    }

    /// The coins of a mechanism that needs no noise ([`RandomizedResponse`](super::RandomizedResponse)), from two uniform secret
    /// words; the normal values are zero.
    pub fn of_coins(words: [u64; WORDS]) -> Self {
        Self { words, normals: [0.0; 2] }
    }

    /// The randomness of a cell of `count` records from `first_record` on: as [`Self::draw`], but much faster.
    ///
    /// # Errors
    ///
    /// As [`Self::draw`].
    pub fn draw_many(
        key: &PrivacyKey,
        first_record: u64,
        count: usize,
        cell: u64,
    ) -> Result<Vec<Self>, MechanismError> {
        let mut block = RandomnessBlock::default();
        block.fill(key, cell, first_record, count, true)?;
        Ok((0..count).map(|place| block.cell(place)).collect())
    }

    /// A standard exponential value: half the sum of the squares of the two normal values.
    pub(super) fn exponential(&self) -> f64 {
        let [x, y] = self.normals;
        0.5 * (x * x + y * y)
    }
}

impl Drop for CellRandomness {
    fn drop(&mut self) {
        self.words.zeroize();
        self.normals.zeroize();
    }
}

/// The randomness of one cell of many records, drawn at once into memory that is used again.
#[derive(Default)]
pub struct RandomnessBlock {
    words: Vec<[u64; WORDS]>,
    normals: Vec<[f64; 2]>,
}

impl RandomnessBlock {
    /// Draws for `count` records from `first_record` on; normal values only if wanted, else they are zero.
    ///
    /// # Errors
    ///
    /// As [`CellRandomness::draw`].
    pub fn fill(
        &mut self,
        key: &PrivacyKey,
        cell: u64,
        first_record: u64,
        count: usize,
        normals: bool,
    ) -> Result<(), MechanismError> {
        let last = u64::MAX / 2 - 1;
        let end = u64::try_from(count).ok().and_then(|count| first_record.checked_add(count));
        if end.is_none_or(|end| end > last) {
            return Err(MechanismError::ElementOutOfRange { first: first_record, count, last });
        }
        self.words.resize(count, [0; WORDS]);
        self.normals.resize(count, [0.0; 2]);
        let mut stream = KeyStream::open(key, Purpose::InputPerturbation, cell, 4 * u128::from(first_record))?;
        let mut bytes = [0_u8; 8 * WORDS];
        for words in &mut self.words {
            stream.read(&mut bytes);
            for (word, eight) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_le_bytes(*eight);
            }
        }
        bytes.zeroize();
        if normals {
            fill_gaussian_f64(key, cell, 2 * first_record, self.normals.as_flattened_mut(), 1.0)?;
        }
        Ok(())
    }

    /// The randomness of the record at a place of the block.
    ///
    /// # Panics
    ///
    /// If `place` is not below the number of records that were drawn for.
    pub fn cell(&self, place: usize) -> CellRandomness {
        CellRandomness { words: self.words[place], normals: self.normals[place] }
    }
}

impl std::fmt::Debug for RandomnessBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RandomnessBlock").finish_non_exhaustive()
    }
}

impl Drop for RandomnessBlock {
    fn drop(&mut self) {
        self.words.zeroize();
        self.normals.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entropy, fill_secret_uniform};

    #[test]
    fn a_cell_has_the_documented_words_however_it_is_drawn() {
        let key = PrivacyKey::draw(Entropy::seeded(5)).unwrap();
        let mut block = RandomnessBlock::default();
        block.fill(&key, 3, 1_000, 50, true).unwrap();
        for place in [0, 1, 17, 49] {
            let record = 1_000 + place as u64;
            let (one, of_many) = (CellRandomness::draw(&key, record, 3).unwrap(), block.cell(place));
            assert_eq!((one.words, one.normals), (of_many.words, of_many.normals));
            let mut uniforms = [0.0; 2];
            fill_secret_uniform(&key, Purpose::InputPerturbation, 3, 2 * record, &mut uniforms).unwrap();
            for (word, uniform) in one.words.iter().zip(uniforms) {
                assert!((*word as f64 / 2.0_f64.powi(64) - uniform).abs() < 3e-16);
            }
        }
        assert!(CellRandomness::draw(&key, u64::MAX / 2, 0).is_err());
        assert!(CellRandomness::draw(&key, 0, u64::MAX).is_err());
    }
}
