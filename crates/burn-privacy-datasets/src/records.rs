//! The contents of one file of CIFAR-10's binary form: records of a label and an image.

use std::io::{self, Read};

use super::checksum::{expect_md5, md5_hex};
use super::{Checksum, DatasetError, IMAGE_BYTES};

/// One byte of label, then the pixels.
const RECORD_BYTES: usize = 1 + IMAGE_BYTES;

/// How many records a file holds, and how many classes there are.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) records: usize,
    pub(super) classes: u8,
}

impl Format {
    /// The length of a file in bytes.
    pub(super) fn bytes(self) -> usize {
        self.records * RECORD_BYTES
    }
}

/// The contents of one file: records of a label and an image.
#[derive(Debug)]
pub(super) struct Records {
    bytes: Vec<u8>,
}

impl Records {
    /// Reads all of `reader`, which must hold what `format` says and no more. `name` is for messages; `failed`
    /// makes the error for a reader that fails after so many bytes.
    pub(super) fn read(
        name: &str,
        format: Format,
        reader: impl Read,
        failed: impl Fn(u64, io::Error) -> DatasetError,
    ) -> Result<Self, DatasetError> {
        let expected = format.bytes();
        let mut bytes = Vec::with_capacity(expected + 1);
        // One byte more than there must be: it tells a longer file, and makes a decoder check its trailer.
        if let Err(source) = reader.take(expected as u64 + 1).read_to_end(&mut bytes) {
            return Err(failed(bytes.len() as u64, source));
        }
        let (file, records, record_bytes) = (name.to_owned(), format.records as u64, RECORD_BYTES as u64);
        if bytes.len() < expected {
            return Err(DatasetError::Truncated {
                file,
                byte: bytes.len() as u64,
                record: (bytes.len() / RECORD_BYTES) as u64,
                records,
                record_bytes,
                expected: expected as u64,
            });
        }
        if bytes.len() > expected {
            return Err(DatasetError::TooLong { file, expected: expected as u64, records, record_bytes });
        }
        for (record, chunk) in bytes.chunks_exact(RECORD_BYTES).enumerate() {
            if chunk[0] >= format.classes {
                return Err(DatasetError::Label {
                    file,
                    byte: (record * RECORD_BYTES) as u64,
                    record: record as u64,
                    found: chunk[0],
                    max: format.classes - 1,
                    format: "CIFAR-10 binary",
                });
            }
        }
        Ok(Self { bytes })
    }

    /// Compares the contents with the published checksum, if that is wanted.
    pub(super) fn check(&self, name: &str, md5: &str, checksum: Checksum) -> Result<(), DatasetError> {
        if checksum == Checksum::Skip {
            return Ok(());
        }
        expect_md5(name, self.bytes.len() as u64, md5_hex(&self.bytes), md5)
    }

    /// Copies pixels and labels apart; both must have room for exactly these records.
    pub(super) fn split_into(&self, images: &mut [u8], labels: &mut [u8]) {
        let places = images.chunks_exact_mut(IMAGE_BYTES).zip(labels);
        for (record, (image, label)) in self.bytes.chunks_exact(RECORD_BYTES).zip(places) {
            *label = record[0];
            image.copy_from_slice(&record[1..]);
        }
    }
}
