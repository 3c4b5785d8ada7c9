//! A schema to fill in.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::encoding::{TableBytes, TableFormat};
use super::error::TableError;
use super::run::{header_of, read_failure, unreadable};
use super::structure::{MAX_RECORD_BYTES, StructureProblem, TableReader};

/// A schema to fill in, from a table's first line alone: every column is dropped until the user says otherwise. No row
/// is read.
///
/// # Errors
///
/// [`TableError::Read`]; [`TableError::Format`]; [`TableError::Structure`]; [`TableError::RepeatedColumn`].
pub fn schema_template(input: &Path, format: &TableFormat) -> Result<String, TableError> {
    let file = File::open(input).map_err(|source| TableError::Read { file: input.to_owned(), source })?;
    template(file, input, format)
}

/// As [`schema_template`], from anything. `name` stands for the input in errors.
///
/// # Errors
///
/// As [`schema_template`].
pub fn schema_template_of(input: impl Read, name: &str, format: &TableFormat) -> Result<String, TableError> {
    template(input, Path::new(name), format)
}

fn template(source: impl Read, input: &Path, format: &TableFormat) -> Result<String, TableError> {
    let bytes = TableBytes::open(source).map_err(|error| unreadable(input, error))?;
    let line = first_line(bytes, format.comment()).map_err(|error| unreadable(input, error))?;
    let table = TableReader::new(line.as_slice(), format.separator(), format.comment());
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(format.separator())
        .comment(format.comment())
        .from_reader(table);
    let mut header = csv::ByteRecord::new();
    if !reader.read_byte_record(&mut header).map_err(|error| read_failure(input, error))? {
        let problem = StructureProblem::NoHeader;
        return Err(TableError::Structure { file: input.to_owned(), line: 1, problem });
    }
    let names = header_of(input, &header)?;
    if let Some(problem) = format.doubt(&names) {
        return Err(TableError::Format { file: input.to_owned(), problem });
    }
    let mut text = String::from(INTRODUCTION);
    for name in names {
        let without = if name.is_empty() { " # a column without a name, such as pandas' index" } else { "" };
        text.push_str(&format!("\n[[column]]\nname = {}{without}\ntreatment = \"drop\"\n", toml::Value::String(name)));
    }
    Ok(text)
}

/// The first line that is no comment, after those that are.
fn first_line(bytes: impl Read, comment: Option<u8>) -> std::io::Result<Vec<u8>> {
    let mut bytes = BufReader::new(bytes).take(MAX_RECORD_BYTES);
    let mut lines = Vec::new();
    loop {
        let start = lines.len();
        let read = bytes.read_until(b'\n', &mut lines)?;
        let line = lines[start..].strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&lines[start..]);
        if read == 0 || comment.is_none() || line.first() != comment.as_ref() {
            return Ok(lines);
        }
    }
}

const INTRODUCTION: &str = r#"# What each column of the table may hold, and what happens to it. State it from public knowledge, never from the data.

# Epsilon of a whole row, divided evenly (or by `share`) among the randomized columns without an epsilon of their own:
# epsilon = 4.0
# Delta of a whole row, divided evenly among the columns with Gaussian noise without a delta of their own:
# delta = 1e-6
# Cells that can't be read become the column's default, and nobody is told. For this epsilon, of the row's, it is told
# which columns seem unreadable throughout (28 / readability_epsilon rows a column are needed):
# readability_epsilon = 0.1

# Every column is dropped until you say otherwise. Examples:
#
# A whole number. Mechanisms: discrete-laplace (the default), gaussian.
# [[column]]
# name = "age"
# kind = "integer"
# lo = 0
# hi = 120
# default = 40               # for cells that are missing or unreadable
# treatment = "randomize"
# mechanism = "discrete-laplace"
# epsilon = 1.0              # or share = 2.0, a weight in what is left of the row's epsilon
# clamp_output = true        # brings outputs back into the bounds; costs nothing, adds bias
#
# A number. Mechanisms: laplace (the default), gaussian, piecewise, duchi. 12.5 and 1e3 are read as they are; what else
# stands in the cells is stated.
# [[column]]
# name = "weight"
# kind = "real"
# lo = 0.0
# hi = 250.0
# default = 70.0
# thousands = ","            # reads 1,234.50; likewise decimal for 1234,5 and suffix for 45%
# treatment = "randomize"
# mechanism = "piecewise"
#
# A category: randomized response. Cells are compared letter by letter: pandas writes True and False.
# [[column]]
# name = "smoker"
# kind = "category"
# values = ["yes", "no"]
# other = "unknown"          # for cells that hold anything else
# treatment = "randomize"
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
