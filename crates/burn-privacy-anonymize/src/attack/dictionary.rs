//! The dictionary attack on hashed columns: every candidate is hashed and looked up.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::AnonymizeError;
use crate::table::header_of;

/// What a dictionary finds.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryFinding {
    /// Rows whose cell was undone.
    pub rows_undone: u64,
    /// Rows of the table.
    pub rows: u64,
    /// Distinct cells that were undone.
    pub values_undone: u64,
    /// Distinct cells, empty ones left out.
    pub values: u64,
    /// Candidates tried.
    pub candidates: u64,
    /// Time of trying them, reading them included.
    pub time: Duration,
    /// The first cells that were undone, with what they stand for; up to ten.
    pub examples: Vec<(String, String)>,
}

/// Tries to undo a column of hashes (SHA-256 in hexadecimal digits, whole or cut to at least 16 of them) with one candidate
/// a line.
///
/// # Errors
///
/// [`AnonymizeError`] if a file can't be read or the column is missing.
pub fn dictionary(
    data: &Path,
    separator: u8,
    column: &str,
    candidates: impl BufRead,
    named: &Path,
) -> Result<DictionaryFinding, AnonymizeError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .from_path(data)
        .map_err(|error| AnonymizeError::csv(data, error))?;
    let header = header_of(data, &mut reader)?;
    let place = header.iter().position(|name| name == column).ok_or_else(|| AnonymizeError::MissingColumn {
        file: data.to_owned(),
        column: column.to_owned(),
        present: header.join(", "),
    })?;
    let mut targets: HashMap<u64, Vec<(String, u64, bool)>> = HashMap::new();
    let (mut rows, mut values) = (0, 0);
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(data, error))?;
        let cell = &record[place];
        rows += 1;
        if cell.is_empty() {
            continue;
        }
        // What is no hash counts as a value that nothing undoes.
        let prefix = cell.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let known = targets.entry(prefix.unwrap_or(u64::MAX)).or_default();
        match known.iter_mut().find(|(target, ..)| target == cell) {
            Some((_, count, _)) => *count += 1,
            None => {
                known.push((cell.to_owned(), 1, false));
                values += 1;
            }
        }
    }
    let start = Instant::now();
    let mut finding = DictionaryFinding {
        rows_undone: 0,
        rows,
        values_undone: 0,
        values,
        candidates: 0,
        time: Duration::ZERO,
        examples: Vec::new(),
    };
    let mut candidates = candidates;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = candidates
            .read_until(b'\n', &mut line)
            .map_err(|source| AnonymizeError::Read { file: named.to_owned(), source })?;
        if read == 0 {
            break;
        }
        let candidate = line.trim_ascii_end();
        finding.candidates += 1;
        let hash = Sha256::digest(candidate);
        let prefix = hash.iter().take(8).fold(0_u64, |prefix, &byte| prefix << 8 | u64::from(byte));
        let Some(targets) = targets.get_mut(&prefix) else { continue };
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        for (target, count, undone) in targets.iter_mut().filter(|(target, _, undone)| {
            // Sixteen digits at least have to agree: fewer agree by chance.
            !undone && target.len() >= 16 && digits.starts_with(&target.to_ascii_lowercase())
        }) {
            *undone = true;
            finding.rows_undone += *count;
            finding.values_undone += 1;
            if finding.examples.len() < 10 {
                finding.examples.push((target.clone(), String::from_utf8_lossy(candidate).into_owned()));
            }
        }
    }
    finding.time = start.elapsed();
    Ok(finding)
}
