//! Masks a file row by row, CSV in constant memory; the output appears complete or not at all.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use burn_privacy_mechanisms::PrivacyKey;
use csv::ByteRecord;
use rayon::prelude::*;

use super::error::LocationError;
use super::kept_draws::KeptDraws;
use super::mask::PointMask;
use super::masked_rows::OutputRows;
use super::place::Place;
use super::place_table::{PlaceCells, PlaceColumns, PlaceTable};
use super::randomness::PointRandomness;
use super::repeated_reports::ReportCount;
use burn_privacy_anonymize::UnfinishedFile;

/// Rows that one thread masks at a time.
const BLOCK: usize = 4_096;
/// Blocks held in memory at once.
const BLOCKS: usize = 16;
/// What is said of a file that changes while it is read.
const CHANGED: &str = "the file has changed since its reports were counted: run again";

/// Which column says whose place a row has, and which period it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectColumns {
    /// Name of the column of subjects.
    pub subject: String,
    /// Name of the column of periods or times; none for one period over all.
    pub period: Option<String>,
    /// How many characters of the period count: 7 makes months of dates like 2026-11-29. None for all.
    pub period_length: Option<usize>,
    /// Takes a subject's first place in the file of each period for all of that period: one kept draw for each subject and period,
    /// however much the place jitters. Memory grows with their number. Needs [`Draws::Kept`].
    pub first_place: bool,
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
    /// Rows released whose first draws failed the mask's own check, so that it was widened.
    pub widened: u64,
}

/// A file whose columns and options fit, with its subjects and the columns that are released.
fn opened(
    input: &Path,
    kept: bool,
    options: &MaskFileOptions,
) -> Result<(PlaceTable, Option<Who>, Vec<usize>), LocationError> {
    let table = PlaceTable::open(input, &options.columns)?;
    let who = Who::find(&table, options.subjects.as_ref())?;
    if kept && who.is_none() {
        return Err(LocationError::parameter("the column of subjects", "none", "named where draws are kept"));
    }
    if !kept && who.as_ref().is_some_and(|who| who.first_place) {
        let allowed = "left out where draws are not kept: a hundred draws of one place average out";
        return Err(LocationError::parameter("the first place of a period", "asked for", allowed));
    }
    let mut columns: Vec<usize> = table.places().columns().to_vec();
    for name in &options.keep {
        columns.push(table.column(name)?);
    }
    columns.sort_unstable();
    columns.dedup();
    Ok((table, who, columns))
}

fn without_place(cells: &PlaceCells, record: &ByteRecord) -> LocationError {
    cells.wrong(record, "there is no place in this row: give it one, or leave such rows out".to_owned())
}

/// How often the subjects of a file report under a mask: the file is read once. Memory grows with the number of subjects,
/// and of kept draws, by some 50 bytes each; without a column of subjects it is constant.
///
/// # Errors
///
/// As [`mask_file`], but for writing: what is counted for is refused before it is paid for.
pub fn count_reports(
    input: &Path,
    mask: &dyn PointMask,
    kept: bool,
    options: &MaskFileOptions,
) -> Result<ReportCount, LocationError> {
    let (mut table, who, _) = opened(input, kept, options)?;
    let (cells, mut record) = (table.places(), ByteRecord::new());
    let mut count = ReportCount { rows: 0, unplaced: 0, subjects: 0, most_draws: 0 };
    // Keyed by chance of this process: nobody can choose names that collide.
    let hasher = RandomState::new();
    let mut draws: HashMap<u64, u64> = HashMap::new();
    let mut seen: HashSet<u64> = HashSet::new();
    while table.read(&mut record)? {
        let Some(place) = cells.place(&record)? else {
            if !options.skip_unplaced {
                return Err(without_place(&cells, &record));
            }
            count.unplaced += 1;
            continue;
        };
        count.rows += 1;
        let Some(who) = &who else { continue };
        let subject = hasher.hash_one(who.subject(&record));
        // A collision of 64 bits would count one draw too few: below 1e-7 for a million of them.
        // The first place of a period is the only one that is drawn for.
        let drawn_for = if who.first_place { [0; 2] } else { mask.drawn_for(place) };
        let new = !kept || seen.insert(hasher.hash_one((subject, who.period(&record), drawn_for)));
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

/// Masks a file (CSV, or GeoJSON by its name) into another. Output has the columns of places and those to keep, in the input's
/// order; as GeoJSON, a point for each row, with what is kept as properties.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, lacks a column, holds what is no place, or the output is the input or can't be
/// written: there is then no output.
pub fn mask_file(
    input: &Path,
    output: &Path,
    mask: &dyn PointMask,
    draws: &Draws,
    options: &MaskFileOptions,
) -> Result<MaskedRows, LocationError> {
    let (mut table, who, columns) = opened(input, matches!(draws, Draws::Kept(_)), options)?;
    let cells = table.places();
    let first_places = match &who {
        Some(who) if who.first_place => first_places(input, who, options)?,
        _ => HashMap::new(),
    };
    let row = Row { mask, draws, who, first_places, cells, columns, options };

    let mut file = UnfinishedFile::made_of(input, output, options.replace)?;
    let names: Vec<String> = row.columns.iter().map(|&column| table.header[column].clone()).collect();
    let format = OutputRows::new(output, names, cells_at(&row), options.columns.separator);
    file.write(&format.head()?)?;
    let mut rows = MaskedRows { released: 0, left_out: 0, widened: 0 };
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
        let blocks: Vec<(Vec<u8>, [u64; 2])> = records[..filled]
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(block, records)| row.block(&format, records, first + (block * BLOCK) as u64))
            .collect::<Result<_, _>>()?;
        for (bytes, [released, widened]) in blocks {
            if rows.released > 0 && released > 0 {
                file.write(format.between())?;
            }
            file.write(&bytes)?;
            rows.released += released;
            rows.widened += widened;
        }
        first += filled as u64;
    }
    rows.left_out = first - rows.released;
    if options.expected_rows.is_some_and(|expected| expected != first) {
        let problem = CHANGED.to_owned();
        return Err(LocationError::Line { file: input.display().to_string(), line: 0, problem });
    }
    file.write(format.tail())?;
    file.finish()?;
    Ok(rows)
}

/// Where the columns of latitude and longitude are among those that are released.
fn cells_at(row: &Row<'_>) -> [usize; 2] {
    let of = |wanted: usize| row.columns.iter().position(|&column| column == wanted).unwrap_or_default();
    row.cells.columns().map(of)
}

/// The first place of each subject and period.
type FirstPlaces = HashMap<(Vec<u8>, Vec<u8>), Place>;

fn first_places(input: &Path, who: &Who, options: &MaskFileOptions) -> Result<FirstPlaces, LocationError> {
    let mut table = PlaceTable::open(input, &options.columns)?;
    let (cells, mut record, mut first) = (table.places(), ByteRecord::new(), HashMap::new());
    while table.read(&mut record)? {
        if let Some(place) = cells.place(&record)? {
            first.entry((who.subject(&record).to_vec(), who.period(&record).to_vec())).or_insert(place);
        }
    }
    Ok(first)
}

/// How a row is masked.
struct Row<'a> {
    mask: &'a dyn PointMask,
    draws: &'a Draws,
    who: Option<Who>,
    first_places: FirstPlaces,
    cells: PlaceCells,
    columns: Vec<usize>,
    options: &'a MaskFileOptions,
}

impl Row<'_> {
    /// The rows of a block of records, how many there are, and for how many the mask was widened.
    fn block(
        &self,
        format: &OutputRows,
        records: &[ByteRecord],
        first: u64,
    ) -> Result<(Vec<u8>, [u64; 2]), LocationError> {
        let fresh = match self.draws {
            Draws::Fresh(key) => PointRandomness::fresh_rows(key, first, records.len())?,
            Draws::Kept(_) => Vec::new(),
        };
        let mut writer = format.writer(records.len());
        let (mut released, mut widened) = (0, 0);
        for (number, record) in records.iter().enumerate() {
            let Some(place) = self.cells.place(record)? else {
                if self.options.skip_unplaced {
                    continue;
                }
                return Err(without_place(&self.cells, record));
            };
            let (masked, failures) = match (self.draws, &self.who) {
                (Draws::Kept(draws), Some(who)) => {
                    let (subject, period) = (who.subject(record), who.period(record));
                    let place = if who.first_place {
                        let first = self.first_places.get(&(subject.to_vec(), period.to_vec()));
                        *first.ok_or_else(|| self.cells.wrong(record, CHANGED.to_owned()))?
                    } else {
                        place
                    };
                    draws.report_checked(self.mask, subject, period, place)
                }
                _ => self.mask.mask_checked(place, &fresh[number]),
            };
            let Some(masked) = masked else { continue };
            writer.write(masked, self.columns.iter().map(|&column| record.get(column).unwrap_or_default()))?;
            released += 1;
            widened += u64::from(failures > 0);
        }
        Ok((writer.finish()?, [released, widened]))
    }
}

/// Whose place a row has, and when.
struct Who {
    subject: usize,
    period: Option<usize>,
    length: usize,
    first_place: bool,
}

impl Who {
    fn find(table: &PlaceTable, columns: Option<&SubjectColumns>) -> Result<Option<Self>, LocationError> {
        let Some(columns) = columns else { return Ok(None) };
        let subject = table.column(&columns.subject)?;
        let period = columns.period.as_deref().map(|name| table.column(name)).transpose()?;
        let (length, first_place) = (columns.period_length.unwrap_or(usize::MAX), columns.first_place);
        Ok(Some(Self { subject, period, length, first_place }))
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
