use std::path::PathBuf;

use super::structure::MAX_RECORD_BYTES;
use crate::error::MechanismError;
use crate::local::LocalError;

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
    #[error("the schema perturbs no column: nothing would be private; set treatment = \"randomise\" for at least one")]
    NothingRandomised,

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
    #[error("{}:1: the header has no column {column:?}, which the schema names", file.display())]
    MissingColumn {
        /// The input.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header has a column that the schema lacks.
    #[error(
        "{}:1: the header's column {column:?} is not in the schema: add it, with treatment \"randomise\", \
         \"drop\" or \"keep\"",
        file.display()
    )]
    UnknownColumn {
        /// The input.
        file: PathBuf,
        /// The column's name.
        column: String,
    },

    /// The header has a name twice.
    #[error("{}:1: the header has column {column:?} twice: rename one", file.display())]
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

/// What makes a file no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StructureProblem {
    /// A record has more or fewer cells than the header.
    #[error("{found} cells, but the header has {expected}")]
    Cells {
        /// Cells of the header.
        expected: u64,
        /// Cells of the record.
        found: u64,
    },

    /// A line has nothing on it.
    #[error("an empty line: remove it, or write \"\" for an empty cell of a table with one column")]
    EmptyLine,

    /// A quote where none may be.
    #[error("broken quoting: a quote inside a cell must be doubled, and the cell be in quotes")]
    StrayQuote,

    /// A quoted cell has no end.
    #[error("broken quoting: a quoted cell begins in this record and never ends")]
    UnclosedQuote,

    /// A record is very long.
    #[error("a record of more than {MAX_RECORD_BYTES} bytes; is a quote missing?")]
    TooLong,

    /// There is no header.
    #[error("no header: the first line must name the columns")]
    NoHeader,
}
