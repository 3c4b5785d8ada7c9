//! The walks of the design page: a list of files that no longer fits the code sends its reader astray.

use std::fs;
use std::io::Result;
use std::path::Path;

use crate::files::sources;

const PAGE: &str = "docs/src/design.md";

/// Every file or folder that a walk names is in the crate that the walk, or the line, names.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let Ok(page) = fs::read_to_string(root.join(PAGE)) else { return Ok(Vec::new()) };
    let walks = page.split("\n## Four walks\n").nth(1).unwrap_or_default().split("\n#").next().unwrap_or_default();
    let mut files = Vec::new();
    for (folder, sources) in sources(root)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let inside = sources.iter().filter_map(|file| file.strip_prefix(folder.join("src")).ok());
        files.extend(inside.map(|file| format!("{name}/{}", file.display())));
    }
    let holds = |name: &str, wanted: &str| {
        let of_crate = files.iter().filter_map(|file| file.strip_prefix(name)?.strip_prefix('/'));
        let mut places = of_crate.map(|file| format!("/{file}"));
        // A folder ends in a slash, a file does not.
        places.any(|file| {
            file.ends_with(&format!("/{wanted}")) || file.contains(&format!("/{wanted}")) && wanted.ends_with('/')
        })
    };
    let mut violations = Vec::new();
    let mut walker: Option<String> = None;
    for line in walks.split("\n\n").flat_map(items) {
        let quoted: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
        let crates: Vec<&str> = quoted.iter().copied().filter(|name| name.starts_with("burn-privacy")).collect();
        if line.starts_with("**") {
            walker = crates.first().map(|name| (*name).to_owned());
        }
        for wanted in quoted.iter().filter(|name| name.ends_with(".rs") || name.ends_with('/')) {
            if !crates.iter().copied().chain(walker.as_deref()).any(|name| holds(name, wanted)) {
                violations.push(format!("{PAGE}: a walk names {wanted}, which is not there"));
            }
        }
    }
    Ok(violations)
}

/// The items of a list, each in one line, or a paragraph.
fn items(block: &str) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in block.lines() {
        match items.last_mut() {
            Some(item) if line.starts_with(' ') || !line.starts_with(|first: char| first.is_ascii_digit()) => {
                item.push(' ');
                item.push_str(line.trim_start());
            }
            _ => items.push(line.to_owned()),
        }
    }
    items
}
