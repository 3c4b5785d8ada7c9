//! Many ChaCha20 blocks of a stream at once, word by word: what vector instructions like, and what the noise reads.

use pulp::Simd;

use crate::key::PrivacyKey;

/// Blocks computed together, a multiple of the lanes of any vector.
pub(crate) const LANES: usize = 16;

/// Word `w` of [`LANES`] blocks: `[w][lane]`.
pub(crate) type BlockWords = [[u32; LANES]; 16];

/// Writes the blocks of a stream with counters `first + lane` (modulo 2^64); the layout of the state is in
/// [`stream`](crate::stream).
#[inline(always)] // into code for the widest vectors
pub(crate) fn fill_blocks<S: Simd>(simd: S, key: &PrivacyKey, stream: u64, first: u64, words: &mut BlockWords) {
    let (mut low, mut high) = ([0; LANES], [0; LANES]);
    for (lane, (low, high)) in low.iter_mut().zip(&mut high).enumerate() {
        let counter = first.wrapping_add(lane as u64);
        (*low, *high) = (counter as u32, (counter >> 32) as u32);
    }
    let mut start = [simd.splat_u32s(0); 16];
    for (word, constant) in start.iter_mut().zip(b"expand 32-byte k".as_chunks::<4>().0) {
        *word = simd.splat_u32s(u32::from_le_bytes(*constant));
    }
    for (word, bytes) in start[4..12].iter_mut().zip(key.expose().as_chunks::<4>().0) {
        *word = simd.splat_u32s(u32::from_le_bytes(*bytes));
    }
    start[14] = simd.splat_u32s(stream as u32);
    start[15] = simd.splat_u32s((stream >> 32) as u32);

    for vector in 0..LANES / S::U32_LANES {
        start[12] = S::as_simd_u32s(&low).0[vector];
        start[13] = S::as_simd_u32s(&high).0[vector];
        let mut state = start;
        for _ in 0..10 {
            for column in 0..4 {
                quarter_round(simd, &mut state, column, 4 + column, 8 + column, 12 + column);
            }
            for diagonal in 0..4 {
                quarter_round(
                    simd,
                    &mut state,
                    diagonal,
                    4 + (diagonal + 1) % 4,
                    8 + (diagonal + 2) % 4,
                    12 + (diagonal + 3) % 4,
                );
            }
        }
        for word in 0..16 {
            S::as_mut_simd_u32s(&mut words[word]).0[vector] = simd.add_u32s(state[word], start[word]);
        }
    }
}

/// RFC 8439 section 2.1, in every lane.
#[inline(always)]
fn quarter_round<S: Simd>(simd: S, state: &mut [S::u32s; 16], a: usize, b: usize, c: usize, d: usize) {
    add_then_turn::<S, 16>(simd, state, a, b, d);
    add_then_turn::<S, 12>(simd, state, c, d, b);
    add_then_turn::<S, 8>(simd, state, a, b, d);
    add_then_turn::<S, 7>(simd, state, c, d, b);
}

/// `sum += addend; turned = (turned ^ sum) <<< BITS`
#[inline(always)]
fn add_then_turn<S: Simd, const BITS: u32>(
    simd: S,
    state: &mut [S::u32s; 16],
    sum: usize,
    addend: usize,
    turned: usize,
) {
    state[sum] = simd.add_u32s(state[sum], state[addend]);
    let mixed = simd.xor_u32s(state[turned], state[sum]);
    state[turned] = simd.or_u32s(
        simd.wrapping_dyn_shl_u32s(mixed, simd.splat_u32s(BITS)),
        simd.wrapping_dyn_shr_u32s(mixed, simd.splat_u32s(32 - BITS)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::tests::reference_words;

    struct Blocks<'a> {
        key: &'a PrivacyKey,
        stream: u64,
        first: u64,
        words: &'a mut BlockWords,
    }

    impl pulp::WithSimd for Blocks<'_> {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            fill_blocks(simd, self.key, self.stream, self.first, self.words);
        }
    }

    #[test]
    fn the_words_are_those_of_the_stream() {
        let key = PrivacyKey::from_bytes(std::array::from_fn(|i| (i * i) as u8));
        for (stream, first) in [(0, 0), (u64::MAX - 7, 5), (1 << 32, u64::from(u32::MAX) - 4)] {
            let mut words = [[0; LANES]; 16];
            pulp::Arch::new().dispatch(Blocks { key: &key, stream, first, words: &mut words });
            for lane in 0..LANES {
                let counter = first + lane as u64;
                let expected = reference_words(&key, stream, 16 * u128::from(counter), 16);
                assert_eq!(words.map(|word| word[lane]), *expected, "block {counter}");
            }
        }
    }
}
