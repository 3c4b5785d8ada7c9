//! Where a key comes from, and the key.

use std::fmt;

use chacha20::ChaCha20Rng;
use rand::rngs::SysRng;
use rand::{Rng, SeedableRng, TryRng};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::MechanismError;

/// The text that keeps seeded keys apart from every other use of ChaCha20: bytes 8 to 31 of the expansion's key.
const SEED_DOMAIN: &[u8; 24] = b"burn-privacy seed key v1";

/// Where the randomness of sampling and noise comes from.
///
/// The choice is explicit because it decides whether anything is private at all: whoever knows the seed can
/// recompute every coin and subtract every noise value. A report of a run with a seed must say so.
///
/// ```
/// use burn_privacy_mechanisms::Entropy;
///
/// assert!(Entropy::os().is_private());
/// assert!(!Entropy::seeded(7).is_private());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entropy {
    /// 256 bits from the operating system, new for each key. The only choice that is private.
    Os,
    /// A fixed seed, for tests and for reproducing a run bit for bit. **Not private**: a seed is known, written down or
    /// guessable, and 64 bits would be too few even if it were not. Every report of such a run is marked "not
    /// private: fixed seed".
    Seeded(u64),
}

impl Entropy {
    /// Randomness from the operating system: private.
    pub const fn os() -> Self {
        Self::Os
    }

    /// Randomness from a fixed seed: reproducible, and **not private**.
    pub const fn seeded(seed: u64) -> Self {
        Self::Seeded(seed)
    }

    /// Whether a run with this randomness can be private: true for [`Entropy::Os`] alone.
    pub const fn is_private(&self) -> bool {
        matches!(self, Self::Os)
    }
}

/// A 256-bit ChaCha20 key (RFC 8439), from which all coins and all noise of a run are derived.
///
/// Whoever has the key can subtract the noise. It is therefore kept on the heap, wiped when dropped, neither
/// `Clone` nor serializable, and `Debug` shows nothing of it. A run that is resumed draws a new key; there is no way to
/// store one.
///
/// # Formal guarantees
///
/// With [`Entropy::Os`], the coins and noise are computationally indistinguishable from independent uniform bits, as
/// far as ChaCha20 is a pseudo-random function; differential privacy then holds against adversaries of bounded
/// computing power (Mironov, Pandey, Reingold and Vadhan, "Computational differential privacy", CRYPTO 2009). With
/// [`Entropy::Seeded`] nothing is guaranteed.
pub struct PrivacyKey {
    bytes: Box<[u8; 32]>,
    private: bool,
}

impl PrivacyKey {
    /// Draws a key.
    ///
    /// From [`Entropy::Os`], 32 bytes of the operating system's generator. From [`Entropy::Seeded`], the first 32 bytes
    /// of the ChaCha20 key stream (stream 0, counter 0) whose key is the seed's 8 bytes, little-endian, followed
    /// by the 24 bytes `burn-privacy seed key v1`; the same on every machine.
    ///
    /// # Errors
    ///
    /// [`MechanismError::OsRandomness`] if the operating system's generator fails. There is no fallback.
    pub fn draw(entropy: Entropy) -> Result<Self, MechanismError> {
        let mut bytes = Box::new([0_u8; 32]);
        match entropy {
            Entropy::Os => {
                SysRng
                    .try_fill_bytes(bytes.as_mut_slice())
                    .map_err(|error| MechanismError::OsRandomness { reason: error.to_string() })?;
            }
            Entropy::Seeded(seed) => {
                let mut expansion = [0_u8; 32];
                expansion[..8].copy_from_slice(&seed.to_le_bytes());
                expansion[8..].copy_from_slice(SEED_DOMAIN);
                ChaCha20Rng::from_seed(expansion).fill_bytes(bytes.as_mut_slice());
            }
        }
        Ok(Self { bytes, private: entropy.is_private() })
    }

    /// The key of the 32 bytes that `fill` writes where the key lies.
    pub(crate) fn filled(private: bool, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut bytes = Box::new([0_u8; 32]);
        fill(bytes.as_mut_slice());
        Self { bytes, private }
    }

    /// Whether the key came from the operating system. A key of a fixed seed is not private, and whatever was made
    /// with it must say so.
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// The key itself, for the generator of this crate alone.
    pub(crate) fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// A key of known bytes, for known-answer tests.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes: Box::new(bytes), private: false }
    }
}

impl Drop for PrivacyKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for PrivacyKey {}

impl fmt::Debug for PrivacyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivacyKey").field("private", &self.private).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_operating_system_differ() {
        // Two 256-bit keys are equal with probability 2^-256.
        let first = PrivacyKey::draw(Entropy::os()).unwrap();
        let second = PrivacyKey::draw(Entropy::os()).unwrap();
        assert_ne!(first.expose(), second.expose());
        assert_ne!(first.expose(), &[0; 32]);
        assert!(first.is_private());
    }

    #[test]
    fn a_seed_gives_the_documented_key_and_no_privacy() {
        let key = PrivacyKey::draw(Entropy::seeded(42)).unwrap();
        let mut words = [0_u32; 8];
        words[0] = 42;
        for (word, four) in words[2..].iter_mut().zip(SEED_DOMAIN.chunks_exact(4)) {
            *word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        }
        let block = crate::stream::tests::chacha20_block(words, 0, 0);
        let expected: Vec<u8> = block[..8].iter().flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(key.expose().as_slice(), expected);
        assert!(!key.is_private());
        assert_ne!(key.expose(), PrivacyKey::draw(Entropy::seeded(43)).unwrap().expose());
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivacyKey::from_bytes([0xAB; 32]);
        let text = format!("{key:?}");
        assert_eq!(text, "PrivacyKey { private: false, .. }");
    }

    #[test]
    fn a_key_can_be_shared_between_threads() {
        fn shared<T: Send + Sync + ZeroizeOnDrop>() {}
        shared::<PrivacyKey>();
    }
}
