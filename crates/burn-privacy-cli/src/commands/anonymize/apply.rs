//! `burn-privacy anonymize apply` and `burn-privacy anonymize sql`: a schema of columns, applied and exported.

use std::ffi::OsString;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::columns::{
    ColumnSchema, ColumnsStatement, Dialect, TransformOptions, transform_stream, transform_to,
};
use burn_privacy_anonymize::perturb::Progress;
use burn_privacy_anonymize::pseudonym::PseudonymKey;
use burn_privacy_anonymize::{FileFormat, Packing};
use burn_privacy_budget::ledger::Ledger;
use burn_privacy_budget::statement::json;
use burn_privacy_location::{PlaceTreatments, ReportCharge};
use burn_privacy_mechanisms::key::Entropy;
use burn_privacy_output::{AtomicFile, write_atomically};
use clap::{Args, ValueEnum};

use crate::commands::perturb::{FormatArgs, progress_bar};
use crate::failure::Failure;
use crate::input::{is_standard, named, open, read_text, refuse_input};
use crate::numbers::{real, whole};

/// A schema is no larger; written out hierarchies can be long.
const LARGEST_SCHEMA: u64 = 256 << 20;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    /// Cells parted by a separator
    Csv,
    /// One JSON object a line
    Jsonl,
    /// Apache Parquet (needs a build with the feature parquet)
    Parquet,
}

impl From<FormatName> for FileFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Csv => Self::Csv,
            FormatName::Jsonl => Self::JsonLines,
            FormatName::Parquet => Self::Parquet,
        }
    }
}

/// `anonymize apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Schema in TOML: role and treatment of each column
    schema: PathBuf,
    /// Table to read, plain or packed by gzip or zstd, or - for standard input
    input: PathBuf,
    /// Table to write (.gz and .zst are packed), or - for standard output; beside it what it is worth (.statement.txt, .statement.json)
    output: PathBuf,
    /// File of the key (`anonymize key` makes one)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Format of the input [default: by its name; CSV for standard input]
    #[arg(long, value_enum)]
    from: Option<FormatName>,
    /// Format of the output [default: by its name; for standard output that of the input]
    #[arg(long, value_enum)]
    to: Option<FormatName>,
    #[command(flatten)]
    format: FormatArgs,
    /// Start of the statements' names [default: that of the output; to standard error if that is -]
    #[arg(long, value_name = "NAME")]
    statement: Option<PathBuf>,
    /// Ledger to charge the schema's places to, before the output is there
    #[arg(long, value_name = "FILE", requires_all = ["dataset", "within"])]
    ledger: Option<PathBuf>,
    /// Name of the ledger's data set
    #[arg(long, value_name = "NAME", requires = "ledger")]
    dataset: Option<String>,
    /// Name of the run in the ledger, new each time
    #[arg(long, value_name = "NAME", requires = "ledger", default_value = "apply")]
    run: String,
    /// What is charged for: places up to this many meters apart count as neighbors
    #[arg(long, value_name = "METERS", value_parser = real, requires = "ledger")]
    within: Option<f64>,
    /// Fixed seed of noise, for tests: the result is NOT PRIVATE
    #[arg(long, value_name = "N", value_parser = whole)]
    seed: Option<u64>,
    /// Replaces an output that exists
    #[arg(long)]
    force: bool,
}

/// Whose SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    /// DuckDB
    Duckdb,
    /// Apache Spark
    Spark,
}

/// `anonymize sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// Schema in TOML
    schema: PathBuf,
    /// Whose SQL
    #[arg(long, value_enum, default_value = "duckdb")]
    dialect: DialectName,
    /// What stands behind FROM: a table's name, or such as "read_csv('people.csv', all_varchar = true)"
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// File of the key, for pseudonyms: the query then is as secret as the key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// `burn-privacy anonymize sql`.
pub fn sql(args: &SqlArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (schema, _) = read_schema(&args.schema)?;
    let key = args.key.as_deref().map(PseudonymKey::read).transpose()?;
    let dialect = match args.dialect {
        DialectName::Duckdb => Dialect::DuckDb,
        DialectName::Spark => Dialect::Spark,
    };
    write!(out, "{}", schema.to_sql(dialect, &args.table, key.as_ref())?)?;
    Ok(())
}

/// `burn-privacy anonymize apply`.
pub fn apply(args: &ApplyArgs, out: &mut impl Write) -> Result<(), Failure> {
    let (schema, places) = read_schema(&args.schema)?;
    if args.ledger.is_some() && places.is_empty() {
        return Err(Failure::Input("--ledger is for schemas with places, and this one has none".to_owned()));
    }
    let key = args.key.as_deref().map(PseudonymKey::read).transpose()?;
    let (from_standard, to_standard) = (is_standard(&args.input), is_standard(&args.output));
    let input = args.from.map_or_else(|| FileFormat::of(&args.input), FileFormat::from);
    let output = args.to.map(FileFormat::from);
    let output = output.unwrap_or_else(|| if to_standard { input } else { FileFormat::of(&args.output) });
    let entropy = args.seed.map_or(Entropy::os(), Entropy::seeded);
    let (csv, packing) = (args.format.format()?, Packing::of(&args.output));
    let options = TransformOptions { input, output, csv, packing, entropy, replace: args.force };
    let stem = args.statement.as_ref().or((!to_standard).then_some(&args.output));
    let statements = stem.map(|stem| [".statement.txt", ".statement.json"].map(|ending| beside(stem, ending)));
    let taken = (!to_standard).then_some(&args.output);
    if let Some(taken) = taken.into_iter().chain(statements.iter().flatten()).find(|path| path.exists())
        && !args.force
    {
        let taken = taken.display();
        return Err(Failure::Input(format!("{taken} exists already: name another output, or give --force")));
    }

    let bar = progress_bar();
    if !from_standard && let Ok(metadata) = std::fs::metadata(&args.input) {
        bar.set_length(metadata.len());
    }
    let mut progress = |at: Progress| {
        bar.set_position(at.bytes);
        bar.set_message(format!("{} rows", at.records));
    };
    let (key, places) = (key.as_ref(), Places { treatments: places, charge: args.charge()? });
    let outcome = match to_standard {
        true => to_standard_output(&schema, key, args, &options, &places, &mut progress, out),
        false => to_file(&schema, key, args, &options, &places, &mut progress),
    };
    bar.finish_and_clear();
    let statement = outcome?;
    if let Some([text, machine]) = &statements {
        write_atomically(text, statement.to_string())?;
        write_atomically(machine, format!("{:#}\n", json(&statement)))?;
    }
    // Standard output is the table's, if that goes there.
    if to_standard {
        io::stderr().write_all(statement.to_string().as_bytes())?
    } else {
        write!(out, "{statement}")?
    }
    Ok(())
}

/// Places of the schema, and the ledger that pays for them.
struct Places {
    treatments: PlaceTreatments,
    charge: Option<(PathBuf, ReportCharge)>,
}

impl Places {
    /// Charges what the table costs, before anybody sees it.
    fn charge(&self, statement: ColumnsStatement) -> Result<ColumnsStatement, Failure> {
        let Some((file, charge)) = &self.charge else { return Ok(statement) };
        let mut ledger = Ledger::open(file, &charge.dataset)?;
        let epsilon = burn_privacy_accounting::round_up_for_display(self.treatments.charge(charge, &mut ledger)?);
        let within = charge.within;
        let said =
            format!("epsilon {epsilon} for places up to {within} m apart (with what they are moved to a grid first)");
        Ok(statement.fact("Charged to the ledger", said))
    }
}

/// Transforms the input into a file or a buffer.
fn transformed(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    args: &ApplyArgs,
    options: &TransformOptions,
    places: &Places,
    progress: &mut dyn FnMut(Progress),
    output: &mut (dyn Write + Send),
) -> Result<ColumnsStatement, Failure> {
    let statement = if is_standard(&args.input) {
        transform_stream(schema, key, open(&args.input)?, &named(&args.input), output, options, progress)?
    } else {
        transform_to(schema, key, &args.input, output, options, progress)?
    };
    places.charge(statement)
}

fn to_file(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    args: &ApplyArgs,
    options: &TransformOptions,
    places: &Places,
    progress: &mut dyn FnMut(Progress),
) -> Result<ColumnsStatement, Failure> {
    refuse_input(&[&args.input], &[&args.output])?;
    let mut file = AtomicFile::create(&args.output)?;
    let statement = transformed(schema, key, args, options, places, progress, &mut file)?;
    if args.force {
        file.commit()?
    } else {
        file.commit_new()?
    }
    Ok(statement)
}

/// The table waits in a temporary file until it is complete.
fn to_standard_output(
    schema: &ColumnSchema,
    key: Option<&PseudonymKey>,
    args: &ApplyArgs,
    options: &TransformOptions,
    places: &Places,
    progress: &mut dyn FnMut(Progress),
    out: &mut impl Write,
) -> Result<ColumnsStatement, Failure> {
    let mut file = tempfile::tempfile()?;
    let statement = transformed(schema, key, args, options, places, progress, &mut file)?;
    file.rewind()?;
    io::copy(&mut file, out)?;
    out.flush()?;
    Ok(statement)
}

impl ApplyArgs {
    /// What is charged, and to which ledger.
    fn charge(&self) -> Result<Option<(PathBuf, ReportCharge)>, Failure> {
        let (Some(file), Some(dataset), Some(within)) = (&self.ledger, &self.dataset, self.within) else {
            return Ok(None);
        };
        if self.seed.is_some() {
            return Err(Failure::Input("a fixed seed protects nobody: leave --ledger out with it".to_owned()));
        }
        Ok(Some((file.clone(), ReportCharge { dataset: dataset.clone(), run: self.run.clone(), within })))
    }
}

/// Reads a schema, with places among its treatments; other files are found from its folder.
pub fn read_schema(path: &Path) -> Result<(ColumnSchema, PlaceTreatments), Failure> {
    let text = read_text(path, LARGEST_SCHEMA)?;
    let folder = path.parent().filter(|_| !is_standard(path));
    let places = PlaceTreatments::default();
    let schema = ColumnSchema::parse_with(&text, folder, &[&places])
        .map_err(|error| Failure::Input(format!("{}: {error}", named(path))))?;
    Ok((schema, places))
}

/// The path with an ending more.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
