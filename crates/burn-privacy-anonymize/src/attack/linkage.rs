//! Linkage with a second table: people of a register who match one row of the release are found in it.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::intersection::leaves_by_label;
use crate::AnonymizeError;
use crate::table::{Column, combinations};

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
    /// Rows of the release that people match, the fewest of those who match any: 0 if nobody does.
    pub fewest_matches: u64,
    /// Some who are singled out: what they and their row show; up to ten.
    pub examples: Vec<(Vec<String>, Vec<String>)>,
}

/// A column with the values under each of its labels.
type KnownColumn<'a> = (&'a Column, HashMap<&'a str, HashSet<u32>>);

/// What a kind of person shows, how many there are, and the kinds of rows that fit.
type Fitting<'a> = (&'a Vec<String>, u64, Vec<&'a Vec<String>>);

/// Counts how often rows of `register` match rows of `release` in the columns `on`, which both have. Where `hierarchies`
/// know a column, a label of the release matches all values under it; otherwise cells match that are equal.
///
/// # Errors
///
/// [`AnonymizeError`] if a file can't be read or a column is missing.
pub fn linkage(
    release: &Path,
    register: &Path,
    separator: u8,
    on: &[String],
    hierarchies: &[Column],
) -> Result<LinkageFinding, AnonymizeError> {
    let released = combinations(release, separator, on)?;
    let people = combinations(register, separator, on)?;
    let known = |name: &String| hierarchies.iter().find(|column| column.name == *name);
    let labels: Vec<Option<KnownColumn<'_>>> =
        on.iter().map(|name| known(name).map(|column| (column, leaves_by_label(column)))).collect();
    let covers = |label: &str, value: &str, place: usize| {
        let under = labels[place].as_ref().is_some_and(|(column, labels)| {
            let leaf = column.hierarchy.code(value);
            leaf.is_some_and(|leaf| labels.get(label).is_some_and(|leaves| leaves.contains(&leaf)))
        });
        under || label == value
    };
    let fits = |shown: &[String], person: &[String]| {
        shown.iter().zip(person).enumerate().all(|(place, (label, value))| covers(label, value, place))
    };
    let exact = labels.iter().all(Option::is_none);
    // For each kind of person the kinds of rows that fit, and for each kind of row how many people it fits.
    let mut fitting: Vec<Fitting<'_>> = Vec::with_capacity(people.len());
    let mut people_of: HashMap<&Vec<String>, u64> = HashMap::new();
    for (person, &count) in &people {
        let rows: Vec<&Vec<String>> = match exact {
            true => released.get_key_value(person).map(|(shown, _)| shown).into_iter().collect(),
            false => released.keys().filter(|shown| fits(shown, person)).collect(),
        };
        rows.iter().for_each(|shown| *people_of.entry(shown).or_insert(0) += count);
        fitting.push((person, count, rows));
    }
    let mut found = LinkageFinding {
        people: people.values().sum(),
        matched: 0,
        singled_out: 0,
        released: released.values().sum(),
        fewest_matches: 0,
        examples: Vec::new(),
    };
    fitting.sort();
    for (person, count, shown) in fitting {
        let rows: u64 = shown.iter().map(|shown| released[*shown]).sum();
        if rows == 0 {
            continue;
        }
        found.matched += count;
        found.fewest_matches = if found.fewest_matches == 0 { rows } else { found.fewest_matches.min(rows) };
        if let ([only], 1) = (&shown[..], rows)
            && people_of[only] == 1
        {
            found.singled_out += 1;
            if found.examples.len() < 10 {
                found.examples.push((person.clone(), (*only).clone()));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Hierarchy;

    #[test]
    fn labels_match_the_values_under_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let release = write("release.csv", "age,city,illness\n20s,Bonn,flu\n40s,Kiel,gout\n40s,Kiel,flu\n");
        let register = write("register.csv", "name,age,city\nAnn,21,Bonn\nBob,43,Kiel\nCid,44,Kiel\nDan,25,Kiel\n");
        let lines = ["21;20s", "25;20s", "43;40s", "44;40s"].map(|line| line.split(';').map(str::to_owned).collect());
        let ages = Column { name: "age".to_owned(), hierarchy: Hierarchy::new("age", &lines).unwrap() };
        let on = ["age".to_owned(), "city".to_owned()];
        let found = linkage(&release, &register, b',', &on, &[ages]).unwrap();
        assert_eq!((found.people, found.matched, found.singled_out, found.fewest_matches), (4, 3, 1, 1));
        assert_eq!(found.examples[0].0, ["21", "Bonn"]);
        // Without the hierarchy no age matches.
        assert_eq!(linkage(&release, &register, b',', &on, &[]).unwrap().matched, 0);
    }
}
