//! A reader that checks, byte by byte, that what passes through is a table.
//!
//! The CSV parser behind it accepts almost anything; a stray quote would silently merge cells.

use std::io::{self, Read};

/// The longest record, in bytes. It bounds memory, whatever the file holds.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// What makes a file no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StructureProblem {
    /// A record has more or fewer cells than the header.
    #[error("{found} cells, but the header has {expected}")]
    Cells {
        /// Cells of the header.
        expected: u64,
        /// Cells of the record.
        found: u64,
    },

    /// A line has nothing on it.
    #[error("an empty line: remove it, or write \"\" for an empty cell of a table with one column")]
    EmptyLine,

    /// A quote where none may be.
    #[error("broken quoting: a quote inside a cell must be doubled, and the cell be in quotes")]
    StrayQuote,

    /// A quoted cell has no end.
    #[error("broken quoting: a quoted cell begins in this record and never ends")]
    UnclosedQuote,

    /// A record is very long.
    #[error("a record of more than {MAX_RECORD_BYTES} bytes; is a quote missing?")]
    TooLong,

    /// The header holds a NUL byte.
    #[error("a NUL byte in the header: if the file is UTF-16, save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")]
    Nul,

    /// There is no header.
    #[error("no header: the first line must name the columns")]
    NoHeader,
}

/// Where in the table, and what.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct Broken {
    pub(crate) line: u64,
    pub(crate) problem: StructureProblem,
}

/// Place within a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    /// After a carriage return: a line feed belongs to it.
    AfterReturn,
    CellStart,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end of the cell, or half of a doubled quote.
    QuoteInQuoted,
    /// In a line that is no record; it ends with a line feed.
    Comment,
}

/// Passes bytes on until the table breaks.
pub(crate) struct TableReader<R> {
    inner: R,
    separator: u8,
    comment: Option<u8>,
    state: State,
    /// Line of the byte that comes next, and of the record's first.
    line: u64,
    record_line: u64,
    record_bytes: u64,
    cells: u64,
    /// Cells of the header, once it is complete.
    expected: Option<u64>,
    /// The header's bytes.
    header: Vec<u8>,
    passed: u64,
}

impl<R: Read> TableReader<R> {
    /// Cells are parted by `separator`; lines that begin with `comment` are passed on unseen, as the parser skips them.
    pub(crate) fn new(inner: R, separator: u8, comment: Option<u8>) -> Self {
        Self {
            inner,
            separator,
            comment,
            state: State::RecordStart,
            line: 1,
            record_line: 1,
            record_bytes: 0,
            cells: 0,
            expected: None,
            header: Vec::new(),
            passed: 0,
        }
    }

    /// Records that follow a header of `cells` cells which was read elsewhere. Lines count from 1.
    pub(crate) fn following(inner: R, separator: u8, comment: Option<u8>, cells: u64) -> Self {
        // No byte-order mark is looked for: that stands before a header.
        Self { expected: Some(cells), passed: 3, ..Self::new(inner, separator, comment) }
    }

    /// What it reads from.
    pub(super) fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The header's bytes, as far as they were read.
    pub(super) fn header(&self) -> &[u8] {
        &self.header
    }

    fn check(&mut self, byte: u8) -> Result<(), Broken> {
        use State::{AfterReturn, CellStart, Comment, Plain, QuoteInQuoted, Quoted, RecordStart};
        if self.state == AfterReturn {
            self.state = RecordStart;
            if byte == b'\n' {
                return Ok(());
            }
        }
        if self.state == Comment || (self.state == RecordStart && self.comment == Some(byte)) {
            self.state = Comment;
            if byte == b'\n' {
                self.line += 1;
                self.state = RecordStart;
            }
            return Ok(());
        }
        if self.state == RecordStart {
            self.record_line = self.line;
            self.record_bytes = 0;
            self.cells = 1;
        }
        self.record_bytes += 1;
        if self.record_bytes > MAX_RECORD_BYTES {
            return Err(self.broken(StructureProblem::TooLong));
        }
        if self.expected.is_none() {
            self.header.push(byte);
            if byte == 0 {
                return Err(self.broken(StructureProblem::Nul));
            }
        }
        match (self.state, byte) {
            (Quoted, b'"') => self.state = QuoteInQuoted,
            (Quoted, b'\n') => self.line += 1,
            (Quoted, _) => {}
            (RecordStart, b'\n' | b'\r') => return Err(self.broken(StructureProblem::EmptyLine)),
            (_, b'\n' | b'\r') => {
                self.end_record()?;
                self.line += 1;
                self.state = if byte == b'\r' { AfterReturn } else { RecordStart };
            }
            (_, byte) if byte == self.separator => {
                self.cells += 1;
                self.state = CellStart;
            }
            (RecordStart | CellStart | QuoteInQuoted, b'"') => self.state = Quoted,
            (Plain, b'"') | (QuoteInQuoted, _) => return Err(self.broken(StructureProblem::StrayQuote)),
            _ => self.state = Plain,
        }
        Ok(())
    }

    fn end_record(&mut self) -> Result<(), Broken> {
        let found = self.cells;
        match self.expected {
            None => self.expected = Some(found),
            Some(expected) if expected != found => {
                return Err(self.broken(StructureProblem::Cells { expected, found }));
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        match self.state {
            State::RecordStart | State::AfterReturn | State::Comment if self.expected.is_none() => {
                Err(self.broken(StructureProblem::NoHeader))
            }
            State::RecordStart | State::AfterReturn | State::Comment => Ok(()),
            State::Quoted => Err(self.broken(StructureProblem::UnclosedQuote)),
            State::CellStart | State::Plain | State::QuoteInQuoted => self.end_record(),
        }
    }

    fn broken(&self, problem: StructureProblem) -> Broken {
        Broken { line: self.record_line, problem }
    }
}

impl<R: Read> Read for TableReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let refused = |broken| io::Error::new(io::ErrorKind::InvalidData, broken);
        if count == 0 && !buffer.is_empty() {
            self.end().map_err(refused)?;
        }
        for &byte in &buffer[..count] {
            // A byte-order mark is no part of the first name.
            if self.passed < 3 && self.state == State::RecordStart && byte == [0xEF, 0xBB, 0xBF][self.passed as usize] {
                self.passed += 1;
                continue;
            }
            self.check(byte).map_err(refused)?;
            self.passed += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), (u64, StructureProblem)> {
        checked_as(text, b',', None)
    }

    fn checked_as(text: &str, separator: u8, comment: Option<u8>) -> Result<(), (u64, StructureProblem)> {
        // One byte at a time, so that no state can hide in a buffer.
        let mut reader = TableReader::new(text.as_bytes(), separator, comment);
        let mut byte = [0_u8];
        loop {
            match reader.read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    let broken = error.into_inner().unwrap().downcast::<Broken>().unwrap();
                    return Err((broken.line, broken.problem));
                }
            }
        }
    }

    #[test]
    fn tables_pass() {
        for text in [
            "a,b\n1,2\n",
            "a,b\r\n1,2\r\n3,4",
            "a\n\"\"\n",
            "\u{feff}\"a\",b\n1,\n",
            "a,b\n\"x, \"\"y\"\"\nz\",2\n",
            "a,b\n,\n",
            "a,b",
            "a,b\r1,2\r",
        ] {
            assert_eq!(checked(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn other_separators_and_comments_pass() {
        for text in ["a;b\n1;2,3\n", "# one, \"two\n#\na;b\n1;2\n# three\n3;#4\n# end", "\u{feff}#x\na;b"] {
            assert_eq!(checked_as(text, b';', Some(b'#')), Ok(()), "{text:?}");
        }
        assert_eq!(
            checked_as("#\na\tb\n#x\n1\n", b'\t', Some(b'#')),
            Err((4, StructureProblem::Cells { expected: 2, found: 1 }))
        );
        assert_eq!(checked_as("# only\n", b',', Some(b'#')), Err((1, StructureProblem::NoHeader)));
    }

    #[test]
    fn what_is_no_table_is_found_with_its_line() {
        use StructureProblem::{Cells, EmptyLine, NoHeader, Nul, StrayQuote, TooLong, UnclosedQuote};
        for (text, line, problem) in [
            ("", 1, NoHeader),
            ("a\0,\0b\0\n", 1, Nul),
            ("\u{feff}", 1, NoHeader),
            ("a,b\n1,2\n1\n", 3, Cells { expected: 2, found: 1 }),
            ("a,b\r\n1,2\r\n1,2,3\r\n", 3, Cells { expected: 2, found: 3 }),
            ("a,b\n\"x\ny\",2\n1", 4, Cells { expected: 2, found: 1 }),
            ("a,b\n\n1,2\n", 2, EmptyLine),
            ("\na,b\n", 1, EmptyLine),
            ("a,b\n1,x\"y\n", 2, StrayQuote),
            ("a,b\n1,\"x\"y\n", 2, StrayQuote),
            ("a,b\n1,2\n1,\"x\n\n", 3, UnclosedQuote),
        ] {
            assert_eq!(checked(text), Err((line, problem)), "{text:?}");
        }
        let long = format!("a\nb\n\"{}", "x".repeat(2 << 20));
        assert_eq!(checked(&long), Err((3, TooLong)));
    }
}
