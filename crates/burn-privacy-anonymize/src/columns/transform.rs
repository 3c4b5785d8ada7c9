//! A file, or a stream, through a schema: chunks of whole records are read, transformed on all processors and written in
//! order, in constant memory.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use burn_privacy_mechanisms::key::PrivacyKey;
use rayon::prelude::*;

use super::class_counts::{ClassCounts, Releasable};
use super::input::Rows;
use super::options::TransformOptions;
use super::plan::{Plan, Worker};
use super::schema::ColumnSchema;
use super::sink::Sink;
use super::statement::ColumnsStatement;
use crate::AnonymizeError;
use crate::perturb::Progress;
use crate::pseudonym::PseudonymKey;
use crate::records::{Batch, FileFormat, Released};
use crate::unfinished_file::UnfinishedFile;

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
    let mut unfinished = UnfinishedFile::made_of(input, output, options.replace)?;
    let open = || File::open(input).map_err(|source| AnonymizeError::Read { file: input.to_owned(), source });
    let statement = run(schema, key, &open, input, &mut unfinished, output, options, progress)?;
    unfinished.finish()?;
    Ok(statement)
}

/// As [`transform_file`], to anything.
///
/// The output is to be used only if this returns `Ok`: an error may come after part of it was written.
///
/// # Errors
///
/// As [`transform_file`].
pub fn transform_to(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    input: &Path,
    output: &mut (dyn Write + Send),
    options: &TransformOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, AnonymizeError> {
    let open = || File::open(input).map_err(|source| AnonymizeError::Read { file: input.to_owned(), source });
    run(schema, key, &open, input, output, Path::new("the output"), options, progress)
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

/// As [`transform_stream`], of a table in memory, which can be read twice: models are fine.
///
/// # Errors
///
/// As [`transform_file`]; [`AnonymizeError::Parameter`] for Parquet.
pub fn transform_bytes(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    input: &[u8],
    name: &str,
    output: &mut (dyn Write + Send),
    options: &TransformOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, AnonymizeError> {
    if options.input == FileFormat::Parquet {
        return Err(AnonymizeError::parameter("the input", "Parquet, which is read from a file", "CSV or JSON lines"));
    }
    run(schema, key, &|| Ok(input), Path::new(name), output, Path::new("the output"), options, progress)
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
    let randomness =
        PrivacyKey::draw(options.entropy).map_err(|error| AnonymizeError::Unreachable { reason: error.to_string() })?;
    let (mut rows, header) = Rows::open(open()?, input, schema, options)?;
    let plan = Plan::new(schema, key, input, header, &rows, options, randomness)?;
    let mut workers = plan.workers();
    let mut done = Progress { bytes: 0, total_bytes: None, records: 0 };

    let mut releasable: Option<Releasable> = None;
    if let Some(places) = &plan.classes {
        plan.begin();
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

    plan.begin();
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
            plan.take_back(sink.write(encoded)?);
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
    let mut current = rows.next_chunks(most, &plan.place)?;
    while !current.is_empty() {
        let chunks = std::mem::take(&mut current);
        let (next, made) = rayon::join(
            || rows.next_chunks(most, &plan.place),
            || -> Vec<Result<T, AnonymizeError>> {
                workers
                    .par_iter_mut()
                    .zip(chunks)
                    .map(|(worker, chunk)| {
                        let batch = plan.read(chunk)?;
                        let mut released = plan.transform(&batch, worker)?;
                        let made = work(&batch, &mut released, plan);
                        worker.take_back(released);
                        plan.take_back_batch(batch);
                        made
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
