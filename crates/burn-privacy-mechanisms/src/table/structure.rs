//! A reader that checks, byte by byte, that what passes through is a table.
//!
//! The CSV parser behind it accepts almost anything; a stray quote would silently merge cells.

use std::io::{self, Read};

use super::error::StructureProblem;

/// The longest record, in bytes. It bounds memory, whatever the file holds.
pub const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Where in the table, and what.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(super) struct Broken {
    pub(super) line: u64,
    pub(super) problem: StructureProblem,
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
}

/// Passes bytes on until the table breaks.
pub(super) struct TableReader<R> {
    inner: R,
    state: State,
    /// Line of the byte that comes next, and of the record's first.
    line: u64,
    record_line: u64,
    record_bytes: u64,
    cells: u64,
    /// Cells of the header, once it is complete.
    expected: Option<u64>,
    passed: u64,
}

impl<R: Read> TableReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            state: State::RecordStart,
            line: 1,
            record_line: 1,
            record_bytes: 0,
            cells: 0,
            expected: None,
            passed: 0,
        }
    }

    /// Bytes that have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    fn check(&mut self, byte: u8) -> Result<(), Broken> {
        use State::{AfterReturn, CellStart, Plain, QuoteInQuoted, Quoted, RecordStart};
        if self.state == AfterReturn {
            self.state = RecordStart;
            if byte == b'\n' {
                return Ok(());
            }
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
            (_, b',') => {
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
            State::RecordStart | State::AfterReturn if self.expected.is_none() => {
                Err(self.broken(StructureProblem::NoHeader))
            }
            State::RecordStart | State::AfterReturn => Ok(()),
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
        // One byte at a time, so that no state can hide in a buffer.
        let mut reader = TableReader::new(text.as_bytes());
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
    fn what_is_no_table_is_found_with_its_line() {
        use StructureProblem::{Cells, EmptyLine, NoHeader, StrayQuote, TooLong, UnclosedQuote};
        for (text, line, problem) in [
            ("", 1, NoHeader),
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
