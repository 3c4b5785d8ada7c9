//! Counter-based streams of random words with a fixed layout.
//!
//! A key has one stream for each `(purpose, step)`, and a stream can be read from any word, so that any thread, or a
//! kernel on an accelerator, computes its part without the others and gets the same words bit for bit.
//!
//! # Layout
//!
//! The words are those of ChaCha20 (20 rounds) as in RFC 8439 section 2.3, with Bernstein's original division of the
//! last row: a 64-bit block counter and a 64-bit nonce. The state, in 32-bit words:
//!
//! | words | hold |
//! |---|---|
//! | 0 to 3 | the constants `expand 32-byte k` |
//! | 4 to 11 | the key, little-endian |
//! | 12, 13 | the block counter, low word first |
//! | 14, 15 | the stream number, low word first |
//!
//! The stream number is `purpose · 2^56 + step`, with `purpose` the number of a [`Purpose`] and `step` from 0 to
//! [`MAX_STEP`]. Word `w` of a stream is word `w mod 16` of the block with counter `w div 16`. A 64-bit number is two
//! words, low word first. Within a stream:
//!
//! | purpose | what uses which words |
//! |---|---|
//! | [`Sampling`](Purpose::Sampling) | record `i`: the 64-bit number at word `2i` |
//! | [`Noise`](Purpose::Noise) | words 0 to 7: the key of the step's noise |
//! | [`RoundedNoise`](Purpose::RoundedNoise) | words 0 to 7: the key of the step's noise, with streams of its own ([`RoundedStepNoise`](crate::RoundedStepNoise)) |
//! | others | element `i`: the 64-bit number at word `2i` |
//!
//! With the key of a step's noise, stream 0 holds for pair `64t + 16j + l` (`j < 4`, `l < 16`), from word `4j` of block
//! `16t + l` on, the 64-bit numbers of the radius and of the angle, and at word `2^67 + 2 (64t + 16j + l)` the 64-bit
//! number that refines its radius.
//!
//! The layout is frozen: a change needs new purpose numbers.

use chacha20::ChaCha20Rng;
use rand::{Rng, SeedableRng};

use crate::error::MechanismError;
use crate::key::PrivacyKey;
pub use crate::purpose::{MAX_STEP, Purpose};

/// The first word of the half of a stream that holds what is rarely needed.
pub(crate) const SECOND_HALF: u128 = 1 << 67;

/// One stream of a key, at some word: a reader of little-endian bytes.
///
/// Reading is sequential from the position given; a new reader at another position costs at most one generation of
/// four blocks. The generator's state and its buffer are wiped when dropped.
pub(crate) struct KeyStream {
    rng: ChaCha20Rng,
}

impl KeyStream {
    /// Opens the stream of `(key, purpose, step)` at a 32-bit word.
    ///
    /// # Errors
    ///
    /// [`MechanismError::StepOutOfRange`] if `step` is above [`MAX_STEP`].
    pub(crate) fn open(key: &PrivacyKey, purpose: Purpose, step: u64, word: u128) -> Result<Self, MechanismError> {
        Ok(Self::at(key, stream_number(purpose, step)?, word))
    }

    /// Opens a stream by its number at a 32-bit word.
    pub(crate) fn at(key: &PrivacyKey, stream: u64, word: u128) -> Self {
        let mut rng = ChaCha20Rng::from_seed(*key.expose());
        rng.set_stream(stream); // also rewinds, so the position comes second
        rng.set_word_pos(word);
        Self { rng }
    }

    /// The key of the next 32 bytes of one of `parent`'s own streams; private if the parent is.
    pub(crate) fn derive_key(&mut self, parent: &PrivacyKey) -> PrivacyKey {
        PrivacyKey::filled(parent.is_private(), |bytes| self.read(bytes))
    }

    /// The next bytes of the stream. Whole words are used: a length that is no multiple of 4 drops the rest of the
    /// last.
    pub(crate) fn read(&mut self, bytes: &mut [u8]) {
        self.rng.fill_bytes(bytes);
    }

    /// The next word.
    #[inline]
    pub(crate) fn next_word(&mut self) -> u32 {
        self.rng.next_u32()
    }
}

/// The number of the stream of a purpose and a step: `purpose · 2^56 + step`.
///
/// # Errors
///
/// [`MechanismError::StepOutOfRange`] if `step` is above [`MAX_STEP`].
pub fn stream_number(purpose: Purpose, step: u64) -> Result<u64, MechanismError> {
    if step > MAX_STEP {
        return Err(MechanismError::StepOutOfRange { step });
    }
    Ok(((purpose as u64) << 56) | step)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One ChaCha20 block, written from RFC 8439 section 2.3 with the 64-bit counter and nonce of the original.
    pub(crate) fn chacha20_block(key: [u32; 8], counter: u64, nonce: u64) -> [u32; 16] {
        fn quarter_round(state: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
            state[a] = state[a].wrapping_add(state[b]);
            state[d] = (state[d] ^ state[a]).rotate_left(16);
            state[c] = state[c].wrapping_add(state[d]);
            state[b] = (state[b] ^ state[c]).rotate_left(12);
            state[a] = state[a].wrapping_add(state[b]);
            state[d] = (state[d] ^ state[a]).rotate_left(8);
            state[c] = state[c].wrapping_add(state[d]);
            state[b] = (state[b] ^ state[c]).rotate_left(7);
        }
        let mut start = [0_u32; 16];
        start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574]);
        start[4..12].copy_from_slice(&key);
        start[12] = counter as u32;
        start[13] = (counter >> 32) as u32;
        start[14] = nonce as u32;
        start[15] = (nonce >> 32) as u32;
        let mut state = start;
        for _ in 0..10 {
            for column in 0..4 {
                quarter_round(&mut state, [column, 4 + column, 8 + column, 12 + column]);
            }
            for diagonal in 0..4 {
                quarter_round(
                    &mut state,
                    [diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4],
                );
            }
        }
        for (word, first) in state.iter_mut().zip(start) {
            *word = word.wrapping_add(first);
        }
        state
    }

    /// `count` words of a stream from word `from`, by the independent block function.
    pub(crate) fn reference_words(key: &PrivacyKey, stream: u64, from: u128, count: usize) -> Vec<u32> {
        let mut words = [0_u32; 8];
        for (word, four) in words.iter_mut().zip(key.expose().chunks_exact(4)) {
            *word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        }
        (from..from + count as u128)
            .map(|w| chacha20_block(words, (w / 16) as u64, stream)[(w % 16) as usize])
            .collect()
    }

    fn test_key() -> PrivacyKey {
        PrivacyKey::from_bytes(std::array::from_fn(|i| i as u8))
    }

    #[test]
    fn the_reference_block_is_that_of_the_rfc() {
        // RFC 8439 section 2.3.2: key 00..1f, counter 1, nonce 00:00:00:09:00:00:00:4a:00:00:00:00. Its 96-bit nonce is
        // our nonce with the first word in the counter's high half.
        let key = std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|j| (4 * i + j) as u8)));
        let block = chacha20_block(key, 1 | (0x0900_0000 << 32), 0x4A00_0000);
        assert_eq!(block[..4], [0xE4E7_F110, 0x1559_3BD1, 0x1FDD_0F50, 0xC471_20A3]);
        assert_eq!(block[12..], [0xD19C_12B5, 0xB94E_16DE, 0xE883_D0CB, 0x4E3C_50A2]);
    }

    #[test]
    fn streams_have_the_documented_layout_from_any_word() {
        let key = test_key();
        let positions = [0, 1, 5, 6, 15, 16, 17, 63, 64, 65, 6 * 12_345, (16 << 32) - 3, (16 << 32) + 7, 1 << 67];
        for (purpose, number) in [
            (Purpose::Sampling, 1_u64),
            (Purpose::Noise, 11),
            (Purpose::Validation, 3),
            (Purpose::Initialization, 4),
            (Purpose::Augmentation, 5),
            (Purpose::Testing, 6),
        ] {
            for step in [0, 1, 1 << 32, MAX_STEP] {
                for from in positions {
                    let mut bytes = [0_u8; 4 * 150];
                    KeyStream::open(&key, purpose, step, from).unwrap().read(&mut bytes);
                    let words: Vec<u32> = bytes
                        .chunks_exact(4)
                        .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                        .collect();
                    assert_eq!(
                        words,
                        reference_words(&key, (number << 56) + step, from, 150),
                        "{purpose:?} {step} {from}"
                    );
                }
            }
        }
    }

    #[test]
    fn reading_in_pieces_changes_nothing() {
        let key = test_key();
        let mut whole = [0_u8; 4_096];
        KeyStream::open(&key, Purpose::Noise, 3, 6).unwrap().read(&mut whole);
        let mut pieces = [0_u8; 4_096];
        let mut reader = KeyStream::open(&key, Purpose::Noise, 3, 6).unwrap();
        for piece in pieces.chunks_mut(24 * 7) {
            reader.read(piece);
        }
        assert_eq!(whole, pieces);
    }

    #[test]
    fn no_two_streams_begin_alike() {
        // 16 bytes each of 2,000 streams of two keys: a repetition has probability 2^-106.
        let purposes = [
            Purpose::Sampling,
            Purpose::Noise,
            Purpose::Validation,
            Purpose::Initialization,
            Purpose::Augmentation,
            Purpose::Testing,
            Purpose::InputPerturbation,
            Purpose::OutputPerturbation,
            Purpose::Assignment,
            Purpose::RoundedNoise,
        ];
        let mut seen = std::collections::HashSet::new();
        for key in [test_key(), PrivacyKey::from_bytes([1; 32])] {
            for purpose in purposes {
                for step in (0..190).chain((46..56).map(|bit| 1 << bit)) {
                    let mut bytes = [0_u8; 16];
                    KeyStream::open(&key, purpose, step, 0).unwrap().read(&mut bytes);
                    assert!(seen.insert(bytes), "{purpose:?}, step {step}");
                }
            }
        }
        assert_eq!(seen.len(), 2 * purposes.len() * 200);
    }

    #[test]
    fn bits_and_bytes_are_uniform() {
        // 2^22 bytes. By Chernoff's bound, n · KL(ones / n, 1/2) exceeds 20 with probability at most 2 exp(-20), times
        // 64 bit positions: 2.6e-7.
        let mut bytes = vec![0_u8; 1 << 22];
        KeyStream::open(&test_key(), Purpose::Noise, 0, 0).unwrap().read(&mut bytes);
        let mut ones = [0_u32; 64];
        let mut cells = [0_u32; 256];
        for eight in bytes.chunks_exact(8) {
            for (byte, ones) in eight.iter().zip(ones.chunks_exact_mut(8)) {
                cells[usize::from(*byte)] += 1;
                for (bit, count) in ones.iter_mut().enumerate() {
                    *count += u32::from((byte >> bit) & 1);
                }
            }
        }
        let n = (bytes.len() / 8) as f64;
        for (bit, &count) in ones.iter().enumerate() {
            let share = f64::from(count) / n;
            let divergence = n * (share * (2.0 * share).ln() + (1.0 - share) * (2.0 - 2.0 * share).ln());
            assert!(divergence < 20.0, "bit {bit}: {count} ones of {n}");
        }
        // Chi-square of 255 degrees of freedom: by Laurent and Massart's bounds (Annals of Statistics 28, 2000) outside
        // 255 ± 2 sqrt(255 x), + 2x above, with probability at most 2 exp(-x); x = 16 gives 2.3e-7.
        let expected = bytes.len() as f64 / 256.0;
        let chi_square: f64 = cells.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        let spread = 2.0 * (255.0_f64 * 16.0).sqrt();
        assert!(chi_square > 255.0 - spread && chi_square < 255.0 + spread + 32.0, "{chi_square}");
    }

    #[test]
    fn a_step_beyond_56_bits_is_refused() {
        let error = stream_number(Purpose::Noise, MAX_STEP + 1).unwrap_err();
        assert_eq!(error, MechanismError::StepOutOfRange { step: 1 << 56 });
        assert!(error.to_string().contains("72057594037927936"));
        assert!(stream_number(Purpose::Noise, u64::MAX).is_err());
    }
}
