//! Links of the README files and of the book: what they point to exists, and every page is in the book's summary.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Every relative link of a Markdown file leads to a file or folder; every page of `docs/src` is named in its `SUMMARY.md`.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "crates", "examples", "datasets"] {
        let depth = if folder.is_empty() { 0 } else { 4 };
        collect(&root.join(folder), depth, &mut pages)?;
    }
    let mut violations = Vec::new();
    for page in &pages {
        let text = fs::read_to_string(page)?;
        for link in links(&text) {
            let target = page.parent().unwrap_or(root).join(link);
            if !target.exists() {
                violations.push(format!("{}: {link} is not there", page.strip_prefix(root).unwrap_or(page).display()));
            }
        }
    }
    let book = root.join("docs/src");
    if let Ok(summary) = fs::read_to_string(book.join("SUMMARY.md")) {
        for page in pages.iter().filter_map(|page| page.strip_prefix(&book).ok()) {
            let page = page.display().to_string();
            if page != "SUMMARY.md" && !summary.contains(&format!("({page})")) {
                violations.push(format!("docs/src/{page} is not in SUMMARY.md"));
            }
        }
    }
    Ok(violations)
}

fn collect(folder: &Path, depth: usize, pages: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            collect(&path, depth - 1, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Targets of `](..)` outside code blocks that are paths: no addresses, no places in the same page.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains("://") && !path.starts_with("mailto:") {
                links.push(path);
            }
        }
    }
    links
}
