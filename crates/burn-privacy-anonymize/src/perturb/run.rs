//! Streams a file through a schema.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use burn_privacy_output::{AtomicFile, OutputError};
use csv::ByteRecord;
use rayon::prelude::*;

use super::column::Treatment;
use super::encoding::{Counted, FormatProblem, TableBytes, TableFormat};
use super::error::TableError;
use super::schema::TableSchema;
use super::statement::PerturbationStatement;
use super::structure::{Broken, StructureProblem, TableReader};
use burn_privacy_mechanisms::error::MechanismError;
use burn_privacy_mechanisms::key::{Entropy, PrivacyKey};
use burn_privacy_mechanisms::local::RandomnessBlock;

/// Records that one task of the thread pool perturbs.
const BLOCK: usize = 1_024;

/// Cells' bytes after which a chunk is complete, however few records it has.
const CHUNK_BYTES: usize = 8 << 20;

/// The largest number of records in a chunk: cells may be empty, and then take no bytes.
const MOST_RECORDS: usize = 1 << 20;

/// How a table is perturbed.
#[derive(Debug, Clone)]
pub struct PerturbOptions {
    /// Where the randomness comes from: [`Entropy::os`], or nothing is private.
    pub entropy: Entropy,
    /// How the input is written, and the output: with the input's separator.
    pub format: TableFormat,
    /// Whether an output that exists is replaced.
    pub replace: bool,
    /// Records held in memory at once, from 1 to 2^20; it changes speed, not the result.
    pub chunk_records: usize,
}

impl PerturbOptions {
    /// Options for a comma-separated table, that replace nothing.
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, format: TableFormat::default(), replace: false, chunk_records: 16 * BLOCK }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were read, packed if it is.
    pub bytes: u64,
    /// Bytes that the input has, where that is known: not of a stream.
    pub total_bytes: Option<u64>,
    /// Records that were written.
    pub records: u64,
}

/// Perturbs a CSV file: reads `input` once, in constant memory, and writes `output`, which appears complete or not at
/// all.
///
/// The header must have the schema's columns, in any order; output has them in the input's order, without the dropped
/// ones. A fresh key is drawn from `options.entropy`, and forgotten. With a fixed seed the output is the same for any
/// number of threads and any `chunk_records`. `progress` is called after every chunk.
///
/// # Errors
///
/// Any [`TableError`] that doesn't concern the schema itself; then there is no output. [`TableError::Delta`] for a
/// table so long that the schema's delta means nothing.
pub fn perturb_table(
    schema: &TableSchema,
    input: &Path,
    output: &Path,
    options: &PerturbOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PerturbationStatement, TableError> {
    check_paths(input, output, options.replace)?;
    let failed = |source| TableError::Read { file: input.to_owned(), source };
    let file = File::open(input).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let total_bytes = metadata.is_file().then_some(metadata.len());
    let unwritten = |error| match error {
        OutputError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
            TableError::OutputExists { file: output.to_owned() }
        }
        OutputError::File { source, .. } => TableError::Write { file: output.to_owned(), source },
        error => TableError::Write { file: output.to_owned(), source: io::Error::other(error) },
    };
    let mut unfinished = AtomicFile::create(output).map_err(unwritten)?;
    let mut write = |block: &[u8]| {
        unfinished.write_all(block).map_err(|source| TableError::Write { file: output.to_owned(), source })
    };
    let mut told = |at: Progress| progress(Progress { total_bytes, ..at });
    let statement = perturbed(schema, file, input, &mut write, options, &mut told)?;
    let kept = if options.replace { unfinished.commit() } else { unfinished.commit_new() };
    kept.map_err(unwritten)?;
    Ok(statement)
}

/// As [`perturb_table`], from and to anything. `name` stands for the input in errors.
///
/// The output is to be used only if this returns `Ok`: an error may come after part of it was written, and the delta is
/// compared with the number of rows at the end.
///
/// # Errors
///
/// As [`perturb_table`].
pub fn perturb_stream(
    schema: &TableSchema,
    input: impl Read + Send,
    name: &str,
    output: &mut dyn Write,
    options: &PerturbOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PerturbationStatement, TableError> {
    let mut write = |block: &[u8]| {
        output.write_all(block).map_err(|source| TableError::Write { file: "the output".into(), source })
    };
    perturbed(schema, input, Path::new(name), &mut write, options, progress)
}

fn perturbed(
    schema: &TableSchema,
    source: impl Read + Send,
    input: &Path,
    write: &mut dyn FnMut(&[u8]) -> Result<(), TableError>,
    options: &PerturbOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<PerturbationStatement, TableError> {
    let format = options.format;
    let bytes = TableBytes::open(Counted::new(source)).map_err(|error| unreadable(input, error))?;
    let table = TableReader::new(bytes, format.separator(), format.comment());
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(1 << 16)
        .delimiter(format.separator())
        .comment(format.comment())
        .from_reader(table);
    let header = match reader.byte_headers() {
        Ok(header) => header.clone(),
        // The parser reads ahead: rows that don't fit the header may be what a format that nobody stated looks like.
        Err(error) => {
            return Err(match doubt(schema, input, reader.get_ref().header(), format) {
                Some(doubt) => doubt,
                None => read_failure(input, error),
            });
        }
    };
    let header = header_of(input, &header)?;
    let plan = Plan::new(schema, input, &header, format)?;
    let key = PrivacyKey::draw(options.entropy)?;
    write(&plan.header())?;

    let most = options.chunk_records.clamp(1, MOST_RECORDS);
    let mut current = Chunk::default();
    let mut next = Chunk::default();
    let mut records = 0;
    let mut unreadable_cells = vec![0; schema.columns().len()];
    current.fill(&mut reader, &plan, 0, most).map_err(|error| read_failure(input, error))?;
    while current.rows > 0 {
        // The next chunk is read while this one is perturbed.
        let first = current.first + current.rows as u64;
        let (filled, blocks) =
            rayon::join(|| next.fill(&mut reader, &plan, first, most), || current.perturb(&plan, &key));
        for block in blocks? {
            write(&block.lines)?;
            for (&(_, column), count) in plan.released.iter().zip(block.unreadable) {
                unreadable_cells[column] += count;
            }
        }
        records += current.rows as u64;
        filled.map_err(|error| read_failure(input, error))?;
        progress(Progress {
            bytes: reader.get_ref().get_ref().source().map_or(0, Counted::bytes),
            total_bytes: None,
            records,
        });
        std::mem::swap(&mut current, &mut next);
    }

    if schema.delta() > 0.0 && schema.delta() >= 1.0 / records as f64 {
        return Err(TableError::Delta { delta: schema.delta(), rows: records });
    }
    let mut statement = schema.statement(options.entropy);
    statement.unprotected_rows = Some(records);
    if let Some(check) = schema.readability() {
        // Columns in the schema's order, whatever the input's.
        let perturbed: Vec<_> = schema
            .columns()
            .iter()
            .zip(unreadable_cells)
            .filter(|(column, _)| matches!(column.treatment, Treatment::Perturb(_)))
            .collect();
        let counts: Vec<u64> = perturbed.iter().map(|&(_, count)| count).collect();
        let told = check.tell(&counts, records, &key, schema.columns().len() as u64)?;
        statement.unreadable_columns = told.map(|told| {
            perturbed.iter().zip(told).filter(|(_, told)| *told).map(|((column, _), _)| column.name.clone()).collect()
        });
    }
    Ok(statement)
}

/// What speaks against the format, by the header alone and if it is not the schema's.
fn doubt(schema: &TableSchema, input: &Path, header: &[u8], format: TableFormat) -> Option<TableError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(format.separator()).from_reader(header);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?;
    let names = header_of(input, &record).ok()?;
    Plan::new(schema, input, &names, format).err().filter(|error| matches!(error, TableError::Format { .. }))
}

fn check_paths(input: &Path, output: &Path, replace: bool) -> Result<(), TableError> {
    if output.symlink_metadata().is_err() {
        return Ok(());
    }
    if !replace {
        return Err(TableError::OutputExists { file: output.to_owned() });
    }
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(from), Ok(to)) if from == to => Err(TableError::SameFile { file: input.to_owned() }),
        _ => Ok(()),
    }
}

/// An error of reading, as ours.
pub(super) fn unreadable(file: &Path, error: io::Error) -> TableError {
    let file = file.to_owned();
    match error.get_ref().map(|inner| (inner.downcast_ref::<Broken>(), inner.downcast_ref::<FormatProblem>())) {
        Some((Some(Broken { line, problem }), _)) => TableError::Structure { file, line: *line, problem: *problem },
        Some((_, Some(problem))) => TableError::Format { file, problem: *problem },
        _ => TableError::Read { file, source: error },
    }
}

/// An error of the parser, as ours.
pub(super) fn read_failure(file: &Path, error: csv::Error) -> TableError {
    let file = file.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => unreadable(&file, error),
        csv::ErrorKind::UnequalLengths { pos, expected_len: expected, len: found } => TableError::Structure {
            file,
            line: pos.map_or(0, |position| position.line()),
            problem: StructureProblem::Cells { expected, found },
        },
        _ => TableError::Read { file, source: io::ErrorKind::InvalidData.into() },
    }
}

/// The names of a header, each once.
pub(super) fn header_of(file: &Path, header: &ByteRecord) -> Result<Vec<String>, TableError> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    let mut seen = std::collections::HashSet::new();
    for name in header {
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        if !seen.insert(name.clone()) {
            return Err(TableError::RepeatedColumn { file: file.to_owned(), column: name });
        }
        names.push(name);
    }
    Ok(names)
}

/// A schema applied to a header.
struct Plan<'a> {
    schema: &'a TableSchema,
    /// Place in the input and column of the schema, of what is released, in the input's order.
    released: Vec<(usize, usize)>,
    separator: u8,
}

impl<'a> Plan<'a> {
    fn new(schema: &'a TableSchema, input: &Path, header: &[String], format: TableFormat) -> Result<Self, TableError> {
        let mismatch = |error| match format.doubt(header) {
            Some(problem) => TableError::Format { file: input.to_owned(), problem },
            None => error,
        };
        let mut columns: HashMap<&str, usize> =
            schema.columns().iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect();
        let mut released = Vec::new();
        for (place, name) in header.iter().enumerate() {
            let Some(column) = columns.remove(name.as_str()) else {
                return Err(mismatch(TableError::UnknownColumn { file: input.to_owned(), column: name.clone() }));
            };
            if !matches!(schema.columns()[column].treatment, Treatment::Drop) {
                released.push((place, column));
            }
        }
        match schema.columns().iter().find(|column| columns.contains_key(column.name.as_str())) {
            Some(missing) => {
                Err(mismatch(TableError::MissingColumn { file: input.to_owned(), column: missing.name.clone() }))
            }
            None => Ok(Self { schema, released, separator: format.separator() }),
        }
    }

    fn header(&self) -> Vec<u8> {
        lines(self.separator, |writer| {
            writer.write_record(self.released.iter().map(|&(_, column)| &self.schema.columns()[column].name))
        })
    }
}

/// Perturbed records.
struct Block {
    lines: Vec<u8>,
    /// Cells that could not be read, for each released column.
    unreadable: Vec<u64>,
}

/// CSV in memory.
fn lines(separator: u8, write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(separator).buffer_capacity(1 << 16).from_writer(Vec::new());
    // Neither memory nor the number of cells, which is that of the plan, can fail.
    let _ = write(&mut writer);
    writer.into_inner().unwrap_or_default()
}

/// The released cells of some records, end to end.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    first: u64,
    rows: usize,
    record: ByteRecord,
}

impl Chunk {
    /// Reads up to `most` records, fewer if they are long.
    fn fill<R: Read>(
        &mut self,
        reader: &mut csv::Reader<R>,
        plan: &Plan<'_>,
        first: u64,
        most: usize,
    ) -> csv::Result<()> {
        self.bytes.clear();
        self.ends.clear();
        self.first = first;
        self.rows = 0;
        while self.rows < most && self.bytes.len() < CHUNK_BYTES && reader.read_byte_record(&mut self.record)? {
            for &(place, _) in &plan.released {
                self.bytes.extend_from_slice(self.record.get(place).unwrap_or_default());
                self.ends.push(self.bytes.len());
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// The perturbed records as CSV, in blocks.
    fn perturb(&self, plan: &Plan<'_>, key: &PrivacyKey) -> Result<Vec<Block>, MechanismError> {
        (0..self.rows.div_ceil(BLOCK)).into_par_iter().map(|block| self.perturb_block(block, plan, key)).collect()
    }

    fn perturb_block(&self, block: usize, plan: &Plan<'_>, key: &PrivacyKey) -> Result<Block, MechanismError> {
        let rows = block * BLOCK..self.rows.min((block + 1) * BLOCK);
        let mut cells = Vec::with_capacity(plan.released.len());
        for &(_, column) in &plan.released {
            let treatment = &plan.schema.columns()[column].treatment;
            let mut randomness = RandomnessBlock::default();
            if let Treatment::Perturb(perturbed) = treatment {
                let first = self.first + rows.start as u64;
                randomness.fill(key, column as u64, first, rows.len(), perturbed.needs_normals())?;
            }
            cells.push((treatment, randomness));
        }
        let mut released = Vec::new();
        let mut unreadable = vec![0; cells.len()];
        let lines = lines(plan.separator, |writer| {
            for (place, row) in rows.enumerate() {
                for (index, (treatment, randomness)) in cells.iter().enumerate() {
                    let cell = self.cell(row * cells.len() + index);
                    match treatment {
                        Treatment::Perturb(perturbed) => {
                            released.clear();
                            let readable = perturbed.perturb(cell, &randomness.cell(place), &mut released);
                            unreadable[index] += u64::from(!readable);
                            writer.write_field(&released)?;
                        }
                        _ => writer.write_field(cell)?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Ok(())
        });
        Ok(Block { lines, unreadable })
    }

    fn cell(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}
