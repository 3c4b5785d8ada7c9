//! Where transformed rows go.

use std::io::Write;
use std::path::Path;

use super::options::TransformOptions;
use super::plan::{Encoded, Plan};
use crate::AnonymizeError;
#[cfg(feature = "parquet")]
use crate::records::ParquetSink;
use crate::records::{FileFormat, write_csv_line};

/// Where rows go.
pub(super) struct Sink<'a> {
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
    pub(super) fn new(
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

    /// Writes rows; gives back what is left of them, for its memory.
    pub(super) fn write(&mut self, encoded: Encoded) -> Result<Encoded, AnonymizeError> {
        match (&mut self.to, encoded) {
            (Destination::Text(output), Encoded::Bytes(bytes)) => {
                let written = output.write_all(&bytes);
                written.map_err(|source| AnonymizeError::Write { file: self.named.to_owned(), source })?;
                Ok(Encoded::Bytes(bytes))
            }
            #[cfg(feature = "parquet")]
            (Destination::Parquet(sink), Encoded::Group(group)) => {
                sink.write(group)?;
                Ok(Encoded::Bytes(Vec::new()))
            }
            #[cfg(feature = "parquet")]
            _ => Err(AnonymizeError::parameter("the output", "of two formats", "of one")),
        }
    }

    #[cfg_attr(not(feature = "parquet"), allow(unused_variables))]
    pub(super) fn finish(self, plan: &Plan) -> Result<(), AnonymizeError> {
        match self.to {
            Destination::Text(output) => {
                output.flush().map_err(|source| AnonymizeError::Write { file: self.named.to_owned(), source })
            }
            #[cfg(feature = "parquet")]
            Destination::Parquet(sink) => sink.finish(plan.empty_group()?),
        }
    }
}
