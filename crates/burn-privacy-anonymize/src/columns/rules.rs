//! The columns of a schema: read from TOML one by one, and refused where keys contradict each other.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::labels::resolved;
use super::numbers::{Bounds, Rounding};
use super::operation::{Operation, PseudonymMethod, Role};
use super::row_treatment::{RowTreatment, RowTreatmentReader};
use crate::AnonymizeError;

/// A column of the schema.
#[derive(Debug, Clone)]
pub struct ColumnRule {
    /// Its name in the header.
    pub name: String,
    /// What it is.
    pub role: Role,
    pub(super) action: Action,
}

/// What happens to it.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Operation(Operation),
    /// Noise of [`crate::perturb`]: `randomize` (or `noise`) and `obfuscate`, as the schema has it.
    Noise(toml::Table),
    /// A treatment that another crate brings, which of its columns this is, and the keys that it was read from.
    Rows {
        treatment: Arc<dyn RowTreatment>,
        part: usize,
        keys: toml::Table,
    },
}

impl ColumnRule {
    /// A column with an operation.
    pub fn new(name: impl Into<String>, role: Role, operation: Operation) -> Self {
        Self { name: name.into(), role, action: Action::Operation(operation) }
    }

    pub(super) fn operation(&self) -> Option<&Operation> {
        match &self.action {
            Action::Operation(operation) => Some(operation),
            Action::Noise(_) | Action::Rows { .. } => None,
        }
    }

    pub(super) fn is_dropped(&self) -> bool {
        matches!(self.operation(), Some(Operation::Drop {}))
    }

    pub(super) fn wrong(&self, problem: impl std::fmt::Display) -> AnonymizeError {
        AnonymizeError::Schema { problem: format!("column {:?}: {problem}", self.name) }
    }
}

/// Takes a key out of a table.
pub(super) fn taken<T: DeserializeOwned>(table: &mut toml::Table, key: &str) -> Result<Option<T>, AnonymizeError> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    value
        .try_into()
        .map(Some)
        .map_err(|error| AnonymizeError::Schema { problem: format!("{key}: {}", error.to_string().trim_end()) })
}

/// A column that waits for its reader: its place and role, its name and keys.
type Waiting = (usize, Role, (String, toml::Table));

/// Rules of a schema's columns, those of `readers` among them, in their order.
pub(super) fn rules(
    columns: Vec<toml::Table>,
    folder: Option<&Path>,
    readers: &[&dyn RowTreatmentReader],
) -> Result<Vec<ColumnRule>, AnonymizeError> {
    let mut rules: Vec<Option<ColumnRule>> = Vec::with_capacity(columns.len());
    let mut waiting: Vec<Vec<Waiting>> = vec![Vec::new(); readers.len()];
    for (place, mut keys) in columns.into_iter().enumerate() {
        let treatment = keys.get("treatment").and_then(toml::Value::as_str).unwrap_or_default();
        let Some(reader) = readers.iter().position(|reader| reader.name() == treatment) else {
            rules.push(Some(rule(keys, folder)?));
            continue;
        };
        let missing = || AnonymizeError::Schema { problem: "a [[column]] has no name".to_owned() };
        let name: String = taken(&mut keys, "name")?.ok_or_else(missing)?;
        let role = taken(&mut keys, "role")?.unwrap_or(Role::QuasiIdentifier);
        keys.remove("treatment");
        waiting[reader].push((place, role, (name, keys)));
        rules.push(None);
    }
    for (reader, waiting) in readers.iter().zip(waiting).filter(|(_, waiting)| !waiting.is_empty()) {
        let columns: Vec<(String, toml::Table)> = waiting.iter().map(|(.., column)| column.clone()).collect();
        let problem = |problem: String| AnonymizeError::Schema { problem };
        let parts = reader.read(&columns, folder).map_err(problem)?;
        if parts.len() != columns.len() {
            return Err(problem(format!("{} columns were read of {}", parts.len(), columns.len())));
        }
        for ((place, role, (name, mut keys)), (treatment, part)) in waiting.into_iter().zip(parts) {
            keys.insert("treatment".to_owned(), toml::Value::String(reader.name().to_owned()));
            rules[place] = Some(ColumnRule { name, role, action: Action::Rows { treatment, part, keys } });
        }
    }
    Ok(rules.into_iter().flatten().collect())
}

/// A column of the text.
fn rule(mut keys: toml::Table, folder: Option<&Path>) -> Result<ColumnRule, AnonymizeError> {
    let missing = || AnonymizeError::Schema { problem: "a [[column]] has no name".to_owned() };
    let name: String = taken(&mut keys, "name")?.ok_or_else(missing)?;
    let wrong =
        |problem: String| AnonymizeError::Schema { problem: format!("column {name:?}: {}", problem.trim_end()) };
    let role = taken(&mut keys, "role").map_err(|error| wrong(error.to_string()))?.unwrap_or(Role::QuasiIdentifier);
    let treatment = keys.get("treatment").and_then(toml::Value::as_str).unwrap_or_default();
    let action = match treatment {
        "noise" | "randomize" | "randomise" | "obfuscate" => {
            if treatment == "noise" {
                keys.insert("treatment".to_owned(), toml::Value::String("randomize".to_owned()));
            }
            keys.insert("name".to_owned(), toml::Value::String(name.clone()));
            Action::Noise(keys)
        }
        "" => return Err(wrong("it has no treatment: give one, such as treatment = \"drop\"".to_owned())),
        _ => {
            keys.retain(|key, value| !(key == "label" && value.as_bool() == Some(false)));
            let operation: Operation = keys.try_into().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
            Action::Operation(match operation {
                Operation::Generalize { hierarchy, level, labels, other } => {
                    resolved(&name, hierarchy.as_ref(), level, &labels, other.as_ref(), folder).map_err(&wrong)?
                }
                operation => operation,
            })
        }
    };
    Ok(ColumnRule { name, role, action })
}

/// Refuses keys that contradict each other, and identifiers in the clear. `noisy` has the columns with noise, and the other
/// columns that are drawn at random.
pub(super) fn check(column: &ColumnRule, names: &HashSet<&str>, noisy: &HashSet<&str>) -> Result<(), AnonymizeError> {
    let known = |name: &String| {
        if noisy.contains(name.as_str()) {
            // What is drawn for a raw value, or left out because of it, tells of it, whatever noise its own column has.
            Err(column
                .wrong(format!("it names the column {name:?}, which has noise: its raw value would show here, too")))
        } else if names.contains(name.as_str()) {
            Ok(())
        } else {
            Err(column.wrong(format!("it names the column {name:?}, which the schema does not have")))
        }
    };
    let operation = match &column.action {
        Action::Operation(operation) => operation,
        Action::Noise(_) => return Ok(()),
        Action::Rows { treatment, .. } => return treatment.reads().iter().try_for_each(known),
    };
    match operation {
        Operation::Keep {} if column.role == Role::Identifier => Err(column
            .wrong("an identifier can't be kept: give it a pseudonym or drop it, or say that it is no identifier")),
        Operation::Pseudonym { method, format, kind, locale, keep_domain, .. } => {
            let unused = [
                (format.is_some() && *method != PseudonymMethod::Ff1, "format is for method ff1"),
                (kind.is_some() && *method != PseudonymMethod::Realistic, "kind is for method realistic"),
                (locale.is_some() && *method != PseudonymMethod::Realistic, "locale is for method realistic"),
                (keep_domain.is_some() && *method != PseudonymMethod::Email, "keep_domain is for method email"),
                (
                    kind.is_none() && *method == PseudonymMethod::Realistic,
                    "method realistic needs kind, such as \"name\"",
                ),
            ];
            unused.iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, problem)| Err(column.wrong(problem)))
        }
        Operation::Mask { first, last, pattern } => match (first.is_some() || last.is_some(), pattern) {
            (true, Some(_)) => Err(column.wrong("pattern and first or last exclude each other")),
            (false, Some(pattern)) if !pattern.contains('*') => {
                Err(column.wrong("the pattern covers nothing: it has no *"))
            }
            _ => Ok(()),
        },
        Operation::Round { to } => Rounding::new(*to).map(drop).map_err(|problem| column.wrong(problem)),
        Operation::TopCode { lo, hi } => Bounds::new(*lo, *hi).map(drop).map_err(|problem| column.wrong(problem)),
        Operation::ShiftDates { subject, days, .. } => {
            if *days == 0 || *days > 365_000 {
                return Err(column.wrong(format!("days is {days}, but must be from 1 to 365000")));
            }
            known(subject)
        }
        Operation::RedactText { columns, .. } => columns.iter().try_for_each(known),
        _ => Ok(()),
    }
}
