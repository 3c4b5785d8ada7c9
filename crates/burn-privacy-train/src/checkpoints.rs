//! The folder of a run's checkpoints: written atomically, the last few kept, the newest whole one found.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn_privacy_output::write_atomically;

use crate::checkpoint::{Checkpoint, Owner, Reading, RunState};
use crate::{CheckpointError, complain};

/// How many checkpoints are kept.
const KEPT: usize = 3;

/// Bytes of a file that are searched for the lines before its tensors: a curve of a million points.
const LONGEST_HEADER: u64 = 1 << 27;

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".bpc";

/// The checkpoints of a run: files in a folder, which is made when the first one is written.
///
/// Each is complete or not there at all. The run's last three are kept, so that one that the disk has spoiled costs some steps and
/// no more. Best is a folder for each run: a file is named after its updates, and one of the same number takes its place.
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
    pub fn keeping(mut self, count: usize) -> Self {
        self.kept = count.max(1);
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest checkpoint that is whole, of any run: the one that was written after most steps were charged. Says on standard
    /// error which newer ones are not.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]: none, none that is whole, one of another version, a folder that can't be read.
    pub fn newest(&self) -> Result<Checkpoint, CheckpointError> {
        self.newest_among(self.files()?)
    }

    /// The newest of a run that is whole, if it has any; of any run otherwise.
    pub(crate) fn newest_of(&self, dataset: &str, run: &str) -> Result<Checkpoint, CheckpointError> {
        let mut files = self.files()?;
        if files.iter().any(|file| file.is_of(dataset, run)) {
            // One that names nobody may be this run's: it is complained about.
            files.retain(|file| file.owner.is_none() || file.is_of(dataset, run));
        }
        self.newest_among(files)
    }

    fn newest_among(&self, mut files: Vec<File>) -> Result<Checkpoint, CheckpointError> {
        let count = files.len();
        while let Some(File { path, .. }) = files.pop() {
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

    /// Writes a checkpoint, and removes those of its run before the last few. Other runs' files stay, and so do those that name
    /// nobody.
    pub(crate) fn save<M: Module>(&self, state: RunState<'_, M>) -> Result<(), CheckpointError> {
        let path = self.folder.join(format!("{PREFIX}{:012}{SUFFIX}", state.steps));
        let (dataset, run) = (state.dataset, state.run);
        write_atomically(&path, Checkpoint::encode(state)?)?;
        let mut earlier = self.files()?;
        earlier.retain(|file| file.path != path && file.is_of(dataset, run));
        for old in earlier.iter().take((earlier.len() + 1).saturating_sub(self.kept)) {
            // One that stays is no harm.
            let _ = std::fs::remove_file(&old.path);
        }
        Ok(())
    }

    /// By number of charged steps, ascending, which grow even where a run begins anew; by that of updates in the name where a file
    /// does not tell.
    fn files(&self) -> Result<Vec<File>, CheckpointError> {
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
                let path = entry.path();
                let owner = first_lines(&path).ok().and_then(|lines| Owner::of(&lines));
                found.push(File { owner, steps, path });
            }
        }
        found.sort_by_key(|file| (file.owner.as_ref().map_or(file.steps, |owner| owner.charged_steps), file.steps));
        Ok(found)
    }
}

/// A file by its name and its first lines.
#[derive(Debug)]
struct File {
    /// `None` if it does not tell.
    owner: Option<Owner>,
    steps: u64,
    path: PathBuf,
}

impl File {
    fn is_of(&self, dataset: &str, run: &str) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.dataset == dataset && owner.run == run)
    }
}

/// The lines before the tensors, which may be large.
fn first_lines(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut reader = BufReader::new(std::fs::File::open(path)?).take(LONGEST_HEADER);
    let mut lines = Vec::new();
    for _ in 0..3 {
        reader.read_until(b'\n', &mut lines)?;
    }
    Ok(lines)
}
