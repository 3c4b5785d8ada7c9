//! Writing a recoded table: only what is meant to be seen, complete or not at all.

use std::collections::HashMap;
use std::path::Path;

use crate::AnonymizeError;
use crate::recoding::Recoding;
use crate::table::{Table, open_csv, place_of};
use crate::unfinished_file::UnfinishedFile;

/// How a recoded table is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseOptions {
    /// Columns that are released as they are, beside the quasi-identifiers and the sensitive column. All others are left
    /// out: a name among them would undo everything.
    pub keep: Vec<String>,
    /// Keeps the rows in their order, in constant memory. The order can tell who is who; without this, rows are sorted by
    /// what they show, and the whole output is held in memory.
    pub keep_order: bool,
    /// Replaces an output that exists.
    pub replace: bool,
}

/// Writes `input` (which `table` was read from) recoded to `output`; gives the number of rows written.
///
/// # Errors
///
/// [`AnonymizeError`] if `input` can't be read or has changed, if a column to keep is missing or a quasi-identifier, if
/// `output` is `input`, exists and is not to be replaced, or can't be written. What was there before is then untouched.
pub fn write_release(
    input: &Path,
    separator: u8,
    table: &Table,
    recoding: &Recoding,
    output: &Path,
    options: &ReleaseOptions,
) -> Result<u64, AnonymizeError> {
    let unwritten = |source| AnonymizeError::Write { file: output.to_owned(), source };
    let mut file = UnfinishedFile::made_of(input, output, options.replace)?;
    let (mut reader, header) = open_csv(input, separator)?;
    let plan = Plan::new(input, &header, table, &options.keep)?;
    let line = |cells: &[&str]| -> Result<Vec<u8>, AnonymizeError> {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        writer.write_record(cells).map_err(|error| AnonymizeError::csv(output, error))?;
        writer.into_inner().map_err(|error| unwritten(std::io::Error::other(error.to_string())))
    };
    let names: Vec<&str> = plan.released.iter().map(|(place, _)| header[*place].as_str()).collect();
    file.write(&line(&names)?)?;

    let mut places = Places::new(table, recoding);
    let mut sorted: Vec<Vec<u8>> = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(|error| AnonymizeError::csv(input, error))? {
        let changed = || AnonymizeError::Structure {
            file: input.to_owned(),
            line: record.position().map_or(0, csv::Position::line),
            problem: "the file has changed since it was read: run again".to_owned(),
        };
        let tuple = plan.tuple(table, &record).ok_or_else(changed)?;
        let Some(class) = places.next_class(&tuple).ok_or_else(changed)? else { continue };
        let labels = recoding.labels(table, class);
        let cells: Vec<&str> = plan
            .released
            .iter()
            .map(|&(place, column)| column.map_or_else(|| &record[place], |column| labels[column]))
            .collect();
        let line = line(&cells)?;
        rows += 1;
        if options.keep_order { file.write(&line)? } else { sorted.push(line) }
    }
    sorted.sort_unstable();
    for line in sorted {
        file.write(&line)?;
    }
    if rows != recoding.released_rows() {
        let problem = "the file has changed since it was read: run again".to_owned();
        return Err(AnonymizeError::Structure { file: input.to_owned(), line: 0, problem });
    }
    file.finish()?;
    Ok(rows)
}

/// Where the columns are in the input.
struct Plan {
    /// Place in the input, and column of the table if it is a quasi-identifier.
    released: Vec<(usize, Option<usize>)>,
    quasi: Vec<usize>,
    sensitive: Option<usize>,
    sensitive_codes: HashMap<String, u32>,
}

impl Plan {
    fn new(input: &Path, header: &[String], table: &Table, keep: &[String]) -> Result<Self, AnonymizeError> {
        let quasi: Vec<usize> =
            table.columns().iter().map(|column| place_of(input, header, &column.name)).collect::<Result<_, _>>()?;
        let sensitive = table.sensitive().map(|sensitive| place_of(input, header, &sensitive.name)).transpose()?;
        let mut released: Vec<(usize, Option<usize>)> =
            quasi.iter().enumerate().map(|(column, &place)| (place, Some(column))).collect();
        released.extend(sensitive.map(|place| (place, None)));
        for name in keep {
            let place = place_of(input, header, name)?;
            if quasi.contains(&place) {
                return Err(AnonymizeError::parameter("a column to keep", name, "no quasi-identifier"));
            }
            if sensitive != Some(place) {
                released.push((place, None));
            }
        }
        released.sort_unstable();
        released.dedup();
        let values = table.sensitive().map(|sensitive| sensitive.values.as_slice()).unwrap_or_default();
        let sensitive_codes = (0..).zip(values).map(|(code, value)| (value.clone(), code)).collect();
        Ok(Self { released, quasi, sensitive, sensitive_codes })
    }

    /// The codes of a row.
    fn tuple(&self, table: &Table, record: &csv::StringRecord) -> Option<Vec<u32>> {
        let quasi = self.quasi.iter().zip(table.columns());
        let mut codes: Vec<u32> =
            quasi.map(|(&place, column)| column.hierarchy.code(&record[place])).collect::<Option<_>>()?;
        if let Some(place) = self.sensitive {
            codes.push(*self.sensitive_codes.get(&record[place])?);
        }
        Some(codes)
    }
}

/// The classes that rows of a tuple still have to go to.
struct Places<'a> {
    tuples: HashMap<Vec<u32>, usize>,
    recoding: &'a Recoding,
    /// For each tuple: which of its parts comes next, and how many rows of it are gone.
    next: Vec<(usize, u64)>,
}

impl<'a> Places<'a> {
    fn new(table: &Table, recoding: &'a Recoding) -> Self {
        let key = |tuple: usize| {
            let mut key = table.tuple(tuple).to_vec();
            key.extend(table.sensitive_code(tuple));
            (key, tuple)
        };
        Self { tuples: (0..table.tuples()).map(key).collect(), recoding, next: vec![(0, 0); table.tuples()] }
    }

    /// The class of the next row of a tuple; `Some(None)` if the row is suppressed, `None` for an unknown tuple.
    fn next_class(&mut self, codes: &[u32]) -> Option<Option<usize>> {
        let tuple = *self.tuples.get(codes)?;
        let (part, gone) = &mut self.next[tuple];
        let Some(&(class, rows)) = self.recoding.assigned(tuple).get(*part) else { return Some(None) };
        *gone += 1;
        if *gone == rows {
            (*part, *gone) = (*part + 1, 0);
        }
        Some(Some(class))
    }
}
