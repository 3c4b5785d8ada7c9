//! Reading a table once, row by row, into distinct tuples with counts: what all searches work on.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use rustc_hash::FxHashMap;

use super::csv_file::{header_of, place_of};
use super::hierarchy::Hierarchy;
use super::sensitive_distribution::SensitiveDistribution;
use crate::AnonymizeError;

/// A quasi-identifier: its name and its hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name in the header.
    pub name: String,
    /// The generalizations of its values.
    pub hierarchy: Hierarchy,
}

/// The sensitive column: its name and the values that occur, by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensitive {
    /// The name in the header.
    pub name: String,
    /// The value of each code, in the order of first appearance.
    pub values: Vec<String>,
}

/// What the columns of a table are.
#[derive(Debug, Clone, Default)]
pub struct TableRoles {
    /// The quasi-identifiers. Their order in the header counts, not that here.
    pub quasi_identifiers: Vec<Column>,
    /// The sensitive column, which can't be a quasi-identifier.
    pub sensitive: Option<String>,
}

/// The distinct tuples of quasi-identifiers (and sensitive value) of a table, with the number of rows of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    sensitive: Option<Sensitive>,
    /// Codes, `width` a tuple: the quasi-identifiers, then the sensitive value.
    codes: Vec<u32>,
    counts: Vec<u64>,
    rows: u64,
    /// The people among whom the table's are, if that is known.
    pub(super) population: Option<Box<Table>>,
    /// How often each sensitive value occurs in the table that this one is a part of.
    whole: Option<Vec<u64>>,
}

/// Collects rows.
struct Collector {
    codes: Vec<u32>,
    counts: Vec<u64>,
    known: FxHashMap<Box<[u32]>, u32>,
    rows: u64,
}

impl Collector {
    fn new() -> Self {
        Self { codes: Vec::new(), counts: Vec::new(), known: FxHashMap::default(), rows: 0 }
    }

    fn add(&mut self, tuple: &[u32], rows: u64) {
        self.rows += rows;
        if let Some(&place) = self.known.get(tuple) {
            self.counts[place as usize] += rows;
            return;
        }
        self.known.insert(tuple.into(), self.counts.len() as u32);
        self.codes.extend_from_slice(tuple);
        self.counts.push(rows);
    }

    fn table(self, columns: Vec<Column>, sensitive: Option<Sensitive>) -> Table {
        let Self { codes, counts, rows, known: _ } = self;
        Table { columns, sensitive, codes, counts, rows, population: None, whole: None }
    }
}

impl Table {
    /// Reads a CSV file with a header.
    ///
    /// Memory grows with the number of distinct tuples, not of rows. An empty cell is a value like any other.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError`] if the file can't be read or is no table, if a name stands twice in the header, if a column of
    /// `roles` is not there, or if a cell holds a value that its hierarchy does not know.
    pub fn read(file: &Path, separator: u8, roles: TableRoles) -> Result<Self, AnonymizeError> {
        let opened =
            std::fs::File::open(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
        Self::from_csv(file, std::io::BufReader::with_capacity(1 << 16, opened), separator, roles)
    }

    /// As [`Self::read`], from any reader; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::read`].
    pub fn from_csv(file: &Path, reader: impl Read, separator: u8, roles: TableRoles) -> Result<Self, AnonymizeError> {
        let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(reader);
        let header = header_of(file, &mut reader)?;
        let mut placed = Vec::new();
        for column in roles.quasi_identifiers {
            placed.push((place_of(file, &header, &column.name)?, column));
        }
        placed.sort_by_key(|(place, _)| *place);
        let sensitive_place = roles.sensitive.as_deref().map(|name| place_of(file, &header, name)).transpose()?;
        if let Some(place) = sensitive_place
            && placed.iter().any(|(taken, _)| *taken == place)
        {
            let problem = format!("column {:?} can't be sensitive and a quasi-identifier at once", header[place]);
            return Err(AnonymizeError::Structure { file: file.to_owned(), line: 1, problem });
        }

        let mut collector = Collector::new();
        let mut sensitive_values: Vec<String> = Vec::new();
        let mut sensitive_codes: HashMap<String, u32> = HashMap::new();
        let mut record = csv::StringRecord::new();
        let mut tuple = Vec::with_capacity(placed.len() + 1);
        while reader.read_record(&mut record).map_err(|error| AnonymizeError::csv(file, error))? {
            tuple.clear();
            for (place, column) in &placed {
                let value = &record[*place];
                let code = column.hierarchy.code(value).ok_or_else(|| AnonymizeError::UnknownValue {
                    file: file.to_owned(),
                    line: record.position().map_or(0, csv::Position::line),
                    column: column.name.clone(),
                    value: value.to_owned(),
                })?;
                tuple.push(code);
            }
            if let Some(place) = sensitive_place {
                let value = &record[place];
                let code = match sensitive_codes.get(value) {
                    Some(&code) => code,
                    None => {
                        let code = sensitive_values.len() as u32;
                        sensitive_codes.insert(value.to_owned(), code);
                        sensitive_values.push(value.to_owned());
                        code
                    }
                };
                tuple.push(code);
            }
            collector.add(&tuple, 1);
        }
        let sensitive = roles.sensitive.map(|name| Sensitive { name, values: sensitive_values });
        Ok(collector.table(placed.into_iter().map(|(_, column)| column).collect(), sensitive))
    }

    /// A table from tuples of codes (quasi-identifiers, then the sensitive value if there is one) and numbers of rows.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Structure`] if a tuple has another length, or a code that its hierarchy does not have, or if there
    /// are 2^64 rows or more in all.
    pub fn from_tuples(
        columns: Vec<Column>,
        sensitive: Option<Sensitive>,
        tuples: impl IntoIterator<Item = (Vec<u32>, u64)>,
    ) -> Result<Self, AnonymizeError> {
        let mut collector = Collector::new();
        let width = columns.len() + usize::from(sensitive.is_some());
        for (index, (tuple, rows)) in tuples.into_iter().enumerate() {
            let sensitive_known = sensitive.as_ref().map(|sensitive| sensitive.values.len());
            let known = columns.iter().map(|column| column.hierarchy.leaves()).chain(sensitive_known);
            if tuple.len() != width || tuple.iter().zip(known).any(|(&code, known)| code as usize >= known) {
                return Err(AnonymizeError::Structure {
                    file: "tuples".into(),
                    line: index as u64 + 1,
                    problem: format!("not {width} codes that the hierarchies know"),
                });
            }
            if collector.rows.checked_add(rows).is_none() {
                let problem = "more rows in all than can be counted (2^64)".to_owned();
                return Err(AnonymizeError::Structure { file: "tuples".into(), line: index as u64 + 1, problem });
            }
            if rows > 0 {
                collector.add(&tuple, rows);
            }
        }
        Ok(collector.table(columns, sensitive))
    }

    /// The tuples for which `rows` says how many rows of them there are, 0 for none; with the place of each here. What is
    /// asked of their classes is still asked in terms of the whole table's sensitive values.
    pub(crate) fn part(&self, rows: &[u64]) -> (Self, Vec<usize>) {
        let (width, mut codes, mut counts, mut places) = (self.width(), Vec::new(), Vec::new(), Vec::new());
        for (place, &count) in rows.iter().enumerate().filter(|(_, count)| **count > 0) {
            codes.extend_from_slice(&self.codes[place * width..(place + 1) * width]);
            counts.push(count);
            places.push(place);
        }
        let part = Self {
            columns: self.columns.clone(),
            sensitive: self.sensitive.clone(),
            codes,
            rows: counts.iter().sum(),
            counts,
            population: self.population.clone(),
            whole: self.sensitive_counts(),
        };
        (part, places)
    }

    /// The quasi-identifiers, in the order of the header.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The sensitive column.
    pub fn sensitive(&self) -> Option<&Sensitive> {
        self.sensitive.as_ref()
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Number of distinct tuples.
    pub fn tuples(&self) -> usize {
        self.counts.len()
    }

    /// The codes of a tuple's quasi-identifiers.
    pub fn tuple(&self, index: usize) -> &[u32] {
        let width = self.width();
        &self.codes[index * width..index * width + self.columns.len()]
    }

    /// The code of a tuple's sensitive value.
    pub fn sensitive_code(&self, index: usize) -> Option<u32> {
        self.sensitive.as_ref().map(|_| self.codes[(index + 1) * self.width() - 1])
    }

    /// Number of rows of a tuple.
    pub fn count(&self, index: usize) -> u64 {
        self.counts[index]
    }

    /// How often each sensitive value occurs in the whole table.
    pub fn sensitive_distribution(&self) -> Option<SensitiveDistribution> {
        Some(SensitiveDistribution::new(&self.sensitive.as_ref()?.values, self.sensitive_counts()?))
    }

    fn sensitive_counts(&self) -> Option<Vec<u64>> {
        let mut counts = vec![0; self.sensitive.as_ref()?.values.len()];
        for index in 0..self.tuples() {
            counts[self.sensitive_code(index)? as usize] += self.counts[index];
        }
        Some(self.whole.clone().unwrap_or(counts))
    }

    fn width(&self) -> usize {
        self.columns.len() + usize::from(self.sensitive.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles() -> TableRoles {
        let hierarchy = Hierarchy::suppression("sex", ["m", "f", ""]).unwrap();
        TableRoles {
            quasi_identifiers: vec![Column { name: "sex".to_owned(), hierarchy }],
            sensitive: Some("illness".to_owned()),
        }
    }

    fn read(text: &str) -> Result<Table, AnonymizeError> {
        Table::from_csv(Path::new("t.csv"), text.as_bytes(), b';', roles())
    }

    #[test]
    fn rows_become_tuples_with_counts() {
        for text in [
            "name;sex;illness\na;m;flu\nb;f;flu\nc;m;flu\nd;;gout\n",
            "name;sex;illness\r\na;m;flu\r\nb;f;\"flu\"\r\nc;\"m\";flu\r\nd;\"\";gout",
        ] {
            let table = read(text).unwrap();
            assert_eq!((table.rows(), table.tuples()), (4, 3));
            assert_eq!((table.tuple(0), table.sensitive_code(0), table.count(0)), (&[0][..], Some(0), 2));
            assert_eq!((table.tuple(2), table.sensitive_code(2), table.count(2)), (&[2][..], Some(1), 1));
        }
        assert_eq!(read("sex;illness\n").unwrap().rows(), 0);
    }

    #[test]
    fn more_rows_than_can_be_counted_are_refused() {
        let half = u64::MAX / 2 + 1;
        let columns = || roles().quasi_identifiers;
        let table = |rows: &[u64]| Table::from_tuples(columns(), None, rows.iter().map(|&rows| (vec![0], rows)));
        assert_eq!(table(&[half, half - 1]).unwrap().rows(), u64::MAX);
        assert!(table(&[half, half]).unwrap_err().to_string().contains("line 2: more rows in all"));
    }

    #[test]
    fn what_is_no_such_table_is_refused_with_a_sentence() {
        for (text, part) in [
            ("", "no header"),
            ("sex;sex;illness\nm;f;flu\n", "two columns are named \"sex\""),
            ("sex;ilness\nm;flu\n", "no column \"illness\"; the columns are sex, ilness"),
            ("sex;illness\nm;flu\nd;flu\n", "line 3: column \"sex\" holds \"d\""),
            ("sex;illness\nm;flu\nm;flu;x\n", "line 3: 3 cells where the first line has 2"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
