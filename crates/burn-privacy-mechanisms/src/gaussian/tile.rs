//! The standard normal values that are drawn together, and passing them on at the widest vectors of the machine.

use zeroize::Zeroize;

use crate::box_muller::normal_pairs;
use crate::key::PrivacyKey;
use crate::key_stream_lanes::{BlockWords, LANES, fill_blocks};
use crate::stream::{KeyStream, SECOND_HALF};

/// Pairs of a block of the stream: 4 words each.
const PAIRS: usize = 4;

/// Values drawn together, from one block in each lane.
pub(super) const TILE: usize = 2 * PAIRS * LANES;

/// [`StepNoise`](super::StepNoise)'s update on one thread, as something to compile for the widest vectors of the machine: the same
/// operations in the same order, none fused, and so the same values everywhere.
pub(super) struct UpdateChunk<'a, T, F> {
    pub(super) key: &'a PrivacyKey,
    pub(super) first: u64,
    pub(super) values: &'a mut [T],
    pub(super) tile: &'a mut Tile,
    pub(super) update: &'a F,
}

impl<T, F: Fn(&mut T, f64)> pulp::WithSimd for UpdateChunk<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Self { key, mut first, mut values, tile, update } = self;
        while !values.is_empty() {
            let (number, skipped) = (first / TILE as u64, (first % TILE as u64) as usize);
            let (now, later) = values.split_at_mut((TILE - skipped).min(values.len()));
            tile.draw(simd, key, number);
            for (value, z) in now.iter_mut().zip(&tile.normals.as_flattened().as_flattened()[skipped..]) {
                update(value, *z);
            }
            first += now.len() as u64;
            values = later;
        }
    }
}

/// The standard normal values that are drawn together and the words they are made of; wiped when dropped.
pub(super) struct Tile {
    /// Which tile of the step it is, once it is drawn.
    number: Option<u64>,
    words: BlockWords,
    /// Cosines, then sines: `[2][pair of its block][block]`.
    normals: [[[f64; LANES]; PAIRS]; 2],
}

impl Tile {
    pub(super) const fn empty() -> Self {
        Self { number: None, words: [[0; LANES]; 16], normals: [[[0.0; LANES]; PAIRS]; 2] }
    }

    /// Draws the values `number · TILE` and following with a step's key, unless they are there.
    #[inline(always)]
    fn draw<S: pulp::Simd>(&mut self, simd: S, key: &PrivacyKey, number: u64) {
        if self.number.replace(number) == Some(number) {
            return;
        }
        let first_block = number * LANES as u64;
        fill_blocks(simd, key, 0, first_block, &mut self.words);
        let [cosines, sines] = &mut self.normals;
        let pairs = self.words.as_chunks::<{ 16 / PAIRS }>().0.iter();
        for (pair, ((words, cosines), sines)) in pairs.zip(cosines).zip(sines).enumerate() {
            let [mut radius, mut angle] = [[0; LANES]; 2];
            for lane in 0..LANES {
                radius[lane] = u64::from(words[0][lane]) | (u64::from(words[1][lane]) << 32);
                angle[lane] = u64::from(words[2][lane]) | (u64::from(words[3][lane]) << 32);
            }
            let first_pair = number * (TILE / 2) as u64 + (pair * LANES) as u64;
            let more_bits = |lane| more_bits(key, first_pair + lane as u64);
            [*cosines, *sines] = normal_pairs(&radius, &angle, more_bits);
        }
    }
}

/// The 64 bits that refine a pair's radius: word `2 pair` of the stream's second half.
#[cold]
fn more_bits(key: &PrivacyKey, pair: u64) -> u64 {
    let mut bytes = [0; 8];
    KeyStream::at(key, 0, SECOND_HALF + 2 * u128::from(pair)).read(&mut bytes);
    u64::from_le_bytes(bytes)
}

impl Drop for Tile {
    fn drop(&mut self) {
        self.words.as_flattened_mut().zeroize();
        self.normals.as_flattened_mut().as_flattened_mut().zeroize();
    }
}
