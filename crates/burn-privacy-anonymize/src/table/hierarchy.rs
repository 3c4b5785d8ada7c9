//! Generalization hierarchies as ARX writes them: a line for each value, its generalizations from left to right.
//!
//! ```text
//! 23;20-24;20-29;*
//! 31;30-34;30-39;*
//! ```

use std::collections::HashMap;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::AnonymizeError;

/// One level: its labels, and which of them each value of level 0 has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Level {
    labels: Vec<String>,
    of_leaf: Vec<u32>,
    /// Number of values of level 0 under each label.
    leaves: Vec<u32>,
}

/// The generalizations of one column's values.
///
/// Level 0 is the values themselves; each level is coarser than the one below. Codes count from 0 in the order of first
/// appearance, at each level for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    levels: Vec<Level>,
    codes: FxHashMap<String, u32>,
}

impl Hierarchy {
    /// A hierarchy from its lines: the value, then its generalizations.
    ///
    /// A shorter line repeats its last label up to the top, as ragged hierarchies do. A line that says again what an
    /// earlier one said is ignored.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Hierarchy`] without lines, if a value has two lines that differ, or if two values share a label
    /// but not the label above it: levels must only get coarser, or no bound of the search would hold.
    pub fn new(column: &str, lines: &[Vec<String>]) -> Result<Self, AnonymizeError> {
        let wrong = |problem: String| AnonymizeError::Hierarchy { column: column.to_owned(), problem };
        let height = lines.iter().map(Vec::len).max().unwrap_or(0);
        if height == 0 {
            return Err(wrong("has no lines".to_owned()));
        }
        let mut codes: FxHashMap<String, u32> = FxHashMap::default();
        let mut distinct: Vec<&Vec<String>> = Vec::new();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            match codes.get(&line[0]) {
                None => {
                    codes.insert(line[0].clone(), distinct.len() as u32);
                    distinct.push(line);
                }
                Some(&known) if distinct[known as usize] == line => {}
                Some(_) => return Err(wrong(format!("has two different lines for the value {:?}", line[0]))),
            }
        }
        let mut levels: Vec<Level> = Vec::with_capacity(height);
        for level in 0..height {
            let mut labels: Vec<String> = Vec::new();
            let mut known: HashMap<&str, u32> = HashMap::new();
            let mut of_leaf = Vec::with_capacity(distinct.len());
            for line in &distinct {
                let label = line[level.min(line.len() - 1)].as_str();
                let code = *known.entry(label).or_insert_with(|| {
                    labels.push(label.to_owned());
                    labels.len() as u32 - 1
                });
                of_leaf.push(code);
            }
            let mut leaves = vec![0; labels.len()];
            of_leaf.iter().for_each(|&code| leaves[code as usize] += 1);
            if let Some(below) = levels.last() {
                let mut above = vec![None; below.labels.len()];
                for (leaf, &code) in of_leaf.iter().enumerate() {
                    let label = below.of_leaf[leaf] as usize;
                    if *above[label].get_or_insert(code) != code {
                        return Err(wrong(format!(
                            "gives the label {:?} of level {} two different labels on level {level}",
                            below.labels[label],
                            level - 1
                        )));
                    }
                }
            }
            levels.push(Level { labels, of_leaf, leaves });
        }
        Ok(Self { levels, codes })
    }

    /// Reads a file in ARX's format; the separator is `;` or `,`, whichever the first line has (`;` before `,`).
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Read`], [`AnonymizeError::Structure`] if it is no CSV, and those of [`Self::new`].
    pub fn read(column: &str, file: &Path) -> Result<Self, AnonymizeError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
        let first = text.lines().next().unwrap_or_default();
        let separator = if first.contains(';') { b';' } else { b',' };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        let mut lines = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
            lines.push(record.iter().map(str::to_owned).collect());
        }
        Self::new(column, &lines)
    }

    /// A hierarchy of the values themselves and `*` above all.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Hierarchy`] without values.
    pub fn suppression<'a>(column: &str, values: impl IntoIterator<Item = &'a str>) -> Result<Self, AnonymizeError> {
        let lines: Vec<Vec<String>> = values.into_iter().map(|value| vec![value.to_owned(), "*".to_owned()]).collect();
        Self::new(column, &lines)
    }

    /// Number of levels, level 0 among them.
    pub fn levels(&self) -> usize {
        self.levels.len()
    }

    /// Number of values at level 0.
    pub fn leaves(&self) -> usize {
        self.levels[0].labels.len()
    }

    /// Number of labels on a level.
    pub fn labels_at(&self, level: usize) -> usize {
        self.levels[level].labels.len()
    }

    /// The code of a value at level 0.
    pub fn code(&self, value: &str) -> Option<u32> {
        self.codes.get(value).copied()
    }

    /// The code that a value (by its code at level 0) has on a level.
    pub fn generalize(&self, leaf: u32, level: usize) -> u32 {
        self.levels[level].of_leaf[leaf as usize]
    }

    /// All codes of a level, by the code at level 0.
    pub fn codes_at(&self, level: usize) -> &[u32] {
        &self.levels[level].of_leaf
    }

    /// What a code of a level stands for.
    pub fn label(&self, level: usize, code: u32) -> &str {
        &self.levels[level].labels[code as usize]
    }

    /// The normalized certainty penalty of a code: (values under it - 1) / (values - 1), which is ARX's loss of a cell
    /// too; 0 where the column has one value only.
    pub fn loss(&self, level: usize, code: u32) -> f64 {
        let of = self.leaves() as f64 - 1.0;
        if of > 0.0 { (f64::from(self.levels[level].leaves[code as usize]) - 1.0) / of } else { 0.0 }
    }

    /// The lowest level on which two values have the same label, if there is one.
    pub fn common_level(&self, one: u32, other: u32) -> Option<usize> {
        self.levels.iter().position(|level| level.of_leaf[one as usize] == level.of_leaf[other as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(text: &str) -> Result<Hierarchy, AnonymizeError> {
        let lines: Vec<Vec<String>> = text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect();
        Hierarchy::new("c", &lines)
    }

    #[test]
    fn levels_labels_and_losses_are_those_of_the_lines() {
        let ages = hierarchy("1;low;*\n2;low;*\n3;high;*").unwrap();
        assert_eq!((ages.levels(), ages.leaves(), ages.labels_at(1)), (3, 3, 2));
        let two = ages.code("2").unwrap();
        assert_eq!(ages.label(1, ages.generalize(two, 1)), "low");
        assert_eq!([0, 1, 2].map(|level| ages.loss(level, ages.generalize(two, level))), [0.0, 0.5, 1.0]);
        assert_eq!(ages.common_level(0, 1), Some(1));
        assert_eq!(ages.common_level(0, 2), Some(2));
        assert_eq!(ages.code("4"), None);
    }

    #[test]
    fn ragged_lines_repeat_their_last_label() {
        let ragged = hierarchy("a;b;c;*\nx;*").unwrap();
        assert_eq!(ragged.levels(), 4);
        assert_eq!(ragged.label(1, ragged.generalize(1, 1)), "*");
        assert_eq!(ragged.common_level(0, 1), Some(3));
    }

    #[test]
    fn contradictions_are_refused_with_the_label() {
        for (text, part) in [
            ("", "no lines"),
            ("a;x;*\na;y;*", "two different lines for the value \"a\""),
            ("a;x;l\nb;x;r", "label \"x\" of level 1 two different labels on level 2"),
        ] {
            let error = hierarchy(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(hierarchy("a;*\na;*").unwrap().leaves(), 1);
    }

    #[test]
    fn a_column_of_one_value_loses_nothing() {
        let one = hierarchy("a;*").unwrap();
        assert_eq!(one.loss(1, 0), 0.0);
    }
}
