//! Circles of modules: files of one crate that use each other in a loop.
//!
//! A file uses another if it names one of its items by a path that begins with `crate`, `super` or the name of a file that it declares
//! (in a `use` or in code, but not in comments or behind `#[cfg(test)]`). A name that a `mod.rs` or `lib.rs` hands on with `pub use` leads
//! to the file that it hands on from. Not seen are macros and names that come by a glob.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

use crate::files::{shown, sources};

/// A module's path from the crate's root.
type Module = Vec<String>;

/// Paths as code writes them, such as `crate::b::B`.
type Paths = Vec<Vec<String>>;

/// Every set of files that use each other in a loop.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for (folder, files) in sources(root)? {
        let mut modules: BTreeMap<Module, (PathBuf, Paths, Paths)> = BTreeMap::new();
        for file in files {
            let module = module_of(&folder.join("src"), &file);
            let text = without_comments_and_tests(&fs::read_to_string(&file)?);
            let (handed_on, used) = paths(&text);
            modules.insert(module, (file, handed_on, used));
        }
        let known: BTreeSet<&Module> = modules.keys().collect();
        let handed: BTreeMap<&Module, &Paths> = modules.iter().map(|(m, (_, handed, _))| (m, handed)).collect();
        let edges: BTreeMap<&Module, BTreeSet<&Module>> = modules
            .iter()
            .map(|(module, (_, _, used))| {
                let targets = used.iter().filter_map(|path| target(module, path, &known, &handed, 8));
                (module, targets.filter(|target| *target != module).collect())
            })
            .collect();
        for circle in circles(&edges) {
            let names: Vec<String> = circle.iter().map(|module| shown(root, &modules[*module].0)).collect();
            violations.push(names.join(" <-> "));
        }
    }
    Ok(violations)
}

fn module_of(src: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(src).unwrap_or(file).with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// The code without comments, strings' contents and everything behind `#[cfg(test)]`.
fn without_comments_and_tests(text: &str) -> String {
    let mut code = String::new();
    let mut skip = None::<i64>;
    let mut armed = false;
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        if line.trim_start().starts_with("#[cfg(test)]") || line.trim_start().starts_with("#[cfg(all(test") {
            armed = true;
            continue;
        }
        let depth = line.matches('{').count() as i64 - line.matches('}').count() as i64;
        if armed && !line.trim().starts_with("#[") && !line.trim().is_empty() {
            armed = false;
            // An item of one line ends here; a block ends where its braces do.
            skip = (depth > 0).then_some(depth);
            continue;
        }
        if let Some(open) = &mut skip {
            *open += depth;
            if *open <= 0 {
                skip = None;
            }
            continue;
        }
        code.push_str(line);
        code.push('\n');
    }
    code
}

/// Paths that are handed on by `pub use`, and paths that are used.
fn paths(code: &str) -> (Paths, Paths) {
    let (mut handed_on, mut used) = (Vec::new(), Vec::new());
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = &rest[..at];
        let line = before.rsplit('\n').next().unwrap_or_default().trim();
        let Some(end) = rest[at..].find(';') else { break };
        if line.is_empty() || line.starts_with("pub") {
            let tree = &rest[at + 4..at + end];
            let target = if line.starts_with("pub") { &mut handed_on } else { &mut used };
            expand(&[], tree, target);
        } else {
            inline(&rest[..at], &mut used);
            rest = &rest[at + 4..];
            continue;
        }
        inline(before, &mut used);
        rest = &rest[at + end..];
    }
    inline(rest, &mut used);
    (handed_on, used)
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(prefix: &[String], tree: &str, paths: &mut Paths) {
    let tree = tree.trim();
    match tree.split_once('{') {
        None => {
            let path = tree.split(" as ").next().unwrap_or_default();
            let own = path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
            paths.push(prefix.iter().cloned().chain(own).collect());
        }
        Some((head, inside)) => {
            let own = head.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty());
            let prefix: Vec<String> = prefix.iter().cloned().chain(own).collect();
            let inside = &inside[..inside.rfind('}').unwrap_or(inside.len())];
            let (mut depth, mut start) = (0, 0);
            for (at, character) in inside.char_indices() {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        expand(&prefix, &inside[start..at], paths);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            if !inside[start..].trim().is_empty() {
                expand(&prefix, &inside[start..], paths);
            }
        }
    }
}

/// Paths in code, of any beginning: `target` knows which lead to a file.
fn inline(code: &str, used: &mut Paths) {
    let of_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let mut rest = code;
    while let Some(start) = rest.find(of_path) {
        let before = &rest[..start];
        let end = rest[start..].find(|character| !of_path(character)).map_or(rest.len(), |end| start + end);
        let path = &rest[start..end];
        if path.contains("::") && !path.starts_with(':') && !before.ends_with("pub(in ") {
            used.push(path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect());
        }
        rest = &rest[end..];
    }
}

/// The file in which a used path ends.
fn target<'a>(
    from: &Module,
    path: &[String],
    known: &BTreeSet<&'a Module>,
    handed: &BTreeMap<&'a Module, &Paths>,
    hops: u8,
) -> Option<&'a Module> {
    let mut at: Module = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "super" => from[..from.len().checked_sub(1)?].to_vec(),
        "self" => from.clone(),
        child => {
            let mut at = from.clone();
            at.push(child.to_owned());
            known.get(&at)?;
            at
        }
    };
    let mut rest = &path[1..];
    while let Some((next, after)) = rest.split_first() {
        if next == "super" {
            at.pop()?;
        } else {
            let mut below = at.clone();
            below.push(next.clone());
            if !known.contains(&below) {
                break;
            }
            at = below;
        }
        rest = after;
    }
    let module = *known.get(&at)?;
    let Some(item) = rest.first() else { return Some(module) };
    // Handed on from another file?
    let onward = handed[module].iter().find(|path| path.last() == Some(item) && path.len() > 1);
    match onward {
        Some(path) if hops > 0 => target(module, path, known, handed, hops - 1).or(Some(module)),
        _ => Some(module),
    }
}

/// Sets of more than one module that reach each other.
fn circles<'a>(edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> Vec<BTreeSet<&'a Module>> {
    let reached = |start: &'a Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(next) = open.pop() {
            for target in edges.get(next).into_iter().flatten() {
                if seen.insert(*target) {
                    open.push(target);
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&Module, BTreeSet<&Module>> = edges.keys().map(|module| (*module, reached(module))).collect();
    let mut found: Vec<BTreeSet<&Module>> = Vec::new();
    for (module, targets) in &reach {
        let circle: BTreeSet<&Module> =
            targets.iter().copied().filter(|other| reach[*other].contains(module)).collect();
        if circle.len() > 1 && !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}
