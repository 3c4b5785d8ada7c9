//! A table with pseudonyms in place of names: the short way to a schema of [`crate::columns`] that has pseudonyms alone.

use std::path::Path;

use burn_privacy_budget::statement::Grade;

use super::operation::{Ff1Format, Operation, PseudonymMethod, Role};
use super::options::TransformOptions;
use super::rules::ColumnRule;
use super::schema::ColumnSchema;
use super::transform::transform_file;
use crate::AnonymizeError;
use crate::perturb::TableFormat;
use crate::pseudonym::{Mask, NumberFormat, PseudonymKey};
use crate::statement::TableStatement;
use crate::table::{column_names, place_of};

/// What happens to a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Treatment {
    /// HMAC-SHA-256 under the key, in a domain: columns of the same domain join, over tables too.
    Hmac {
        /// The domain's name.
        domain: String,
    },
    /// FF1 under the key, in a domain.
    FormatPreserving {
        /// The domain's name.
        domain: String,
        /// Which digits.
        format: NumberFormat,
    },
    /// SHA-256 without a key: for comparison with what others do; anyone who can guess a value can check it.
    UnkeyedHash,
    /// All but the ends covered.
    Mask(Mask),
    /// Released as it is.
    Keep,
}

/// A column and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnTreatment {
    /// Its name in the header.
    pub column: String,
    /// What happens to it.
    pub treatment: Treatment,
}

impl ColumnTreatment {
    /// As an operation of a schema.
    fn rule(&self) -> ColumnRule {
        let pseudonym = |method, domain: &String, format| Operation::Pseudonym {
            method,
            domain: Some(domain.clone()),
            format,
            kind: None,
            locale: None,
            keep_domain: None,
        };
        let operation = match &self.treatment {
            Treatment::Hmac { domain } => pseudonym(PseudonymMethod::Hmac, domain, None),
            Treatment::FormatPreserving { domain, format } => {
                let format = match format {
                    NumberFormat::Digits => Ff1Format::Digits,
                    NumberFormat::Luhn => Ff1Format::Luhn,
                    NumberFormat::Iban => Ff1Format::Iban,
                };
                pseudonym(PseudonymMethod::Ff1, domain, Some(format))
            }
            Treatment::UnkeyedHash => Operation::UnkeyedHash {},
            Treatment::Mask(mask) => Operation::Mask { first: Some(mask.first), last: Some(mask.last), pattern: None },
            Treatment::Keep => return ColumnRule::new(&self.column, Role::Insensitive, Operation::Keep {}),
        };
        ColumnRule::new(&self.column, Role::Identifier, operation)
    }
}

/// Writes `input` to `output` with its columns treated; columns without a treatment are left out. Rows keep their order.
///
/// # Errors
///
/// [`AnonymizeError`] if `input` is no table, a column is missing or treated twice, a value can't be encrypted in its format
/// (the line is named, the value is not), the key is missing, or `output` exists and is not to be replaced or can't be
/// written. What was there before is then untouched.
pub fn pseudonymize_table(
    input: &Path,
    separator: u8,
    treatments: &[ColumnTreatment],
    key: Option<&PseudonymKey>,
    output: &Path,
    replace: bool,
) -> Result<TableStatement, AnonymizeError> {
    if treatments.is_empty() {
        return Err(AnonymizeError::parameter("the number of columns to release", 0, "at least 1"));
    }
    let header: Vec<String> = column_names(input, separator)?.iter().map(|name| name.trim_ascii().to_owned()).collect();
    let mut rules: Vec<ColumnRule> = Vec::with_capacity(header.len());
    for treatment in treatments {
        place_of(input, &header, &treatment.column)?;
        if rules.iter().any(|taken| taken.name == treatment.column) {
            let allowed = "treated in one way";
            return Err(AnonymizeError::parameter("a column", format!("{:?} twice", treatment.column), allowed));
        }
        rules.push(treatment.rule());
    }
    let dropped: Vec<&str> = header
        .iter()
        .map(String::as_str)
        .filter(|name| treatments.iter().all(|treatment| treatment.column != *name))
        .collect();
    rules.extend(dropped.iter().map(|&name| ColumnRule::new(name, Role::Identifier, Operation::Drop {})));
    let schema = ColumnSchema::new(rules, Vec::new(), 1.0)?;
    let csv = TableFormat::new(Some(char::from(separator)), None)
        .map_err(|error| AnonymizeError::Schema { problem: error.to_string() })?;
    let options = TransformOptions { csv, replace, ..TransformOptions::default() };
    let transformed = transform_file(&schema, key, input, output, &options, &mut |_| {})?;
    statement(treatments, &dropped, transformed.rows)
}

fn statement(treatments: &[ColumnTreatment], dropped: &[&str], rows: u64) -> Result<TableStatement, AnonymizeError> {
    let of = |chosen: &dyn Fn(&Treatment) -> bool| -> Vec<&str> {
        let chosen = treatments.iter().filter(|treated| chosen(&treated.treatment));
        chosen.map(|treated| treated.column.as_str()).collect()
    };
    let hmac = of(&|treatment| matches!(treatment, Treatment::Hmac { .. }));
    let ff1 = of(&|treatment| matches!(treatment, Treatment::FormatPreserving { .. }));
    let unkeyed = of(&|treatment| *treatment == Treatment::UnkeyedHash);
    let masked = of(&|treatment| matches!(treatment, Treatment::Mask(_)));
    let kept = of(&|treatment| *treatment == Treatment::Keep);
    let keyed = !(hmac.is_empty() && ff1.is_empty());
    // The weakest treatment of a name decides.
    let grade = if keyed && unkeyed.is_empty() { Grade::Pseudonymized } else { Grade::Disguised };
    let guarantee = match grade {
        Grade::Pseudonymized => {
            "Whoever does not have the key can't compute a value from its pseudonym, nor check a guess. Whoever has it can \
             do both; without the key, the pseudonyms can't be undone."
        }
        _ => "No guarantee: values are harder to read, and can be found by guessing.",
    };
    let mut statement = TableStatement::new(grade, guarantee)?.fact("rows", rows);
    for (name, columns) in [
        ("HMAC-SHA-256 under the key, 128 bits", &hmac),
        ("FF1 under the key", &ff1),
        ("SHA-256 without a key", &unkeyed),
        ("masked", &masked),
        ("released as they are", &kept),
    ] {
        if !columns.is_empty() {
            statement = statement.fact(name, columns.join(", "));
        }
    }
    if !dropped.is_empty() {
        statement = statement.fact("left out", dropped.join(", "));
    }
    if !unkeyed.is_empty() {
        statement = statement.caveat(
            "hashes without a key fall to a dictionary, in as many guesses as there are plausible values: run `burn-privacy \
             anonymize attack dictionary`",
        );
    }
    if keyed {
        statement = statement
            .caveat("equal values have equal pseudonyms: how often each occurs, and what stands beside it, is seen")
            .caveat("empty cells stay empty");
    }
    let iban = of(&|treatment| matches!(treatment, Treatment::FormatPreserving { format: NumberFormat::Iban, .. }));
    if !iban.is_empty() {
        statement = statement.caveat(format!("the country and the letters of IBANs: {}", iban.join(", ")));
    }
    if !ff1.is_empty() {
        statement = statement.caveat("the length of what FF1 encrypts, and its blanks and punctuation");
    }
    if !masked.is_empty() {
        statement = statement.caveat("what a mask shows, and the length of what it covers");
    }
    if !kept.is_empty() {
        statement =
            statement.caveat(format!("columns released as they are can single people out: {}", kept.join(", ")));
    }
    Ok(statement.caveat("the number and the order of the rows"))
}
