//! Which columns single people out: direct identifiers by their shape and uniqueness, quasi-identifiers by distinction,
//! separation and minimal sample uniques.

mod sample_uniques;
mod shapes;

use std::collections::HashMap;
use std::path::Path;

pub use sample_uniques::SampleUniques;
pub use shapes::Shape;

use crate::AnonymizeError;
use crate::table::header_of;

/// A column's role, as proposed: to be looked at and edited, since no count knows what others know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProposedRole {
    /// Names people by itself: drop it, or give it pseudonyms.
    Identifier,
    /// Takes part in combinations that single rows out: generalize it.
    QuasiIdentifier,
    /// Takes part in none of those that were looked at. It may still be sensitive.
    Other,
}

/// What a column shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnInspection {
    /// Its name.
    pub name: String,
    /// Distinct values.
    pub distinct: u64,
    /// Empty cells.
    pub empty: u64,
    /// Rows whose value no other row has.
    pub unique_rows: u64,
    /// Distinct values over rows.
    pub distinction: f64,
    /// Share of pairs of rows whose values differ.
    pub separation: f64,
    /// What most of its cells look like.
    pub shape: Option<Shape>,
    /// Share of the minimal sample uniques that it is part of.
    pub share_of_uniques: f64,
    /// The proposal.
    pub role: ProposedRole,
}

/// What a table shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Number of rows.
    pub rows: u64,
    /// The columns, in the order of the header.
    pub columns: Vec<ColumnInspection>,
    /// Combinations of columns that single rows out, identifiers left out.
    pub uniques: SampleUniques,
}

/// Share of the rows that a value of its own makes a column an identifier.
const MOSTLY_UNIQUE: f64 = 0.95;

/// Rows below which uniqueness says nothing: in a table of ten rows every age may be unique.
const FEW_ROWS: u64 = 30;

/// Looks at a CSV file; combinations of up to `most_columns` columns are looked at, identifiers left out.
///
/// Memory grows with the number of cells (4 bytes each), the time with the number of combinations.
///
/// # Errors
///
/// [`AnonymizeError`] if the file can't be read or is no table, [`AnonymizeError::Parameter`] for 0 columns or more
/// combinations than 100,000.
pub fn inspect(file: &Path, separator: u8, most_columns: usize) -> Result<Inspection, AnonymizeError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .from_path(file)
        .map_err(|error| AnonymizeError::csv(file, error))?;
    let names = header_of(file, &mut reader)?;
    let mut codes: Vec<Vec<u32>> = vec![Vec::new(); names.len()];
    let mut known: Vec<HashMap<String, u32>> = vec![HashMap::new(); names.len()];
    let mut counts: Vec<Vec<u64>> = vec![Vec::new(); names.len()];
    let mut shapes: Vec<HashMap<Shape, u64>> = vec![HashMap::new(); names.len()];
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
        for (place, cell) in record.iter().enumerate() {
            let code = match known[place].get(cell) {
                Some(&code) => code,
                None => {
                    let code = counts[place].len() as u32;
                    known[place].insert(cell.to_owned(), code);
                    counts[place].push(0);
                    code
                }
            };
            counts[place][code as usize] += 1;
            codes[place].push(code);
            if let Some(shape) = Shape::of(cell) {
                *shapes[place].entry(shape).or_insert(0) += 1;
            }
        }
    }
    let rows = codes[0].len() as u64;
    let mut columns: Vec<ColumnInspection> = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let empty = known[place].get("").map_or(0, |&code| counts[place][code as usize]);
        let shape = shapes[place]
            .iter()
            .filter(|(_, count)| **count * 2 > rows - empty)
            .max_by_key(|(_, count)| **count)
            .map(|(shape, _)| *shape);
        let unique_rows = counts[place].iter().filter(|count| **count == 1).count() as u64;
        let same: f64 = counts[place].iter().map(|&count| count as f64 * (count as f64 - 1.0)).sum();
        let pairs = rows as f64 * (rows as f64 - 1.0);
        let mostly_unique = rows >= FEW_ROWS && unique_rows as f64 >= MOSTLY_UNIQUE * rows as f64;
        let role = match shape {
            Some(shape) if shape.is_identifier() => ProposedRole::Identifier,
            _ if mostly_unique => ProposedRole::Identifier,
            _ => ProposedRole::Other,
        };
        columns.push(ColumnInspection {
            name,
            distinct: counts[place].len() as u64,
            empty,
            unique_rows,
            distinction: if rows > 0 { counts[place].len() as f64 / rows as f64 } else { 0.0 },
            separation: if rows > 1 { 1.0 - same / pairs } else { 0.0 },
            shape,
            share_of_uniques: 0.0,
            role,
        });
    }
    let looked_at: Vec<usize> =
        (0..columns.len()).filter(|&place| columns[place].role != ProposedRole::Identifier).collect();
    let selected: Vec<&[u32]> = looked_at.iter().map(|&place| codes[place].as_slice()).collect();
    let uniques = SampleUniques::find(&selected, most_columns)?;
    for (&place, &share) in looked_at.iter().zip(&uniques.share_by_column) {
        columns[place].share_of_uniques = share;
        if share > 0.0 {
            columns[place].role = ProposedRole::QuasiIdentifier;
        }
    }
    Ok(Inspection { rows, columns, uniques })
}
