//! Why a table was not perturbed.

use std::path::PathBuf;

use super::encoding::FormatProblem;
use super::structure::StructureProblem;
use burn_privacy_mechanisms::error::MechanismError;
use burn_privacy_mechanisms::local::LocalError;

/// Why a table was not perturbed. Messages name columns, files and lines, never what a cell holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The schema is not TOML, or has unknown keys or values of the wrong type.
    #[error("the schema can't be read: {reason}")]
    SchemaSyntax {
        /// What the parser says.
        reason: String,
    },

    /// The schema has no columns.
    #[error("the schema has no columns: add a [[column]] with name and treatment for every column of the table")]
    NoColumns,

    /// Two columns have the same name.
    #[error("column {column:?} is in the schema twice: give every column once")]
    DuplicateColumn {
        /// Its name.
        column: String,
    },

    /// No column is perturbed.
    #[error("the schema perturbs no column: nothing would be private; set treatment = \"randomize\" for at least one")]
    NothingRandomized,

    /// A column's keys don't fit together.
    #[error("column {column:?}: {problem}")]
    Column {
        /// The column's name.
        column: String,
        /// What is wrong, and what to do.
        problem: String,
    },

    /// A column's mechanism can't be made.
    #[error("column {column:?}: {source}")]
    Mechanism {
        /// The column's name.
        column: String,
        /// Why.
        source: LocalError,
    },

    /// The budget of a row does not work out.
    #[error("the row's budget: {problem}")]
    Budget {
        /// What is wrong, and what to do.
        problem: String,
    },

    /// The header lacks a column of the schema.
    #[error("{}:1: the header has no column {}, which the schema names", file.display(), shown(column))]
    MissingColumn {
        /// The input.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header has a column that the schema lacks.
    #[error(
        "{}:1: the header's column {} is not in the schema: add it, with treatment \"randomize\", \
         \"drop\" or \"keep\"",
        file.display(),
        shown(column)
    )]
    UnknownColumn {
        /// The input.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header has a name twice.
    #[error("{}:1: the header has column {} twice: rename one", file.display(), shown(column))]
    RepeatedColumn {
        /// The input.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The input is not a table.
    #[error("{}:{line}: {problem}", file.display())]
    Structure {
        /// The input.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: StructureProblem,
    },

    /// The input is no comma-separated UTF-8 text, or not in the way that was said.
    #[error("{}: {problem}", file.display())]
    Format {
        /// The input.
        file: PathBuf,
        /// What it is, and how it can be read.
        problem: FormatProblem,
    },

    /// The row's delta says nothing for a table of this length.
    #[error(
        "delta is {delta:e} for a table of {rows} rows, but must be below one over the number of rows: else the \
         guarantee allows a row to be published as it is; nothing was written, give a smaller delta in the schema"
    )]
    Delta {
        /// The row's delta.
        delta: f64,
        /// Rows of the table.
        rows: u64,
    },

    /// The output is there already.
    #[error("{} exists already: name another output, or allow it to be replaced", file.display())]
    OutputExists {
        /// The output.
        file: PathBuf,
    },

    /// The output would replace the input.
    #[error("{} is both input and output: name another output", file.display())]
    SameFile {
        /// The file.
        file: PathBuf,
    },

    /// A file could not be read.
    #[error("could not read {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// A file could not be written.
    #[error("could not write {}: {source}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },

    /// No randomness.
    #[error(transparent)]
    Randomness(#[from] MechanismError),
}

/// A column's name in quotes, or what it is without one.
fn shown(column: &str) -> String {
    if column.is_empty() {
        "\"\" (one without a name, as pandas writes its index)".to_owned()
    } else {
        format!("{column:?}")
    }
}
