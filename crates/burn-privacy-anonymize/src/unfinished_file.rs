//! An output that gets its name only once it is complete.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use burn_privacy_output::{AtomicFile, OutputError};

use crate::AnonymizeError;

/// An [`AtomicFile`] with a buffer, which says at once if its name is taken; it goes away unless it is finished.
pub struct UnfinishedFile {
    file: BufWriter<AtomicFile>,
    output: PathBuf,
    replace: bool,
}

impl UnfinishedFile {
    /// Begins an output. An existing one is kept unless `replace`.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`] if it exists, or nothing can be written beside it.
    pub fn new(output: &Path, replace: bool) -> Result<Self, AnonymizeError> {
        if !replace && output.symlink_metadata().is_ok() {
            return Err(unwritten(output, std::io::ErrorKind::AlreadyExists.into()));
        }
        let file = AtomicFile::create(output).map_err(|error| of_output(output, error))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 16, file), output: output.to_owned(), replace })
    }

    /// As [`Self::new`], for an output that is made of `input`, which it must not replace.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if both are one file, and those of [`Self::new`].
    pub fn made_of(input: &Path, output: &Path, replace: bool) -> Result<Self, AnonymizeError> {
        match (input.canonicalize(), output.canonicalize()) {
            (Ok(from), Ok(to)) if from == to => {
                Err(AnonymizeError::parameter("the output", "the input", "another file"))
            }
            _ => Self::new(output, replace),
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), AnonymizeError> {
        self.file.write_all(bytes).map_err(|source| unwritten(&self.output, source))
    }

    /// Brings all bytes to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`]; nothing is left then.
    pub fn finish(self) -> Result<(), AnonymizeError> {
        let Self { file, output, replace } = self;
        let file = file.into_inner().map_err(|error| unwritten(&output, error.into_error()))?;
        let named = if replace { file.commit() } else { file.commit_new() };
        named.map_err(|error| of_output(&output, error))
    }
}

fn unwritten(file: &Path, source: std::io::Error) -> AnonymizeError {
    AnonymizeError::Write { file: file.to_owned(), source }
}

fn of_output(file: &Path, error: OutputError) -> AnonymizeError {
    match error {
        OutputError::File { source, .. } => unwritten(file, source),
        other => unwritten(file, std::io::Error::other(other.to_string())),
    }
}

impl Write for UnfinishedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
