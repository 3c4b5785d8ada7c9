//! Where a data set is looked for: a path that somebody names, an environment variable, a default folder.

use std::path::{Path, PathBuf};

use super::DatasetError;
use super::listing::Listing;

/// The environment variable that names the data folder when no path is given.
pub const DATA_VARIABLE: &str = "BURN_PRIVACY_DATA";

/// Who asks for a path that a caller gave.
pub(super) const GIVEN: &str = "given as the data path";

/// What is looked for.
pub(super) struct FileSet {
    /// Name of the data set.
    pub(super) set: &'static str,
    /// Its folder below a folder of data sets.
    pub(super) folder: &'static str,
    /// The folder in it that holds the files, as whoever packed or fetched them left them.
    pub(super) inner: &'static str,
    /// Its files, in words.
    pub(super) files: &'static str,
    /// Whether a folder itself holds at least one file of the data set, complete or not.
    pub(super) holds_files: fn(&Path) -> bool,
}

impl FileSet {
    pub(super) fn not_found(&self, path: &Path, asked_by: &str) -> DatasetError {
        let Self { set, files, .. } = *self;
        DatasetError::NotFound { path: path.to_owned(), asked_by: asked_by.to_owned(), set, files }
    }

    pub(super) fn no_files(&self, folder: &Path) -> DatasetError {
        let Self { set, files, .. } = *self;
        DatasetError::NoFiles { folder: folder.to_owned(), set, files }
    }

    /// The folders in which the files of the folder `path` may lie, in the order in which they are looked through: itself, its
    /// [`inner`](Self::inner) one, its subfolder for this data set, and that one's inner one.
    pub(super) fn places(&self, path: &Path) -> Vec<PathBuf> {
        let below = Listing::of(path).folder(self.folder);
        self.with_inner(path).chain(below.iter().flat_map(|below| self.with_inner(below))).collect()
    }

    fn with_inner(&self, folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
        std::iter::once(folder.to_owned()).chain(Listing::of(folder).folder(self.inner))
    }

    /// The path that was named by the caller, or else by `variable`, or else `default` if it holds the data.
    pub(super) fn locate(
        &self,
        explicit: Option<&Path>,
        variable: Option<&Path>,
        default: &Path,
    ) -> Result<Option<PathBuf>, DatasetError> {
        if let Some(path) = explicit {
            return self.named(path, GIVEN).map(Some);
        }
        if let Some(path) = variable {
            return self.named(path, &format!("named by the environment variable {DATA_VARIABLE}")).map(Some);
        }
        Ok(self.holds(default).then(|| default.to_owned()))
    }

    fn holds(&self, path: &Path) -> bool {
        self.with_inner(path).any(|place| (self.holds_files)(&place))
    }

    fn named(&self, path: &Path, asked_by: &str) -> Result<PathBuf, DatasetError> {
        if !path.exists() {
            return Err(self.not_found(path, asked_by));
        }
        if path.is_file() || self.holds(path) {
            return Ok(path.to_owned());
        }
        let below = Listing::of(path).folder(self.folder).filter(|below| self.holds(below));
        below.ok_or_else(|| self.no_files(path))
    }
}

/// What [`DATA_VARIABLE`] says.
pub(super) fn variable() -> Option<PathBuf> {
    std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}
