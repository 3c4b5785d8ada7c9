//! Values replaced by labels of a hierarchy.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::operation::Operation;
use crate::table::Hierarchy;

/// The label of each value.
#[derive(Debug, Clone)]
pub(super) struct Labels {
    of: HashMap<Box<[u8]>, Box<[u8]>>,
    other: Option<Box<[u8]>>,
}

impl Labels {
    /// From labels that are all written out, as [`resolved`] makes them.
    pub(super) fn new(labels: &BTreeMap<String, String>, other: Option<&String>) -> Self {
        let bytes = |text: &String| text.as_bytes().into();
        Self { of: labels.iter().map(|(value, label)| (bytes(value), bytes(label))).collect(), other: other.map(bytes) }
    }

    /// Writes the label of a cell.
    pub(super) fn apply(&self, cell: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let label = self.of.get(cell).or(self.other.as_ref());
        let label = label.ok_or(
            "its hierarchy does not know this value: add a line for it, or give `other`, the label of all such values",
        )?;
        out.extend_from_slice(label);
        Ok(())
    }
}

/// A generalization with the labels of its level written out, so that it needs no file any more. Paths are found from
/// `folder`. The error is the rest of a sentence on the column.
pub(super) fn resolved(
    name: &str,
    hierarchy: Option<&PathBuf>,
    level: Option<usize>,
    labels: &BTreeMap<String, String>,
    other: Option<&String>,
    folder: Option<&Path>,
) -> Result<Operation, String> {
    let labels = match (hierarchy, level, labels.is_empty()) {
        (None, None, false) => labels.clone(),
        (Some(file), Some(level), true) => {
            let file = folder.map_or_else(|| file.clone(), |folder| folder.join(file));
            let hierarchy = Hierarchy::read(name, &file).map_err(|error| error.to_string())?;
            labels_of(&hierarchy, level)?
        }
        _ => return Err("generalize needs hierarchy and level, or labels alone".to_owned()),
    };
    Ok(Operation::Generalize { hierarchy: None, level: None, labels, other: other.cloned() })
}

/// The labels of a level.
pub(super) fn labels_of(hierarchy: &Hierarchy, level: usize) -> Result<BTreeMap<String, String>, String> {
    if level >= hierarchy.levels() {
        return Err(format!("level is {level}, but the hierarchy's highest is {}", hierarchy.levels() - 1));
    }
    let leaves = 0..hierarchy.leaves() as u32;
    Ok(leaves
        .map(|leaf| {
            let value = hierarchy.label(0, hierarchy.generalize(leaf, 0)).to_owned();
            (value, hierarchy.label(level, hierarchy.generalize(leaf, level)).to_owned())
        })
        .collect())
}
