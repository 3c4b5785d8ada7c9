use std::path::{Path, PathBuf};

use super::{DatasetError, MnistVariant, cifar10};

/// The environment variable that names the data folder when no path is given.
pub const DATA_VARIABLE: &str = "BURN_PRIVACY_DATA";

/// Where CIFAR-10 is looked for when neither a path nor [`DATA_VARIABLE`] is given, relative to the current folder.
pub const DEFAULT_FOLDER: &str = "datasets/cifar10";

/// Who asks for a path that a caller gave.
pub(super) const GIVEN: &str = "given as the data path";

/// What is looked for.
pub(super) struct FileSet {
    /// Name of the data set.
    pub(super) set: &'static str,
    /// Its folder below a folder of data sets.
    pub(super) folder: &'static str,
    /// Its files, in words.
    pub(super) files: &'static str,
    /// Whether a folder holds at least one file of the data set, complete or not.
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

    fn locate(
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
        Ok((self.holds_files)(default).then(|| default.to_owned()))
    }

    fn named(&self, path: &Path, asked_by: &str) -> Result<PathBuf, DatasetError> {
        if !path.exists() {
            return Err(self.not_found(path, asked_by));
        }
        if path.is_file() || (self.holds_files)(path) {
            return Ok(path.to_owned());
        }
        let below = path.join(self.folder);
        if (self.holds_files)(&below) {
            return Ok(below);
        }
        Err(self.no_files(path))
    }
}

/// Finds the CIFAR-10 files: at `explicit` if given, else at the folder in the environment variable
/// `BURN_PRIVACY_DATA` if that is set and not empty, else at `datasets/cifar10`.
///
/// The path may be the folder of the files, a folder with the files in its subfolder `cifar10`, or the archive
/// `cifar-10-binary.tar.gz` itself. Give the answer to [`Cifar10::load`](super::Cifar10::load).
///
/// `Ok(None)` means that nobody named a path and the default folder holds no CIFAR-10 file: the time for
/// [`generated`](super::generated()). A path that somebody did name never falls back silently.
///
/// # Errors
///
/// [`DatasetError::NotFound`] or [`DatasetError::NoFiles`] for a named path without the data.
pub fn locate_cifar10(explicit: Option<&Path>) -> Result<Option<PathBuf>, DatasetError> {
    cifar10::FILES.locate(explicit, variable().as_deref(), Path::new(DEFAULT_FOLDER))
}

/// Finds the folder with MNIST's files, or Fashion-MNIST's, in the same way: the subfolder is `mnist` or `fashion-mnist`,
/// the default [`MnistVariant::default_folder`]. Give the answer to [`Mnist::load`](super::Mnist::load).
///
/// # Errors
///
/// As [`locate_cifar10`].
pub fn locate_mnist(variant: MnistVariant, explicit: Option<&Path>) -> Result<Option<PathBuf>, DatasetError> {
    variant.files().locate(explicit, variable().as_deref(), &variant.default_folder())
}

/// What [`DATA_VARIABLE`] says.
fn variable() -> Option<PathBuf> {
    std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate(
        explicit: Option<&Path>,
        variable: Option<&Path>,
        default: &Path,
    ) -> Result<Option<PathBuf>, DatasetError> {
        cifar10::FILES.locate(explicit, variable, default)
    }

    fn folder_with(file: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
        folder
    }

    #[test]
    fn the_given_path_wins_then_the_variable_then_the_default() {
        let (a, b, c) =
            (folder_with("data_batch_1.bin"), folder_with("data_batch_2.bin.gz"), folder_with("test_batch.bin"));
        let (a, b, c) = (a.path(), b.path(), c.path());
        assert_eq!(locate(Some(a), Some(b), c).unwrap().unwrap(), a);
        assert_eq!(locate(None, Some(b), c).unwrap().unwrap(), b);
        assert_eq!(locate(None, None, c).unwrap().unwrap(), c);
    }

    #[test]
    fn a_folder_above_and_an_unpacked_archive_are_found() {
        let above = folder_with("cifar10/data_batch_1.bin.gz");
        let found = locate(Some(above.path()), None, Path::new("none")).unwrap().unwrap();
        assert_eq!(found, above.path().join("cifar10"));
        let unpacked = folder_with("cifar-10-batches-bin/data_batch_1.bin");
        assert_eq!(locate(None, None, unpacked.path()).unwrap().unwrap(), unpacked.path());
    }

    #[test]
    fn an_archive_may_be_named_itself() {
        let folder = folder_with("elsewhere.tgz");
        let path = folder.path().join("elsewhere.tgz");
        assert_eq!(locate(Some(&path), None, Path::new("none")).unwrap().unwrap(), path);
    }

    #[test]
    fn only_the_default_may_be_absent() {
        let empty = tempfile::tempdir().unwrap();
        let missing = empty.path().join("nowhere");
        assert!(locate(None, None, &missing).unwrap().is_none());
        assert!(locate(None, None, empty.path()).unwrap().is_none());

        let error = locate(None, Some(&missing), empty.path()).unwrap_err().to_string();
        assert!(error.contains("nowhere") && error.contains("BURN_PRIVACY_DATA"), "{error}");
        let error = locate(Some(empty.path()), None, &missing).unwrap_err().to_string();
        assert!(error.contains("holds no CIFAR-10 file"), "{error}");
    }
}
