//! Keys, and pseudonyms by HMAC-SHA-256 (RFC 2104, FIPS 180-4).

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::AnonymizeError;

/// A secret of 256 bits, from which all pseudonyms follow. It is overwritten when it is dropped and never shown.
pub struct PseudonymKey(Box<[u8; 32]>);

impl PseudonymKey {
    /// A new key from the operating system's generator.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Unreachable`] if the system has no randomness. There is no fallback.
    pub fn generate() -> Result<Self, AnonymizeError> {
        let mut bytes = Box::new([0; 32]);
        SysRng
            .try_fill_bytes(bytes.as_mut_slice())
            .map_err(|error| AnonymizeError::Unreachable { reason: format!("no randomness for a key: {error}") })?;
        Ok(Self(bytes))
    }

    /// A key from its 64 hexadecimal digits; space around them is ignored.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for anything else. The text is not repeated.
    pub fn from_hex(text: &str) -> Result<Self, AnonymizeError> {
        let refused = || AnonymizeError::parameter("the key", "something else", "64 hexadecimal digits");
        let digits = text.trim().as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(refused());
        }
        let mut bytes = Box::new([0; 32]);
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refused())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(bytes))
    }

    /// Reads a key file: 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Read`], and those of [`Self::from_hex`].
    pub fn read(file: &Path) -> Result<Self, AnonymizeError> {
        let mut text =
            std::fs::read_to_string(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
        let key = Self::from_hex(&text);
        text.zeroize();
        key
    }

    /// The key's 64 hexadecimal digits, to be kept apart from the data.
    pub fn to_hex(&self) -> String {
        hex(self.0.as_slice())
    }

    /// A key for one purpose and one domain of values; it tells nothing about the others.
    pub fn derive(&self, purpose: &str, domain: &str) -> [u8; 32] {
        let mut mac = keyed(self.0.as_slice());
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        for part in ["burn-privacy pseudonym 1", purpose, domain] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// The two padded keys of HMAC for one purpose and domain: what SQL needs to make the same pseudonyms, and a secret as the
/// key is.
pub(crate) fn padded_keys(key: &PseudonymKey, purpose: &str, domain: &str) -> [[u8; 64]; 2] {
    let mut derived = key.derive(purpose, domain);
    let padded = [0x36, 0x5c].map(|pad| {
        let mut block = [pad; 64];
        block.iter_mut().zip(&derived).for_each(|(byte, key)| *byte ^= key);
        block
    });
    derived.zeroize();
    padded
}

impl Drop for PseudonymKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(not shown)")
    }
}

/// HMAC-SHA-256 under a key of any length, which is brought to the length of a block as RFC 2104 says: so no length fails.
pub fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    if key.len() <= block.len() {
        block[..key.len()].copy_from_slice(key);
    } else {
        block[..32].copy_from_slice(&Sha256::digest(key));
    }
    let mac = Hmac::new(&block.into());
    block.zeroize();
    mac
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// HMAC-SHA-256 under one key, with the hash's states after the two padded keys computed once: a value of up to 55 bytes
/// then costs two compressions and no memory.
#[derive(Clone)]
pub(crate) struct KeyedHash {
    inner: [u32; 8],
    outer: [u32; 8],
}

/// The state that SHA-256 begins with (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

impl KeyedHash {
    /// For one purpose and one domain of values.
    pub(crate) fn new(key: &PseudonymKey, purpose: &str, domain: &str) -> Self {
        let mut derived = key.derive(purpose, domain);
        let keyed = Self::of_key(&derived);
        derived.zeroize();
        keyed
    }

    /// RFC 2104 for a key of 32 bytes, which is shorter than a block.
    fn of_key(key: &[u8; 32]) -> Self {
        let after = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = INITIAL;
            compress256(&mut state, &[block]);
            block.zeroize();
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }

    /// The code of a value.
    pub(crate) fn code(&self, value: &[u8]) -> [u8; 32] {
        // What is hashed at last is always 32 bytes behind a block: their padding is known.
        let mut block = [0; 64];
        put_words(finish(self.inner, value), &mut block);
        block[32] = 0x80;
        block[62..].copy_from_slice(&768_u16.to_be_bytes());
        let mut state = self.outer;
        compress256(&mut state, &[block]);
        let mut code = [0; 32];
        put_words(state, &mut code);
        code
    }
}

impl Drop for KeyedHash {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// The words of a state as bytes.
fn put_words(state: [u32; 8], out: &mut [u8]) {
    for (bytes, word) in out.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
}

/// The hash of a block that is done already (its state is given) and of `rest` (FIPS 180-4, 5.1.1 and 6.2.2), as words.
fn finish(mut state: [u32; 8], rest: &[u8]) -> [u32; 8] {
    let (whole, last) = rest.as_chunks::<64>();
    if !whole.is_empty() {
        compress256(&mut state, whole);
    }
    let mut block = [0_u8; 64];
    block[..last.len()].copy_from_slice(last);
    block[last.len()] = 0x80;
    if last.len() >= 56 {
        compress256(&mut state, &[block]);
        block.fill(0);
    }
    let bits = (rest.len() as u64 + 64) * 8;
    block[56..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, &[block]);
    state
}

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// Lower-case hexadecimal digits, without an allocation and at once: of up to 32 bytes.
pub(crate) fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    let mut digits = [0; 64];
    for (pair, &byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&PAIRS[usize::from(byte)]);
    }
    out.extend_from_slice(&digits[..2 * bytes.len()]);
}

/// Pseudonyms of one domain of values: the first 128 bits of HMAC-SHA-256, as 32 hexadecimal digits.
///
/// Two of 10^7 values share a pseudonym with probability below 2e-25. Values are compared byte by byte: other spellings,
/// other Unicode normal forms and numbers written differently are other values. An empty value stays empty, so that what
/// is missing stays missing; that it is missing is seen.
pub struct KeyedPseudonym(KeyedHash);

impl KeyedPseudonym {
    /// Pseudonyms under a key, for a domain such as `e-mail`. The same domain joins over tables, others don't.
    pub fn new(key: &PseudonymKey, domain: &str) -> Self {
        Self(KeyedHash::new(key, "hmac", domain))
    }

    /// The pseudonym of a value.
    pub fn pseudonym(&self, value: &str) -> String {
        let mut pseudonym = Vec::with_capacity(32);
        self.write(value.as_bytes(), &mut pseudonym);
        pseudonym.into_iter().map(char::from).collect()
    }

    /// Writes the pseudonym of a value.
    pub(crate) fn write(&self, value: &[u8], out: &mut Vec<u8>) {
        if !value.is_empty() {
            push_hex(&self.0.code(value)[..16], out);
        }
    }
}

/// SHA-256 without a key, as 64 hexadecimal digits. It protects nothing that can be guessed: see
/// [`crate::attack::dictionary()`].
pub fn unkeyed_hash(value: &str) -> String {
    hex(&Sha256::digest(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4231_hold() {
        let mac = |key: &[u8], data: &[u8]| {
            let mut mac = keyed(key);
            mac.update(data);
            hex(&mac.finalize().into_bytes())
        };
        // Test cases 1, 2, 3, 4 and 6.
        assert_eq!(mac(&[0x0b; 20], b"Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(
            mac(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(mac(&[0xaa; 20], &[0xdd; 50]), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
        assert_eq!(
            mac(&(1..=25).collect::<Vec<u8>>(), &[0xcd; 50]),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        );
        assert_eq!(
            mac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn precomputed_states_give_the_codes_of_hmac() {
        let bytes: Vec<u8> = (0..300).map(|place| (place * 7 % 251) as u8).collect();
        for key in [[0_u8; 32], [0xff; 32], std::array::from_fn(|place| place as u8 * 3)] {
            let fast = KeyedHash::of_key(&key);
            for length in 0..bytes.len() {
                let mut mac = keyed(&key);
                mac.update(&bytes[..length]);
                assert_eq!(fast.code(&bytes[..length])[..], mac.finalize().into_bytes()[..], "{length}");
            }
        }
    }

    #[test]
    fn the_same_value_has_the_same_pseudonym_within_its_domain_and_key_only() {
        let key = PseudonymKey::from_hex(&"07".repeat(32)).unwrap();
        let again = PseudonymKey::from_hex(&key.to_hex()).unwrap();
        let other = PseudonymKey::generate().unwrap();
        let of = |key: &PseudonymKey, domain: &str| KeyedPseudonym::new(key, domain).pseudonym("ada@example.org");
        assert_eq!(of(&key, "mail"), of(&again, "mail"));
        assert_eq!(of(&key, "mail").len(), 32);
        assert_ne!(of(&key, "mail"), of(&key, "name"));
        assert_ne!(of(&key, "mail"), of(&other, "mail"));
        assert_eq!(KeyedPseudonym::new(&key, "mail").pseudonym(""), "");
        assert!(!format!("{key:?}").contains("07"));
    }

    #[test]
    fn a_million_values_have_as_many_pseudonyms() {
        let pseudonyms = KeyedPseudonym::new(&PseudonymKey::from_hex(&"5a".repeat(32)).unwrap(), "n");
        let all: std::collections::HashSet<String> =
            (0..1_000_000).map(|number| pseudonyms.pseudonym(&number.to_string())).collect();
        assert_eq!(all.len(), 1_000_000);
    }

    #[test]
    fn keys_are_64_digits_and_a_wrong_one_is_not_repeated() {
        for text in ["", "00", &"0g".repeat(32), &"00".repeat(33), "é"] {
            let error = PseudonymKey::from_hex(text).unwrap_err().to_string();
            assert!(error.contains("64 hexadecimal digits"), "{error}");
        }
    }
}
