//! A file, or a stream, through a schema: chunks of whole records are read, transformed on all processors and written in
//! order, in constant memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use burn_privacy_mechanisms::key::{Entropy, PrivacyKey};
use rayon::prelude::*;

use super::cell_operation::{CellOperation, ColumnWorker};
use super::class_counts::{ClassCounts, ClassPlaces, Releasable};
use super::operation::Role;
use super::schema::{Action, ColumnSchema};
use super::statement::{ColumnsStatement, Observed};
use crate::AnonymizeError;
use crate::perturb::{Counted, FormatProblem, Progress, TableBytes, TableFormat, Treatment};
use crate::pseudonym::PseudonymKey;
use crate::records::{
    Batch, CsvReading, FileFormat, JsonReading, Packing, RecordChunks, Released, header_of_first_line, write_csv,
    write_csv_line, write_json_lines,
};
#[cfg(feature = "parquet")]
use crate::records::{ParquetColumns, ParquetSink, ParquetSource};
use crate::unfinished_file::UnfinishedFile;

/// How a table is read and written.
#[derive(Debug, Clone)]
pub struct TransformOptions {
    /// How the input is written.
    pub input: FileFormat,
    /// How the output is to be written.
    pub output: FileFormat,
    /// Separator and comments of CSV, in and out.
    pub csv: TableFormat,
    /// How the output is packed.
    pub packing: Packing,
    /// Where the randomness of noise comes from: [`Entropy::os`], or nothing is private.
    pub entropy: Entropy,
    /// Whether an output that exists is replaced.
    pub replace: bool,
}

impl Default for TransformOptions {
    fn default() -> Self {
        Self {
            input: FileFormat::Csv,
            output: FileFormat::Csv,
            csv: TableFormat::default(),
            packing: Packing::None,
            entropy: Entropy::os(),
            replace: false,
        }
    }
}

/// Applies a schema to `input` and writes `output`, which appears complete or not at all. Rows keep their order.
///
/// Schema and header must have the same columns, in any order (a member that a JSON object lacks is null). With models in
/// the schema the file is read twice, and memory grows with the number of classes; else memory is constant. `progress` is
/// called after every few chunks.
///
/// # Errors
///
/// Any [`AnonymizeError`]: messages name a line and a column, never what a cell holds. What `output` was before is then
/// untouched.
pub fn transform_file(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    input: &Path,
    output: &Path,
    options: &TransformOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, AnonymizeError> {
    if let (Ok(from), Ok(to)) = (input.canonicalize(), output.canonicalize())
        && from == to
    {
        return Err(AnonymizeError::parameter("the output", "the input", "another file"));
    }
    let mut unfinished = UnfinishedFile::new(output, options.replace)?;
    let open = || File::open(input).map_err(|source| AnonymizeError::Read { file: input.to_owned(), source });
    let statement = run(schema, key, &open, input, &mut unfinished, output, options, progress)?;
    unfinished.finish()?;
    Ok(statement)
}

/// As [`transform_file`], from and to anything. `name` stands for the input in errors.
///
/// The output is to be used only if this returns `Ok`: an error may come after part of it was written.
///
/// # Errors
///
/// As [`transform_file`]; [`AnonymizeError::Parameter`] for a schema with models, which reads twice, and for Parquet, which
/// is read from its end: both need a file.
pub fn transform_stream(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    input: impl Read + Send,
    name: &str,
    output: &mut (dyn Write + Send),
    options: &TransformOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, AnonymizeError> {
    let given = match (schema.models.is_empty(), options.input) {
        (false, _) => Some("a stream, for a schema with k, which reads twice"),
        (_, FileFormat::Parquet) => Some("a stream of Parquet, which is read from its end"),
        _ => None,
    };
    if let Some(given) = given {
        return Err(AnonymizeError::parameter("the input", given, "a file"));
    }
    let once = std::sync::Mutex::new(Some(input));
    let open = || {
        let taken = once.lock().ok().and_then(|mut input| input.take());
        taken.ok_or_else(|| AnonymizeError::parameter("the input", "a stream that was read", "a file"))
    };
    run(schema, key, &open, Path::new(name), output, Path::new("the output"), options, progress)
}

#[allow(clippy::too_many_arguments)]
fn run<R: Read + Send>(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    open: &dyn Fn() -> Result<R, AnonymizeError>,
    input: &Path,
    output: &mut (dyn Write + Send),
    named: &Path,
    options: &TransformOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, AnonymizeError> {
    let randomness = PrivacyKey::draw(&options.entropy)
        .map_err(|error| AnonymizeError::Unreachable { reason: error.to_string() })?;
    let (mut rows, header) = Rows::open(open()?, input, schema, options)?;
    let plan = Plan::new(schema, key, input, header, &rows, options, randomness)?;
    let mut workers = plan.workers();
    let mut done = Progress { bytes: 0, total_bytes: None, records: 0 };

    let mut releasable: Option<Releasable> = None;
    if let Some(places) = &plan.classes {
        let mut counts = ClassCounts::default();
        each_chunk(
            &mut rows,
            &mut workers,
            &plan,
            |batch, released, _| Ok((ClassCounts::of(places, batch, released), batch.rows)),
            |(part, read), bytes| {
                counts.merge(part);
                done.bytes = bytes;
                done.records += read as u64;
                progress(done);
                Ok(())
            },
        )?;
        let found = counts.releasable(&schema.models)?;
        let left_out = found.rows - found.released_rows;
        if left_out as f64 > schema.suppression * found.rows as f64 {
            let reason = format!(
                "{left_out} of {} rows would have to be left out, but suppression allows a share of {}: generalize more, or \
                 allow more",
                found.rows, schema.suppression
            );
            return Err(AnonymizeError::Unreachable { reason });
        }
        releasable = Some(found);
        rows = Rows::open(open()?, input, schema, options)?.0;
    }

    let mut sink = Sink::new(output, named, &plan, options)?;
    (done.bytes, done.records) = (0, 0);
    let mut released_rows = 0_u64;
    each_chunk(
        &mut rows,
        &mut workers,
        &plan,
        |batch, released, _| {
            let chosen = chosen_rows(&plan, releasable.as_ref(), batch, released);
            let written = chosen.as_ref().map_or(batch.rows, |chosen| chosen.iter().filter(|&&row| row).count());
            let encoded = plan.encode(batch, released, chosen.as_deref(), options)?;
            Ok((encoded, batch.rows, written))
        },
        |(encoded, read, written), bytes| {
            sink.write(encoded)?;
            done.bytes = bytes;
            done.records += read as u64;
            released_rows += written as u64;
            progress(done);
            Ok(())
        },
    )?;
    sink.finish(&plan)?;
    if let Some(found) = &releasable
        && (found.rows, found.released_rows) != (done.records, released_rows)
    {
        let problem = "the file has changed while it was read: run again".to_owned();
        return Err(AnonymizeError::Structure { file: input.to_owned(), line: 0, problem });
    }
    plan.statement(schema, &workers, done.records, released_rows, releasable.as_ref(), options)
}

/// True for the rows whose class is releasable; nothing where no class was counted.
fn chosen_rows(
    plan: &Plan,
    releasable: Option<&Releasable>,
    batch: &Batch,
    released: &[Released],
) -> Option<Vec<bool>> {
    let (found, places) = (releasable?, plan.classes.as_ref()?);
    let mut key = Vec::new();
    Some(
        (0..batch.rows)
            .map(|row| {
                places.key(batch, released, row, &mut key);
                found.keys.contains(key.as_slice())
            })
            .collect(),
    )
}

/// What a thread has of its own: a part for each released column.
struct Worker(Vec<ColumnWorker>);

/// Reads chunks and, while the next are read, works on them in parallel; `take` gets the results in order, with the number of
/// bytes that were read so far.
fn each_chunk<R: Read + Send, T: Send>(
    rows: &mut Rows<R>,
    workers: &mut [Worker],
    plan: &Plan,
    work: impl Fn(&Batch, &mut Vec<Released>, &Plan) -> Result<T, AnonymizeError> + Sync,
    mut take: impl FnMut(T, u64) -> Result<(), AnonymizeError>,
) -> Result<(), AnonymizeError> {
    let most = workers.len();
    let mut current = rows.next_chunks(most, plan)?;
    while !current.is_empty() {
        let chunks = std::mem::take(&mut current);
        let (next, made) = rayon::join(
            || rows.next_chunks(most, plan),
            || -> Vec<Result<T, AnonymizeError>> {
                workers
                    .par_iter_mut()
                    .zip(chunks)
                    .map(|(worker, chunk)| {
                        let batch = plan.read(chunk)?;
                        let mut released = plan.transform(&batch, worker)?;
                        work(&batch, &mut released, plan)
                    })
                    .collect()
            },
        );
        for made in made {
            take(made?, rows.bytes())?;
        }
        current = next?;
    }
    Ok(())
}

/// A chunk as it comes from the file.
enum Chunk {
    /// Whole records, and the line of the first.
    Text(Vec<u8>, u64),
    #[cfg(feature = "parquet")]
    Read(Batch),
}

/// The rest of an input.
enum Rows<R: Read> {
    Text(Box<RecordChunks<TableBytes<Counted<R>>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetSource>),
}

impl<R: Read + Send> Rows<R> {
    /// Opens an input, and reads its header where it has one.
    fn open(
        source: R,
        input: &Path,
        schema: &ColumnSchema,
        options: &TransformOptions,
    ) -> Result<(Self, Vec<String>), AnonymizeError> {
        if options.input == FileFormat::Parquet {
            #[cfg(feature = "parquet")]
            {
                let (source, header) = ParquetSource::open(input)?;
                return Ok((Self::Parquet(Box::new(source)), header));
            }
            #[cfg(not(feature = "parquet"))]
            return Err(AnonymizeError::parameter("the input's format", "Parquet", "built in: use --features parquet"));
        }
        let failed = |error| unread(input, error);
        let csv = options.input == FileFormat::Csv;
        let mut chunks = RecordChunks::new(TableBytes::open(Counted::new(source)).map_err(failed)?, csv);
        let header = if csv {
            let line = chunks.first_record(options.csv.comment()).map_err(failed)?.unwrap_or_default();
            let names = header_of_first_line(&line, options.csv.separator())
                .map_err(|problem| AnonymizeError::Structure { file: input.to_owned(), line: 1, problem })?;
            if let Some(problem) = options.csv.doubt(&names) {
                return Err(AnonymizeError::Structure {
                    file: input.to_owned(),
                    line: 1,
                    problem: problem.to_string(),
                });
            }
            names
        } else {
            schema.columns.iter().map(|column| column.name.clone()).collect()
        };
        Ok((Self::Text(Box::new(chunks)), header))
    }

    /// Up to `most` chunks; none at the end.
    fn next_chunks(&mut self, most: usize, plan: &Plan) -> Result<Vec<Chunk>, AnonymizeError> {
        let mut chunks = Vec::with_capacity(most);
        while chunks.len() < most {
            let next = match self {
                Self::Text(text) => text
                    .next_chunk()
                    .map_err(|error| unread(&plan.input, error))?
                    .map(|(bytes, line)| Chunk::Text(bytes, line)),
                #[cfg(feature = "parquet")]
                Self::Parquet(source) => source.next_batch(&plan.raw)?.map(Chunk::Read),
            };
            match next {
                Some(chunk) => chunks.push(chunk),
                None => break,
            }
        }
        Ok(chunks)
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Text(text) => text.get_ref().source().map_or(0, Counted::bytes),
            #[cfg(feature = "parquet")]
            Self::Parquet(source) => source.bytes(),
        }
    }
}

/// An error of reading, as ours.
fn unread(input: &Path, error: std::io::Error) -> AnonymizeError {
    let file = input.to_owned();
    match error.get_ref().and_then(|inner| inner.downcast_ref::<FormatProblem>()) {
        Some(problem) => AnonymizeError::Structure { file, line: 1, problem: problem.to_string() },
        None => AnonymizeError::Read { file, source: error },
    }
}

/// A schema applied to a header.
struct Plan {
    input: std::path::PathBuf,
    reading: Reading,
    /// Of each released column: its place in the input, its place in the schema, and its operation.
    released: Vec<(usize, usize, CellOperation)>,
    names: Vec<String>,
    classes: Option<ClassPlaces>,
    separator: u8,
    randomness: PrivacyKey,
    #[cfg(feature = "parquet")]
    parquet: Option<ParquetColumns>,
    /// Columns of a Parquet input that are passed on in their own type.
    #[cfg(feature = "parquet")]
    raw: Vec<bool>,
}

enum Reading {
    Csv(CsvReading),
    Json(Box<JsonReading>),
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Plan {
    #[allow(clippy::too_many_arguments)]
    fn new<R: Read + Send>(
        schema: &ColumnSchema,
        key: Option<&PseudonymKey>,
        input: &Path,
        header: Vec<String>,
        rows: &Rows<R>,
        options: &TransformOptions,
        randomness: PrivacyKey,
    ) -> Result<Self, AnonymizeError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            if places.insert(name.clone(), place).is_some() {
                return Err(AnonymizeError::RepeatedColumn { file: input.to_owned(), column: name.clone() });
            }
            if !schema.columns.iter().any(|column| column.name == *name) {
                let problem = format!("the column {name:?} is not in the schema: add it, as dropped if need be");
                return Err(AnonymizeError::Structure { file: input.to_owned(), line: 1, problem });
            }
        }
        let place_of = |name: &str| {
            places.get(name).copied().ok_or_else(|| AnonymizeError::MissingColumn {
                file: input.to_owned(),
                column: name.to_owned(),
                present: header.join(", "),
            })
        };
        let mut released = Vec::new();
        for (number, column) in schema.columns.iter().enumerate() {
            let place = place_of(&column.name)?;
            let operation = match &column.action {
                Action::Operation(operation) => CellOperation::new(operation, &column.name, key, place_of)?,
                Action::Noise(_) => schema
                    .noise
                    .iter()
                    .flat_map(|noise| noise.columns())
                    .find(|noisy| noisy.name == column.name)
                    .and_then(|noisy| match &noisy.treatment {
                        Treatment::Perturb(perturbed) => {
                            Some(CellOperation::Noise(Box::new(perturbed.clone()), number as u64))
                        }
                        _ => None,
                    }),
            };
            released.extend(operation.map(|operation| (place, number, operation)));
        }
        released.sort_by_key(|(place, ..)| *place);
        let json = (options.input, options.output) == (FileFormat::JsonLines, FileFormat::JsonLines);
        let with_role = |role: Role| {
            let with =
                released.iter().enumerate().filter(move |(_, (_, number, _))| schema.columns[*number].role == role);
            with.map(|(place, _)| place)
        };
        let classes = (!schema.models.is_empty()).then(|| ClassPlaces {
            quasi: with_role(Role::QuasiIdentifier).collect(),
            sensitive: if schema.models.iter().any(crate::table::PrivacyModel::needs_sensitive) {
                with_role(Role::Sensitive).next()
            } else {
                None
            },
        });
        let mut used = vec![false; header.len()];
        let mut raw = vec![false; header.len()];
        for (place, _, operation) in &released {
            used[*place] = true;
            raw[*place] = json && matches!(operation, CellOperation::Keep);
        }
        // What another column reads of this one is text, so it is read as text and kept as a string.
        for &other in released.iter().flat_map(|(_, _, operation)| operation.others()) {
            used[other] = true;
            raw[other] = false;
        }
        let names: Vec<String> = released.iter().map(|(place, ..)| header[*place].clone()).collect();
        #[cfg(feature = "parquet")]
        let parquet = (options.output == FileFormat::Parquet).then(|| {
            let source = match rows {
                Rows::Parquet(source) => Some(source.as_ref()),
                Rows::Text(_) => None,
            };
            ParquetColumns::new(
                &names,
                released.iter().map(|(place, _, operation)| {
                    let kept = matches!(operation, CellOperation::Keep);
                    source.filter(|_| kept).map(|source| (source, *place))
                }),
            )
        });
        #[cfg(feature = "parquet")]
        let own_type = {
            let mut own_type = vec![false; header.len()];
            for (index, (place, ..)) in released.iter().enumerate() {
                own_type[*place] = parquet.as_ref().is_some_and(|columns: &ParquetColumns| columns.keeps(index));
            }
            for &other in released.iter().flat_map(|(_, _, operation)| operation.others()) {
                own_type[other] = false;
            }
            own_type
        };
        #[cfg(feature = "parquet")]
        if options.output == FileFormat::Parquet && options.packing != Packing::None {
            return Err(AnonymizeError::parameter(
                "the output's packing",
                "given for Parquet",
                "none: it packs its pages",
            ));
        }
        #[cfg(not(feature = "parquet"))]
        if options.output == FileFormat::Parquet {
            return Err(AnonymizeError::parameter(
                "the output's format",
                "Parquet",
                "built in: use --features parquet",
            ));
        }
        let reading = match rows {
            Rows::Text(_) if options.input == FileFormat::Csv => Reading::Csv(CsvReading {
                separator: options.csv.separator(),
                comment: options.csv.comment(),
                columns: header.len(),
            }),
            Rows::Text(_) => Reading::Json(Box::new(JsonReading {
                names: header,
                places,
                raw,
                unused: used.iter().map(|used| !used).collect(),
            })),
            #[cfg(feature = "parquet")]
            Rows::Parquet(_) => Reading::Parquet,
        };
        Ok(Self {
            input: input.to_owned(),
            reading,
            released,
            names,
            classes,
            separator: options.csv.separator(),
            randomness,
            #[cfg(feature = "parquet")]
            parquet,
            #[cfg(feature = "parquet")]
            raw: own_type,
        })
    }

    fn workers(&self) -> Vec<Worker> {
        let worker = |_| Worker(self.released.iter().map(|(.., operation)| operation.worker()).collect());
        (0..2 * rayon::current_num_threads()).map(worker).collect()
    }

    fn wrong(&self, line: u64, problem: String) -> AnonymizeError {
        AnonymizeError::Structure { file: self.input.clone(), line, problem }
    }

    /// The cells of a chunk.
    fn read(&self, chunk: Chunk) -> Result<Batch, AnonymizeError> {
        let read = match (chunk, &self.reading) {
            (Chunk::Text(bytes, line), Reading::Csv(reading)) => reading.read(bytes, line),
            (Chunk::Text(bytes, line), Reading::Json(reading)) => reading.read(&bytes, line),
            #[cfg(feature = "parquet")]
            (Chunk::Read(batch), _) => Ok(batch),
            #[cfg(feature = "parquet")]
            (Chunk::Text(_, line), Reading::Parquet) => Err((line, "text where Parquet was expected".to_owned())),
        };
        read.map_err(|(line, problem)| self.wrong(line, problem))
    }

    /// The released columns of a batch.
    fn transform(&self, batch: &Batch, worker: &mut Worker) -> Result<Vec<Released>, AnonymizeError> {
        let columns = self.released.iter().zip(&self.names).zip(&mut worker.0);
        columns
            .map(|(((place, _, operation), name), worker)| {
                let json = match &self.reading {
                    Reading::Json(reading) => reading.raw[*place],
                    _ => false,
                };
                operation
                    .apply(batch, *place, worker, Some(&self.randomness), json)
                    .map_err(|(row, problem)| self.wrong(batch.line(row), format!("column {name:?}: {problem}")))
            })
            .collect()
    }

    /// The rows that are chosen, as they are written.
    fn encode(
        &self,
        batch: &Batch,
        released: &mut Vec<Released>,
        chosen: Option<&[bool]>,
        options: &TransformOptions,
    ) -> Result<Encoded, AnonymizeError> {
        let is_chosen = |row: usize| chosen.is_none_or(|chosen| chosen[row]);
        let mut bytes = Vec::with_capacity(batch.rows * (24 * released.len() + 8));
        match options.output {
            FileFormat::Csv => write_csv(batch, released, self.separator, is_chosen, &mut bytes),
            FileFormat::JsonLines => write_json_lines(batch, released, &self.names, is_chosen, &mut bytes)
                .map_err(|(line, problem)| self.wrong(line, problem))?,
            #[cfg(feature = "parquet")]
            FileFormat::Parquet => {
                if let Some(columns) = &self.parquet {
                    let group = columns
                        .group(batch, released, is_chosen)
                        .map_err(|(line, problem)| self.wrong(line, problem))?;
                    return Ok(Encoded::Group(group));
                }
            }
            #[cfg(not(feature = "parquet"))]
            FileFormat::Parquet => {}
        }
        let packed = options.packing.pack(bytes);
        packed.map(Encoded::Bytes).map_err(|source| AnonymizeError::Write { file: "the output".into(), source })
    }

    /// No rows, which still have a schema.
    #[cfg(feature = "parquet")]
    fn empty_group(&self) -> Result<crate::records::ParquetGroup, AnonymizeError> {
        let width = 1 + self.released.iter().map(|(place, ..)| *place).max().unwrap_or(0);
        let batch = Batch { columns: vec![Vec::new(); width], ..Batch::default() };
        let mut worker = Worker(self.released.iter().map(|(.., operation)| operation.worker()).collect());
        let released = self.transform(&batch, &mut worker)?;
        let columns = self.parquet.as_ref().map(|columns| columns.group(&batch, &released, |_| true));
        let missing = || AnonymizeError::parameter("the output", "of two formats", "of one");
        columns.ok_or_else(missing)?.map_err(|(line, problem)| self.wrong(line, problem))
    }

    fn statement(
        &self,
        schema: &ColumnSchema,
        workers: &[Worker],
        rows: u64,
        released_rows: u64,
        releasable: Option<&Releasable>,
        options: &TransformOptions,
    ) -> Result<ColumnsStatement, AnonymizeError> {
        let mut guesses = vec![0.0_f64; schema.columns.len()];
        let mut realistic = vec![None; schema.columns.len()];
        for (index, (_, number, operation)) in self.released.iter().enumerate() {
            let of_workers = workers.iter().map(|worker| worker.0[index].most_guesses);
            guesses[*number] = of_workers.fold(0.0, f64::max);
            if let CellOperation::Realistic(names) = operation {
                realistic[*number] = Some(names.choices());
            }
        }
        if let Some(noise) = &schema.noise
            && noise.delta() > 0.0
            && noise.delta() >= 1.0 / rows as f64
        {
            let given = format!("{:e} for a table of {rows} rows", noise.delta());
            return Err(AnonymizeError::parameter("the row's delta", given, "below one over the number of rows"));
        }
        let order: Vec<usize> = self.released.iter().map(|(_, number, _)| *number).collect();
        let observed = Observed {
            rows,
            released_rows,
            smallest_class: releasable.map(|found| found.smallest),
            guesses,
            realistic,
        };
        let noise = schema.noise.as_ref().map(|noise| noise.statement(&options.entropy));
        ColumnsStatement::new(schema, &order, noise, &observed)
    }
}

/// Rows as they are written.
enum Encoded {
    Bytes(Vec<u8>),
    #[cfg(feature = "parquet")]
    Group(crate::records::ParquetGroup),
}

/// Where rows go.
struct Sink<'a> {
    to: Destination<'a>,
    named: &'a Path,
}

enum Destination<'a> {
    Text(&'a mut (dyn Write + Send)),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetSink<'a>>),
}

impl<'a> Sink<'a> {
    /// Writes what stands before the rows.
    fn new(
        output: &'a mut (dyn Write + Send),
        named: &'a Path,
        plan: &'a Plan,
        options: &TransformOptions,
    ) -> Result<Self, AnonymizeError> {
        #[cfg(feature = "parquet")]
        if let Some(columns) = &plan.parquet {
            let sink = ParquetSink::new(output, columns, named);
            return Ok(Self { to: Destination::Parquet(Box::new(sink)), named });
        }
        if options.output == FileFormat::Csv {
            let mut line = Vec::new();
            write_csv_line(plan.names.iter().map(String::as_bytes), plan.separator, &mut line);
            let packed = options.packing.pack(line).and_then(|line| output.write_all(&line));
            packed.map_err(|source| AnonymizeError::Write { file: named.to_owned(), source })?;
        }
        Ok(Self { to: Destination::Text(output), named })
    }

    fn write(&mut self, encoded: Encoded) -> Result<(), AnonymizeError> {
        match (&mut self.to, encoded) {
            (Destination::Text(output), Encoded::Bytes(bytes)) => {
                output.write_all(&bytes).map_err(|source| AnonymizeError::Write { file: self.named.to_owned(), source })
            }
            #[cfg(feature = "parquet")]
            (Destination::Parquet(sink), Encoded::Group(group)) => sink.write(group),
            #[cfg(feature = "parquet")]
            _ => Err(AnonymizeError::parameter("the output", "of two formats", "of one")),
        }
    }

    #[cfg_attr(not(feature = "parquet"), allow(unused_variables))]
    fn finish(self, plan: &Plan) -> Result<(), AnonymizeError> {
        match self.to {
            Destination::Text(output) => {
                output.flush().map_err(|source| AnonymizeError::Write { file: self.named.to_owned(), source })
            }
            #[cfg(feature = "parquet")]
            Destination::Parquet(sink) => sink.finish(plan.empty_group()?),
        }
    }
}
