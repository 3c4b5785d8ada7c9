//! Masks a CSV file row by row, in constant memory; the output appears complete or not at all.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use burn_privacy_mechanisms::PrivacyKey;
use csv::ByteRecord;
use rayon::prelude::*;

use super::error::LocationError;
use super::kept_draws::KeptDraws;
use super::mask::PointMask;
use super::place::{DECIMALS, Place};
use super::place_table::{PlaceCells, PlaceColumns, PlaceTable};
use super::randomness::PointRandomness;
use super::repeated_reports::ReportCount;
use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::UnfinishedFile;

/// Rows that one thread masks at a time.
const BLOCK: usize = 4_096;
/// Blocks held in memory at once.
const BLOCKS: usize = 16;

/// Which column says whose place a row has, and which period it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectColumns {
    /// Name of the column of subjects.
    pub subject: String,
    /// Name of the column of periods or times; none for one period over all.
    pub period: Option<String>,
    /// How many characters of the period count: 7 makes months of dates like 2026-11-29. None for all.
    pub period_length: Option<usize>,
}

/// Where the randomness of rows comes from.
#[derive(Debug)]
pub enum Draws {
    /// Anew for each row, from a key that serves nothing else.
    Fresh(PrivacyKey),
    /// The same for one subject, period and place, under a secret key; needs [`MaskFileOptions::subjects`].
    Kept(KeptDraws),
}

/// How a file is masked.
#[derive(Debug)]
pub struct MaskFileOptions {
    /// Where the places are.
    pub columns: PlaceColumns,
    /// Whose they are, if a column says so.
    pub subjects: Option<SubjectColumns>,
    /// Columns that are released as they are; all others but the places are left out.
    pub keep: Vec<String>,
    /// Leaves out rows without a place in place of refusing the file.
    pub skip_unplaced: bool,
    /// Replaces an output that exists.
    pub replace: bool,
    /// Rows that were counted before, if they were: a file that has grown since would release reports that nobody has paid for.
    pub expected_rows: Option<u64>,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedRows {
    /// Rows written.
    pub released: u64,
    /// Rows left out because the mask found nothing that it promises, or they had no place.
    pub left_out: u64,
}

/// How often the subjects of a file report under a mask: the file is read once. Memory grows with the number of subjects,
/// and of kept draws, by some 50 bytes each; without a column of subjects it is constant.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read or holds what is no place.
pub fn count_reports(
    input: &Path,
    mask: &dyn PointMask,
    kept: bool,
    options: &MaskFileOptions,
) -> Result<ReportCount, LocationError> {
    let mut table = PlaceTable::open(input, &options.columns)?;
    let who = Who::find(&table, options.subjects.as_ref())?;
    let (cells, mut record) = (table.places(), ByteRecord::new());
    let mut count = ReportCount { rows: 0, unplaced: 0, subjects: 0, most_draws: 0 };
    // Keyed by chance of this process: nobody can choose names that collide.
    let hasher = RandomState::new();
    let mut draws: HashMap<u64, u64> = HashMap::new();
    let mut seen: HashSet<u64> = HashSet::new();
    while table.read(&mut record)? {
        let Some(place) = cells.place(&record)? else {
            count.unplaced += 1;
            continue;
        };
        count.rows += 1;
        let Some(who) = &who else { continue };
        let subject = hasher.hash_one(who.subject(&record));
        // A collision of 64 bits would count one draw too few: below 1e-7 for a million of them.
        let new = !kept || seen.insert(hasher.hash_one((subject, who.period(&record), mask.drawn_for(place))));
        *draws.entry(subject).or_insert(0) += u64::from(new);
    }
    match who {
        Some(_) => {
            count.subjects = draws.len() as u64;
            count.most_draws = draws.values().copied().max().unwrap_or(0);
        }
        None => (count.subjects, count.most_draws) = (count.rows, count.rows.min(1)),
    }
    Ok(count)
}

/// Masks a file. Output has the columns of places and those to keep, in the input's order.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, lacks a column, holds what is no place, or the output can't be written: there is
/// then no output.
pub fn mask_file(
    input: &Path,
    output: &Path,
    mask: &dyn PointMask,
    draws: &Draws,
    options: &MaskFileOptions,
) -> Result<MaskedRows, LocationError> {
    let mut table = PlaceTable::open(input, &options.columns)?;
    let who = Who::find(&table, options.subjects.as_ref())?;
    if matches!(draws, Draws::Kept(_)) && who.is_none() {
        return Err(LocationError::parameter("the column of subjects", "none", "named where draws are kept"));
    }
    let cells = table.places();
    let mut columns: Vec<usize> = cells.columns().to_vec();
    for name in &options.keep {
        columns.push(table.column(name)?);
    }
    columns.sort_unstable();
    columns.dedup();
    let row = Row { mask, draws, who, cells, columns, options };

    let mut file = UnfinishedFile::new(output, options.replace)?;
    file.write(&row.line(row.columns.iter().map(|&column| table.header[column].as_bytes()))?)?;
    let mut rows = MaskedRows { released: 0, left_out: 0 };
    let mut first = 0;
    let mut records = vec![ByteRecord::new(); BLOCK * BLOCKS];
    loop {
        let mut filled = 0;
        while filled < records.len() && table.read(&mut records[filled])? {
            filled += 1;
        }
        if filled == 0 {
            break;
        }
        let blocks: Vec<(Vec<u8>, u64)> = records[..filled]
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(block, records)| row.block(records, first + (block * BLOCK) as u64))
            .collect::<Result<_, _>>()?;
        for (bytes, released) in blocks {
            file.write(&bytes)?;
            rows.released += released;
        }
        first += filled as u64;
    }
    rows.left_out = first - rows.released;
    if options.expected_rows.is_some_and(|expected| expected != first) {
        let problem = "the file has changed since its reports were counted: run again".to_owned();
        return Err(LocationError::Line { file: input.display().to_string(), line: 0, problem });
    }
    file.finish()?;
    Ok(rows)
}

/// How a row is masked.
struct Row<'a> {
    mask: &'a dyn PointMask,
    draws: &'a Draws,
    who: Option<Who>,
    cells: PlaceCells,
    columns: Vec<usize>,
    options: &'a MaskFileOptions,
}

impl Row<'_> {
    /// The lines of a block of records, and how many there are.
    fn block(&self, records: &[ByteRecord], first: u64) -> Result<(Vec<u8>, u64), LocationError> {
        let fresh = match self.draws {
            Draws::Fresh(key) => PointRandomness::fresh_rows(key, first, records.len())?,
            Draws::Kept(_) => Vec::new(),
        };
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.options.columns.separator)
            .from_writer(Vec::with_capacity(records.len() * 32));
        let mut released = 0;
        let (mut latitude, mut longitude) = (Vec::new(), Vec::new());
        for (number, record) in records.iter().enumerate() {
            let Some(place) = self.cells.place(record)? else {
                if self.options.skip_unplaced {
                    continue;
                }
                let line = record.position().map_or(0, csv::Position::line);
                let problem = "there is no place in this row: give it one, or leave such rows out".to_owned();
                return Err(LocationError::Line { file: "the input".to_owned(), line, problem });
            };
            let masked = match (self.draws, &self.who) {
                (Draws::Kept(draws), Some(who)) => {
                    let (subject, period) = (text(who.subject(record)), text(who.period(record)));
                    draws.report(self.mask, &subject, &period, place)
                }
                _ => self.mask.mask(place, &fresh[number]),
            };
            let Some(masked) = masked else { continue };
            write_degrees(&mut latitude, &mut longitude, masked);
            let [of_latitude, of_longitude] = self.cells.columns();
            let cells = self.columns.iter().map(|&column| match column {
                _ if column == of_latitude => latitude.as_slice(),
                _ if column == of_longitude => longitude.as_slice(),
                _ => record.get(column).unwrap_or_default(),
            });
            writer.write_record(cells).map_err(|error| AnonymizeError::csv(Path::new("the output"), error))?;
            released += 1;
        }
        Ok((finished(writer)?, released))
    }

    fn line<'b>(&self, cells: impl Iterator<Item = &'b [u8]>) -> Result<Vec<u8>, LocationError> {
        let mut writer = csv::WriterBuilder::new().delimiter(self.options.columns.separator).from_writer(Vec::new());
        writer.write_record(cells).map_err(|error| AnonymizeError::csv(Path::new("the output"), error))?;
        finished(writer)
    }
}

fn finished(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, LocationError> {
    writer.into_inner().map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        AnonymizeError::Write { file: "the output".into(), source }.into()
    })
}

fn write_degrees(latitude: &mut Vec<u8>, longitude: &mut Vec<u8>, place: Place) {
    use std::io::Write;
    for (cell, degrees) in [(latitude, place.latitude()), (longitude, place.longitude())] {
        cell.clear();
        // Writing to memory does not fail.
        let _ = write!(cell, "{degrees:.DECIMALS$}");
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Whose place a row has, and when.
struct Who {
    subject: usize,
    period: Option<usize>,
    length: usize,
}

impl Who {
    fn find(table: &PlaceTable, columns: Option<&SubjectColumns>) -> Result<Option<Self>, LocationError> {
        let Some(columns) = columns else { return Ok(None) };
        let subject = table.column(&columns.subject)?;
        let period = columns.period.as_deref().map(|name| table.column(name)).transpose()?;
        Ok(Some(Self { subject, period, length: columns.period_length.unwrap_or(usize::MAX) }))
    }

    fn subject<'a>(&self, record: &'a ByteRecord) -> &'a [u8] {
        record.get(self.subject).unwrap_or_default()
    }

    fn period<'a>(&self, record: &'a ByteRecord) -> &'a [u8] {
        let Some(column) = self.period else { return &[] };
        let cell = record.get(column).unwrap_or_default();
        &cell[..cell.len().min(self.length)]
    }
}
