//! The input: its header, then chunks of whole records.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::options::TransformOptions;
use super::schema::ColumnSchema;
use crate::AnonymizeError;
use crate::perturb::{Counted, FormatProblem, TableBytes};
#[cfg(feature = "parquet")]
use crate::records::{Batch, ParquetSource};
use crate::records::{FileFormat, RecordChunks, header_of_first_line};

/// Memory to be used again, of a few buffers of a usual size: new memory is slow the first time that it is written.
#[derive(Default)]
pub(super) struct SpareMemory(Mutex<Vec<Vec<u8>>>);

impl SpareMemory {
    /// Buffers that are kept at most.
    const MOST: usize = 64;

    /// The largest that is kept.
    const LARGEST: usize = 4 << 20;

    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default()
    }

    /// Keeps a buffer that is not needed any more.
    pub(super) fn keep(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        if let Ok(mut spare) = self.0.lock()
            && spare.len() < Self::MOST
            && (1..=Self::LARGEST).contains(&buffer.capacity())
        {
            spare.push(buffer);
        }
    }
}

/// What reading needs to know.
pub(super) struct ReadPlace {
    /// What errors call the input.
    pub(super) input: PathBuf,
    /// Memory of chunks that were read.
    pub(super) spare: SpareMemory,
    /// Columns of a Parquet input that are passed on in their own type.
    #[cfg(feature = "parquet")]
    pub(super) raw: Vec<bool>,
}

/// A chunk as it comes from the file.
pub(super) enum Chunk {
    /// Whole records, and the line of the first.
    Text(Vec<u8>, u64),
    #[cfg(feature = "parquet")]
    Read(Batch),
}

/// The rest of an input.
pub(super) enum Rows<R: Read> {
    Text(Box<RecordChunks<TableBytes<Counted<R>>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetSource>),
}

impl<R: Read + Send> Rows<R> {
    /// Opens an input, and reads its header where it has one.
    pub(super) fn open(
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
    pub(super) fn next_chunks(&mut self, most: usize, place: &ReadPlace) -> Result<Vec<Chunk>, AnonymizeError> {
        let mut chunks = Vec::with_capacity(most);
        while chunks.len() < most {
            let next = match self {
                Self::Text(text) => text
                    .next_chunk_in(place.spare.take())
                    .map_err(|error| unread(&place.input, error))?
                    .map(|(bytes, line)| Chunk::Text(bytes, line)),
                #[cfg(feature = "parquet")]
                Self::Parquet(source) => source.next_batch(&place.raw)?.map(Chunk::Read),
            };
            match next {
                Some(chunk) => chunks.push(chunk),
                None => break,
            }
        }
        Ok(chunks)
    }

    pub(super) fn bytes(&self) -> u64 {
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
