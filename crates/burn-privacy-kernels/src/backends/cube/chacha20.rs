//! ChaCha20 on the GPU, word for word that of the CPU.

use cubecl::prelude::*;

/// A ChaCha20 key: words 4 to 11 of the state.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct StreamKey {
    word_0: u32,
    word_1: u32,
    word_2: u32,
    word_3: u32,
    word_4: u32,
    word_5: u32,
    word_6: u32,
    word_7: u32,
}

/// The argument that a kernel takes as a [`StreamKey`].
pub(super) fn key_argument(key: &[u32; 8]) -> StreamKeyLaunch {
    let [word_0, word_1, word_2, word_3, word_4, word_5, word_6, word_7] = *key;
    StreamKeyLaunch::new(word_0, word_1, word_2, word_3, word_4, word_5, word_6, word_7)
}

/// The block of stream 0 with counter `2^32 high + low`, into 16 words (RFC 8439 section 2.3, with a 64-bit counter and a
/// 64-bit stream number).
#[cube]
pub(super) fn fill_block(words: &mut Array<u32>, key: &StreamKey, low: u32, high: u32) {
    set_state(words, key, low, high);
    for _ in 0..10u32 {
        quarter_round(words, 0usize, 4usize, 8usize, 12usize);
        quarter_round(words, 1usize, 5usize, 9usize, 13usize);
        quarter_round(words, 2usize, 6usize, 10usize, 14usize);
        quarter_round(words, 3usize, 7usize, 11usize, 15usize);
        quarter_round(words, 0usize, 5usize, 10usize, 15usize);
        quarter_round(words, 1usize, 6usize, 11usize, 12usize);
        quarter_round(words, 2usize, 7usize, 8usize, 13usize);
        quarter_round(words, 3usize, 4usize, 9usize, 14usize);
    }
    let mut start = Array::<u32>::new(16usize);
    set_state(&mut start, key, low, high);
    #[unroll]
    for word in 0..16usize {
        words[word] += start[word];
    }
}

#[cube]
fn set_state(words: &mut Array<u32>, key: &StreamKey, low: u32, high: u32) {
    // "expand 32-byte k"
    words[0] = 0x6170_7865u32;
    words[1] = 0x3320_646eu32;
    words[2] = 0x7962_2d32u32;
    words[3] = 0x6b20_6574u32;
    words[4] = key.word_0;
    words[5] = key.word_1;
    words[6] = key.word_2;
    words[7] = key.word_3;
    words[8] = key.word_4;
    words[9] = key.word_5;
    words[10] = key.word_6;
    words[11] = key.word_7;
    words[12] = low;
    words[13] = high;
    words[14] = 0u32;
    words[15] = 0u32;
}

/// RFC 8439 section 2.1.
#[cube]
fn quarter_round(
    words: &mut Array<u32>,
    #[comptime] a: usize,
    #[comptime] b: usize,
    #[comptime] c: usize,
    #[comptime] d: usize,
) {
    add_then_turn(words, a, b, d, 16u32);
    add_then_turn(words, c, d, b, 12u32);
    add_then_turn(words, a, b, d, 8u32);
    add_then_turn(words, c, d, b, 7u32);
}

/// `sum += addend; turned = (turned ^ sum) <<< bits`
#[cube]
fn add_then_turn(
    words: &mut Array<u32>,
    #[comptime] sum: usize,
    #[comptime] addend: usize,
    #[comptime] turned: usize,
    #[comptime] bits: u32,
) {
    words[sum] += words[addend];
    let mixed = words[turned] ^ words[sum];
    let opposite = comptime!(32 - bits);
    words[turned] = (mixed << bits) | (mixed >> opposite);
}

#[cfg(test)]
mod tests {
    use super::super::adapter::{on_adapter, reference_words};
    use super::*;

    #[cube(launch)]
    fn block(found: &mut [u32], key: StreamKey, low: u32, high: u32) {
        let mut words = Array::<u32>::new(16usize);
        fill_block(&mut words, &key, low, high);
        for word in 0..16usize {
            found[word] = words[word];
        }
    }

    #[test]
    fn blocks_are_those_of_the_cpu_bit_for_bit() {
        on_adapter("blocks_are_those_of_the_cpu_bit_for_bit", |adapter| {
            let keys = [[0; 8], [u32::MAX; 8], std::array::from_fn(|i| 0x9E37_79B9_u32.wrapping_mul(i as u32 + 1))];
            for key in keys {
                for counter in [0_u64, 1, u64::from(u32::MAX), 1 << 32, 0x8000_0000_0000_0005, u64::MAX] {
                    let (output, to) = adapter.output(16);
                    let (low, high) = (counter as u32, (counter >> 32) as u32);
                    let (count, threads) = (CubeCount::Static(1, 1, 1), CubeDim::new_1d(1));
                    block::launch(adapter.client(), count, threads, to, key_argument(&key), low, high);
                    let expected = reference_words(&key, 16 * u128::from(counter), 16);
                    assert_eq!(adapter.read(output), expected, "key {key:x?}, block {counter:#x}");
                }
            }
        });
    }
}
