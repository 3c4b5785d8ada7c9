//! A generalization that was found, as a schema that can be applied to new rows.

use super::labels::labels_of;
use super::operation::{Operation, Role};
use super::rules::ColumnRule;
use super::schema::ColumnSchema;
use crate::AnonymizeError;
use crate::table::{PrivacyModel, Table};

impl ColumnSchema {
    /// The schema that generalizes each quasi-identifier of a table to its level, keeps the sensitive column and the columns
    /// of `keep`, and drops all others of the header. Applied to new rows, classes are counted anew and those that don't
    /// meet the models are left out; the labels of values that are not in a hierarchy are not made up, but an error.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Parameter`] if the levels are not the columns'; those of [`ColumnSchema::new`].
    pub fn of_full_domain(
        table: &Table,
        levels: &[usize],
        header: &[String],
        keep: &[String],
        models: &[PrivacyModel],
        suppression: f64,
    ) -> Result<Self, AnonymizeError> {
        if levels.len() != table.columns().len() {
            let allowed = "a level for each quasi-identifier";
            return Err(AnonymizeError::parameter("the list of levels", format!("{levels:?}"), allowed));
        }
        let rule = |name: &String| -> Result<ColumnRule, AnonymizeError> {
            let quasi = table.columns().iter().zip(levels).find(|(column, _)| column.name == *name);
            if let Some((column, &level)) = quasi {
                let labels = labels_of(&column.hierarchy, level)
                    .map_err(|problem| AnonymizeError::Schema { problem: format!("column {name:?}: {problem}") })?;
                let operation = Operation::Generalize { hierarchy: None, level: None, labels, other: None };
                return Ok(ColumnRule::new(name, Role::QuasiIdentifier, operation));
            }
            let sensitive = table.sensitive().is_some_and(|sensitive| sensitive.name == *name);
            Ok(match (sensitive, keep.contains(name)) {
                (true, _) => ColumnRule::new(name, Role::Sensitive, Operation::Keep {}),
                (false, true) => ColumnRule::new(name, Role::Insensitive, Operation::Keep {}),
                (false, false) => ColumnRule::new(name, Role::Identifier, Operation::Drop {}),
            })
        };
        let columns = header.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        Self::new(columns, models.to_vec(), suppression)
    }
}
