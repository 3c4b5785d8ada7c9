//! Source files: their headers, lengths, and shares of the whole.

use std::collections::BTreeMap;
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Every `crates/*/src/**/*.rs`, by crate, in order.
pub fn sources(root: &Path) -> Result<BTreeMap<PathBuf, Vec<PathBuf>>> {
    let mut crates = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let folder = entry?.path();
        let mut files = Vec::new();
        if folder.join("src").is_dir() {
            collect(&folder.join("src"), &mut files)?;
        }
        files.sort();
        crates.insert(folder, files);
    }
    Ok(crates)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// A path below `crates` for people.
pub fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root.join("crates")).unwrap_or(path).display().to_string()
}

/// Every source file begins with `//!`.
pub fn headers(root: &Path) -> Result<Vec<String>> {
    each(root, |text| (!text.starts_with("//!")).then(String::new))
}

/// A file above 400 lines says "Long because: .." in its header.
pub fn lengths(root: &Path) -> Result<Vec<String>> {
    each(root, |text| {
        let lines = text.lines().count();
        let reason = text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains("Long because:"));
        (lines > 400 && !reason).then(|| format!(" ({lines} lines)"))
    })
}

fn each(root: &Path, violation: impl Fn(&str) -> Option<String>) -> Result<Vec<String>> {
    let (mut violations, mut files) = (Vec::new(), Vec::new());
    // Tests, examples and benches, too.
    for folder in ["crates", "examples", "benches"].map(|name| root.join(name)) {
        if folder.is_dir() {
            collect(&folder, &mut files)?;
        }
    }
    files.sort();
    for file in files {
        violations.extend(violation(&fs::read_to_string(&file)?).map(|what| shown(root, &file) + &what));
    }
    Ok(violations)
}

/// No crate holds more than a quarter of all lines.
pub fn shares(root: &Path) -> Result<Vec<String>> {
    let mut sizes = BTreeMap::new();
    for (folder, files) in sources(root)? {
        let mut lines = 0;
        for file in files {
            lines += fs::read_to_string(file)?.lines().count();
        }
        sizes.insert(folder, lines);
    }
    let total: usize = sizes.values().sum();
    let large = sizes.iter().filter(|(_, lines)| **lines * 4 > total);
    Ok(large.map(|(folder, lines)| format!("{}: {lines} of {total} lines", shown(root, folder))).collect())
}
