//! What a perturbed table is worth.

use std::fmt;

use burn_privacy_accounting::{Entropy, round_up_for_display};
use serde::{Deserialize, Serialize};

/// The first line of every statement of a run with a fixed seed.
const SEEDED: &str = "NOT PRIVATE: fixed seed";

/// What of a row is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectionLevel {
    /// The whole row: every column that is released is randomised.
    Row,
    /// The label alone: it is the one column that is randomised, and others are released as they are.
    Label,
    /// The randomised columns, while others are released as they are.
    Attribute,
}

/// What one randomised column contributes.
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
pub struct PerturbationStatement {
    /// Set if nothing here is a guarantee, because the randomness came from a fixed seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Always "local differential privacy".
    pub model: String,
    /// Which inputs are neighbours.
    pub adjacency: String,
    /// What of a row is protected.
    pub level: ProtectionLevel,
    /// The sum of the columns' epsilons, in nats (basic composition).
    pub epsilon: f64,
    /// The sum of the columns' deltas.
    pub delta: f64,
    /// The randomised columns.
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
    pub entropy: Entropy,
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
            entropy: if private { Entropy::Os } else { Entropy::Seeded },
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

    /// True if nothing here is a guarantee, because the randomness came from a fixed seed.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.entropy == Entropy::Seeded
    }

    /// One sentence with the guarantee, or with the lack of one.
    #[must_use]
    pub fn headline(&self) -> String {
        let unit = match self.level {
            ProtectionLevel::Row => "each row",
            ProtectionLevel::Label => "the label of each row (the other columns are not protected)",
            ProtectionLevel::Attribute => "the protected columns of each row (the others are not protected)",
        };
        let parameters = match (round_up_for_display(self.epsilon), self.delta > 0.0) {
            (epsilon, false) => epsilon,
            (epsilon, true) => format!("({epsilon}, {})", round_up_for_display(self.delta)),
        };
        let guarantee = format!("{parameters}-local differential privacy (LOCAL DP) of {unit}");
        if self.is_void() { format!("{SEEDED}; with fresh randomness it would be {guarantee}") } else { guarantee }
    }

    /// As JSON, with all numbers at full precision.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a statement has string keys only")
    }

    /// As a Markdown section.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        if self.is_void() {
            text.push_str(&format!("{SEEDED}\n\n"));
        }
        text.push_str(&format!("## Statement of input perturbation\n\n**{}**\n\n| | |\n|---|---|\n", self.headline()));
        for (name, value) in self.facts() {
            text.push_str(&format!("| {name} | {} |\n", escaped(&value)));
        }
        text.push_str("\n| protected column | mechanism | epsilon | delta |\n|---|---|---|---|\n");
        for column in &self.protected_columns {
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                escaped(&column.name()),
                escaped(&column.mechanism),
                round_up_for_display(column.epsilon),
                round_up_for_display(column.delta)
            ));
        }
        for (title, items) in self.lists() {
            text.push_str(&format!("\n{title}:\n\n"));
            for item in items {
                text.push_str(&format!("- {item}\n"));
            }
        }
        text
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let names = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.iter().map(|name| named(name.as_str())).collect::<Vec<_>>().join(", "),
        };
        let mut facts = vec![
            ("Model", "LOCAL DP: every row is perturbed on its own, before anybody collects it".to_owned()),
            ("Adjacency", self.adjacency.clone()),
            (
                "Epsilon",
                format!(
                    "{} (sum over the protected columns{})",
                    round_up_for_display(self.epsilon),
                    if self.readability_epsilon.is_some() { " and the check" } else { "" }
                ),
            ),
            ("Delta", round_up_for_display(self.delta)),
            ("Unprotected columns", names(&self.unprotected_columns)),
            ("Dropped columns", names(&self.dropped_columns)),
        ];
        if let Some(rows) = self.unprotected_rows {
            facts.push(("Rows (unprotected)", rows.to_string()));
        }
        if let Some(epsilon) = self.readability_epsilon {
            let outcome = match (&self.unreadable_columns, self.unprotected_rows) {
                (Some(columns), _) => format!("columns that seem unreadable: {}", names(columns)),
                (None, Some(_)) => "too few rows to tell".to_owned(),
                (None, None) => "tells which columns seem unreadable".to_owned(),
            };
            facts.push((
                "Readability check",
                format!("epsilon {} in the sum; {outcome}", round_up_for_display(epsilon)),
            ));
        }
        facts.push((
            "Randomness",
            match self.entropy {
                Entropy::Os => "operating system's cryptographic generator".to_owned(),
                Entropy::Seeded => "fixed seed, which makes all figures here void".to_owned(),
            },
        ));
        facts
    }

    fn lists(&self) -> [(&'static str, &[String]); 2] {
        [("Assumptions", &self.assumptions), ("Not covered", &self.not_covered)]
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
        if self.is_void() {
            writeln!(f, "{SEEDED}")?;
        }
        writeln!(f, "{}\n", self.headline())?;
        for (name, value) in self.facts() {
            writeln!(f, "  {name:<21}{value}")?;
        }
        writeln!(f, "\nProtected columns:")?;
        for column in &self.protected_columns {
            write!(f, "  {}: epsilon {}", column.name(), round_up_for_display(column.epsilon))?;
            if column.delta > 0.0 {
                write!(f, " at delta {}", round_up_for_display(column.delta))?;
            }
            writeln!(f, ", {}", column.mechanism)?;
        }
        for (title, items) in self.lists() {
            writeln!(f, "\n{title}:")?;
            for item in items {
                writeln!(f, "  - {item}")?;
            }
        }
        Ok(())
    }
}

/// A cell of a Markdown table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
