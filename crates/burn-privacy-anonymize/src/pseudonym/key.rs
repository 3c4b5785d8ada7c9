//! Keys, and pseudonyms by HMAC-SHA-256 (RFC 2104, FIPS 180-4).

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
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
    pub(crate) fn derive(&self, purpose: &str, domain: &str) -> [u8; 32] {
        let mut mac = keyed(self.0.as_slice());
        // Lengths keep ("ab", "c") and ("a", "bc") apart.
        for part in ["burn-privacy pseudonym 1", purpose, domain] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
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
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
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

/// Pseudonyms of one domain of values: the first 128 bits of HMAC-SHA-256, as 32 hexadecimal digits.
///
/// Two of 10^7 values share a pseudonym with probability below 2e-25. Values are compared byte by byte: other spellings,
/// other Unicode normal forms and numbers written differently are other values. An empty value stays empty, so that what
/// is missing stays missing; that it is missing is seen.
pub struct KeyedPseudonym(Hmac<Sha256>);

impl KeyedPseudonym {
    /// Pseudonyms under a key, for a domain such as `e-mail`. The same domain joins over tables, others don't.
    pub fn new(key: &PseudonymKey, domain: &str) -> Self {
        let mut derived = key.derive("hmac", domain);
        let mac = keyed(&derived);
        derived.zeroize();
        Self(mac)
    }

    /// The pseudonym of a value.
    pub fn pseudonym(&self, value: &str) -> String {
        if value.is_empty() {
            return String::new();
        }
        let mut mac = self.0.clone();
        mac.update(value.as_bytes());
        hex(&mac.finalize().into_bytes()[..16])
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
