//! Published checksums of files, and how they are computed.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::{Digest as _, Md5};

use super::DatasetError;

/// Whether files are compared with their published checksums.
///
/// The published checksums are MD5. MD5 finds accidents (a cut-off or mixed-up file), not an attacker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// A file with another checksum is refused. The default.
    #[default]
    Verify,
    /// Any contents of the right size with labels in range are taken, for example an altered copy.
    Skip,
}

/// MD5 over bytes that arrive in pieces.
pub(super) struct Md5Sum(Md5);

impl Md5Sum {
    pub(super) fn new() -> Self {
        Self(Md5::new())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum as 32 lower-case hexadecimal digits.
    pub(super) fn hex(self) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.0.finalize() {
            // Writing into a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The MD5 of `bytes` as 32 lower-case hexadecimal digits.
pub(crate) fn md5_hex(bytes: &[u8]) -> String {
    let mut sum = Md5Sum::new();
    sum.update(bytes);
    sum.hex()
}

/// The length and the MD5 of a file as it lies there, read piece by piece.
pub(super) fn file_md5(path: &Path) -> Result<(u64, String), DatasetError> {
    let mut byte = 0;
    let mut sum = Md5Sum::new();
    let mut buffer = vec![0; 1 << 16];
    let mut hash = || -> io::Result<()> {
        let mut file = File::open(path)?;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                length => {
                    sum.update(&buffer[..length]);
                    byte += length as u64;
                }
            }
        }
    };
    let outcome = hash();
    outcome.map_err(|source| DatasetError::Read { file: path.to_owned(), byte, source })?;
    Ok((byte, sum.hex()))
}

/// Compares the MD5 of what was read with the published one. `bytes` is how many went into it.
pub(super) fn expect_md5(file: &str, bytes: u64, found: String, expected: &str) -> Result<(), DatasetError> {
    if found == expected {
        return Ok(());
    }
    Err(DatasetError::Checksum { file: file.to_owned(), bytes, found, expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The test suite of RFC 1321, section A.5.
    #[test]
    fn md5_of_the_rfc_examples() {
        assert_eq!(md5_hex(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5_hex(b"message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    }
}
