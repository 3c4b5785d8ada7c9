//! What a transformed table is worth: the grade of its weakest column, and each column's own.

use std::fmt;
use std::sync::Arc;

use burn_privacy_budget::statement::{Caveats, Fact, FactTable, Grade, Guarantee, Statement, text};

use super::operation::{Ff1Format, Operation, PseudonymMethod, Role};
use super::row_treatment::{RowTreatment, RowWorth, grade, is_same, together};
use super::rules::{Action, ColumnRule};
use super::schema::ColumnSchema;
use crate::AnonymizeError;
use crate::perturb::PerturbationStatement;

/// A column as it was released.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleasedColumn {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// What was done to it.
    pub what: String,
    /// What that is worth; nothing for columns that count as neither identifying nor protected.
    pub grade: Option<Grade>,
    /// Against whom, or what is left.
    pub fact: String,
}

/// What was done to a table, and what that protects.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnsStatement {
    guarantee: Guarantee,
    /// The released columns, in the input's order.
    pub columns: Vec<ReleasedColumn>,
    /// The columns that were left out.
    pub dropped: Vec<String>,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that were released; fewer where classes were too small.
    pub released_rows: u64,
    /// Rows of the smallest class of quasi-identifiers, where classes were counted.
    pub smallest_class: Option<u64>,
    models: Vec<String>,
    more: Vec<Fact>,
    caveats: Vec<String>,
    void: bool,
}

/// What became known while the rows were read.
pub(super) struct Observed {
    /// What treatments that other crates bring are worth.
    pub(super) worths: Vec<(Arc<dyn RowTreatment>, RowWorth)>,
    pub(super) rows: u64,
    pub(super) released_rows: u64,
    pub(super) smallest_class: Option<u64>,
    /// For each column of the schema: decimal logarithm of guesses, of hashes without a key.
    pub(super) guesses: Vec<f64>,
    pub(super) realistic: Vec<Option<f64>>,
}

impl ColumnsStatement {
    pub(super) fn new(
        schema: &ColumnSchema,
        order: &[usize],
        noise: Option<PerturbationStatement>,
        observed: &Observed,
    ) -> Result<Self, AnonymizeError> {
        let counted = !schema.models.is_empty();
        let columns: Vec<ReleasedColumn> = order
            .iter()
            .map(|&place| released(&schema.columns[place], place, noise.as_ref(), counted, observed))
            .collect();
        let models: Vec<String> = schema.models.iter().map(ToString::to_string).collect();
        let weakest = columns.iter().filter_map(|column| column.grade).min();
        let ungraded = columns.iter().any(|column| column.grade.is_none());
        let worths: Vec<&RowWorth> = observed.worths.iter().map(|(_, worth)| worth).collect();
        let of_noise = noise.as_ref().map(|noise| {
            let mut noise = noise.clone();
            if ungraded || !worths.is_empty() {
                noise.level = crate::perturb::ProtectionLevel::Attribute;
            }
            noise.guarantee()
        });
        let guarantee = match (weakest, together(&worths, of_noise.clone()).or(of_noise)) {
            (Some(Grade::DifferentialPrivacy), Some(guarantee)) => guarantee,
            (Some(Grade::Syntactic), Some(guarantee)) if !counted && guarantee.grade() == Grade::Syntactic => guarantee,
            (Some(Grade::Syntactic), _) => Guarantee::syntactic(format!(
                "{} of the released rows, against whoever knows at most the quasi-identifiers of a person in the table and \
                 nothing else about it",
                models.join(" and ")
            ))?,
            (Some(Grade::Pseudonymized), _) => Guarantee::pseudonymized(
                "whoever has not the key can't compute an identifier from what stands in its place, nor check a guess; \
                 whoever has it can, and what stands beside it can tell who is meant",
            )?,
            _ => Guarantee::disguised(
                "no guarantee: what is shown is coarser or harder to read, and people can be found in it",
            )?,
        };
        let mut caveats: Vec<String> = Vec::new();
        let has = |wanted: &dyn Fn(&ColumnRule) -> bool| order.iter().any(|&place| wanted(&schema.columns[place]));
        let of = |wanted: &dyn Fn(&Operation) -> bool| has(&|column| column.operation().is_some_and(wanted));
        if of(&|operation| matches!(operation, Operation::Pseudonym { .. })) {
            caveats.push(
                "equal values have equal pseudonyms: how often each occurs, and what stands beside it, is seen"
                    .to_owned(),
            );
        }
        if of(&|operation| matches!(operation, Operation::UnkeyedHash {})) {
            caveats.push(
                "hashes without a key fall to a dictionary of likely values: run `burn-privacy anonymize attack dictionary`"
                    .to_owned(),
            );
        }
        if of(&|operation| matches!(operation, Operation::ShiftDates { .. })) {
            caveats.push("the days between two dates of a subject, and times of day, stay what they are".to_owned());
        }
        if of(&|operation| matches!(operation, Operation::RedactText { .. })) {
            caveats.push("names that no list and no other column has stay in free text".to_owned());
        }
        if counted {
            caveats.push(
                "an attacker who knows other columns, or how labels were chosen (downcoding, Cohen 2022)".to_owned(),
            );
            caveats.push("two releases of overlapping tables: their intersection can single out rows".to_owned());
        } else if has(&|column| column.role == Role::QuasiIdentifier && matches!(column.action, Action::Operation(_))) {
            caveats.push(
                "quasi-identifiers together can single people out: no class was counted (give the schema a k)"
                    .to_owned(),
            );
        }
        for (treatment, worth) in &observed.worths {
            let of = treatment.reads().first().map_or("", String::as_str);
            caveats.extend(worth.caveats.iter().map(|caveat| format!("column {of:?}: {caveat}")));
        }
        // The epsilon of the noise holds under these alone, and costs again with every further release.
        if let Some(noise) = &noise {
            caveats.extend(noise.assumptions.iter().map(|sentence| format!("noise: it is assumed that {sentence}")));
        }
        if ungraded {
            caveats.push("columns that the schema calls sensitive or insensitive: what they reveal is the schema's to answer for".to_owned());
        }
        caveats.push("that a cell is empty, and the number and the order of the rows".to_owned());
        Ok(Self {
            guarantee,
            dropped: schema
                .columns
                .iter()
                .filter(|column| column.is_dropped())
                .map(|column| column.name.clone())
                .collect(),
            columns,
            rows: observed.rows,
            released_rows: observed.released_rows,
            smallest_class: observed.smallest_class,
            models,
            more: Vec::new(),
            caveats,
            void: noise.is_some_and(|noise| noise.is_void()) || worths.iter().any(|worth| worth.seeded),
        })
    }

    /// Adds a fact, such as what was charged.
    pub fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.more.push(Fact::new(name, value));
        self
    }

    /// The grade of the weakest column.
    pub fn grade(&self) -> Grade {
        self.guarantee.grade()
    }
}

/// A column's own part.
fn released(
    column: &ColumnRule,
    place: usize,
    noise: Option<&PerturbationStatement>,
    counted: bool,
    observed: &Observed,
) -> ReleasedColumn {
    let (what, graded, fact) = match &column.action {
        Action::Noise(_) => {
            let guarantee =
                noise.and_then(|noise| noise.protected_columns.iter().find(|one| one.column == column.name));
            let (what, fact) = guarantee.map_or_else(Default::default, |one| {
                let number = burn_privacy_accounting::round_up_for_display;
                let delta = if one.delta > 0.0 { format!(", delta {}", number(one.delta)) } else { String::new() };
                (
                    format!("noise: {}", one.mechanism),
                    format!("epsilon {}{delta}, whatever else is known", number(one.epsilon)),
                )
            });
            (what, Some(Grade::DifferentialPrivacy), fact)
        }
        Action::Rows { treatment, .. } => match observed.worths.iter().find(|(known, _)| is_same(known, treatment)) {
            Some((_, worth)) => (worth.what.clone(), Some(grade(worth)), worth.fact.clone()),
            None => Default::default(),
        },
        Action::Operation(operation) => described(operation, observed, place),
    };
    let grade = match (graded, column.role) {
        (Some(Grade::DifferentialPrivacy), _) => graded,
        (_, Role::QuasiIdentifier) if counted => Some(Grade::Syntactic),
        (graded, _) if matches!(column.action, Action::Rows { .. }) => graded,
        (graded @ Some(Grade::Pseudonymized), _) | (graded, Role::Identifier) => graded.or(Some(Grade::Disguised)),
        (_, Role::QuasiIdentifier) => Some(Grade::Disguised),
        // Free text and hashes are no attribute that a schema can vouch for.
        (Some(_), _)
            if matches!(column.operation(), Some(Operation::RedactText { .. } | Operation::UnkeyedHash {})) =>
        {
            Some(Grade::Disguised)
        }

        _ => None,
    };
    let fact = match (column.role, grade) {
        (Role::QuasiIdentifier, Some(Grade::Syntactic)) => "in a class of rows that show the same".to_owned(),
        _ => fact,
    };
    ReleasedColumn { name: column.name.clone(), role: column.role, what, grade, fact }
}

/// What an operation does in words, its grade for an identifier, and what is left.
fn described(operation: &Operation, observed: &Observed, place: usize) -> (String, Option<Grade>, String) {
    let pseudonymized = Some(Grade::Pseudonymized);
    let disguised = Some(Grade::Disguised);
    match operation {
        Operation::Drop {} => ("left out".to_owned(), None, String::new()),
        Operation::Keep {} => ("as it is".to_owned(), None, "seen by everybody".to_owned()),
        Operation::Pseudonym { method: PseudonymMethod::Hmac, .. } => {
            ("HMAC-SHA-256 under the key, 128 bits".to_owned(), pseudonymized, "one way; joins survive".to_owned())
        }
        Operation::Pseudonym { method: PseudonymMethod::Email, keep_domain, .. } => {
            let seen = match keep_domain {
                Some(true) => "; the domain is seen",
                _ => "; addresses of one domain show that they are",
            };
            ("e-mail by HMAC under the key".to_owned(), pseudonymized, format!("one way; joins survive{seen}"))
        }
        Operation::Pseudonym { method: PseudonymMethod::Ff1, format, .. } => (
            format!("FF1 under the key, {}", format.unwrap_or(Ff1Format::Digits).name()),
            pseudonymized,
            match format {
                Some(Ff1Format::Iban) => {
                    "the key undoes it; the country, the letters, length and shape are seen; joins survive".to_owned()
                }
                _ => "the key undoes it; length and shape are seen; joins survive".to_owned(),
            },
        ),
        Operation::Pseudonym { method: PseudonymMethod::Realistic, .. } => {
            let choices = observed.realistic[place].map_or(String::new(), |choices| format!(" of {choices:.0}"));
            (
                format!("keyed choice{choices} from word lists"),
                pseudonymized,
                "not one to one: don't join on it".to_owned(),
            )
        }
        Operation::UnkeyedHash {} => (
            "SHA-256 without a key".to_owned(),
            disguised,
            format!(
                "all fall within 10^{:.0} guesses (all letters and digits of the longest), likely values in as many as there are",
                observed.guesses[place].ceil()
            ),
        ),
        Operation::Mask { .. } => ("masked".to_owned(), disguised, "what the mask shows, and the length".to_owned()),
        Operation::Generalize { .. } => ("generalized".to_owned(), disguised, "the label is seen".to_owned()),
        Operation::Round { to } => (format!("rounded to {to}"), disguised, format!("seen to within {}", to / 2.0)),
        Operation::TopCode { lo, hi } => {
            let bound = |bound: Option<f64>| bound.map_or("..".to_owned(), |bound| bound.to_string());
            (format!("bounded to {} to {}", bound(*lo), bound(*hi)), disguised, "all values within are seen".to_owned())
        }
        Operation::ShiftDates { days, .. } => (
            format!("dates moved by up to {days} days for each subject, under the key"),
            disguised,
            format!("one known date tells a subject's others; else {} choices", 2 * u64::from(*days) + 1),
        ),
        Operation::RedactText { .. } => {
            ("free text, redacted".to_owned(), disguised, "what no pattern finds stays".to_owned())
        }
    }
}

impl Statement for ColumnsStatement {
    fn kind(&self) -> &'static str {
        "Statement of a transformed table"
    }

    fn guarantee(&self) -> Guarantee {
        self.guarantee.clone()
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![Fact::new("Grade", format!("{} (that of the weakest column)", self.grade()))];
        facts.push(Fact::new("Rows", self.rows));
        if let Some(smallest) = self.smallest_class {
            facts.push(Fact::new("Models", self.models.join(", ")));
            facts.push(Fact::new("Suppressed rows, which are not released", self.rows - self.released_rows));
            facts.push(Fact::new("Rows of the smallest class", smallest));
        }
        let dropped = if self.dropped.is_empty() { "none".to_owned() } else { self.dropped.join(", ") };
        facts.push(Fact::new("Left out", dropped));
        facts.extend(self.more.iter().cloned());
        facts
    }

    fn tables(&self) -> Vec<FactTable> {
        let row = |column: &ReleasedColumn| {
            let grade = column.grade.map_or("-".to_owned(), |grade| grade.to_string());
            vec![column.name.clone(), column.role.name().to_owned(), column.what.clone(), grade, column.fact.clone()]
        };
        vec![FactTable {
            columns: vec!["column", "role", "what was done", "grade", "what is left"],
            rows: self.columns.iter().map(row).collect(),
        }]
    }

    fn caveats(&self) -> Vec<Caveats> {
        vec![Caveats { title: "Not covered", sentences: self.caveats.clone() }]
    }

    fn is_void(&self) -> bool {
        self.void
    }
}

impl fmt::Display for ColumnsStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}
