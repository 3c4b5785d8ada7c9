//! What is asked of a file system.

use std::path::{Path, PathBuf};

/// One operation on the file system, or a mark between two. Paths are relative to the folder of the [`record`](super::record)ing; a file is known
/// by the path that it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new, empty file got this name.
    Create(PathBuf),
    /// Bytes were written to a file's end.
    Append(PathBuf, Vec<u8>),
    /// A file was cut to this length.
    SetLength(PathBuf, u64),
    /// A file's contents were made durable.
    Sync(PathBuf),
    /// A file got another name, in place of what had that.
    Rename {
        /// The name before.
        from: PathBuf,
        /// The name after.
        to: PathBuf,
    },
    /// A name was removed.
    Remove(PathBuf),
    /// The names in a folder were made durable.
    SyncFolder(PathBuf),
    /// Something that the program told somebody.
    Mark(String),
}

impl Operation {
    pub(super) fn relative_to(self, root: &Path) -> Self {
        let relative = |path: PathBuf| {
            let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
            let path = match (folder, path.file_name()) {
                (Some(folder), Some(name)) => folder.join(name),
                _ => path,
            };
            path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)
        };
        match self {
            Self::Create(path) => Self::Create(relative(path)),
            Self::Append(path, bytes) => Self::Append(relative(path), bytes),
            Self::SetLength(path, length) => Self::SetLength(relative(path), length),
            Self::Sync(path) => Self::Sync(relative(path)),
            Self::Rename { from, to } => Self::Rename { from: relative(from), to: relative(to) },
            Self::Remove(path) => Self::Remove(relative(path)),
            Self::SyncFolder(path) => Self::SyncFolder(
                path.canonicalize().map_or(path, |path| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path)),
            ),
            Self::Mark(label) => Self::Mark(label),
        }
    }
}
