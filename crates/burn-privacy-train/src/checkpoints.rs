//! The folder of a run's checkpoints: written atomically, the last few kept, the newest whole one found.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn_privacy_output::write_atomically;

use crate::checkpoint::{Checkpoint, CheckpointError, Reading, RunState};
use crate::complain;

/// How many checkpoints are kept.
const KEPT: usize = 3;

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".bpc";

/// The checkpoints of one run: files in a folder, which is made when the first one is written.
///
/// Each is complete or not there at all. The last three are kept, so that one that the disk has spoiled costs some steps and no
/// more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    folder: PathBuf,
    kept: usize,
}

impl Checkpoints {
    /// The checkpoints in a folder.
    pub fn in_folder(folder: impl AsRef<Path>) -> Self {
        Self { folder: folder.as_ref().to_owned(), kept: KEPT }
    }

    /// Keeps the last `count` checkpoints; zero counts as one.
    #[must_use]
    pub fn keeping(mut self, count: usize) -> Self {
        self.kept = count.max(1);
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest checkpoint that is whole. Says on standard error which newer ones are not.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]: none, none that is whole, one of another version, a folder that can't be read.
    pub fn newest(&self) -> Result<Checkpoint, CheckpointError> {
        let mut files = self.files()?;
        let count = files.len();
        while let Some((_, path)) = files.pop() {
            let bytes = std::fs::read(&path).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
            match Checkpoint::decode(&path, &bytes)? {
                Reading::Whole(found) => return Ok(*found),
                Reading::Damaged => complain(&format!(
                    "{} was cut off or changed since it was written; looking for the one before it",
                    path.display()
                )),
            }
        }
        let folder = self.folder.clone();
        Err(if count == 0 { CheckpointError::None { folder } } else { CheckpointError::AllDamaged { folder, count } })
    }

    /// Writes a checkpoint, and removes those before the last few.
    pub(crate) fn save<M: Module>(&self, state: RunState<'_, M>) -> Result<(), CheckpointError> {
        let path = self.folder.join(format!("{PREFIX}{:012}{SUFFIX}", state.steps));
        write_atomically(&path, Checkpoint::encode(state)?)?;
        let files = self.files()?;
        for (_, old) in files.iter().take(files.len().saturating_sub(self.kept)) {
            // One that stays is no harm.
            let _ = std::fs::remove_file(old);
        }
        Ok(())
    }

    /// By number of steps, ascending.
    fn files(&self) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
        let failed = |source| CheckpointError::Read { path: self.folder.clone(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let steps = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok());
            if let Some(steps) = steps {
                found.push((steps, entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }
}
