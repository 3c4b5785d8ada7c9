//! What a file really holds, whatever its name says: gzip data, a tar archive, a web page; and how it is read.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::DatasetError;
use super::counted::Counted;

/// The first two bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a tar header holds at this byte (POSIX.1-1988 and later).
const TAR: (usize, &[u8]) = (257, b"ustar");

/// Bytes that are looked at: a tar header is as long.
const START: usize = 512;

/// The start of a file with its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Gzip,
    Tar,
    /// What no data set here looks like, in words.
    Other(&'static str),
    /// Nothing that is known: the format's own reader will see.
    Unknown,
}

impl Contents {
    fn of(start: &[u8]) -> Self {
        if start.starts_with(&GZIP) {
            return Self::Gzip;
        }
        if start.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) {
            return Self::Tar;
        }
        let magic: [(&[u8], &str); 4] = [
            (b"PK\x03\x04", "a ZIP archive"),
            (b"BZh", "a bzip2 file"),
            (b"\xfd7zXZ\0", "an XZ file"),
            (b"7z\xbc\xaf", "a 7z archive"),
        ];
        if let Some((_, words)) = magic.iter().find(|(magic, _)| start.starts_with(magic)) {
            return Self::Other(words);
        }
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start().to_ascii_lowercase();
        if text.starts_with(b"version https://git-lfs") {
            return Self::Other("a Git LFS pointer, which stands for a file that was not fetched");
        }
        let tags: [&[u8]; 6] = [b"<!doctype", b"<html", b"<head", b"<body", b"<?xml", b"<!--"];
        if tags.iter().any(|tag| text.starts_with(tag)) {
            return Self::Other("a web page (HTML or XML), such as a server's answer in place of the file");
        }
        Self::Unknown
    }
}

/// A file as it is read: unpacked if it is packed by gzip, whether its name says so or not.
pub(super) struct Unpacked {
    path: PathBuf,
    reader: Reader,
    start: Vec<u8>,
    packed_bytes: Option<Rc<Cell<u64>>>,
}

/// A file from its start, of which some bytes were looked at.
type Whole = BufReader<io::Chain<Cursor<Vec<u8>>, File>>;

enum Reader {
    Plain(Whole),
    Gzip(Box<MultiGzDecoder<Counted<Whole>>>),
}

impl Unpacked {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// If it can't be read, or holds what no data set looks like: a web page, another kind of archive.
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let unreadable = |source| DatasetError::Read { file: path.to_owned(), byte: 0, source };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut start = Vec::with_capacity(START);
        file.by_ref().take(START as u64).read_to_end(&mut start).map_err(unreadable)?;
        let contents = Contents::of(&start);
        if let Contents::Other(found) = contents {
            return Err(DatasetError::OtherContents { file: path.to_owned(), found });
        }
        let whole = BufReader::with_capacity(1 << 16, Cursor::new(start.clone()).chain(file));
        let (reader, packed_bytes) = if contents == Contents::Gzip {
            let counted = Counted::new(whole);
            let count = counted.count();
            (Reader::Gzip(Box::new(MultiGzDecoder::new(counted))), Some(count))
        } else {
            (Reader::Plain(whole), None)
        };
        Ok(Self { path: path.to_owned(), reader, start, packed_bytes })
    }

    /// Whether the file is packed by gzip.
    pub(super) fn is_packed(&self) -> bool {
        self.packed_bytes.is_some()
    }

    /// Whether the file is a tar archive that is not packed.
    pub(super) fn is_tar(&self) -> bool {
        Contents::of(&self.start) == Contents::Tar
    }

    /// The first bytes of the file as it lies there, up to 512.
    pub(super) fn start(&self) -> &[u8] {
        &self.start
    }

    /// Makes errors of this file.
    pub(super) fn failure(&self) -> Failure {
        Failure { path: self.path.clone(), packed_bytes: self.packed_bytes.clone() }
    }
}

/// Makes errors of a file that somebody else reads.
#[derive(Clone)]
pub(super) struct Failure {
    path: PathBuf,
    packed_bytes: Option<Rc<Cell<u64>>>,
}

impl Failure {
    /// Reading failed after so many bytes of the contents of `name`: the file, and the member if it is an archive.
    pub(super) fn at(&self, name: &str, byte: u64, source: io::Error) -> DatasetError {
        match &self.packed_bytes {
            Some(count) => DatasetError::Damaged { file: name.to_owned(), byte, packed_bytes: count.get(), source },
            None => DatasetError::Read { file: self.path.clone(), byte, source },
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.reader {
            Reader::Plain(reader) => reader.read(buffer),
            Reader::Gzip(reader) => reader.read(buffer),
        }
    }
}

/// Opens a text file of a data set, such as a CSV file, packed by gzip or not, whatever its name says.
///
/// Of its contents at most `most_bytes` are given; then reading fails with [`io::ErrorKind::FileTooLarge`], so that a small
/// packed file can't fill the memory of whoever reads all of it.
///
/// # Errors
///
/// [`DatasetError::Read`] if the file can't be read; [`DatasetError::OtherContents`] if it is a web page or an archive.
pub fn open_text(path: impl AsRef<Path>, most_bytes: u64) -> Result<impl Read, DatasetError> {
    let path = path.as_ref();
    let file = Unpacked::open(path)?;
    if file.is_tar() {
        return Err(DatasetError::OtherContents { file: path.to_owned(), found: "a tar archive" });
    }
    Ok(Bounded { inner: file, left: most_bytes, most: most_bytes })
}

/// A reader that fails, and doesn't end, beyond so many bytes.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R> Bounded<R> {
    pub(super) fn new(inner: R, most: u64) -> Self {
        Self { inner, left: most, most }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than is left tells a longer file from one that ends here.
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX).saturating_add(1));
        let bytes = self.inner.read(&mut buffer[..most])?;
        match self.left.checked_sub(bytes as u64) {
            Some(left) => {
                self.left = left;
                Ok(bytes)
            }
            None => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("the contents are longer than the {} bytes that are allowed", self.most),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_start_of_a_file_tells_what_it_is() {
        for (start, words) in [
            (&b"\n <!DOCTYPE html><html>"[..], "web page"),
            (b"\xef\xbb\xbf<HTML>", "web page"),
            (b"<?xml version='1.0'?><Error>", "web page"),
            (b"PK\x03\x04....", "ZIP"),
            (b"BZh91AY", "bzip2"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ] {
            assert!(matches!(Contents::of(start), Contents::Other(found) if found.contains(words)), "{words}");
        }
        assert_eq!(Contents::of(&[0, 0, 8, 3]), Contents::Unknown);
        assert_eq!(Contents::of(b"39, State-gov, 77516"), Contents::Unknown);
        assert_eq!(Contents::of(b"<=50K"), Contents::Unknown);
        assert_eq!(Contents::of(b""), Contents::Unknown);
    }

    #[test]
    fn text_is_unpacked_whatever_its_name_says_and_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adult.data");
        let read = |most| {
            let mut text = String::new();
            open_text(&path, most).unwrap().read_to_string(&mut text).map(|_| text)
        };
        fs::write(&path, "a,b\n").unwrap();
        assert_eq!((read(4).unwrap().as_str(), read(3).unwrap_err().kind()), ("a,b\n", io::ErrorKind::FileTooLarge));
        // Two parts are one file.
        fs::write(&path, [gzip(b"a,b\n"), gzip(b"1,2\n")].concat()).unwrap();
        assert_eq!(read(8).unwrap(), "a,b\n1,2\n");
        // 64 kB that unpack to 64 MB.
        fs::write(&path, gzip(&vec![b'1'; 64 << 20])).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 100_000);
        let mut kept = Vec::new();
        let error = open_text(&path, 1 << 20).unwrap().read_to_end(&mut kept).unwrap_err();
        assert!(error.to_string().contains("longer than the 1048576 bytes"), "{error}");
        assert!(kept.capacity() <= 4 << 20, "{}", kept.capacity());
        fs::write(&path, "<html>").unwrap();
        assert!(matches!(open_text(&path, 9), Err(DatasetError::OtherContents { .. })));
    }
}
