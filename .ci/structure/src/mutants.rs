//! Planted faults: a list that no longer fits the code plants nothing, and would be found out too late.

use std::fs;
use std::io::{Error, Result};
use std::path::Path;

const LIST: &str = "benches/mutants/mutants.toml";

/// What each fault replaces stands once in its file.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let list: toml::Table = fs::read_to_string(root.join(LIST))?.parse().map_err(Error::other)?;
    let mut violations = Vec::new();
    for mutant in list.get("mutant").and_then(toml::Value::as_array).into_iter().flatten() {
        let said = |key: &str| mutant.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let (file, old) = (said("file"), said("old"));
        let times = fs::read_to_string(root.join(file)).unwrap_or_default().matches(old).count();
        if old.is_empty() || times != 1 {
            violations.push(format!("{}: {old:?} stands {times} times in {file}", said("name")));
        }
    }
    Ok(violations)
}
