//! What a file is before it is a table: compression, encoding, separator and comments.

use std::io::{self, Read};

use burn_privacy_output::InvalidValue;
use flate2::read::MultiGzDecoder;

use super::zstd_frames::ZstdFrames;

/// How cells and comments are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableFormat {
    separator: Option<u8>,
    comment: Option<u8>,
}

impl TableFormat {
    /// `separator` stands between cells: a comma if it is not given, and then a header that looks otherwise is refused.
    /// Lines that begin with `comment` are left out; without one there are no such lines.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] unless they are different ASCII characters other than a quote, a letter, a digit or a line end.
    pub fn new(separator: Option<char>, comment: Option<char>) -> Result<Self, InvalidValue> {
        let byte = |name: &'static str, character: Option<char>| match character {
            Some(character)
                if !character.is_ascii() || character.is_ascii_alphanumeric() || "\"\r\n\0".contains(character) =>
            {
                Err(InvalidValue::new(
                    name,
                    format!("{character:?}"),
                    "one ASCII character that is no letter, digit, quote or line end",
                ))
            }
            character => Ok(character.map(|character| character as u8)),
        };
        let format = Self { separator: byte("separator", separator)?, comment: byte("comment", comment)? };
        if format.comment == Some(format.separator()) {
            return Err(InvalidValue::new("comment", "the separator", "another character than the separator"));
        }
        Ok(format)
    }

    /// The byte between cells.
    pub fn separator(&self) -> u8 {
        self.separator.unwrap_or(b',')
    }

    /// The byte that lines without cells begin with.
    pub fn comment(&self) -> Option<u8> {
        self.comment
    }

    /// What a header, as it was read, tells about a format that nobody stated. Only names are looked at, never a row.
    pub(crate) fn doubt(&self, names: &[String]) -> Option<FormatProblem> {
        if self.comment.is_none() && names.first().is_some_and(|name| name.starts_with('#')) {
            return Some(FormatProblem::Comment);
        }
        let parts = |separator: char| 1 + names.iter().map(|name| name.matches(separator).count()).sum::<usize>();
        let likely = [';', '\t', '|'].into_iter().max_by_key(|&separator| parts(separator))?;
        (self.separator.is_none() && parts(likely) > names.len().max(1)).then_some(FormatProblem::Separator { likely })
    }
}

/// Why a file is not read as a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatProblem {
    /// It is UTF-16.
    #[error("the file is UTF-16: save it as UTF-8 (in Excel \"CSV UTF-8\"; else iconv -f UTF-16 -t UTF-8)")]
    Utf16,

    /// It is compressed in another way than by gzip or zstd, or no text.
    #[error("the file is {kind}, not CSV text: {advice}")]
    Other {
        /// What it is.
        kind: &'static str,
        /// How to get a table from it.
        advice: &'static str,
    },

    /// The header looks as if cells were parted by something else than commas.
    #[error(
        "the header's cells seem to be parted by {likely:?}, not by commas: give --separator {} (or --separator , if \
         they are not)",
        flag(*likely)
    )]
    Separator {
        /// What seems to part them.
        likely: char,
    },

    /// The first line looks like a comment.
    #[error(
        "the first line begins with '#' and seems to be a comment: give --comment '#' to leave out such lines, or \
         remove them"
    )]
    Comment,
}

/// A separator as it is given on a command line.
fn flag(separator: char) -> String {
    if separator == '\t' { "tab".to_owned() } else { format!("'{separator}'") }
}

/// A table's bytes, plain or unpacked.
pub(crate) enum TableBytes<R: Read> {
    Plain(Begun<R>),
    Gzip(Box<MultiGzDecoder<Begun<R>>>),
    Zstd(Box<ZstdFrames<Begun<R>>>),
}

type Begun<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

impl<R: Read> TableBytes<R> {
    /// Looks at the first bytes. Gzip and zstd are unpacked on the way, whatever the file's name.
    ///
    /// # Errors
    ///
    /// Of reading; a [`FormatProblem`] of kind [`io::ErrorKind::InvalidData`].
    pub(crate) fn open(mut inner: R) -> io::Result<Self> {
        let mut start = Vec::new();
        inner.by_ref().take(8).read_to_end(&mut start)?;
        let problem = |problem: FormatProblem| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        let compressed = "unpack it first";
        for (magic, kind, advice) in [
            (&b"PK\x03\x04"[..], "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
            (b"\xD0\xCF\x11\xE0", "an old Excel workbook", "save the sheet as CSV"),
            (b"BZh", "compressed by bzip2", compressed),
            (b"\xFD7zXZ", "compressed by xz", compressed),
            (b"PAR1", "Parquet", "export it as CSV"),
        ] {
            // Text may begin with the letters of a magic number, but not with the bytes that follow here.
            let text = magic == b"BZh" && start.get(3).is_none_or(|byte| !byte.is_ascii_digit());
            if start.starts_with(magic) && !text {
                return problem(FormatProblem::Other { kind, advice });
            }
        }
        if start.starts_with(&[0xFF, 0xFE]) || start.starts_with(&[0xFE, 0xFF]) {
            return problem(FormatProblem::Utf16);
        }
        let gzip = start.starts_with(&[0x1F, 0x8B]);
        let zstd = start.starts_with(b"\x28\xB5\x2F\xFD");
        let begun = io::Cursor::new(start).chain(inner);
        Ok(if gzip {
            Self::Gzip(Box::new(MultiGzDecoder::new(begun)))
        } else if zstd {
            Self::Zstd(Box::new(ZstdFrames::new(begun)))
        } else {
            Self::Plain(begun)
        })
    }

    /// The bytes as they came; nothing after broken zstd.
    pub(crate) fn source(&self) -> Option<&R> {
        match self {
            Self::Plain(begun) => Some(begun.get_ref().1),
            Self::Gzip(decoder) => Some(decoder.get_ref().get_ref().1),
            Self::Zstd(frames) => frames.get_ref().map(|begun| begun.get_ref().1),
        }
    }
}

impl<R: Read> Read for TableBytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(begun) => begun.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(frames) => frames.read(buffer),
        }
    }
}

/// Counts what is read.
pub(crate) struct Counted<R> {
    inner: R,
    bytes: u64,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubt(names: &[&str], format: TableFormat) -> Option<FormatProblem> {
        format.doubt(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_header_tells_its_separator() {
        let plain = TableFormat::default();
        assert_eq!(doubt(&["a;b;c"], plain), Some(FormatProblem::Separator { likely: ';' }));
        assert_eq!(doubt(&["a;b", "c;d"], plain), Some(FormatProblem::Separator { likely: ';' }));
        assert_eq!(doubt(&["a\tb"], plain), Some(FormatProblem::Separator { likely: '\t' }));
        assert_eq!(doubt(&["a|b|c"], plain), Some(FormatProblem::Separator { likely: '|' }));
        for names in [&["a", "b;c"][..], &["a"], &["", "b"]] {
            assert_eq!(doubt(names, plain), None, "{names:?}");
        }
        assert_eq!(doubt(&["# made by x"], plain), Some(FormatProblem::Comment));
        // What was stated is not doubted.
        assert_eq!(doubt(&["a;b;c"], TableFormat::new(Some(','), None).unwrap()), None);
        assert_eq!(doubt(&["#a", "b"], TableFormat::new(None, Some('%')).unwrap()), None);
    }

    #[test]
    fn odd_separators_are_refused() {
        for (separator, comment) in [
            (Some('"'), None),
            (Some('\n'), None),
            (Some('a'), None),
            (Some('é'), None),
            (None, Some(',')),
            (Some('#'), Some('#')),
        ] {
            TableFormat::new(separator, comment).unwrap_err();
        }
        let format = TableFormat::new(Some('\t'), Some('#')).unwrap();
        assert_eq!((format.separator(), format.comment()), (b'\t', Some(b'#')));
    }

    #[test]
    fn files_that_are_no_text_are_named() {
        let refusal = |bytes: &[u8]| TableBytes::open(bytes).err().unwrap().to_string();
        assert!(refusal(b"PK\x03\x04...").contains("Excel"));
        assert!(refusal(b"\xFF\xFEa\0,\0").contains("UTF-16"));
        assert!(refusal(b"\xFE\xFF\0a\0,").contains("UTF-16"));
        assert!(refusal(b"BZh91AY").contains("bzip2"));
        for text in [&b"BZhname,b\n"[..], b"", b"a", b"\xEF\xBB\xBFa,b"] {
            let mut read = Vec::new();
            TableBytes::open(text).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
