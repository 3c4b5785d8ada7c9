use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::Archive;

use super::DatasetError;
use super::cifar10::{Assembly, MEMBERS, Reader};
use super::counted::Counted;
use super::records::Records;

/// The first two bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads the members of a `.tar.gz` into `assembly`, in whatever order and folder they lie; others are passed
/// over. The archive is read to its end, so that its own check sum is seen.
pub(super) fn read(path: &Path, file: File, reader: &Reader, assembly: &mut Assembly) -> Result<(), DatasetError> {
    let mut file = BufReader::new(file);
    expect_gzip(path, &mut file)?;

    let packed = Counted::new(file);
    let packed_count = packed.count();
    let unpacked = Counted::new(MultiGzDecoder::new(packed));
    let unpacked_count = unpacked.count();
    let archive_name = path.display().to_string();
    let damaged = |file: &str, byte, source| DatasetError::Damaged {
        file: file.to_owned(),
        byte,
        packed_bytes: packed_count.get(),
        source,
    };

    let mut archive = Archive::new(unpacked);
    for entry in archive.entries().map_err(|source| damaged(&archive_name, unpacked_count.get(), source))? {
        let entry = entry.map_err(|source| damaged(&archive_name, unpacked_count.get(), source))?;
        let Some(index) = member(&entry.path_bytes()) else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if assembly.has(index) {
            return Err(DatasetError::Duplicate {
                archive: path.to_owned(),
                member: MEMBERS[index].name.to_owned(),
                byte: entry.raw_header_position(),
            });
        }
        let name = format!("{archive_name}, member {}", MEMBERS[index].name);
        let records = Records::read(&name, reader.format, entry, |byte, source| damaged(&name, byte, source))?;
        records.check(&name, MEMBERS[index].md5, reader.checksum)?;
        assembly.add(index, &records);
    }
    io::copy(&mut archive.into_inner(), &mut io::sink())
        .map_err(|source| damaged(&archive_name, unpacked_count.get(), source))?;
    Ok(())
}

/// Refuses a file that is no gzip file at all, without taking a byte from it.
fn expect_gzip(path: &Path, file: &mut BufReader<File>) -> Result<(), DatasetError> {
    let start = file.fill_buf().map_err(|source| DatasetError::Read { file: path.to_owned(), byte: 0, source })?;
    if start.starts_with(&GZIP) {
        return Ok(());
    }
    let found = match start {
        [] => "the end of the file".to_owned(),
        [only] => format!("{only:02x} and the end of the file"),
        [first, second, ..] => format!("{first:02x} {second:02x}"),
    };
    Err(DatasetError::NotAnArchive { file: path.to_owned(), found })
}

/// The place in [`MEMBERS`] of the member with this path.
fn member(path: &[u8]) -> Option<usize> {
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    MEMBERS.iter().position(|member| member.name.as_bytes() == name)
}
