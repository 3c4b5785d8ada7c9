//! Chunks of CSV to cells, and cells to CSV.
//!
//! A chunk without a quote is cut at separators and line ends; one with quotes goes through the crate `csv`, behind the
//! check that refuses stray quotes. Both refuse a record of another number of cells than the header's.

use std::io::Cursor;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3};

use super::batch::{Batch, Released, Span};
use crate::perturb::{Broken, StructureProblem, TableReader};

/// What is known of a CSV file once its header was read.
pub(crate) struct CsvReading {
    pub(crate) separator: u8,
    pub(crate) comment: Option<u8>,
    pub(crate) columns: usize,
}

/// The cells of a header line.
///
/// # Errors
///
/// A sentence for a line that is no record.
pub(crate) fn header_of_first_line(line: &[u8], separator: u8) -> Result<Vec<String>, String> {
    let checked = TableReader::new(Cursor::new(line), separator, None);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(checked);
    let mut record = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(|error| sentence(&error))? {
        return Err("no header: the first line must name the columns".to_owned());
    }
    Ok(record.iter().map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned()).collect())
}

/// An error of the parser, or of the check before it, in one sentence.
fn sentence(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => match error.get_ref() {
            Some(inner) => inner.to_string(),
            None => error.to_string(),
        },
        _ => "this is no CSV".to_owned(),
    }
}

const RETURN_ALONE: &str = "a carriage return without a line feed: write line ends as LF or CRLF";

impl CsvReading {
    /// The cells of a chunk of whole records.
    ///
    /// # Errors
    ///
    /// A line and a sentence.
    pub(crate) fn read(&self, bytes: Vec<u8>, first_line: u64) -> Result<Batch, (u64, String)> {
        let plain = memchr(b'"', &bytes).is_none();
        let mut batch = Batch {
            columns: (0..self.columns).map(|_| Vec::with_capacity(bytes.len() / 64)).collect(),
            first_line,
            plain,
            ..Batch::default()
        };
        let lines = memchr_iter(b'\n', &bytes).count() + usize::from(bytes.last().is_some_and(|&last| last != b'\n'));
        if plain && self.comment.is_none_or(|comment| memchr(comment, &bytes).is_none()) {
            self.cut(&bytes, &mut batch)?;
            batch.bytes = bytes;
        } else {
            self.parse(&bytes, &mut batch)?;
        }
        // A return alone ends a record for the parser. Rows are numbered by lines, and two rows with one number would share
        // their noise.
        if batch.rows > lines {
            return Err((first_line, RETURN_ALONE.to_owned()));
        }
        Ok(batch)
    }

    /// Cuts text without quotes and comments.
    fn cut(&self, bytes: &[u8], batch: &mut Batch) -> Result<(), (u64, String)> {
        // A return alone ends a line for some programs and none for others.
        if let Some(place) =
            memchr_iter(b'\r', bytes).find(|&place| !matches!(bytes.get(place + 1), Some(b'\n') | None))
        {
            let before = bytes[..place].iter().filter(|&&byte| byte == b'\n').count();
            return Err((batch.first_line + before as u64, RETURN_ALONE.to_owned()));
        }
        let line = |rows: usize| batch.first_line + rows as u64;
        let (mut begin, mut column, mut rows) = (0, 0, 0);
        // The text's end ends a record that no line end does.
        let open_end = (bytes.last().is_some_and(|&last| last != b'\n')).then_some(bytes.len());
        for place in memchr2_iter(self.separator, b'\n', bytes).chain(open_end) {
            let mut end = place;
            let ends_record = bytes.get(place) != Some(&self.separator);
            if ends_record {
                end -= usize::from(end > begin && bytes[end - 1] == b'\r');
                if end == begin && column == 0 {
                    return Err((line(rows), StructureProblem::EmptyLine.to_string()));
                }
            }
            let Some(cells) = batch.columns.get_mut(column) else {
                return Err((line(rows), format!("more cells than the header's {}", self.columns)));
            };
            cells.push(Span::new(begin, end));
            column += 1;
            begin = place + 1;
            if ends_record {
                if column != self.columns {
                    return Err((line(rows), format!("{column} cells, but the header has {}", self.columns)));
                }
                column = 0;
                rows += 1;
            }
        }
        batch.rows = rows;
        Ok(())
    }

    /// Reads text with quotes or comments.
    fn parse(&self, bytes: &[u8], batch: &mut Batch) -> Result<(), (u64, String)> {
        let first = batch.first_line;
        let checked = TableReader::following(bytes, self.separator, self.comment, self.columns as u64);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .delimiter(self.separator)
            .comment(self.comment)
            .flexible(true)
            .from_reader(checked);
        let mut record = csv::ByteRecord::new();
        batch.bytes.reserve(bytes.len());
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(()),
                Ok(true) => {}
                Err(error) => {
                    return Err(match error.into_kind() {
                        csv::ErrorKind::Io(error) => match error.into_inner().map(|inner| inner.downcast::<Broken>()) {
                            Some(Ok(broken)) => (first + broken.line - 1, broken.problem.to_string()),
                            _ => (first, "the text could not be read".to_owned()),
                        },
                        _ => (first, "this is no CSV".to_owned()),
                    });
                }
            }
            // The check reads ahead of the parser: what it would refuse later is not written, as the whole chunk is not.
            if record.len() != self.columns {
                let line = record.position().map_or(first, |position| first + position.line() - 1);
                return Err((line, format!("{} cells, but the header has {}", record.len(), self.columns)));
            }
            for (cells, cell) in batch.columns.iter_mut().zip(&record) {
                let begin = batch.bytes.len();
                batch.bytes.extend_from_slice(cell);
                cells.push(Span::new(begin, batch.bytes.len()));
            }
            batch.lines.push(record.position().map_or(first, |position| first + position.line() - 1));
            batch.rows += 1;
        }
    }
}

/// Writes one record.
pub(crate) fn write_csv_line<'a>(cells: impl Iterator<Item = &'a [u8]>, separator: u8, out: &mut Vec<u8>) {
    let start = out.len();
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            out.push(separator);
        }
        write_cell(cell, separator, out);
    }
    end_line(start, out);
}

/// Ends a line. An empty one would be none: a single empty cell is quoted.
fn end_line(start: usize, out: &mut Vec<u8>) {
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}

fn write_cell(cell: &[u8], separator: u8, out: &mut Vec<u8>) {
    if cell.iter().any(|&byte| byte == separator || matches!(byte, b'"' | b'\n' | b'\r')) {
        out.push(b'"');
        for &byte in cell {
            if byte == b'"' {
                out.push(b'"');
            }
            out.push(byte);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(cell);
    }
}

/// Writes the rows of a batch that are chosen. Nulls are written as empty cells.
pub(crate) fn write_csv(
    batch: &Batch,
    columns: &[Released],
    separator: u8,
    chosen: impl Fn(usize) -> bool,
    out: &mut Vec<u8>,
) {
    // Columns none of whose cells needs quotes are looked at once, not cell by cell.
    let is_bare = |column: &Released| match column {
        Released::Input(..) => batch.plain,
        Released::Made { bytes, .. } => {
            memchr3(separator, b'"', b'\n', bytes).is_none() && memchr(b'\r', bytes).is_none()
        }
    };
    let parts: Vec<(&[u8], &[Span], bool)> = columns
        .iter()
        .map(|column| {
            let (text, cells) = column.cells(batch);
            (text, cells, is_bare(column))
        })
        .collect();
    for row in (0..batch.rows).filter(|&row| chosen(row)) {
        let start = out.len();
        for (place, &(text, cells, bare)) in parts.iter().enumerate() {
            if place > 0 {
                out.push(separator);
            }
            let cell = cells[row].of(text).unwrap_or_default();
            if bare { out.extend_from_slice(cell) } else { write_cell(cell, separator, out) }
        }
        end_line(start, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(batch: &Batch) -> Vec<Vec<Vec<u8>>> {
        (0..batch.rows)
            .map(|row| (0..batch.columns.len()).map(|column| batch.cell(column, row).unwrap().to_vec()).collect())
            .collect()
    }

    fn read(text: &str, comment: Option<u8>) -> Result<Batch, (u64, String)> {
        CsvReading { separator: b';', comment, columns: 2 }.read(text.as_bytes().to_vec(), 2)
    }

    #[test]
    fn broken_records_are_refused_with_their_line_on_both_ways() {
        for quoted in ["", "\"q\";\"q\"\n"] {
            let line = if quoted.is_empty() { 3 } else { 4 };
            for (text, part) in [
                ("a;b\nc\n", "1 cells"),
                ("a;b\nc;d;e\n", "cells"),
                ("a;b\n\n", "an empty line"),
                ("a;b\nc;d\re;f\n", "carriage return"),
            ] {
                match read(&format!("{quoted}{text}"), None) {
                    Err((at, problem)) => {
                        assert!(problem.contains(part), "{problem}");
                        // Behind quotes a return alone is found for the chunk as a whole.
                        let expected = if part == "carriage return" && !quoted.is_empty() { 2 } else { line };
                        assert_eq!(at, expected, "{text:?}: {problem}");
                    }
                    Ok(_) => panic!("{text:?}"),
                }
            }
        }
        assert!(read("a;x\"y\n", None).unwrap_err().1.contains("quoting"));
        let commented = read("a;b\n#c\nd;e#\n", Some(b'#')).unwrap();
        // Comments before a record count to it.
        assert_eq!((commented.rows, commented.line(0), commented.line(1)), (2, 2, 3));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(rows in prop::collection::vec(prop::collection::vec("[a-z\";\n\r#é ]{0,6}", 2), 0..8)) {
            let mut text = Vec::new();
            for row in &rows {
                write_csv_line(row.iter().map(|cell| cell.as_bytes()), b';', &mut text);
            }
            let batch = CsvReading { separator: b';', comment: None, columns: 2 }.read(text, 1).unwrap();
            let expected: Vec<Vec<Vec<u8>>> =
                rows.iter().map(|row| row.iter().map(|cell| cell.as_bytes().to_vec()).collect()).collect();
            prop_assert_eq!(cells(&batch), expected);
        }
    }
}
