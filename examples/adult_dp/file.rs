//! The files of UCI Adult, cell by cell: as their authors publish them, or as others have saved them again.

use std::path::{Path, PathBuf};

use burn_privacy::datasets::open_text;
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::Result;

/// Names of the columns, as adult.names has them; the last one is the label.
pub const COLUMNS: [&str; 15] = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
];

/// Other names that copies of the data set give to a column.
const SYNONYMS: [(&str, &str); 6] = [
    ("educationalnum", "educationnum"),
    ("gender", "sex"),
    ("finalweight", "fnlwgt"),
    ("class", "income"),
    ("label", "income"),
    ("salary", "income"),
];

/// Bytes of text that are read of a file, unpacked. The original has 4 million.
const MOST_TEXT: u64 = 64 << 20;

/// A row with its line in the file.
pub struct Line {
    pub number: u64,
    pub cells: StringRecord,
}

/// The rows of a file, which all have the columns of the data set. A header, lines that begin with a bar (the first one of
/// the test file) and empty lines are no rows; cells may be quoted; a mark of the byte order is passed over.
///
/// # Errors
///
/// If the file can't be read, or a line has another number of cells.
pub fn rows(path: &Path) -> Result<Vec<Line>> {
    let file = path.display();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'|'))
        .from_reader(open_text(path, MOST_TEXT)?);
    let mut rows = Vec::new();
    for record in reader.records() {
        let cells = record.map_err(|error| format!("{file}: {error}"))?;
        let number = cells.position().map_or(0, csv::Position::line);
        if cells.iter().all(str::is_empty) {
            continue;
        }
        if cells.len() != COLUMNS.len() {
            return Err(format!(
                "{file}, line {number}: {} cells, but there must be {}, separated by commas: {}",
                cells.len(),
                COLUMNS.len(),
                COLUMNS.join(", ")
            )
            .into());
        }
        // A header is the first line, and has no number where every record has the age.
        if rows.is_empty() && cells[0].parse::<f64>().is_err() && is_header(path, number, &cells)? {
            continue;
        }
        rows.push(Line { number, cells });
    }
    Ok(rows)
}

/// Whether a line names the columns. It must then name all of them, in the order of the data set.
fn is_header(path: &Path, number: u64, cells: &StringRecord) -> Result<bool> {
    let named = |cell: &str, name: &str| letters(cell) == letters(name);
    if !cells.iter().any(|cell| COLUMNS.iter().any(|name| named(cell, name))) {
        return Ok(false);
    }
    let wrong = cells.iter().zip(COLUMNS).find(|(cell, name)| !named(cell, name));
    match wrong {
        None => Ok(true),
        Some((cell, name)) => Err(format!(
            "{}, line {number}: the header has {cell:?} where the column {name} must be; the columns are {}",
            path.display(),
            COLUMNS.join(", ")
        )
        .into()),
    }
}

/// Letters and digits of a column's name; of its names, the one of the data set.
fn letters(name: &str) -> String {
    let letters: String = name.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    SYNONYMS.iter().find(|(other, _)| *other == letters).map_or(letters, |(_, name)| (*name).to_owned())
}

/// Whether a label says that the income is above 50,000; `None` if it is no label. Besides `>50K` and `<=50K`, which end with a
/// full stop in the test file, 1 and 0 are understood, as many copies of the data set have them.
pub fn is_rich(label: &str) -> Option<bool> {
    match label.trim_end_matches('.').replace(' ', "").to_uppercase().as_str() {
        ">50K" | "1" => Some(true),
        "<=50K" | "0" => Some(false),
        _ => None,
    }
}

/// The file of that name in a folder, or its .gz.
pub fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let files = [folder.join(name), folder.join(format!("{name}.gz"))];
    let found = files.into_iter().find(|file| file.is_file());
    found.ok_or_else(|| {
        let folder = folder.display();
        format!("{folder}: neither {name} nor {name}.gz is here; fetch them from https://archive.ics.uci.edu/dataset/2/adult")
            .into()
    })
}
