//! Files that are complete or not there at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::OutputError;

/// A file that gets its name when it is complete: until [`commit`](Self::commit) the name stands for what was there
/// before, and dropped without it the file leaves nothing behind.
///
/// On Linux the bytes go to a file without a name, where the file system has such (`O_TMPFILE`): a process that is killed leaves
/// nothing. Elsewhere they go to a temporary file `.unfinished-*` in the same folder, which a killed process leaves behind. Naming
/// is one step for the file system either way. Writes are not buffered; write blocks, or wrap `&mut` it in a
/// [`BufWriter`](io::BufWriter).
///
/// ```
/// use std::io::Write;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("table.csv");
/// let mut file = burn_privacy_output::AtomicFile::create(&path)?;
/// file.write_all(b"a,b\n")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "a,b\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    unfinished: Unfinished,
    /// Where records of operations find it: under the name that it has, or as if it had one.
    #[cfg(feature = "trace")]
    traced_as: PathBuf,
}

#[derive(Debug)]
enum Unfinished {
    #[cfg(target_os = "linux")]
    WithoutName(File),
    Named(NamedTempFile),
}

impl Unfinished {
    fn file(&mut self) -> &mut File {
        match self {
            #[cfg(target_os = "linux")]
            Self::WithoutName(file) => file,
            Self::Named(file) => file.as_file_mut(),
        }
    }
}

/// How a temporary file is made, with the permissions of any other file: usually it is for the owner alone.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Files without a name, and how they get one.
#[cfg(target_os = "linux")]
mod without_name {
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};

    /// A file in a folder; none where the file system has no such files, or nothing to name them by.
    pub(super) fn create(folder: &Path) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(open(folder, flags, Mode::from_raw_mode(0o666)).ok()?);
        Path::new(&of(&file)).symlink_metadata().is_ok().then_some(file)
    }

    fn of(file: &File) -> String {
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }

    /// Names a file, if nothing has that name.
    pub(super) fn link(file: &File, path: &Path) -> io::Result<()> {
        Ok(linkat(CWD, of(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }
}

impl AtomicFile {
    /// Opens a temporary file beside `path`, with the permissions of any other file. The folder must be there.
    ///
    /// # Errors
    ///
    /// [`OutputError::File`].
    pub fn create(path: impl AsRef<Path>) -> Result<Self, OutputError> {
        let path = path.as_ref();
        let folder = folder_of(path);
        #[cfg(target_os = "linux")]
        if let Some(file) = without_name::create(folder) {
            return Ok(Self::of(path, Unfinished::WithoutName(file)));
        }
        let unfinished =
            builder().tempfile_in(folder).map_err(|source| OutputError::File { path: path.to_owned(), source })?;
        Ok(Self::of(path, Unfinished::Named(unfinished)))
    }

    fn of(path: &Path, unfinished: Unfinished) -> Self {
        #[cfg(feature = "trace")]
        let traced_as = match &unfinished {
            #[cfg(target_os = "linux")]
            Unfinished::WithoutName(_) => crate::trace::stand_in(path),
            Unfinished::Named(file) => file.path().to_owned(),
        };
        traced!(crate::trace::Operation::Create(traced_as.clone()));
        Self {
            path: path.to_owned(),
            unfinished,
            #[cfg(feature = "trace")]
            traced_as,
        }
    }

    /// The name that the file will get.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings the bytes to the disk and names the file, in place of what has that name. A symbolic link of that name
    /// is replaced, not followed.
    ///
    /// # Errors
    ///
    /// [`OutputError::File`]; what was there before is then untouched.
    pub fn commit(self) -> Result<(), OutputError> {
        self.name(|unfinished, path| match unfinished {
            // A name can't be taken from another file in one step, but by renaming: the complete file gets a name beside it first.
            #[cfg(target_os = "linux")]
            Unfinished::WithoutName(file) => {
                let named = builder().make_in(folder_of(path), |beside| without_name::link(&file, beside))?;
                named.into_temp_path().persist(path).map_err(io::Error::from)
            }
            Unfinished::Named(file) => file.persist(path).map(drop).map_err(io::Error::from),
        })
    }

    /// As [`commit`](Self::commit), but only if nothing has that name.
    ///
    /// # Errors
    ///
    /// [`OutputError::File`], with [`io::ErrorKind::AlreadyExists`] if something has.
    pub fn commit_new(self) -> Result<(), OutputError> {
        self.name(|unfinished, path| match unfinished {
            #[cfg(target_os = "linux")]
            Unfinished::WithoutName(file) => without_name::link(&file, path),
            Unfinished::Named(file) => file.persist_noclobber(path).map(drop).map_err(io::Error::from),
        })
    }

    fn synchronize(&mut self) -> io::Result<()> {
        traced!(crate::trace::Operation::Sync(self.traced_as.clone()));
        self.unfinished.file().sync_all()
    }

    fn name(mut self, give: impl FnOnce(Unfinished, &Path) -> io::Result<()>) -> Result<(), OutputError> {
        let synced = self.synchronize();
        synced
            .and_then(|()| give(self.unfinished, &self.path))
            .map_err(|source| OutputError::File { path: self.path.clone(), source })?;
        traced!(crate::trace::Operation::Rename { from: self.traced_as, to: self.path.clone() });
        // Makes the new name last through a power cut, where the system can do that for a folder.
        let _ = synchronize_folder(folder_of(&self.path));
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.unfinished.file().write(bytes)?;
        traced!(crate::trace::Operation::Append(self.traced_as.clone(), bytes[..written].to_vec()));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unfinished.file().flush()
    }
}

pub(crate) fn synchronize_folder(folder: &Path) -> io::Result<()> {
    traced!(crate::trace::Operation::SyncFolder(folder.to_owned()));
    File::open(folder)?.sync_all()
}

/// The folder that a path's last part is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file so that its name always stands for something complete: for what was there before, or for all of
/// `contents`. Its folder is made if it isn't there.
///
/// # Errors
///
/// [`OutputError::File`]; what was there before is then untouched.
pub fn write_atomically(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let path = path.as_ref();
    let failed = |source| OutputError::File { path: path.to_owned(), source };
    fs::create_dir_all(folder_of(path)).map_err(failed)?;
    let mut file = AtomicFile::create(path)?;
    file.write_all(contents.as_ref()).map_err(failed)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_made_and_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/file.txt");
        write_atomically(&path, "first, longer").unwrap();
        write_atomically(&path, "second").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(names(path.parent().unwrap()), ["file.txt"]);
    }

    #[test]
    fn a_failure_names_the_file_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A folder is in the way of the file.
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write_atomically(&path, "text").unwrap_err().to_string();
        assert!(error.contains("taken"), "{error}");
        assert_eq!(names(folder.path()), ["taken"]);
        // A file is in the way of the folder.
        fs::write(folder.path().join("file"), "old").unwrap();
        write_atomically(folder.path().join("file/below"), "text").unwrap_err();
        assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "old");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, other) = (folder.path().join("ours"), folder.path().join("other"));
        write_atomically(&ours, "x").unwrap();
        fs::write(&other, "x").unwrap();
        let mode = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&other));
    }

    #[test]
    fn nothing_has_the_name_before_the_commit_and_nothing_is_left_without_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream.csv");
        fs::write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        for block in ["one\n", "two\n"] {
            file.write_all(block.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        }
        drop(file);
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path()).len()), ("old", 1));
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"one\ntwo\n").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(names(folder.path()), ["stream.csv"]);
    }

    #[test]
    fn a_file_that_has_a_name_while_it_is_written_ends_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.csv");
        let named = || {
            let file = builder().tempfile_in(folder.path()).unwrap();
            AtomicFile::of(&path, Unfinished::Named(file))
        };
        let mut file = named();
        file.write_all(b"one").unwrap();
        file.commit_new().unwrap();
        assert!(named().commit_new().is_err());
        named().commit().unwrap();
        drop(named());
        assert_eq!(
            (fs::read_to_string(&path).unwrap().as_str(), names(folder.path())),
            ("", vec!["old.csv".to_owned()])
        );
    }

    /// A file system without such files would need the other test alone.
    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_is_seen_of_a_file_that_is_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let Some(probe) = without_name::create(folder.path()) else { return };
        drop(probe);
        let mut file = AtomicFile::create(folder.path().join("new")).unwrap();
        file.write_all(b"half").unwrap();
        assert!(names(folder.path()).is_empty());
        // As after a kill: nothing runs, nothing is left.
        std::mem::forget(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        AtomicFile::create(&path).unwrap().commit_new().unwrap();
        let OutputError::File { source, .. } = AtomicFile::create(&path).unwrap().commit_new().unwrap_err() else {
            panic!("another error")
        };
        assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()), ["new"]);
        // A folder is not made: a mistyped path is an error.
        AtomicFile::create(folder.path().join("no/file")).unwrap_err();
    }
}
