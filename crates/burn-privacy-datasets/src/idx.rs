//! The IDX format of MNIST's files.

use std::io::{self, Read};

use super::DatasetError;

/// The first four bytes: unsigned bytes in one dimension (labels) or three (images).
const LABELS: u32 = 0x0801;
const IMAGES: u32 = 0x0803;

/// No data set of this form has as many images or labels: EMNIST, the largest, has 814,255. What a header promises beyond that is
/// not read into memory.
pub(super) const MOST_RECORDS: u32 = 1_000_000;

/// The contents of a file in the IDX format of MNIST: a big-endian header with the number of dimensions and the size of
/// each, then the bytes. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section
/// "File formats".
#[derive(Debug)]
pub(super) struct Idx {
    /// The whole file, the header included, for its checksum.
    pub(super) contents: Vec<u8>,
    header: usize,
}

impl Idx {
    /// What comes after the header.
    pub(super) fn values(self) -> Vec<u8> {
        let mut values = self.contents;
        values.drain(..self.header);
        values
    }

    /// Reads labels below `classes`, all that `reader` holds and at most `most`.
    pub(super) fn labels(
        name: &str,
        classes: u8,
        most: u32,
        reader: impl Read,
        failed: impl Fn(u64, io::Error) -> DatasetError,
    ) -> Result<Self, DatasetError> {
        let labels = Self::read(name, LABELS, &[], most, reader, failed)?;
        let wrong = labels.contents[labels.header..].iter().position(|label| *label >= classes);
        match wrong {
            None => Ok(labels),
            Some(record) => Err(DatasetError::Label {
                file: name.to_owned(),
                byte: (labels.header + record) as u64,
                record: record as u64,
                found: labels.contents[labels.header + record],
                max: classes - 1,
                format: "IDX",
            }),
        }
    }

    /// Reads images of this many rows and columns, all that `reader` holds and at most `most`.
    pub(super) fn images(
        name: &str,
        size: [u32; 2],
        most: u32,
        reader: impl Read,
        failed: impl Fn(u64, io::Error) -> DatasetError,
    ) -> Result<Self, DatasetError> {
        Self::read(name, IMAGES, &size, most, reader, failed)
    }

    fn read(
        name: &str,
        magic: u32,
        size: &[u32],
        most: u32,
        mut reader: impl Read,
        failed: impl Fn(u64, io::Error) -> DatasetError,
    ) -> Result<Self, DatasetError> {
        let (header, record) = (8 + 4 * size.len(), size.iter().map(|&side| u64::from(side)).product::<u64>());
        let mut contents = Vec::new();
        let mut take = |contents: &mut Vec<u8>, bytes: u64| {
            let read = reader.by_ref().take(bytes).read_to_end(contents);
            read.map_err(|source| failed(contents.len() as u64, source))
        };
        take(&mut contents, header as u64)?;
        let number = |at: usize| contents.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let check = |what, at: usize, expected: u32| match number(at) {
            Some(found) if found != expected => {
                Err(DatasetError::Header { file: name.to_owned(), what, byte: at as u64, found, expected })
            }
            _ => Ok(()),
        };
        check("the magic number", 0, magic)?;
        for (index, &side) in size.iter().enumerate() {
            check(["the number of rows", "the number of columns"][index.min(1)], 8 + 4 * index, side)?;
        }
        let promised = number(4).unwrap_or(0);
        if promised > most {
            return Err(DatasetError::TooMany { file: name.to_owned(), found: promised, most });
        }
        let records = u64::from(promised);
        let expected = header as u64 + records * record;
        // One byte more than there must be: it tells a longer file, and makes a decoder check its trailer.
        take(&mut contents, records * record + 1)?;
        let (file, byte) = (name.to_owned(), contents.len() as u64);
        if byte < expected || contents.len() < header {
            let at = byte.saturating_sub(header as u64) / record;
            return Err(DatasetError::Truncated { file, byte, record: at, records, record_bytes: record, expected });
        }
        if byte > expected {
            return Err(DatasetError::TooLong { file, expected, records, record_bytes: record });
        }
        Ok(Self { contents, header })
    }
}
