//! CSV files with a header in which each name stands once.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::AnonymizeError;

/// A reader of a CSV file, and the names of its columns.
///
/// # Errors
///
/// As [`column_names`].
pub fn open_csv(file: &Path, separator: u8) -> Result<(csv::Reader<File>, Vec<String>), AnonymizeError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .buffer_capacity(1 << 16)
        .from_path(file)
        .map_err(|error| AnonymizeError::csv(file, error))?;
    let header = header_of(file, &mut reader)?;
    Ok((reader, header))
}

/// The names of a CSV file's columns; only its first line is read.
///
/// # Errors
///
/// [`AnonymizeError`] if the file can't be read, has no header, or repeats a name.
pub fn column_names(file: &Path, separator: u8) -> Result<Vec<String>, AnonymizeError> {
    open_csv(file, separator).map(|(_, header)| header)
}

/// The names of a header, each once.
pub(super) fn header_of<R: Read>(file: &Path, reader: &mut csv::Reader<R>) -> Result<Vec<String>, AnonymizeError> {
    let header = reader.headers().map_err(|error| AnonymizeError::csv(file, error))?;
    if header.is_empty() {
        let problem = "there is no header: the first line must name the columns".to_owned();
        return Err(AnonymizeError::Structure { file: file.to_owned(), line: 1, problem });
    }
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for name in header {
        if names.iter().any(|known| known == name) {
            return Err(AnonymizeError::RepeatedColumn { file: file.to_owned(), column: name.to_owned() });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// How often each combination of some columns' cells occurs.
pub(crate) fn combinations(
    file: &Path,
    separator: u8,
    columns: &[String],
) -> Result<HashMap<Vec<String>, u64>, AnonymizeError> {
    let (mut reader, header) = open_csv(file, separator)?;
    let places: Vec<usize> = columns.iter().map(|name| place_of(file, &header, name)).collect::<Result<_, _>>()?;
    let mut counts = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
        let key = places.iter().map(|&place| record[place].to_owned()).collect();
        *counts.entry(key).or_insert(0) += 1;
    }
    Ok(counts)
}

/// Where a column is in a header.
///
/// # Errors
///
/// [`AnonymizeError::MissingColumn`].
pub fn place_of(file: &Path, header: &[String], name: &str) -> Result<usize, AnonymizeError> {
    header.iter().position(|column| column == name).ok_or_else(|| AnonymizeError::MissingColumn {
        file: file.to_owned(),
        column: name.to_owned(),
        present: header.join(", "),
    })
}
