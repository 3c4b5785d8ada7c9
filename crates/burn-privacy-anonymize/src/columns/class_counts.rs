//! Classes of quasi-identifiers as they are shown, counted in a first pass, so that those that are too small are left out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::AnonymizeError;
use crate::records::{Batch, Released, Style};
use crate::table::{PrivacyModel, SensitiveDistribution};

/// Numbers of rows by sensitive value.
type RowsByValue = HashMap<Box<[u8]>, u64>;

/// Rows of each class by sensitive value; one value where there is no sensitive column. Classes are told apart by their
/// text, never by a hash of it.
#[derive(Default)]
pub(super) struct ClassCounts {
    classes: HashMap<Box<[u8]>, RowsByValue>,
}

/// Where the quasi-identifiers and the sensitive column are among the released ones.
pub(super) struct ClassPlaces {
    pub(super) quasi: Vec<usize>,
    pub(super) sensitive: Option<usize>,
}

impl ClassPlaces {
    /// Writes what tells a row's class: each cell with its length before it, so that no two classes read the same. A null
    /// is told apart from an empty cell.
    pub(super) fn key(&self, batch: &Batch, released: &[Released], row: usize, key: &mut Vec<u8>) {
        key.clear();
        for &place in &self.quasi {
            match released[place].cell(batch, row) {
                None => key.extend_from_slice(&u32::MAX.to_le_bytes()),
                Some(cell) => {
                    key.extend_from_slice(&(cell.len() as u32).to_le_bytes());
                    key.extend_from_slice(cell);
                }
            }
        }
    }
}

/// What a sensitive cell says, however it is written: spellings that every reader takes for one value count as one.
/// JSON's escapes and blanks, the order of members, and the spellings of one number are such.
fn meaning(cell: &[u8], style: Style) -> Cow<'_, [u8]> {
    let text = std::str::from_utf8(cell).unwrap_or_default().trim();
    let owned = |text: String| Cow::<[u8]>::Owned(text.into_bytes());
    match style {
        Style::Text => Cow::Borrowed(cell),
        Style::Json if text.starts_with('"') && !text.contains('\\') => {
            Cow::Borrowed(text.trim_matches('"').as_bytes())
        }
        Style::Json if text.starts_with(['"', '[', '{']) => match serde_json::from_str(text) {
            Ok(Value::String(text)) => owned(text),
            Ok(mut value) => {
                write_numbers_alike(&mut value);
                owned(value.to_string())
            }
            Err(_) => Cow::Borrowed(cell),
        },
        Style::Json | Style::Number => number_text(text).map_or(Cow::Borrowed(cell), owned),
    }
}

/// The one spelling of a number: all digits of a whole one, the shortest of another.
fn number_text(text: &str) -> Option<String> {
    if let Ok(whole) = text.parse::<i128>() {
        return Some(whole.to_string());
    }
    // So that -0.0 is 0.
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| (number + 0.0).to_string())
}

fn write_numbers_alike(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(text) = number_text(&number.to_string()) {
                *value = Value::String(text);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(write_numbers_alike),
        Value::Object(members) => members.values_mut().for_each(write_numbers_alike),
        _ => {}
    }
}

impl ClassCounts {
    /// Counts the rows of a batch.
    pub(super) fn of(places: &ClassPlaces, batch: &Batch, released: &[Released]) -> Self {
        let mut counts = Self::default();
        let mut key = Vec::new();
        for row in 0..batch.rows {
            places.key(batch, released, row, &mut key);
            let sensitive = places.sensitive.map(|place| &released[place]);
            let cell = sensitive.and_then(|column| column.cell(batch, row).map(|cell| (cell, column.style())));
            let value = cell.map_or(Cow::Borrowed(&[][..]), |(cell, style)| meaning(cell, style));
            counts.add(&key, &value, 1);
        }
        counts
    }

    fn add(&mut self, key: &[u8], value: &[u8], rows: u64) {
        if !self.classes.contains_key(key) {
            self.classes.insert(key.into(), HashMap::new());
        }
        let Some(values) = self.classes.get_mut(key) else { return };
        match values.get_mut(value) {
            Some(count) => *count += rows,
            None => {
                values.insert(value.into(), rows);
            }
        }
    }

    /// Adds another part's counts.
    pub(super) fn merge(&mut self, other: Self) {
        for (key, values) in other.classes {
            match self.classes.get_mut(&key) {
                None => {
                    self.classes.insert(key, values);
                }
                Some(known) => values.into_iter().for_each(|(value, rows)| *known.entry(value).or_insert(0) += rows),
            }
        }
    }

    /// The classes that meet all models.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] for a model that refuses the table.
    pub(super) fn releasable(&self, models: &[PrivacyModel]) -> Result<Releasable, AnonymizeError> {
        let needs_values = models.iter().any(PrivacyModel::needs_sensitive);
        let mut codes: HashMap<&[u8], usize> = HashMap::new();
        let mut totals: Vec<u64> = Vec::new();
        if needs_values {
            for (value, rows) in self.classes.values().flatten() {
                let code = *codes.entry(value).or_insert(totals.len());
                if code == totals.len() {
                    totals.push(0);
                }
                totals[code] += rows;
            }
        }
        let mut names = vec![String::new(); totals.len()];
        codes.iter().for_each(|(value, &code)| names[code] = String::from_utf8_lossy(value).into_owned());
        let distribution = needs_values.then(|| SensitiveDistribution::new(&names, totals));
        for model in models {
            model.check(distribution.as_ref())?;
        }
        let mut found = Releasable::default();
        for (key, values) in &self.classes {
            let rows = values.values().sum();
            let mut histogram = vec![0; names.len()];
            if needs_values {
                values.iter().for_each(|(value, count)| {
                    if let Some(&code) = codes.get(value.as_ref()) {
                        histogram[code] += count;
                    }
                });
            }
            found.rows += rows;
            if models.iter().all(|model| model.is_met(rows, &histogram, distribution.as_ref(), None)) {
                found.released_rows += rows;
                found.smallest = if found.keys.is_empty() { rows } else { found.smallest.min(rows) };
                found.keys.insert(key.clone());
            }
        }
        Ok(found)
    }
}

/// What a first pass found.
#[derive(Default)]
pub(super) struct Releasable {
    pub(super) keys: HashSet<Box<[u8]>>,
    pub(super) rows: u64,
    pub(super) released_rows: u64,
    pub(super) smallest: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_count_once() {
        let same =
            |style: Style, one: &str, other: &str| meaning(one.as_bytes(), style) == meaning(other.as_bytes(), style);
        for (one, other) in [
            ("\"Gr\\u00fcn\"", "\"Grün\""),
            ("\"a\\/b\"", "\"a/b\""),
            ("50", "50.0"),
            ("1e5", "100000"),
            ("-0", "0.0"),
            ("[1, {\"b\":2,\"a\":1e0}]", "[1.0,{\"a\":1,\"b\":2}]"),
        ] {
            assert!(same(Style::Json, one, other), "{one} {other}");
        }
        for (one, other) in [
            ("\"a\"", "\"b\""),
            ("50", "50.5"),
            ("9007199254740993", "9007199254740992"),
            ("true", "false"),
            ("[1]", "[2]"),
        ] {
            assert!(!same(Style::Json, one, other), "{one} {other}");
        }
        assert!(same(Style::Number, "50", "50.0") && !same(Style::Number, "50", "51"));
        assert!(!same(Style::Text, "50", "50.0"));
    }
}
