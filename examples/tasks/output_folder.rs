//! The folder for results.

use std::path::Path;

use crate::Result;

/// Fails now and not after the training, if results can't be written to `folder`.
///
/// # Errors
///
/// A sentence that names the folder.
pub fn require_writable(folder: &Path) -> Result<()> {
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| format!("{}: {error}; give another folder with --out", folder.display()).into())
}
