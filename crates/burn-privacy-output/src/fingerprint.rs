//! A short name for some bytes, by which two of them are told apart.

use sha2::{Digest, Sha256};

/// The SHA-256 digest of some bytes (FIPS 180-4), as 64 lower-case hexadecimal digits.
///
/// It names settings and files. It hides nothing: whoever can guess the bytes can check the guess, so private data
/// must not be named by it.
///
/// ```
/// let digest = burn_privacy_output::fingerprint("abc");
/// assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// ```
pub fn fingerprint(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_standard() {
        for (text, digest) in [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
        ] {
            assert_eq!(fingerprint(text), digest);
        }
    }
}
