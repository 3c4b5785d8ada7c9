//! Packages: what a registry asks of a crate, and what its archive may hold.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

use crate::files::shown;

/// A file of a package is no larger: data does not belong into one.
const LARGEST_FILE: u64 = 256 * 1024;

/// Every crate has a description, a license with its text, and a README file; may be published; and holds no large file.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse().map_err(Error::other)?;
        let name = shown(root, &folder);
        let said = |key: &str| match manifest["package"].get(key) {
            Some(toml::Value::String(text)) => !text.is_empty(),
            Some(_) => true,
            None => false,
        };
        for key in ["description", "license"] {
            if !said(key) {
                violations.push(format!("{name} has no {key}"));
            }
        }
        let readme = manifest["package"].get("readme").and_then(toml::Value::as_str);
        for file in [readme.unwrap_or("a readme in its manifest"), "LICENSE-MIT", "LICENSE-APACHE"] {
            if !folder.join(file).exists() {
                violations.push(format!("{name} has no {file}"));
            }
        }
        if manifest["package"].get("publish").is_some() {
            violations.push(format!("{name} says whether it is published: crates are, examples and benches are not"));
        }
        let mut files = Vec::new();
        large_files(&folder, &mut files)?;
        violations
            .extend(files.iter().map(|file| format!("{} is larger than {LARGEST_FILE} bytes", shown(root, file))));
    }
    Ok(violations)
}

fn large_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            large_files(&entry.path(), found)?;
        } else if entry.metadata()?.len() > LARGEST_FILE {
            found.push(entry.path());
        }
    }
    Ok(())
}
