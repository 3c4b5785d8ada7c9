//! Links of the README files and of the book: what they point to exists, headings too, and every page is in the book's summary.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

/// Every relative link of a Markdown file leads to a file, a folder, or a heading that there is; every page of `docs/src` is named in its `SUMMARY.md`.
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
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap_or(root).join(path) };
            let there = target.exists()
                && (heading.is_empty()
                    || target.extension().is_none_or(|extension| extension != "md")
                    || anchors(&fs::read_to_string(&target)?).any(|anchor| anchor == heading));
            if !there {
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

/// Targets of `](..)` outside code blocks that are paths or places in the same page: no addresses.
fn links(text: &str) -> Vec<&str> {
    let starts = |line: &'_ str| line.match_indices("](").map(|(at, _)| at + 2).collect::<Vec<_>>();
    prose(text)
        .flat_map(|line| starts(line).into_iter().filter_map(move |start| line[start..].split(')').next()))
        .filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// What the headings of a page are linked by: in lower case, without punctuation, with hyphens for spaces.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    prose(text).filter(|line| line.starts_with('#')).map(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}
