//! The schema: what each column is and what happens to it, checked.

use std::collections::HashSet;
use std::path::Path;

use super::operation::{Operation, Role};
use super::row_treatment::{RowTreatmentReader, is_same};
use super::rules::{Action, ColumnRule, check, rules, taken};
use crate::AnonymizeError;
use crate::perturb::TableSchema;
use crate::table::PrivacyModel;

/// What happens to a table.
///
/// Keys of the TOML text; all others are refused:
///
/// | key | of | meaning |
/// |---|---|---|
/// | `k` | the table | rows of a class of quasi-identifiers at least; others are left out |
/// | `distinct_l`, `entropy_l`, `equal_t` | the table | what else a class must meet; needs one sensitive column |
/// | `suppression` | the table | the share of rows that may be left out, 1 if it is not given; more is an error |
/// | `epsilon`, `delta` | the table | what is divided among columns with noise, as in [`crate::perturb`] |
/// | `name` | a column | as in the header |
/// | `role` | a column | `identifier`, `quasi-identifier` (without a role it is one), `sensitive` or `insensitive` |
/// | `treatment` | a column | see [`Operation`], whose fields are the other keys; and `noise` (or `randomize`) and `obfuscate` with the keys of [`TableSchema`] |
#[derive(Debug, Clone)]
pub struct ColumnSchema {
    pub(super) columns: Vec<ColumnRule>,
    pub(super) models: Vec<PrivacyModel>,
    pub(super) suppression: f64,
    pub(super) noise: Option<TableSchema>,
    budget: toml::Table,
}

/// Keys of the table, in the order of [`ColumnSchema`]'s documentation.
const TABLE_KEYS: [&str; 8] = ["k", "distinct_l", "entropy_l", "equal_t", "suppression", "epsilon", "delta", "column"];

impl ColumnSchema {
    /// Reads a schema; hierarchies are found from `folder`, and read at once.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Schema`] with what is wrong.
    pub fn parse(text: &str, folder: Option<&Path>) -> Result<Self, AnonymizeError> {
        Self::parse_with(text, folder, &[])
    }

    /// As [`Self::parse`], with treatments that other crates bring.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn parse_with(
        text: &str,
        folder: Option<&Path>,
        readers: &[&dyn RowTreatmentReader],
    ) -> Result<Self, AnonymizeError> {
        let wrong = |problem: String| AnonymizeError::Schema { problem };
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.to_string().trim_end().to_owned()))?;
        if let Some(key) = table.keys().find(|key| !TABLE_KEYS.contains(&key.as_str())) {
            return Err(wrong(format!(
                "the key {key:?} is unknown; the keys of a table are {}",
                TABLE_KEYS.join(", ")
            )));
        }
        let columns: Vec<toml::Table> = taken(&mut table, "column")?.unwrap_or_default();
        let rules = rules(columns, folder, readers)?;
        let (k, distinct_l) = (taken(&mut table, "k")?, taken(&mut table, "distinct_l")?);
        let (entropy_l, equal_t) = (taken(&mut table, "entropy_l")?, taken(&mut table, "equal_t")?);
        let suppression = taken(&mut table, "suppression")?;
        let models: Vec<PrivacyModel> = [
            k.map(|k| PrivacyModel::KAnonymity { k }),
            distinct_l.map(|l| PrivacyModel::DistinctLDiversity { l }),
            entropy_l.map(|l| PrivacyModel::EntropyLDiversity { l }),
            equal_t.map(|t| PrivacyModel::EqualTCloseness { t }),
        ]
        .into_iter()
        .flatten()
        .collect();
        if suppression.is_some() && models.is_empty() {
            return Err(wrong("suppression is for a schema with k".to_owned()));
        }
        Self::checked(rules, models, suppression.unwrap_or(1.0), table)
    }

    /// A schema from its columns, without noise.
    ///
    /// # Errors
    ///
    /// Those of [`Self::parse`].
    pub fn new(columns: Vec<ColumnRule>, models: Vec<PrivacyModel>, suppression: f64) -> Result<Self, AnonymizeError> {
        Self::checked(columns, models, suppression, toml::Table::new())
    }

    fn checked(
        columns: Vec<ColumnRule>,
        models: Vec<PrivacyModel>,
        suppression: f64,
        budget: toml::Table,
    ) -> Result<Self, AnonymizeError> {
        let wrong = |problem: &str| AnonymizeError::Schema { problem: problem.to_owned() };
        let mut names = HashSet::new();
        for column in &columns {
            if column.name.trim_ascii() != column.name {
                return Err(column.wrong("a name must not begin or end with a space: headers are read without"));
            }
            if !names.insert(column.name.as_str()) {
                return Err(column.wrong("it is there twice: give every column once"));
            }
        }
        for column in &columns {
            let own = |other: &ColumnRule| match (&column.action, &other.action) {
                (Action::Rows { treatment, .. }, Action::Rows { treatment: other, .. }) => is_same(treatment, other),
                _ => false,
            };
            let noisy = columns.iter().filter(|other| !matches!(other.action, Action::Operation(_)) && !own(other));
            check(column, &names, &noisy.map(|column| column.name.as_str()).collect())?;
        }
        if columns.iter().all(ColumnRule::is_dropped) {
            return Err(wrong(
                "no column is released: give a [[column]] for every column, and another treatment than drop",
            ));
        }
        if !(0.0..=1.0).contains(&suppression) {
            return Err(AnonymizeError::Schema {
                problem: format!("suppression is {suppression}, but must be from 0 to 1"),
            });
        }
        let released = || columns.iter().filter(|column| !column.is_dropped());
        if !models.is_empty() {
            if !models.iter().any(|model| matches!(model, PrivacyModel::KAnonymity { .. })) {
                return Err(wrong("distinct_l, entropy_l and equal_t come with k"));
            }
            if !released().any(|column| column.role == Role::QuasiIdentifier) {
                return Err(wrong("k needs a quasi-identifier that is released"));
            }
            let sensitive = released().filter(|column| column.role == Role::Sensitive).count();
            if models.iter().any(PrivacyModel::needs_sensitive) && sensitive != 1 {
                return Err(wrong("distinct_l, entropy_l and equal_t need one sensitive column that is released"));
            }
        }
        let noisy: Vec<toml::Value> = columns
            .iter()
            .filter_map(|column| match &column.action {
                Action::Noise(keys) => Some(toml::Value::Table(keys.clone())),
                Action::Operation(_) | Action::Rows { .. } => None,
            })
            .collect();
        let noise = if noisy.is_empty() {
            if let Some(key) = budget.keys().next() {
                return Err(AnonymizeError::Schema {
                    problem: format!("{key} is for columns with noise, and there is none"),
                });
            }
            None
        } else {
            let mut table = budget.clone();
            table.insert("column".to_owned(), toml::Value::Array(noisy));
            let text = toml::to_string(&table).map_err(|error| wrong(&error.to_string()))?;
            Some(TableSchema::parse(&text, None).map_err(|error| wrong(&error.to_string()))?)
        };
        Ok(Self { columns, models, suppression, noise, budget })
    }

    /// The columns, in the schema's order.
    pub fn columns(&self) -> &[ColumnRule] {
        &self.columns
    }

    /// What each class of quasi-identifiers must meet.
    pub fn models(&self) -> &[PrivacyModel] {
        &self.models
    }

    /// True if a column needs a key.
    pub fn needs_key(&self) -> bool {
        self.columns.iter().any(|column| match &column.action {
            Action::Operation(Operation::Pseudonym { .. } | Operation::ShiftDates { .. }) => true,
            Action::Rows { treatment, .. } => treatment.needs_key(),
            Action::Operation(_) | Action::Noise(_) => false,
        })
    }

    /// The schema as TOML that [`Self::parse`] reads without any other file: hierarchies are written out. (Treatments that
    /// other crates brought keep their keys, names of files among them.)
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Schema`] for a model that a schema has no key for.
    pub fn to_toml(&self) -> Result<String, AnonymizeError> {
        let wrong = |problem: String| AnonymizeError::Schema { problem };
        let mut table = self.budget.clone();
        for model in &self.models {
            let (key, value) = match model {
                PrivacyModel::KAnonymity { k } => ("k", toml::Value::Integer(*k as i64)),
                PrivacyModel::DistinctLDiversity { l } => ("distinct_l", toml::Value::Integer(*l as i64)),
                PrivacyModel::EntropyLDiversity { l } => ("entropy_l", toml::Value::Float(*l)),
                PrivacyModel::EqualTCloseness { t } => ("equal_t", toml::Value::Float(*t)),
                other => return Err(wrong(format!("it has no key for {other}"))),
            };
            table.insert(key.to_owned(), value);
        }
        if !self.models.is_empty() {
            table.insert("suppression".to_owned(), toml::Value::Float(self.suppression));
        }
        let mut columns = Vec::new();
        for column in &self.columns {
            let mut keys = toml::Table::new();
            keys.insert("name".to_owned(), toml::Value::String(column.name.clone()));
            let unwritten = |error: toml::ser::Error| column.wrong(error);
            keys.insert("role".to_owned(), toml::Value::try_from(column.role).map_err(unwritten)?);
            let others = match &column.action {
                Action::Operation(operation) => toml::Table::try_from(operation).map_err(unwritten)?,
                Action::Noise(keys) | Action::Rows { keys, .. } => keys.clone(),
            };
            keys.extend(others);
            columns.push(toml::Value::Table(keys));
        }
        table.insert("column".to_owned(), toml::Value::Array(columns));
        toml::to_string(&table).map_err(|error| wrong(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        ColumnSchema::parse(text, None).unwrap_err().to_string()
    }

    #[test]
    fn contradictions_are_refused_by_name() {
        let column = |keys: &str| format!("[[column]]\nname = \"a\"\n{keys}\n");
        for (keys, part) in [
            ("role = \"identifier\"\ntreatment = \"keep\"", "an identifier can't be kept"),
            ("role = \"person\"\ntreatment = \"keep\"", "person"),
            ("treatment = \"hide\"", "hide"),
            ("", "no treatment"),
            ("treatment = \"keep\"\nlo = 3", "lo"),
            ("treatment = \"pseudonym\"", "method"),
            ("treatment = \"pseudonym\"\nmethod = \"hmac\"\nformat = \"luhn\"", "format is for method ff1"),
            ("treatment = \"pseudonym\"\nmethod = \"realistic\"", "needs kind"),
            ("treatment = \"mask\"\nfirst = 1\npattern = \"*\"", "exclude each other"),
            ("treatment = \"mask\"\npattern = \"++\"", "covers nothing"),
            ("treatment = \"generalize\"", "needs hierarchy and level"),
            ("treatment = \"round\"\nto = -1", "to is -1"),
            ("treatment = \"top-code\"", "needs lo, hi or both"),
            ("treatment = \"shift-dates\"\nsubject = \"b\"\ndays = 3", "\"b\", which the schema does not have"),
            ("treatment = \"shift-dates\"\nsubject = \"a\"\ndays = 0", "days is 0"),
            ("treatment = \"noise\"\nkind = \"real\"\nlo = 0\nhi = 1\nepsilon = 1.0", "default"),
            ("treatment = \"drop\"", "no column is released"),
        ] {
            let error = refusal(&column(keys));
            assert!(error.contains(part), "{keys}: {error}");
        }
        let kept = column("treatment = \"keep\"\nrole = \"insensitive\"");
        for (text, part) in [
            (String::new(), "no column is released"),
            (format!("{kept}{kept}"), "twice"),
            (format!("colour = 1\n{kept}"), "\"colour\" is unknown"),
            (format!("k = 3\n{kept}"), "k needs a quasi-identifier"),
            (format!("epsilon = 3.0\n{kept}"), "there is none"),
            (format!("suppression = 0.5\n{kept}"), "with k"),
            (format!("k = 2\nequal_t = 0.2\n{}", column("treatment = \"keep\"")), "one sensitive column"),
            (format!("k = 2\nsuppression = 1.5\n{}", column("treatment = \"keep\"")), "from 0 to 1"),
            ("[[column]]\ntreatment = \"keep\"".to_owned(), "no name"),
            ("[[column]]\nname = \" a\"\ntreatment = \"keep\"".to_owned(), "begin or end with a space"),
            ("k =".to_owned(), "schema"),
        ] {
            let error = refusal(&text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_schema_is_written_as_it_was_read() {
        let text = r#"
            k = 5
            suppression = 0.1
            epsilon = 1.0
            [[column]]
            name = "a"
            role = "identifier"
            treatment = "pseudonym"
            method = "ff1"
            format = "iban"
            [[column]]
            name = "b"
            treatment = "generalize"
            labels = { "1" = "low", "2" = "low", "é\n" = "high" }
            other = "*"
            [[column]]
            name = "c"
            role = "sensitive"
            treatment = "noise"
            kind = "integer"
            lo = 0
            hi = 10
            default = 5
            [[column]]
            name = "d"
            treatment = "shift-dates"
            subject = "a"
            days = 30
            format = "DD.MM.YYYY"
        "#;
        let first = ColumnSchema::parse(text, None).unwrap();
        let written = first.to_toml().unwrap();
        let second = ColumnSchema::parse(&written, None).unwrap();
        assert_eq!(second.to_toml().unwrap(), written);
        for (one, other) in first.columns().iter().zip(second.columns()) {
            assert_eq!((&one.name, one.role, one.operation()), (&other.name, other.role, other.operation()));
        }
        assert_eq!((second.models(), second.suppression), (&[PrivacyModel::KAnonymity { k: 5 }][..], 0.1));
        assert_eq!(second.noise.unwrap().epsilon(), 1.0);
    }
}
