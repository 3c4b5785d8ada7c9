//! What a perturbed table is worth.

use std::fmt;

use burn_privacy_budget::statement::{
    Caveats, Fact, FactTable, Guarantee, RandomnessSource, SEEDED, Statement, markdown, text,
};
use serde::{Deserialize, Serialize};

/// What of a row is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectionLevel {
    /// The whole row: every column that is released is randomized.
    Row,
    /// The label alone: it is the one column that is randomized, and others are released as they are.
    Label,
    /// The randomized columns, while others are released as they are.
    Attribute,
}

/// What one randomized column contributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnGuarantee {
    /// Its name.
    pub column: String,
    /// True if it is what a model will predict.
    pub label: bool,
    /// The mechanism in words, with its public parameters.
    pub mechanism: String,
    /// Local epsilon of the column, in nats.
    pub epsilon: f64,
    /// Local delta of the column.
    pub delta: f64,
}

/// What was protected in a table, how, and how well: for people ([`fmt::Display`], [`Self::to_markdown`]) and for
/// machines ([`Self::to_json`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a statement says what the release is worth: publish it beside it"]
pub struct PerturbationStatement {
    /// Set if nothing here is a guarantee, because the randomness came from a fixed seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Always "local differential privacy".
    pub model: String,
    /// Which inputs are neighbors.
    pub adjacency: String,
    /// What of a row is protected.
    pub level: ProtectionLevel,
    /// The sum of the columns' epsilons, in nats (basic composition).
    pub epsilon: f64,
    /// The sum of the columns' deltas.
    pub delta: f64,
    /// The randomized columns.
    pub protected_columns: Vec<ColumnGuarantee>,
    /// Columns released as they are.
    pub unprotected_columns: Vec<String>,
    /// Columns that are not released.
    pub dropped_columns: Vec<String>,
    /// What the check of unreadable columns costs, in nats, if there is one; it is in the sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readability_epsilon: Option<f64>,
    /// Columns most of whose cells seem to have become the default, by that check, once a table is perturbed; nothing
    /// if there are too few rows to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable_columns: Option<Vec<String>>,
    /// Where the randomness came from.
    pub entropy: RandomnessSource,
    /// Rows of the table, once it is perturbed. Replace-one takes it for public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprotected_rows: Option<u64>,
    /// What the guarantee rests on.
    pub assumptions: Vec<String>,
    /// What it leaves out.
    pub not_covered: Vec<String>,
}

impl PerturbationStatement {
    /// The statement of a schema whose columns are these.
    pub(super) fn new(
        protected_columns: Vec<ColumnGuarantee>,
        unprotected_columns: Vec<String>,
        dropped_columns: Vec<String>,
        (epsilon, delta): (f64, f64),
        readability_epsilon: Option<f64>,
        private: bool,
    ) -> Self {
        let level = match (unprotected_columns.is_empty(), protected_columns.as_slice()) {
            (true, _) => ProtectionLevel::Row,
            (false, [only]) if only.label => ProtectionLevel::Label,
            _ => ProtectionLevel::Attribute,
        };
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let mut not_covered = vec!["the number and the order of the rows, and the running time"];
        if !unprotected_columns.is_empty() {
            not_covered.push("unprotected columns, and whatever they reveal about protected ones through correlations");
        }
        Self {
            warning: (!private).then(|| SEEDED.to_owned()),
            model: "local differential privacy".to_owned(),
            adjacency: match level {
                ProtectionLevel::Row => "replace-one: a whole row is exchanged for any other",
                ProtectionLevel::Label => "replace-one label: a row's label is exchanged for any other",
                ProtectionLevel::Attribute => "replace-one in the protected columns: unprotected ones stay the same",
            }
            .to_owned(),
            level,
            epsilon,
            delta,
            protected_columns,
            unprotected_columns,
            dropped_columns,
            readability_epsilon,
            unreadable_columns: None,
            entropy: if private { RandomnessSource::Os } else { RandomnessSource::Seeded },
            unprotected_rows: None,
            assumptions: lines(&[
                "each person is in one row only",
                "bounds, categories, defaults and budgets were chosen without looking at the data",
                "cells are written as the schema says; all others count as their column's default",
                "the rows are perturbed and released once; every further release of them adds its epsilon",
                "the key of the perturbation is not known to anyone; it was never stored",
            ]),
            not_covered: lines(&not_covered),
        }
    }

    /// As JSON, with all numbers at full precision.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a statement has string keys only")
    }

    /// As a Markdown section.
    pub fn to_markdown(&self) -> String {
        markdown(self)
    }
}

impl Statement for PerturbationStatement {
    fn kind(&self) -> &'static str {
        "Statement of input perturbation"
    }

    fn guarantee(&self) -> Guarantee {
        let unit = match self.level {
            ProtectionLevel::Row => "each row",
            ProtectionLevel::Label => "the label of each row (the other columns are not protected)",
            ProtectionLevel::Attribute => "the protected columns of each row (the others are not protected)",
        };
        Guarantee::DifferentialPrivacy {
            mechanism: String::new(),
            epsilon: self.epsilon,
            delta: self.delta,
            is_bound: true,
            of: unit.into(),
            accountant: String::new(),
            local: true,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let names = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.iter().map(|name| named(name.as_str())).collect::<Vec<_>>().join(", "),
        };
        let mut facts = vec![
            Fact::new("Model", "LOCAL DP: every row is perturbed on its own, before anybody collects it".to_owned()),
            Fact::new("Adjacency", self.adjacency.clone()),
            Fact::new(
                "Epsilon",
                format!(
                    "{} (sum over the protected columns{})",
                    self.figure(self.epsilon),
                    if self.readability_epsilon.is_some() { " and the check" } else { "" }
                ),
            ),
            Fact::new("Delta", self.figure(self.delta)),
            Fact::new("Unprotected columns", names(&self.unprotected_columns)),
            Fact::new("Dropped columns", names(&self.dropped_columns)),
        ];
        if let Some(rows) = self.unprotected_rows {
            facts.push(Fact::new("Rows (unprotected)", rows.to_string()));
        }
        if let Some(epsilon) = self.readability_epsilon {
            let outcome = match (&self.unreadable_columns, self.unprotected_rows) {
                (Some(columns), _) => format!("columns that seem unreadable: {}", names(columns)),
                (None, Some(_)) => "too few rows to tell".to_owned(),
                (None, None) => "tells which columns seem unreadable".to_owned(),
            };
            facts.push(Fact::new(
                "Readability check",
                format!("epsilon {} in the sum; {outcome}", self.figure(epsilon)),
            ));
        }
        facts.push(Fact::new("Randomness", self.entropy));
        facts
    }

    fn tables(&self) -> Vec<FactTable> {
        let row = |column: &ColumnGuarantee| {
            let (epsilon, delta) = (self.figure(column.epsilon), self.figure(column.delta));
            vec![column.name(), column.mechanism.clone(), epsilon, delta]
        };
        vec![FactTable {
            columns: vec!["protected column", "mechanism", "epsilon", "delta"],
            rows: self.protected_columns.iter().map(row).collect(),
        }]
    }

    fn caveats(&self) -> Vec<Caveats> {
        Caveats::both(&self.assumptions, &self.not_covered)
    }

    fn is_void(&self) -> bool {
        self.entropy == RandomnessSource::Seeded
    }
}

impl ColumnGuarantee {
    fn name(&self) -> String {
        let name = named(&self.column);
        if self.label { format!("{name} (label)") } else { name.to_owned() }
    }
}

/// A column's name, or that it has none.
fn named(column: &str) -> &str {
    if column.is_empty() { "(no name)" } else { column }
}

impl fmt::Display for PerturbationStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}
