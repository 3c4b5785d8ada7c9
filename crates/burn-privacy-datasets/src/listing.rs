//! Files of a data set in a folder, by names that people and programs have changed a little.

use std::path::{Path, PathBuf};

/// What lies in a folder.
///
/// Names are compared by their letters and digits alone: `train-images.idx3-ubyte`, as Kaggle has it, and
/// `TRAIN-IMAGES-IDX3-UBYTE` are `train-images-idx3-ubyte`.
pub(super) struct Listing {
    /// In the order of their names, so that it's always the same one that is found.
    entries: Vec<PathBuf>,
}

impl Listing {
    /// A folder that can't be listed holds nothing.
    pub(super) fn of(folder: &Path) -> Self {
        let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut entries: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
        entries.sort();
        Self { entries }
    }

    /// The file of that name, plain or with `.gz`. A plain one goes before a packed one, and the exact name before others. If
    /// there is none, it's looked for in a folder of that name, as some programs unpack it.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let packed = format!("{name}.gz");
        let of_name = |name: &str| {
            let files = || self.entries.iter().filter(|path| is_named(path, name) && path.is_file());
            files().find(|path| path.ends_with(name)).or_else(|| files().next()).cloned()
        };
        of_name(name).or_else(|| of_name(&packed)).or_else(|| {
            let inner = Self::of(&self.folder(name)?);
            // One level: not through this function again.
            [name, &packed]
                .into_iter()
                .find_map(|name| inner.entries.iter().find(|path| is_named(path, name) && path.is_file()).cloned())
        })
    }

    /// The subfolder of that name.
    pub(super) fn folder(&self, name: &str) -> Option<PathBuf> {
        self.entries.iter().find(|path| is_named(path, name) && path.is_dir()).cloned()
    }
}

/// Whether the last part of a path is this name, by letters and digits.
pub(super) fn is_named(path: &Path, name: &str) -> bool {
    fn letters_and_digits(text: &str) -> impl Iterator<Item = char> {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase)
    }
    path.file_name().is_some_and(|last| letters_and_digits(&last.to_string_lossy()).eq(letters_and_digits(name)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn plain_before_packed_and_exact_before_similar() {
        let folder = tempfile::tempdir().unwrap();
        let name = "t10k-labels-idx1-ubyte";
        let found = || {
            let path = Listing::of(folder.path()).file(name)?;
            Some(path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned())
        };
        fs::write(folder.path().join("t10k-labels-idx1"), "").unwrap();
        assert_eq!(found(), None);
        let own = folder.path().join("t10k-labels-idx1-ubyte.d");
        fs::create_dir(&own).unwrap();
        assert_eq!(found(), None);
        for file in [
            "T10K-LABELS-IDX1-UBYTE/t10k-labels.idx1-ubyte",
            "T10K-LABELS.IDX1-UBYTE.GZ",
            "t10k-labels-idx1-ubyte.gz",
            "t10k-labels.idx1-ubyte",
            "t10k-labels-idx1-ubyte",
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            assert_eq!(found().unwrap(), file);
        }
    }
}
