//! The intersection attack: two releases of one table, each safe alone, are held against each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use crate::AnonymizeError;
use crate::table::{Column, Table, open_csv, place_of};

/// What releases give away together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntersectionFinding {
    /// People: rows of the table.
    pub people: u64,
    /// People of whom each release alone tells the sensitive value.
    pub exposed_by_each: Vec<u64>,
    /// People of whom all releases together tell it.
    pub exposed_together: u64,
    /// Some of them: quasi-identifiers, and the value; up to ten.
    pub examples: Vec<(Vec<String>, String)>,
}

/// One release: the sensitive values of each class, by the labels that it shows.
struct Release {
    classes: Vec<(Vec<HashSet<u32>>, BTreeSet<String>)>,
}

/// For each person of `table` (whose quasi-identifiers the attacker knows), the sensitive values that all `releases` allow:
/// those of rows whose labels cover the person's values.
///
/// # Errors
///
/// [`AnonymizeError`] if a release can't be read, lacks a column, or shows a label that the hierarchies don't have;
/// [`AnonymizeError::Parameter`] without a sensitive column or releases.
pub fn intersection(table: &Table, separator: u8, releases: &[&Path]) -> Result<IntersectionFinding, AnonymizeError> {
    let Some(sensitive) = table.sensitive() else {
        return Err(AnonymizeError::parameter("the sensitive column", "missing", "named for this attack"));
    };
    if releases.is_empty() {
        return Err(AnonymizeError::parameter("the number of releases", 0, "at least 1"));
    }
    let labels: Vec<HashMap<&str, HashSet<u32>>> = table.columns().iter().map(leaves_by_label).collect();
    let releases: Vec<Release> = releases
        .iter()
        .map(|file| Release::read(file, separator, table.columns(), &labels, &sensitive.name))
        .collect::<Result<_, _>>()?;
    let mut finding = IntersectionFinding {
        people: table.rows(),
        exposed_by_each: vec![0; releases.len()],
        exposed_together: 0,
        examples: Vec::new(),
    };
    // People with the same quasi-identifiers are in the same place.
    let mut people: HashMap<&[u32], u64> = HashMap::new();
    (0..table.tuples()).for_each(|tuple| *people.entry(table.tuple(tuple)).or_insert(0) += table.count(tuple));
    let mut people: Vec<(&[u32], u64)> = people.into_iter().collect();
    people.sort_unstable();
    for (tuple, rows) in people {
        let allowed: Vec<BTreeSet<&str>> = releases.iter().map(|release| release.values(tuple)).collect();
        for (exposed, values) in finding.exposed_by_each.iter_mut().zip(&allowed) {
            *exposed += if values.len() == 1 { rows } else { 0 };
        }
        // A release that has no row for the person (suppressed) tells nothing.
        let mut told = allowed.into_iter().filter(|values| !values.is_empty());
        let Some(first) = told.next() else { continue };
        let together = told.fold(first, |together, values| &together & &values);
        let (1, Some(value)) = (together.len(), together.first()) else { continue };
        finding.exposed_together += rows;
        if finding.examples.len() < 10 {
            let cells = tuple.iter().zip(table.columns());
            let values = cells.map(|(&code, column)| column.hierarchy.label(0, code).to_owned()).collect();
            finding.examples.push((values, (*value).to_owned()));
        }
    }
    Ok(finding)
}

/// The values of level 0 under each label, whatever its level.
pub(super) fn leaves_by_label(column: &Column) -> HashMap<&str, HashSet<u32>> {
    let hierarchy = &column.hierarchy;
    let mut leaves: HashMap<&str, HashSet<u32>> = HashMap::new();
    for level in 0..hierarchy.levels() {
        for leaf in 0..hierarchy.leaves() as u32 {
            let label = hierarchy.label(level, hierarchy.generalize(leaf, level));
            leaves.entry(label).or_default().insert(leaf);
        }
    }
    leaves
}

impl Release {
    fn read(
        file: &Path,
        separator: u8,
        columns: &[Column],
        labels: &[HashMap<&str, HashSet<u32>>],
        sensitive: &str,
    ) -> Result<Self, AnonymizeError> {
        let (mut reader, header) = open_csv(file, separator)?;
        let places: Vec<usize> =
            columns.iter().map(|column| place_of(file, &header, &column.name)).collect::<Result<_, _>>()?;
        let value_place = place_of(file, &header, sensitive)?;
        let mut classes: HashMap<Vec<String>, BTreeSet<String>> = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
            for ((&place, column), labels) in places.iter().zip(columns).zip(labels) {
                if !labels.contains_key(&record[place]) {
                    return Err(AnonymizeError::UnknownValue {
                        file: file.to_owned(),
                        line: record.position().map_or(0, csv::Position::line),
                        column: column.name.clone(),
                        value: record[place].to_owned(),
                    });
                }
            }
            let key = places.iter().map(|&place| record[place].to_owned()).collect();
            classes.entry(key).or_default().insert(record[value_place].to_owned());
        }
        let covers = |key: &[String]| -> Vec<HashSet<u32>> {
            key.iter()
                .zip(labels)
                .map(|(label, labels)| labels.get(label.as_str()).cloned().unwrap_or_default())
                .collect()
        };
        Ok(Self { classes: classes.into_iter().map(|(key, values)| (covers(&key), values)).collect() })
    }

    /// The sensitive values of the rows that may be a person's.
    fn values(&self, tuple: &[u32]) -> BTreeSet<&str> {
        let covers = |labels: &[HashSet<u32>]| labels.iter().zip(tuple).all(|(leaves, leaf)| leaves.contains(leaf));
        let classes = self.classes.iter().filter(|(labels, _)| covers(labels));
        classes.flat_map(|(_, values)| values.iter().map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Hierarchy, TableRoles};

    #[test]
    fn two_releases_tell_what_neither_does_alone() {
        let lines = |text: &str| -> Vec<Vec<String>> {
            text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect()
        };
        let column = |name: &str, text: &str| Column {
            name: name.to_owned(),
            hierarchy: Hierarchy::new(name, &lines(text)).unwrap(),
        };
        let roles = || TableRoles {
            quasi_identifiers: vec![column("age", "21;*\n22;*"), column("city", "Bonn;*\nKiel;*")],
            sensitive: Some("illness".to_owned()),
        };
        let text = "age,city,illness\n21,Bonn,flu\n21,Kiel,gout\n22,Bonn,gout\n22,Kiel,mumps\n";
        let table = Table::from_csv(Path::new("t"), text.as_bytes(), b',', roles()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        // By age: {flu, gout} and {gout, mumps}; by city: {flu, gout} and {gout, mumps}.
        let by_age = write("age.csv", "age,city,illness\n21,*,flu\n21,*,gout\n22,*,gout\n22,*,mumps\n");
        let by_city = write("city.csv", "age,city,illness\n*,Bonn,flu\n*,Bonn,gout\n*,Kiel,gout\n*,Kiel,mumps\n");
        let found = intersection(&table, b',', &[&by_age, &by_city]).unwrap();
        // 21 in Kiel and 22 in Bonn can only be gout; the others keep two values.
        assert_eq!((found.people, found.exposed_by_each, found.exposed_together), (4, vec![0, 0], 2));
        assert_eq!(found.examples[0], (vec!["21".to_owned(), "Kiel".to_owned()], "gout".to_owned()));
        let alone = intersection(&table, b',', &[&by_age]).unwrap();
        assert_eq!(alone.exposed_together, 0);
        let wrong = write("wrong.csv", "age,city,illness\nold,*,flu\n");
        assert!(intersection(&table, b',', &[&wrong]).unwrap_err().to_string().contains("\"old\""));
    }
}
