//! k^m-anonymity of sets (Terrovitis, Mamoulis and Kalnis 2008, "Privacy-preserving anonymization of set-valued data"): rows are
//! sets of items, such as purchases or diagnoses, and an attacker knows up to m items of a person.
//!
//! Items are generalized by a hierarchy, each in the same way in all rows, until every combination of up to m labels that occurs
//! occurs in at least k rows. Sizes are looked at in turn, as by the paper's Apriori-based algorithm: where combinations are
//! too rare, the label is raised that is in most of them, for what raising it costs.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use burn_privacy_budget::statement::Grade;

use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{Hierarchy, open_csv, place_of};
use crate::unfinished_file::UnfinishedFile;

/// Combinations of one size that are counted at most, over all rows.
const MOST_COMBINATIONS: u64 = 50_000_000;

/// A label: level and code.
type Label = (usize, u32);

/// Rows of items.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemSets {
    hierarchy: Hierarchy,
    /// Codes at level 0, sorted, each once.
    rows: Vec<Vec<u32>>,
}

/// How items are generalized: the level of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecoding {
    levels: Vec<usize>,
    k: u64,
    m: usize,
}

impl ItemSets {
    /// Rows of items (codes of the hierarchy's values).
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for a code that the hierarchy does not have, [`AnonymizeError::Hierarchy`] for one without a
    /// label above all items.
    pub fn new(hierarchy: Hierarchy, rows: Vec<Vec<u32>>) -> Result<Self, AnonymizeError> {
        if hierarchy.labels_at(hierarchy.levels() - 1) > 1 {
            let problem = "has no label above all values: add a top level (*)".to_owned();
            return Err(AnonymizeError::Hierarchy { column: "items".to_owned(), problem });
        }
        let mut rows = rows;
        for row in &mut rows {
            row.sort_unstable();
            row.dedup();
            if let Some(&code) = row.last().filter(|&&code| code as usize >= hierarchy.leaves()) {
                return Err(AnonymizeError::parameter("an item's code", code, "one of the hierarchy's"));
            }
        }
        Ok(Self { hierarchy, rows })
    }

    /// Reads one column of a CSV file, whose cells hold items between `item_separator`s; empty items are passed over.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError`] if the file can't be read, the column is missing, or the hierarchy does not know an item, and those of
    /// [`Self::new`].
    pub fn read(
        file: &Path,
        separator: u8,
        column: &str,
        item_separator: &str,
        hierarchy: Hierarchy,
    ) -> Result<Self, AnonymizeError> {
        if item_separator.is_empty() {
            return Err(AnonymizeError::parameter("the separator of items", "empty", "some text"));
        }
        let (mut reader, header) = open_csv(file, separator)?;
        let place = place_of(file, &header, column)?;
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| AnonymizeError::csv(file, error))?;
            let items = record[place].split(item_separator).map(str::trim).filter(|item| !item.is_empty());
            let codes = items.map(|item| {
                hierarchy.code(item).ok_or_else(|| AnonymizeError::UnknownValue {
                    file: file.to_owned(),
                    line: record.position().map_or(0, csv::Position::line),
                    column: column.to_owned(),
                    value: item.to_owned(),
                })
            });
            rows.push(codes.collect::<Result<Vec<u32>, _>>()?);
        }
        Self::new(hierarchy, rows)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The labels of each row.
    fn generalized(&self, levels: &[usize]) -> Vec<Vec<Label>> {
        let label = |&item: &u32| {
            let level = levels[item as usize];
            (level, self.hierarchy.generalize(item, level))
        };
        let of_row = |row: &Vec<u32>| {
            let mut labels: Vec<Label> = row.iter().map(label).collect();
            labels.sort_unstable();
            labels.dedup();
            labels
        };
        self.rows.iter().map(of_row).collect()
    }

    /// Generalizes items until no combination of up to `m` labels that occurs is in fewer than `k` rows. Rows without items are in
    /// no combination.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for k or m of 0 or more combinations than 50 million; [`AnonymizeError::Unreachable`] if there
    /// are fewer than k rows with items.
    pub fn anonymize(&self, k: u64, m: usize) -> Result<ItemRecoding, AnonymizeError> {
        for (name, value) in [("k", k), ("m", m as u64)] {
            if value == 0 {
                return Err(AnonymizeError::parameter(name, value, "at least 1"));
            }
        }
        let filled = self.rows.iter().filter(|row| !row.is_empty()).count() as u64;
        if filled > 0 && filled < k {
            let reason = format!("k is {k}, and {filled} rows have items");
            return Err(AnonymizeError::Unreachable { reason });
        }
        let mut levels = vec![0; self.hierarchy.leaves()];
        for size in 1..=m {
            loop {
                let rows = self.generalized(&levels);
                let rare: Vec<Vec<Label>> = supports(&rows, size)?
                    .into_iter()
                    .filter(|(_, support)| *support < k)
                    .map(|(labels, _)| labels)
                    .collect();
                if rare.is_empty() {
                    break;
                }
                let Some(raised) = self.best_raise(&rows, &rare) else {
                    // All labels are at the top, whose support is the number of rows with items.
                    let reason = format!("{} combinations stay below {k} rows", rare.len());
                    return Err(AnonymizeError::Unreachable { reason });
                };
                self.raise(&mut levels, raised);
            }
        }
        let recoding = ItemRecoding { levels, k, m };
        self.verify(&recoding)?;
        Ok(recoding)
    }

    /// The label above which the most rare combinations go together, for the loss that it adds.
    fn best_raise(&self, rows: &[Vec<Label>], rare: &[Vec<Label>]) -> Option<Label> {
        let mut votes: HashMap<Label, u64> = HashMap::new();
        rare.iter().flatten().for_each(|&label| *votes.entry(label).or_insert(0) += 1);
        let mut uses: HashMap<Label, u64> = HashMap::new();
        rows.iter().flatten().for_each(|&label| *uses.entry(label).or_insert(0) += 1);
        let gain = |&(label, votes): &(&Label, &u64)| {
            let above = self.above(*label)?;
            let added = self.hierarchy.loss(above.0, above.1) - self.hierarchy.loss(label.0, label.1);
            Some(*votes as f64 / (added * uses.get(label).copied().unwrap_or(0) as f64 + 1e-9))
        };
        votes
            .iter()
            .filter_map(|entry| gain(&entry).map(|gain| (gain, *entry.0)))
            .max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(&one.1)))
            .and_then(|(_, label)| self.above(label))
    }

    /// The next label above that covers more; none at the top.
    fn above(&self, (level, code): Label) -> Option<Label> {
        let leaf = (0..self.hierarchy.leaves() as u32).find(|&leaf| self.hierarchy.generalize(leaf, level) == code)?;
        (level + 1..self.hierarchy.levels())
            .map(|above| (above, self.hierarchy.generalize(leaf, above)))
            .find(|&(above, code_above)| self.hierarchy.loss(above, code_above) > self.hierarchy.loss(level, code))
    }

    /// All items under a label take it.
    fn raise(&self, levels: &mut [usize], (level, code): Label) {
        for leaf in 0..self.hierarchy.leaves() as u32 {
            if self.hierarchy.generalize(leaf, level) == code {
                levels[leaf as usize] = levels[leaf as usize].max(level);
            }
        }
    }

    /// Counts all combinations of the generalized rows anew.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Unreachable`] names a combination that is too rare; the rows must not be released.
    pub fn verify(&self, recoding: &ItemRecoding) -> Result<(), AnonymizeError> {
        let rows = self.generalized(&recoding.levels);
        for size in 1..=recoding.m {
            for (labels, support) in supports(&rows, size)? {
                if support < recoding.k {
                    let names: Vec<&str> =
                        labels.iter().map(|&(level, code)| self.hierarchy.label(level, code)).collect();
                    let reason = format!("({}) is in {support} rows, fewer than {}", names.join(", "), recoding.k);
                    return Err(AnonymizeError::Unreachable { reason });
                }
            }
        }
        Ok(())
    }

    /// Mean loss of an item of a row, from 0 to 1.
    pub fn loss(&self, recoding: &ItemRecoding) -> f64 {
        let of_item = |&item: &u32| {
            let level = recoding.levels[item as usize];
            self.hierarchy.loss(level, self.hierarchy.generalize(item, level))
        };
        let items = || self.rows.iter().flatten();
        let number = items().count();
        if number == 0 { 0.0 } else { items().map(of_item).sum::<f64>() / number as f64 }
    }

    /// Writes the generalized rows, sorted, as a CSV file of one column.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`], also if the output exists and is not to be replaced.
    pub fn write(
        &self,
        recoding: &ItemRecoding,
        output: &Path,
        column: &str,
        item_separator: &str,
        replace: bool,
    ) -> Result<(), AnonymizeError> {
        let mut file = UnfinishedFile::new(output, replace)?;
        let text = |labels: &Vec<Label>| {
            let mut names: Vec<&str> = labels.iter().map(|&(level, code)| self.hierarchy.label(level, code)).collect();
            names.sort_unstable();
            names.dedup();
            names.join(item_separator)
        };
        let mut lines: Vec<String> = self.generalized(&recoding.levels).iter().map(text).collect();
        lines.sort_unstable();
        let mut writer = csv::Writer::from_writer(Vec::new());
        let broken = |error| AnonymizeError::csv(output, error);
        writer.write_record([column]).map_err(broken)?;
        for line in lines {
            writer.write_record([line]).map_err(broken)?;
        }
        let bytes = writer.into_inner().map_err(|error| AnonymizeError::Write {
            file: output.to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        file.write(&bytes)?;
        file.finish()
    }

    /// What the rows are worth.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, recoding: &ItemRecoding) -> Result<TableStatement, AnonymizeError> {
        let (k, m) = (recoding.k, recoding.m);
        let labels: HashSet<Label> = self.generalized(&recoding.levels).into_iter().flatten().collect();
        Ok(TableStatement::new(
            Grade::Syntactic,
            format!("{k}^{m}-anonymity: whoever knows up to {m} items of a person fits at least {k} rows, or none."),
        )?
        .fact("rows", self.rows.len())
        .fact("labels in use", labels.len())
        .fact("mean loss of an item, 0 to 1", format!("{:.6}", self.loss(recoding)))
        .caveat(format!("an attacker who knows more than {m} items, or that a person lacks an item"))
        .caveat("what the rows that fit have in common: their other items")
        .caveat("two releases of overlapping rows"))
    }
}

/// In how many rows each combination of `size` labels occurs.
fn supports(rows: &[Vec<Label>], size: usize) -> Result<HashMap<Vec<Label>, u64>, AnonymizeError> {
    let combinations = |row: &Vec<Label>| -> f64 {
        if row.len() < size { 0.0 } else { (0..size).map(|i| (row.len() - i) as f64 / (i + 1) as f64).product() }
    };
    let all: f64 = rows.iter().map(combinations).sum();
    if all > MOST_COMBINATIONS as f64 {
        let allowed = format!("at most {MOST_COMBINATIONS}: lower m");
        return Err(AnonymizeError::parameter("the number of combinations", format!("{all:.0}"), allowed));
    }
    let mut counts: HashMap<Vec<Label>, u64> = HashMap::new();
    for row in rows.iter().filter(|row| row.len() >= size) {
        let mut places: Vec<usize> = (0..size).collect();
        loop {
            *counts.entry(places.iter().map(|&place| row[place]).collect()).or_insert(0) += 1;
            // The next combination: the last place that can move does, those after it follow.
            let Some(at) = (0..size).rev().find(|&at| places[at] < row.len() - size + at) else { break };
            places[at] += 1;
            for next in at + 1..size {
                places[next] = places[next - 1] + 1;
            }
        }
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree() -> Hierarchy {
        let lines = ["a;x;*", "b;x;*", "c;x;*", "d;y;*", "e;y;*", "f;z;*"];
        let lines: Vec<Vec<String>> = lines.iter().map(|line| line.split(';').map(str::to_owned).collect()).collect();
        Hierarchy::new("items", &lines).unwrap()
    }

    #[test]
    fn rare_pairs_are_generalized_and_frequent_ones_stay() {
        // a and d together twice, b and d once.
        let rows = vec![vec![0, 3], vec![0, 3], vec![1, 3], vec![1], vec![1]];
        let sets = ItemSets::new(tree(), rows).unwrap();
        assert_eq!(sets.loss(&sets.anonymize(2, 1).unwrap()), 0.0);
        let two = sets.anonymize(2, 2).unwrap();
        assert!(sets.loss(&two) > 0.0);
        let labels: Vec<Vec<Label>> = sets.generalized(&two.levels);
        assert!(supports(&labels, 2).unwrap().values().all(|&support| support >= 2));
        let text = sets.statement(&two).unwrap().to_string();
        assert!(text.contains("2^2-anonymity") && !text.contains("epsilon"), "{text}");
        assert!(sets.anonymize(6, 1).is_err() && sets.anonymize(0, 1).is_err() && sets.anonymize(1, 0).is_err());
    }

    /// Rows that hold all of some items' labels, counted by asking each row: another way than by combinations.
    fn rows_that_fit(sets: &ItemSets, recoding: &ItemRecoding, known: &[u32]) -> u64 {
        let label = |item: u32| {
            let level = recoding.levels[item as usize];
            (level, sets.hierarchy.generalize(item, level))
        };
        let fits = |row: &&Vec<u32>| known.iter().all(|&item| row.iter().any(|&other| label(other) == label(item)));
        sets.rows.iter().filter(fits).count() as u64
    }

    proptest! {
        #[test]
        fn whoever_knows_m_items_fits_k_rows_or_none(
            rows in prop::collection::vec(prop::collection::vec(0_u32..6, 0..5), 0..25),
            k in 1_u64..5,
            m in 1_usize..4,
        ) {
            let sets = ItemSets::new(tree(), rows.clone()).unwrap();
            let Ok(recoding) = sets.anonymize(k, m) else {
                let filled = rows.iter().filter(|row| !row.is_empty()).count() as u64;
                prop_assert!(filled > 0 && filled < k);
                return Ok(());
            };
            for row in &sets.rows {
                for first in row {
                    for second in row {
                        let known = if m > 1 { vec![*first, *second] } else { vec![*first] };
                        prop_assert!(rows_that_fit(&sets, &recoding, &known) >= k, "{known:?}");
                    }
                }
            }
        }
    }
}
