//! A table with pseudonyms in place of names, row by row in constant memory.

use std::path::Path;

use super::format_preserving::{FormatPreserving, NumberFormat};
use super::key::{KeyedPseudonym, PseudonymKey, unkeyed_hash};
use super::mask::Mask;
use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{open_csv, place_of};
use crate::unfinished_file::UnfinishedFile;
use burn_privacy_budget::statement::Grade;

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

/// A treatment with its keys derived.
enum Prepared {
    Hmac(KeyedPseudonym),
    FormatPreserving(Box<FormatPreserving>),
    UnkeyedHash,
    Mask(Mask),
    Keep,
}

impl Prepared {
    fn new(treatment: &Treatment, key: Option<&PseudonymKey>) -> Result<Self, AnonymizeError> {
        let key = || key.ok_or_else(|| AnonymizeError::parameter("the key", "missing", "given for keyed pseudonyms"));
        Ok(match treatment {
            Treatment::Hmac { domain } => Self::Hmac(KeyedPseudonym::new(key()?, domain)),
            Treatment::FormatPreserving { domain, format } => {
                Self::FormatPreserving(Box::new(FormatPreserving::new(key()?, domain, *format)?))
            }
            Treatment::UnkeyedHash => Self::UnkeyedHash,
            Treatment::Mask(mask) => Self::Mask(*mask),
            Treatment::Keep => Self::Keep,
        })
    }

    fn apply(&self, value: &str) -> Result<String, String> {
        Ok(match self {
            Self::Hmac(keyed) => keyed.pseudonym(value),
            Self::FormatPreserving(cipher) => cipher.pseudonym(value)?,
            Self::UnkeyedHash => unkeyed_hash(value),
            Self::Mask(mask) => mask.apply(value),
            Self::Keep => value.to_owned(),
        })
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
    let (mut reader, header) = open_csv(input, separator)?;
    let mut plan: Vec<(usize, Prepared)> = Vec::new();
    for treatment in treatments {
        let place = place_of(input, &header, &treatment.column)?;
        if plan.iter().any(|(taken, _)| *taken == place) {
            let allowed = "treated in one way";
            return Err(AnonymizeError::parameter("a column", format!("{:?} twice", treatment.column), allowed));
        }
        plan.push((place, Prepared::new(&treatment.treatment, key)?));
    }
    plan.sort_by_key(|(place, _)| *place);
    let mut file = UnfinishedFile::new(output, replace)?;
    let mut lines = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
    let unwritten = |error: csv::Error| AnonymizeError::csv(output, error);
    lines.write_record(plan.iter().map(|(place, _)| &header[*place])).map_err(unwritten)?;
    let mut record = csv::StringRecord::new();
    let mut rows = 0_u64;
    while reader.read_record(&mut record).map_err(|error| AnonymizeError::csv(input, error))? {
        for (place, prepared) in &plan {
            let cell = prepared.apply(&record[*place]).map_err(|problem| AnonymizeError::Structure {
                file: input.to_owned(),
                line: record.position().map_or(0, csv::Position::line),
                problem: format!("column {:?}: {problem}", header[*place]),
            })?;
            lines.write_field(cell).map_err(unwritten)?;
        }
        lines.write_record(None::<&[u8]>).map_err(unwritten)?;
        rows += 1;
        if rows.is_multiple_of(1024) {
            lines = flush(lines, &mut file, separator, output)?;
        }
    }
    flush(lines, &mut file, separator, output)?;
    file.finish()?;
    let dropped: Vec<&str> = header
        .iter()
        .enumerate()
        .filter(|(place, _)| plan.iter().all(|(taken, _)| taken != place))
        .map(|(_, name)| name.as_str())
        .collect();
    statement(treatments, &dropped, rows)
}

/// Hands what was written in memory on to the file.
fn flush(
    lines: csv::Writer<Vec<u8>>,
    file: &mut UnfinishedFile,
    separator: u8,
    output: &Path,
) -> Result<csv::Writer<Vec<u8>>, AnonymizeError> {
    let mut bytes = lines.into_inner().map_err(|error| AnonymizeError::Write {
        file: output.to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    file.write(&bytes)?;
    bytes.clear();
    Ok(csv::WriterBuilder::new().delimiter(separator).from_writer(bytes))
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
    if !masked.is_empty() {
        statement = statement.caveat("what a mask shows, and the length of what it covers");
    }
    if !kept.is_empty() {
        statement =
            statement.caveat(format!("columns released as they are can single people out: {}", kept.join(", ")));
    }
    Ok(statement.caveat("the number and the order of the rows"))
}
