//! An output that gets its name only once it is complete.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::AnonymizeError;

/// A file beside its place to be; it goes away unless it is finished.
pub struct UnfinishedFile {
    file: BufWriter<NamedTempFile>,
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
        let failed = |source| AnonymizeError::Write { file: output.to_owned(), source };
        if !replace && output.symlink_metadata().is_ok() {
            return Err(failed(std::io::ErrorKind::AlreadyExists.into()));
        }
        let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".unfinished-");
        // Temporary files are for the owner alone; a table gets the permissions of any other file.
        #[cfg(unix)]
        let builder = {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666))
        };
        let file = BufWriter::with_capacity(1 << 16, builder.tempfile_in(folder).map_err(failed)?);
        Ok(Self { file, output: output.to_owned(), replace })
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), AnonymizeError> {
        let output = &self.output;
        self.file.write_all(bytes).map_err(|source| AnonymizeError::Write { file: output.clone(), source })
    }

    /// Brings all bytes to the disk and gives the file its name.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Write`]; nothing is left then.
    pub fn finish(self) -> Result<(), AnonymizeError> {
        let Self { file, output, replace } = self;
        let failed = |source| AnonymizeError::Write { file: output.clone(), source };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        let kept = if replace { file.persist(&output) } else { file.persist_noclobber(&output) };
        kept.map_err(|error| failed(error.error))?;
        Ok(())
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
