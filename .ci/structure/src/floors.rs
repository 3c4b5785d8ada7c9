//! Floors: which crate may depend on which. A public error enum can then hold only its own and lower crates' errors.

use std::fs;
use std::io::{Error, Result};
use std::path::Path;

/// Crates without Burn stand on floors 1 and 2; a crate depends on crates of lower floors, or on earlier ones of its own.
const FLOORS: &[(&str, u8)] = &[
    ("burn-privacy-output", 1),
    ("burn-privacy-accounting", 1),
    ("burn-privacy-mechanisms", 1),
    ("burn-privacy-budget", 2),
    ("burn-privacy-report", 2),
    ("burn-privacy-convex", 2),
    ("burn-privacy-ensemble", 2),
    ("burn-privacy-anonymize", 2),
    ("burn-privacy-location", 2),
    ("burn-privacy-features", 2),
    ("burn-privacy-linear", 2),
    ("burn-privacy-audit", 2),
    ("burn-privacy-cli", 2),
    ("burn-privacy-kernels", 3),
    ("burn-privacy-traced", 3),
    ("burn-privacy-datasets", 3),
    ("burn-privacy-pretrained", 3),
    ("burn-privacy-sweep", 3),
    ("burn-privacy", 3),
    ("burn-privacy-train", 4),
];

/// A crate depends on earlier crates of the list only, and on Burn from floor 3 on.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let place = |name: &str| FLOORS.iter().position(|(listed, _)| *listed == name);
    let mut violations = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let manifest = entry?.path().join("Cargo.toml");
        let manifest: toml::Table = fs::read_to_string(&manifest)?.parse().map_err(Error::other)?;
        let name = manifest["package"]["name"].as_str().unwrap_or_default();
        let Some(own) = place(name) else {
            violations.push(format!("{name} has no floor: give it one in .ci/structure/src/floors.rs"));
            continue;
        };
        for dependency in &dependencies(&manifest) {
            let burn =
                dependency == "burn" || (dependency.starts_with("burn-") && !dependency.starts_with("burn-privacy"));
            if burn && FLOORS[own].1 < 3 {
                violations.push(format!("{name}, on floor {}, depends on {dependency}", FLOORS[own].1));
            }
            if place(dependency).is_some_and(|other| other >= own) {
                violations.push(format!("{name} depends on {dependency}, which stands above it"));
            }
        }
    }
    Ok(violations)
}

/// The packages that a crate depends on, always or for one target, while it is built or afterwards; not those of its tests.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let of_targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = std::iter::once(manifest).chain(of_targets.filter_map(toml::Value::as_table));
    let lists = tables.flat_map(|table| [table.get("dependencies"), table.get("build-dependencies")]);
    lists
        .flatten()
        .filter_map(toml::Value::as_table)
        .flatten()
        .map(|(name, how)| how.get("package").and_then(toml::Value::as_str).unwrap_or(name).to_owned())
        .collect()
}
