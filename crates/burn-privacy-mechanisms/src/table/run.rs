//! Streams a file through a schema.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use csv::ByteRecord;
use rayon::prelude::*;

use super::column::Treatment;
use super::error::{StructureProblem, TableError};
use super::schema::TableSchema;
use super::statement::PerturbationStatement;
use super::structure::{Broken, TableReader};
use crate::error::MechanismError;
use crate::key::{Entropy, PrivacyKey};
use crate::local::RandomnessBlock;

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
    /// Whether an output that exists is replaced.
    pub replace: bool,
    /// Records held in memory at once, from 1 to 2^20; it changes speed, not the result.
    pub chunk_records: usize,
}

impl PerturbOptions {
    /// Options that replace nothing.
    #[must_use]
    pub fn new(entropy: Entropy) -> Self {
        Self { entropy, replace: false, chunk_records: 16 * BLOCK }
    }
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were read.
    pub bytes: u64,
    /// Bytes that the input has.
    pub total_bytes: u64,
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
/// Any [`TableError`] that doesn't concern the schema itself; then there is no output.
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
    let total_bytes = file.metadata().map_err(failed)?.len();
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(TableReader::new(file));
    let header = reader.byte_headers().map_err(|error| read_failure(input, error))?.clone();
    let header = header_of(input, &header)?;
    let plan = Plan::new(schema, input, &header)?;
    let key = PrivacyKey::draw(&options.entropy)?;

    let unwritten = |source| TableError::Write { file: output.to_owned(), source };
    let mut unfinished = unfinished_beside(output).map_err(unwritten)?;
    unfinished.write_all(&plan.header()).map_err(unwritten)?;

    let most = options.chunk_records.clamp(1, MOST_RECORDS);
    let mut current = Chunk::default();
    let mut next = Chunk::default();
    let mut records = 0;
    current.fill(&mut reader, &plan, 0, most).map_err(|error| read_failure(input, error))?;
    while current.rows > 0 {
        // The next chunk is read while this one is perturbed.
        let first = current.first + current.rows as u64;
        let (filled, blocks) =
            rayon::join(|| next.fill(&mut reader, &plan, first, most), || current.perturb(&plan, &key));
        for block in blocks? {
            unfinished.write_all(&block).map_err(unwritten)?;
        }
        records += current.rows as u64;
        filled.map_err(|error| read_failure(input, error))?;
        progress(Progress { bytes: reader.get_ref().passed(), total_bytes, records });
        std::mem::swap(&mut current, &mut next);
    }

    unfinished.as_file().sync_all().map_err(unwritten)?;
    let kept = if options.replace { unfinished.persist(output) } else { unfinished.persist_noclobber(output) };
    kept.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => TableError::OutputExists { file: output.to_owned() },
        _ => unwritten(error.error),
    })?;
    if let Ok(folder) = File::open(folder_of(output)) {
        // Makes the new name last through a power cut, where the system can do that for a folder.
        let _ = folder.sync_all();
    }
    let mut statement = schema.statement(&options.entropy);
    statement.unprotected_rows = Some(records);
    Ok(statement)
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

fn folder_of(output: &Path) -> &Path {
    output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A file in the output's folder that goes away unless it gets its name.
fn unfinished_beside(output: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    // Temporary files are for the owner alone; a table gets the permissions of any other file.
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    builder.tempfile_in(folder_of(output))
}

/// An error of the parser, as ours.
pub(super) fn read_failure(file: &Path, error: csv::Error) -> TableError {
    let file = file.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Broken>()) {
            Some(Broken { line, problem }) => TableError::Structure { file, line: *line, problem: *problem },
            None => TableError::Read { file, source: error },
        },
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
}

impl<'a> Plan<'a> {
    fn new(schema: &'a TableSchema, input: &Path, header: &[String]) -> Result<Self, TableError> {
        let mut columns: HashMap<&str, usize> =
            schema.columns().iter().enumerate().map(|(index, column)| (column.name.as_str(), index)).collect();
        let mut released = Vec::new();
        for (place, name) in header.iter().enumerate() {
            let Some(column) = columns.remove(name.as_str()) else {
                return Err(TableError::UnknownColumn { file: input.to_owned(), column: name.clone() });
            };
            if !matches!(schema.columns()[column].treatment, Treatment::Drop) {
                released.push((place, column));
            }
        }
        match schema.columns().iter().find(|column| columns.contains_key(column.name.as_str())) {
            Some(missing) => Err(TableError::MissingColumn { file: input.to_owned(), column: missing.name.clone() }),
            None => Ok(Self { schema, released }),
        }
    }

    fn header(&self) -> Vec<u8> {
        lines(|writer| {
            writer.write_record(self.released.iter().map(|&(_, column)| &self.schema.columns()[column].name))
        })
    }
}

/// CSV in memory.
fn lines(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(Vec::new());
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
        reader: &mut csv::Reader<TableReader<R>>,
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
    fn perturb(&self, plan: &Plan<'_>, key: &PrivacyKey) -> Result<Vec<Vec<u8>>, MechanismError> {
        (0..self.rows.div_ceil(BLOCK)).into_par_iter().map(|block| self.perturb_block(block, plan, key)).collect()
    }

    fn perturb_block(&self, block: usize, plan: &Plan<'_>, key: &PrivacyKey) -> Result<Vec<u8>, MechanismError> {
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
        Ok(lines(|writer| {
            for (place, row) in rows.enumerate() {
                for (index, (treatment, randomness)) in cells.iter().enumerate() {
                    let cell = self.cell(row * cells.len() + index);
                    match treatment {
                        Treatment::Perturb(perturbed) => {
                            released.clear();
                            perturbed.perturb(cell, &randomness.cell(place), &mut released);
                            writer.write_field(&released)?;
                        }
                        _ => writer.write_field(cell)?,
                    }
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Ok(())
        }))
    }

    fn cell(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }
}
