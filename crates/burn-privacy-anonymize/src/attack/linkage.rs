//! Linkage with a second table: people of a register who match one row of the release are found in it.

use std::collections::HashMap;
use std::path::Path;

use crate::AnonymizeError;
use crate::table::header_of;

/// What a second table finds in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkageFinding {
    /// Rows of the second table.
    pub people: u64,
    /// Rows of it that match at least one row of the release.
    pub matched: u64,
    /// Rows of it that match exactly one row of the release, which no other of them matches: found, if they are in it.
    pub singled_out: u64,
    /// Rows of the release.
    pub released: u64,
}

/// Counts how often rows of `register` match rows of `release` in the columns `on`, which both have, cell by cell.
///
/// # Errors
///
/// [`AnonymizeError`] if a file can't be read or a column is missing.
pub fn linkage(
    release: &Path,
    register: &Path,
    separator: u8,
    on: &[String],
) -> Result<LinkageFinding, AnonymizeError> {
    let released = counted(release, separator, on)?;
    let people = counted(register, separator, on)?;
    let matched = people.iter().filter(|(key, _)| released.contains_key(*key)).map(|(_, count)| count).sum();
    let alone = people.iter().filter(|(key, count)| **count == 1 && released.get(*key) == Some(&1));
    Ok(LinkageFinding {
        people: people.values().sum(),
        matched,
        singled_out: alone.count() as u64,
        released: released.values().sum(),
    })
}

/// How often each combination of some columns' cells occurs.
fn counted(file: &Path, separator: u8, on: &[String]) -> Result<HashMap<Vec<String>, u64>, AnonymizeError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .from_path(file)
        .map_err(|error| AnonymizeError::csv(file, error))?;
    let header = header_of(file, &mut reader)?;
    let mut places = Vec::with_capacity(on.len());
    for name in on {
        places.push(header.iter().position(|column| column == name).ok_or_else(|| AnonymizeError::MissingColumn {
            file: file.to_owned(),
            column: name.clone(),
            present: header.join(", "),
        })?);
    }
    let mut counts = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
        let key = places.iter().map(|&place| record[place].to_owned()).collect();
        *counts.entry(key).or_insert(0) += 1;
    }
    Ok(counts)
}
