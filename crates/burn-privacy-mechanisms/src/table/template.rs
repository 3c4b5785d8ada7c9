use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::error::{StructureProblem, TableError};
use super::run::{header_of, read_failure};
use super::structure::{MAX_RECORD_BYTES, TableReader};

/// A schema to fill in, from a table's first line alone: every column is dropped until the user says otherwise. No row
/// is read.
///
/// # Errors
///
/// [`TableError::Read`]; [`TableError::Structure`]; [`TableError::RepeatedColumn`].
pub fn schema_template(input: &Path) -> Result<String, TableError> {
    let failed = |source| TableError::Read { file: input.to_owned(), source };
    let mut line = Vec::new();
    BufReader::new(File::open(input).map_err(failed)?)
        .take(MAX_RECORD_BYTES)
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(TableReader::new(line.as_slice()));
    let mut header = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut header).map_err(|error| read_failure(input, error))? {
        let problem = StructureProblem::NoHeader;
        return Err(TableError::Structure { file: input.to_owned(), line: 1, problem });
    }
    let mut text = String::from(INTRODUCTION);
    for name in header_of(input, &header)? {
        text.push_str(&format!("\n[[column]]\nname = {}\ntreatment = \"drop\"\n", toml::Value::String(name)));
    }
    Ok(text)
}

const INTRODUCTION: &str = r#"# What each column of the table may hold, and what happens to it. State it from public knowledge, never from the data.

# Epsilon of a whole row, divided evenly (or by `share`) among the randomised columns without an epsilon of their own:
# epsilon = 4.0
# Delta of a whole row, divided evenly among the columns with Gaussian noise without a delta of their own:
# delta = 1e-6

# Every column is dropped until you say otherwise. Examples:
#
# A whole number. Mechanisms: discrete-laplace (the default), gaussian.
# [[column]]
# name = "age"
# kind = "integer"
# lo = 0
# hi = 120
# default = 40               # for cells that are missing or unreadable
# treatment = "randomise"
# mechanism = "discrete-laplace"
# epsilon = 1.0              # or share = 2.0, a weight in what is left of the row's epsilon
# clamp_output = true        # brings outputs back into the bounds; costs nothing, adds bias
#
# A number. Mechanisms: laplace (the default), gaussian, piecewise, duchi.
# [[column]]
# name = "weight"
# kind = "real"
# lo = 0.0
# hi = 250.0
# default = 70.0
# treatment = "randomise"
# mechanism = "piecewise"
#
# A category: randomised response.
# [[column]]
# name = "smoker"
# kind = "category"
# values = ["yes", "no"]
# other = "unknown"          # for cells that hold anything else
# treatment = "randomise"
# label = true               # what a model will predict
#
# Plain obfuscation, income += N(0, sigma^2): the statement says what it amounts to.
# [[column]]
# name = "income"
# kind = "real"
# lo = 0.0
# hi = 200000.0
# default = 30000.0
# treatment = "obfuscate"
# standard_deviation = 400000.0
# delta = 1e-6
#
# A column that stays as it is: NOT protected.
# [[column]]
# name = "region"
# treatment = "keep"
"#;
