//! What can be wrong with a table, a hierarchy or a parameter, in sentences.

use std::borrow::Cow;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use burn_privacy_output::InvalidValue;

/// Why a table could not be anonymized, attacked or inspected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnonymizeError {
    /// A statement would claim more than its grade holds.
    #[error(transparent)]
    Overclaim(#[from] burn_privacy_budget::statement::OverclaimError),
    /// A file could not be read.
    #[error("{}: could not be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file could not be written; what was there before is untouched.
    #[error("{}: could not be written: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is no table, or no hierarchy.
    #[error("{}: line {line}: {problem}", file.display())]
    Structure {
        /// The file.
        file: PathBuf,
        /// Line of the record, from 1; 0 where it is not known.
        line: u64,
        /// What is wrong, as a sentence without a capital.
        problem: String,
    },
    /// A schema of columns is wrong.
    #[error("the schema: {problem}")]
    Schema {
        /// What is wrong, and what to do, as a sentence without a capital.
        problem: String,
    },
    /// A hierarchy contradicts itself.
    #[error("the hierarchy of column {column:?} {problem}")]
    Hierarchy {
        /// The column.
        column: String,
        /// What is wrong, as the rest of the sentence.
        problem: String,
    },
    /// A name stands twice in a header.
    #[error("{}: two columns are named {column:?}: rename one", file.display())]
    RepeatedColumn {
        /// The file.
        file: PathBuf,
        /// The name.
        column: String,
    },
    /// A column that was named is not there.
    #[error("{}: there is no column {column:?}; the columns are {present}", file.display())]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The name.
        column: String,
        /// The names that are there.
        present: String,
    },
    /// A cell holds what its hierarchy does not know.
    #[error(
        "{}: line {line}: column {column:?} holds {value:?}, which its hierarchy does not know: add a line for it{}",
        file.display(), if value.is_empty() { " (an empty cell is a value like any other)" } else { "" }
    )]
    UnknownValue {
        /// The file.
        file: PathBuf,
        /// Line of the cell.
        line: u64,
        /// Its column.
        column: String,
        /// The value.
        value: String,
    },
    /// A cell should be a finite number.
    #[error("{}: line {line}: column {column:?} holds {value:?}, which is no finite number", file.display())]
    NotANumber {
        /// The file.
        file: PathBuf,
        /// Line of the cell.
        line: u64,
        /// Its column.
        column: String,
        /// The value.
        value: String,
    },
    /// A parameter is outside its range.
    #[error(transparent)]
    Parameter(#[from] InvalidValue),
    /// A model could not be trained or asked.
    #[error("the model could not be trained: {0}")]
    Model(String),
    /// The operating system gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(String),
    /// Nothing reaches what was asked for.
    #[error("nothing reaches the target: {reason}")]
    Unreachable {
        /// Why.
        reason: String,
    },
}

impl AnonymizeError {
    /// A parameter that is refused.
    pub(crate) fn parameter(name: &'static str, given: impl Display, allowed: impl Into<Cow<'static, str>>) -> Self {
        InvalidValue::new(name, given, allowed).into()
    }

    /// An error of the CSV parser, as ours.
    pub fn csv(file: &std::path::Path, error: csv::Error) -> Self {
        let file = file.to_owned();
        let line = error.position().map_or(0, csv::Position::line);
        match error.into_kind() {
            csv::ErrorKind::Io(source) => Self::Read { file, source },
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                let problem = format!("{len} cells where the first line has {expected_len}");
                Self::Structure { file, line, problem }
            }
            csv::ErrorKind::Utf8 { .. } => {
                Self::Structure { file, line, problem: "the text is not UTF-8: convert the file".to_owned() }
            }
            _ => Self::Structure { file, line, problem: "this is no CSV".to_owned() },
        }
    }
}
