//! How easily people of a table are found: the three attacker models, and how many are unique in the population.
//!
//! - Prosecutor: knows that the target is in the table. A row of a class of f rows is found with probability 1 / f.
//! - Journalist: does not know that. A row is found with 1 / F, F being the class's rows in the population.
//! - Marketer: wants to find as many as possible: the mean of these over rows.
//!
//! El Emam 2013, "Guide to the De-Identification of Personal Health Information"; the same definitions as ARX's.

mod population_uniques;

use std::path::Path;

pub use population_uniques::{PopulationUniques, population_uniques};

use crate::AnonymizeError;
use crate::table::combinations;

/// How many classes there are of each size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassSizes {
    /// Size and number of classes of that size, by size; all above 0.
    sizes: Vec<(u64, u64)>,
}

impl ClassSizes {
    /// From the sizes of all classes; 0 is no class.
    pub fn new(sizes: impl IntoIterator<Item = u64>) -> Self {
        let mut all: Vec<u64> = sizes.into_iter().filter(|&size| size > 0).collect();
        all.sort_unstable();
        Self { sizes: all.chunk_by(|one, other| one == other).map(|same| (same[0], same.len() as u64)).collect() }
    }

    /// Size and number of classes of that size, by size.
    pub fn by_size(&self) -> &[(u64, u64)] {
        &self.sizes
    }

    /// Classes of one size.
    pub fn of_size(&self, size: u64) -> u64 {
        self.sizes.binary_search_by_key(&size, |(known, _)| *known).map_or(0, |place| self.sizes[place].1)
    }

    /// Number of classes.
    pub fn classes(&self) -> u64 {
        self.sizes.iter().map(|(_, classes)| classes).sum()
    }

    /// Number of rows, at most the largest number that can be counted.
    pub fn rows(&self) -> u64 {
        rows_of(&self.sizes)
    }

    /// Rows of the smallest class; 0 without classes.
    pub fn smallest(&self) -> u64 {
        self.sizes.first().map_or(0, |(size, _)| *size)
    }

    /// Rows of the largest class; 0 without classes.
    pub fn largest(&self) -> u64 {
        self.sizes.last().map_or(0, |(size, _)| *size)
    }

    /// Share of the rows in classes of at most this size: those that are found with probability 1 / `size` or more.
    pub fn share_up_to(&self, size: u64) -> f64 {
        let rows = rows_of(&self.sizes[..self.sizes.partition_point(|(known, _)| *known <= size)]);
        if self.rows() == 0 { 0.0 } else { rows as f64 / self.rows() as f64 }
    }
}

fn rows_of(sizes: &[(u64, u64)]) -> u64 {
    sizes.iter().fold(0, |sum, (size, classes)| sum.saturating_add(size.saturating_mul(*classes)))
}

/// The risks of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Risk {
    /// The classes.
    pub sizes: ClassSizes,
    /// The largest probability that a prosecutor finds a row.
    pub prosecutor_highest: f64,
    /// The mean probability over rows, which is the share of rows that a marketer finds who knows that all are in the table.
    pub prosecutor_mean: f64,
    /// The largest probability that a journalist finds a row; `None` without a population.
    pub journalist_highest: Option<f64>,
    /// The share of rows that a marketer finds in the population; `None` without one.
    pub marketer: Option<f64>,
    /// Rows of the population in the rarest class; `None` without one.
    pub population_smallest: Option<u64>,
}

/// Classes with their number of rows, and their number of rows in the population where it is known.
pub fn risk(classes: &[(u64, Option<u64>)]) -> Risk {
    let sizes = ClassSizes::new(classes.iter().map(|(rows, _)| *rows));
    let rows = sizes.rows() as f64;
    let share = |number: f64| if rows > 0.0 { number / rows } else { 0.0 };
    let released = || classes.iter().filter(|(rows, _)| *rows > 0);
    // Without one class's population there is no mean, and no maximum.
    let people: Option<Vec<(u64, u64)>> =
        released().map(|&(rows, people)| people.filter(|&people| people > 0).map(|people| (rows, people))).collect();
    let people = people.filter(|people| !people.is_empty());
    let rarest = people.as_ref().and_then(|people| people.iter().map(|(_, people)| *people).min());
    Risk {
        prosecutor_highest: if sizes.smallest() > 0 { 1.0 / sizes.smallest() as f64 } else { 0.0 },
        prosecutor_mean: share(sizes.classes() as f64),
        journalist_highest: rarest.map(|rarest| 1.0 / rarest as f64),
        marketer: people.map(|people| share(people.iter().map(|&(rows, people)| rows as f64 / people as f64).sum())),
        population_smallest: rarest,
        sizes,
    }
}

/// The risks of a CSV file whose rows are classed by some columns, cell by cell, with a second file as the population.
///
/// # Errors
///
/// [`AnonymizeError`] if a file can't be read or a column is missing; [`AnonymizeError::Parameter`] if the population has fewer
/// rows of some class than the table, whose people then are not among it.
pub fn risk_of_file(
    data: &Path,
    separator: u8,
    quasi_identifiers: &[String],
    population: Option<&Path>,
) -> Result<Risk, AnonymizeError> {
    let classes = combinations(data, separator, quasi_identifiers)?;
    let people = population.map(|file| combinations(file, separator, quasi_identifiers)).transpose()?;
    let mut pairs = Vec::with_capacity(classes.len());
    for (key, &rows) in &classes {
        let there = people.as_ref().map(|people| people.get(key).copied().unwrap_or(0));
        if there.is_some_and(|there| there < rows) {
            let given = format!("one with fewer rows of ({})", key.join(", "));
            let allowed = "at least as many rows of each class as the table has: its people must be among them";
            return Err(AnonymizeError::parameter("the population", given, allowed));
        }
        pairs.push((rows, there));
    }
    Ok(risk(&pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn risks_are_those_of_their_definitions() {
        let found = risk(&[(2, Some(4)), (6, Some(60)), (0, Some(1))]);
        assert_eq!((found.prosecutor_highest, found.prosecutor_mean), (0.5, 0.25));
        assert_eq!((found.journalist_highest, found.population_smallest), (Some(0.25), Some(4)));
        assert!((found.marketer.unwrap() - (0.5 + 0.1) / 8.0).abs() < 1e-15);
        assert_eq!((found.sizes.share_up_to(2), found.sizes.share_up_to(6)), (0.25, 1.0));
        let alone = risk(&[(2, None), (6, Some(60))]);
        assert_eq!((alone.marketer, alone.journalist_highest), (None, None));
        let huge = ClassSizes::new([u64::MAX, u64::MAX]);
        assert_eq!((huge.rows(), huge.share_up_to(5)), (u64::MAX, 0.0));
        let none = risk(&[]);
        assert_eq!((none.prosecutor_highest, none.prosecutor_mean, none.sizes.smallest()), (0.0, 0.0, 0));
    }

    #[test]
    fn a_file_is_classed_by_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let data = write("d.csv", "a,b\n1,x\n1,y\n2,x\n,x\n");
        let people = write("p.csv", "a,b\n1,x\n1,y\n1,z\n2,x\n2,x\n,x\n");
        let found = risk_of_file(&data, b',', &["a".to_owned()], Some(&people)).unwrap();
        assert_eq!(found.sizes.by_size(), [(1, 2), (2, 1)]);
        assert_eq!(found.population_smallest, Some(1));
        let fewer = write("f.csv", "a,b\n1,x\n");
        assert!(risk_of_file(&data, b',', &["a".to_owned()], Some(&fewer)).unwrap_err().to_string().contains("fewer"));
    }
}
