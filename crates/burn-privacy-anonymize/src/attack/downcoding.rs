//! The downcoding attack (Cohen, "Attacks on Deidentification's Defenses", USENIX Security 2022): a table that was generalized
//! no more than needed says more than its labels.
//!
//! Where each cell is the lowest label that its class shares, the rows of a class differ below that label: at least two of
//! the labels one level down occur among them. Where the hierarchy has exactly two there, both occur, for certain; since the
//! rows of a class can't be told apart by their quasi-identifiers, one of them can be written with the one label and another
//! with the other, and the finer table is true. Classes of rows with finer labels are smaller than k.
//!
//! Only labels that the data can hold are looked at: those of the hierarchy. A table with one level a column (full-domain
//! generalization) is minimal as a whole, not class by class, and is not open to this.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::AnonymizeError;
use crate::table::{Column, Hierarchy, Table, open_csv, place_of};

/// What downcoding finds in a release.
#[derive(Debug, Clone, PartialEq)]
pub struct DowncodingFinding {
    /// Rows of the release.
    pub rows: u64,
    /// Classes of rows with the same quasi-identifiers.
    pub classes: u64,
    /// True if each column shows labels of one level only: nothing is certain then, and nothing is counted below.
    pub one_level_a_column: bool,
    /// Cells that are generalized.
    pub generalized_cells: u64,
    /// Classes in which some label has exactly two below it, so that both occur.
    pub classes_downcoded: u64,
    /// Rows that can be written finer for certain: two of each such class.
    pub rows_downcoded: u64,
    /// Of the claims that both labels occur, those that are wrong by the table that was released; `None` without it. Claims
    /// are wrong where a cell is coarser than its class needs.
    pub wrong_claims: Option<u64>,
    /// All claims that were made.
    pub claims: u64,
    /// Some claims: class, column, and the two labels that occur in it; up to ten.
    pub examples: Vec<(Vec<String>, String, [String; 2])>,
}

/// A cell: level and code of its label.
type Cell = (usize, u32);

/// Looks for classes of `release` that can be written finer. With `truth`, the table that was released, claims are checked.
///
/// # Errors
///
/// [`AnonymizeError`] if the release can't be read, lacks a column, or shows a label that the hierarchies don't have.
pub fn downcoding(
    release: &Path,
    separator: u8,
    columns: &[Column],
    truth: Option<&Table>,
) -> Result<DowncodingFinding, AnonymizeError> {
    let (mut reader, header) = open_csv(release, separator)?;
    let places: Vec<usize> =
        columns.iter().map(|column| place_of(release, &header, &column.name)).collect::<Result<_, _>>()?;
    let lowest: Vec<HashMap<&str, Cell>> = columns.iter().map(|column| lowest_labels(&column.hierarchy)).collect();
    let mut classes: BTreeMap<Vec<Cell>, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(release, error))?;
        let cells = places.iter().zip(columns).zip(&lowest).map(|((&place, column), labels)| {
            labels.get(&record[place]).copied().ok_or_else(|| AnonymizeError::UnknownValue {
                file: release.to_owned(),
                line: record.position().map_or(0, csv::Position::line),
                column: column.name.clone(),
                value: record[place].to_owned(),
            })
        });
        *classes.entry(cells.collect::<Result<_, _>>()?).or_insert(0) += 1;
    }
    let levels_of = |place: usize| {
        let mut levels: Vec<usize> = classes.keys().map(|cells| cells[place].0).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.len()
    };
    let one_level = (0..columns.len()).all(|place| levels_of(place) <= 1);
    let mut found = DowncodingFinding {
        rows: classes.values().sum(),
        classes: classes.len() as u64,
        one_level_a_column: one_level,
        generalized_cells: 0,
        classes_downcoded: 0,
        rows_downcoded: 0,
        wrong_claims: truth.map(|_| 0),
        claims: 0,
        examples: Vec::new(),
    };
    for (cells, &rows) in &classes {
        found.generalized_cells += cells.iter().filter(|(level, _)| *level > 0).count() as u64 * rows;
        if one_level || rows < 2 {
            continue;
        }
        let mut downcoded = false;
        for (place, column) in columns.iter().enumerate() {
            let Some(below) = two_below(&column.hierarchy, cells[place]) else { continue };
            downcoded = true;
            found.claims += 1;
            if let (Some(wrong), Some(truth)) = (found.wrong_claims.as_mut(), truth) {
                let both = below.iter().all(|&cell| occurs(truth, cells, place, cell));
                *wrong += u64::from(!both);
            }
            if found.examples.len() < 10 {
                let label = |column: &Column, (level, code): Cell| column.hierarchy.label(level, code).to_owned();
                let class = columns.iter().zip(cells).map(|(column, &cell)| label(column, cell)).collect();
                found.examples.push((class, column.name.clone(), below.map(|cell| label(column, cell))));
            }
        }
        if downcoded {
            found.classes_downcoded += 1;
            found.rows_downcoded += 2;
        }
    }
    Ok(found)
}

/// The lowest level that each label stands on.
fn lowest_labels(hierarchy: &Hierarchy) -> HashMap<&str, Cell> {
    let mut lowest = HashMap::new();
    for level in 0..hierarchy.levels() {
        for code in 0..hierarchy.labels_at(level) as u32 {
            lowest.entry(hierarchy.label(level, code)).or_insert((level, code));
        }
    }
    lowest
}

/// The two labels right below a cell, if there are exactly two; levels on which it has one are passed over.
fn two_below(hierarchy: &Hierarchy, (level, code): Cell) -> Option<[Cell; 2]> {
    for below in (0..level).rev() {
        let leaves = (0..hierarchy.leaves() as u32).filter(|&leaf| hierarchy.generalize(leaf, level) == code);
        let mut codes: Vec<u32> = leaves.map(|leaf| hierarchy.generalize(leaf, below)).collect();
        codes.sort_unstable();
        codes.dedup();
        match codes[..] {
            [_] => {}
            [one, other] => return Some([(below, one), (below, other)]),
            _ => return None,
        }
    }
    None
}

/// True if some row of the table is covered by `cells` with `cell` in one place: some row of the class may be it.
fn occurs(truth: &Table, cells: &[Cell], place: usize, cell: Cell) -> bool {
    let covers = |tuple: usize| {
        truth.tuple(tuple).iter().zip(truth.columns()).enumerate().all(|(at, (&leaf, column))| {
            let (level, code) = if at == place { cell } else { cells[at] };
            column.hierarchy.generalize(leaf, level) == code
        })
    };
    (0..truth.tuples()).any(covers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recoding::Recoding;
    use crate::table::TableRoles;
    use crate::{ReleaseOptions, write_release};

    fn column(name: &str, text: &str) -> Column {
        let lines: Vec<Vec<String>> = text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect();
        Column { name: name.to_owned(), hierarchy: Hierarchy::new(name, &lines).unwrap() }
    }

    #[test]
    fn a_minimal_recoding_is_written_finer_and_a_full_domain_one_is_not() {
        let columns =
            vec![column("age", "1;low;*\n2;low;*\n3;high;*\n4;high;*"), column("city", "Bonn;*\nKiel;*\nUlm;*")];
        let text = "age,city\n1,Bonn\n2,Bonn\n3,Kiel\n4,Kiel\n3,Ulm\n3,Ulm\n";
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("in.csv");
        std::fs::write(&input, text).unwrap();
        let roles = TableRoles { quasi_identifiers: columns.clone(), sensitive: None };
        let table = Table::read(&input, b',', roles).unwrap();
        let groups = [vec![(0, 1), (1, 1)], vec![(2, 1), (3, 1)], vec![(4, 2)]];
        let recoding = Recoding::local(&table, &groups).unwrap();
        let output = folder.path().join("out.csv");
        write_release(&input, b',', &table, &recoding, &output, &ReleaseOptions::default()).unwrap();
        let found = downcoding(&output, b',', &columns, Some(&table)).unwrap();
        // Both ages of "low" and of "high" occur in their classes; the third class shows single values.
        assert_eq!((found.classes_downcoded, found.rows_downcoded, found.claims), (2, 4, 2));
        assert_eq!((found.wrong_claims, found.generalized_cells), (Some(0), 4));
        assert_eq!(found.examples[0].2, ["1".to_owned(), "2".to_owned()]);
        // One level throughout: no certainty, and none is claimed.
        std::fs::write(&output, "age,city\nlow,Bonn\nlow,Bonn\nhigh,Kiel\nhigh,Kiel\n").unwrap();
        let found = downcoding(&output, b',', &columns, Some(&table)).unwrap();
        assert_eq!((found.one_level_a_column, found.claims), (true, 0));
        // A class that is coarser than it needs: the claim is wrong, and found to be.
        std::fs::write(&output, "age,city\nlow,Ulm\nlow,Ulm\n3,*\n3,*\n").unwrap();
        assert_eq!(downcoding(&output, b',', &columns, Some(&table)).unwrap().wrong_claims, Some(1));
    }
}
