//! What a column is, and what can happen to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::dates::DateFormat;
use crate::pseudonym::{Locale, NumberFormat, RealisticKind};

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It names a person by itself: it is never released as it is.
    Identifier,
    /// It singles people out together with others, and an attacker may know it. A column without a role counts as one.
    QuasiIdentifier,
    /// What nobody should learn of a person.
    Sensitive,
    /// Neither: the one who writes the schema answers for that.
    Insensitive,
}

impl Role {
    /// The role in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::QuasiIdentifier => "quasi-identifier",
            Self::Sensitive => "sensitive",
            Self::Insensitive => "insensitive",
        }
    }
}

/// How a pseudonym is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PseudonymMethod {
    /// HMAC-SHA-256, 32 hexadecimal digits: one to one, joins survive.
    Hmac,
    /// FF1 over the digits (`format = "digits"`, `"luhn"`, `"iban"`) or over letters and digits (`"shape"`): one to one,
    /// reversible with the key, joins survive.
    Ff1,
    /// An address for an address, by HMAC: joins survive.
    Email,
    /// A name from a word list (`kind`, `locale`): not one to one.
    Realistic,
}

/// What FF1 encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ff1Format {
    /// The digits.
    #[default]
    Digits,
    /// The digits of a card number; its Luhn digit is made anew.
    Luhn,
    /// The digits of an IBAN; its check digits are made anew.
    Iban,
    /// Letters and digits, each staying what it is: post codes, plates.
    Shape,
}

impl Ff1Format {
    /// The format of numbers; none for shapes.
    pub(super) fn of_numbers(self) -> Option<NumberFormat> {
        match self {
            Self::Digits => Some(NumberFormat::Digits),
            Self::Luhn => Some(NumberFormat::Luhn),
            Self::Iban => Some(NumberFormat::Iban),
            Self::Shape => None,
        }
    }
}

/// What happens to a column, but for noise, which is [`crate::perturb`]'s. The names are the schema's `treatment`, the
/// fields its other keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "treatment", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Left out.
    Drop {},
    /// Released as it is.
    Keep {},
    /// A keyed pseudonym.
    Pseudonym {
        /// How it is made.
        method: PseudonymMethod,
        /// Columns of the same domain join, in other tables too; the column's name if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
        /// For `ff1`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Ff1Format>,
        /// For `realistic`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<RealisticKind>,
        /// For `realistic`: whose names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locale: Option<Locale>,
        /// For `email`: keeps what stands behind the `@`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_domain: Option<bool>,
    },
    /// SHA-256 without a key: for comparison; a dictionary undoes it.
    UnkeyedHash {},
    /// Signs covered by `*`.
    Mask {
        /// Signs seen at the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first: Option<usize>,
        /// Signs seen at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<usize>,
        /// A sign for each sign of the value: `*` covers, `+` shows, any other must stand there. A value that does not fit
        /// is covered whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pattern: Option<String>,
    },
    /// The label of a level of a hierarchy.
    Generalize {
        /// A file in ARX's format, found from the schema's folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hierarchy: Option<PathBuf>,
        /// A level of that hierarchy; 0 is the value itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        level: Option<usize>,
        /// Instead of both: the label of each value.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// The label of values that the hierarchy does not know; without it they are an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<String>,
    },
    /// The nearest multiple (of two equally near ones the even multiple).
    Round {
        /// Of what, as a decimal number above 0.
        to: f64,
    },
    /// Numbers beyond a bound become the bound.
    TopCode {
        /// The lower bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lo: Option<f64>,
        /// The upper bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hi: Option<f64>,
    },
    /// All dates of a subject moved by the same number of days, which follows from the key.
    ShiftDates {
        /// The column that says whose date it is.
        subject: String,
        /// Days at most, either way.
        days: u32,
        /// How dates are written.
        #[serde(default)]
        format: DateFormat,
        /// Tables in which a subject's dates move alike; the subject column's name if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        domain: Option<String>,
    },
    /// Addresses, numbers and words in free text replaced by what they are, such as `[E-MAIL]`.
    RedactText {
        /// Words that are replaced, in any case.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        words: Vec<String>,
        /// Columns whose cell of the same row is replaced, such as the name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        columns: Vec<String>,
    },
}

impl Ff1Format {
    /// The format in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Digits => "digits",
            Self::Luhn => "card number",
            Self::Iban => "IBAN",
            Self::Shape => "letters and digits",
        }
    }
}
