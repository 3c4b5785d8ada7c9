//! Reading members of a tar archive, packed by gzip or not, in bounded memory.

use std::io::{self, Read};
use std::path::Path;

use tar::{Archive, EntryType, Header, PaxExtensions};

use super::DatasetError;
use super::contents::{Bounded, Unpacked};
use super::counted::Counted;

/// The longest list of a member's properties (its name, if it is long) that is kept. Archives that were made by a
/// program have some hundred bytes of them; what is longer is there to fill the memory.
const MOST_PROPERTIES: u64 = 1 << 16;

/// No archive of a data set here is larger when unpacked, in bytes. The unpacked CIFAR-10 is 184 MB.
const MOST_CONTENTS: u64 = 1 << 28;

/// A member as it is read.
pub(super) struct ArchiveMember<'a> {
    /// For messages: the archive and the member.
    pub(super) name: &'a str,
    /// The contents.
    pub(super) reader: &'a mut dyn Read,
    /// Makes the error of a failure after so many bytes of the member.
    pub(super) failed: &'a dyn Fn(u64, io::Error) -> DatasetError,
}

/// Gives `take` the path of each regular file, in whatever order and folder they lie, which says whether it wants it; and those
/// that it wants, with the number that it said. The archive is read to its end, so that its own check sum is seen.
///
/// # Errors
///
/// If the file is no archive, is damaged, has a member twice, or is larger than any archive of a data set; and those of `take`.
pub(super) fn read(
    path: &Path,
    wanted: impl Fn(&[u8]) -> Result<Option<usize>, DatasetError>,
    mut take: impl FnMut(usize, ArchiveMember<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let file = Unpacked::open(path)?;
    if !(file.is_packed() || file.is_tar()) {
        return Err(not_an_archive(path, file.start()));
    }
    let archive_name = path.display().to_string();
    let failure = file.failure();
    let failed_in = |name: &str, byte, source: io::Error| match source.kind() {
        io::ErrorKind::FileTooLarge => DatasetError::TooLarge { file: path.to_owned(), most: MOST_CONTENTS },
        _ => failure.at(name, byte, source),
    };
    let unpacked = Counted::new(Bounded::new(file, MOST_CONTENTS));
    let count = unpacked.count();
    let damaged = |source| failed_in(&archive_name, count.get(), source);

    let mut archive = Archive::new(unpacked);
    let (mut long_name, mut seen) = (None, Vec::new());
    // Raw: the crate itself would read a long name into memory, of whatever length.
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let mut properties = Vec::new();
            let length = entry.by_ref().take(MOST_PROPERTIES + 1).read_to_end(&mut properties);
            if length.map_err(damaged)? as u64 > MOST_PROPERTIES {
                let (file, byte) = (path.to_owned(), entry.raw_header_position());
                return Err(DatasetError::LongProperties { file, byte, most: MOST_PROPERTIES });
            }
            long_name = name_in(kind, properties).or(long_name);
            continue;
        }
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            continue;
        }
        let member_path = long_name.take().unwrap_or_else(|| path_in(entry.header()));
        if !kind.is_file() {
            continue;
        }
        let Some(index) = wanted(&member_path)? else { continue };
        let file_name = file_name(&member_path);
        if seen.contains(&index) {
            let (archive, byte) = (path.to_owned(), entry.raw_header_position());
            return Err(DatasetError::Duplicate { archive, member: file_name, byte });
        }
        seen.push(index);
        let name = format!("{archive_name}, member {file_name}");
        let failed = |byte, source| failed_in(&name, byte, source);
        take(index, ArchiveMember { name: &name, reader: &mut entry, failed: &failed })?;
    }
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    Ok(())
}

/// The name that a member's properties give to the next member, if they do.
fn name_in(kind: EntryType, mut properties: Vec<u8>) -> Option<Vec<u8>> {
    if kind.is_gnu_longname() {
        // Ends with a zero byte.
        properties.truncate(properties.iter().position(|&byte| byte == 0).unwrap_or(properties.len()));
        return Some(properties);
    }
    let mut extensions = PaxExtensions::new(&properties).flatten();
    extensions.find(|extension| extension.key_bytes() == b"path").map(|extension| extension.value_bytes().to_vec())
}

fn path_in(header: &Header) -> Vec<u8> {
    header.path_bytes().into_owned()
}

/// What follows the last slash, for messages.
fn file_name(path: &[u8]) -> String {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    String::from_utf8_lossy(name).into_owned()
}

fn not_an_archive(path: &Path, start: &[u8]) -> DatasetError {
    let found = match start {
        [] => "the end of the file".to_owned(),
        [only] => format!("{only:02x} and the end of the file"),
        [first, second, ..] => format!("{first:02x} {second:02x}"),
    };
    DatasetError::NotAnArchive { file: path.to_owned(), found }
}
