use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::OutputError;

/// Writes a file so that its name always stands for something complete: for what was there before, or for all of
/// `contents`.
///
/// The bytes go to a temporary file in the same folder (which is made if it isn't there), reach the disk, and
/// only then get their name.
///
/// # Errors
///
/// [`OutputError::File`]; what was there before is then untouched.
pub fn write_atomically(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> Result<(), OutputError> {
    let path = path.as_ref();
    let failed = |source| OutputError::File { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".unfinished-");
    // Temporary files are for the owner alone; a report gets the permissions of any other file.
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(contents.as_ref()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    if let Ok(folder) = File::open(folder) {
        // Makes the new name last through a power cut, where the system can do that for a folder.
        let _ = folder.sync_all();
    }
    Ok(())
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
}
