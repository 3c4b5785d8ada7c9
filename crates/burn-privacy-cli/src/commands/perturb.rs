//! `burn-privacy perturb`.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::perturb::{
    PerturbOptions, PerturbationStatement, Progress, TableFormat, TableSchema, perturb_stream, perturb_table,
    schema_template_of,
};
use burn_privacy_mechanisms::Entropy;
use burn_privacy_output::write_atomically;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::delta_check::warn;
use crate::failure::Failure;
use crate::input::{is_standard, named, open, read_text};
use crate::numbers::{real, whole};

/// Schemas larger than this are none.
const LARGEST_SCHEMA: u64 = 16 << 20;

/// `perturb`.
#[derive(Debug, Subcommand)]
pub enum PerturbCommand {
    /// Writes a perturbed copy of a CSV file, and beside it what that is worth (.statement.md, .statement.json)
    Run(PerturbRunArgs),
    /// Prints a schema to fill in, from the header of a CSV file alone
    SchemaTemplate {
        /// CSV file, plain or packed by gzip or zstd, or - for standard input; only its first line is read
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
        #[command(flatten)]
        format: FormatArgs,
    },
    /// Prints what a schema amounts to
    Check {
        /// Schema in TOML, or - for standard input
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// Epsilon of a whole row, instead of the schema's
        #[arg(long, value_parser = real, allow_hyphen_values = true)]
        epsilon: Option<f64>,
    },
}

/// How a CSV file is written.
#[derive(Clone, Copy, Debug, Args)]
pub struct FormatArgs {
    /// Character between cells, or "tab" [default: a comma]
    #[arg(long, value_name = "CHAR", value_parser = character)]
    pub separator: Option<char>,
    /// Character that comment lines begin with; they are left out [default: there are none]
    #[arg(long, value_name = "CHAR", value_parser = character)]
    pub comment: Option<char>,
}

/// `perturb run`.
#[derive(Debug, Args)]
pub struct PerturbRunArgs {
    /// Schema in TOML, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub schema: PathBuf,
    /// CSV file to perturb, plain or packed by gzip or zstd, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// CSV file to write, or - for standard output
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Start of the statements' names [default: that of the output; to standard error if that is -]
    #[arg(long, value_name = "NAME")]
    pub statement: Option<PathBuf>,
    /// Epsilon of a whole row, instead of the schema's
    #[arg(long, value_parser = real, allow_hyphen_values = true)]
    pub epsilon: Option<f64>,
    /// Fixed seed, for tests: the result is NOT PRIVATE
    #[arg(long, value_name = "N", value_parser = whole)]
    pub seed: Option<u64>,
    /// Replaces an output that exists
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub format: FormatArgs,
}

/// One character, or the name of one that a shell hides.
fn character(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (text, characters.next(), characters.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(character), None) => Ok(character),
        _ => Err("not one character: write it as ';', ',' or tab".to_owned()),
    }
}

impl FormatArgs {
    /// Checks them.
    pub fn format(self) -> Result<TableFormat, Failure> {
        Ok(TableFormat::new(self.separator, self.comment)?)
    }
}

/// `burn-privacy perturb`.
pub fn perturb(command: &PerturbCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        PerturbCommand::Run(args) => run(args, out),
        PerturbCommand::SchemaTemplate { input, format } => {
            write!(out, "{}", schema_template_of(open(input)?, &named(input), &format.format()?)?)?;
            Ok(())
        }
        PerturbCommand::Check { schema, epsilon } => {
            write!(out, "{}", read_schema(schema, *epsilon)?.statement(Entropy::os()))?;
            Ok(())
        }
    }
}

fn run(args: &PerturbRunArgs, out: &mut impl Write) -> Result<(), Failure> {
    if is_standard(&args.schema) && is_standard(&args.input) {
        return Err(Failure::Input("standard input can't be both schema and table: name a file for one".to_owned()));
    }
    let schema = read_schema(&args.schema, args.epsilon)?;
    let to_standard = is_standard(&args.output);
    let stem = args.statement.as_ref().or((!to_standard).then_some(&args.output));
    let statements = stem.map(|stem| [".statement.md", ".statement.json"].map(|ending| beside(stem, ending)));
    let output = (!to_standard).then_some(&args.output);
    if let Some(taken) = output.into_iter().chain(statements.iter().flatten()).find(|path| path.exists())
        && !args.force
    {
        return Err(Failure::Input(format!(
            "{} exists already: name another --output, or give --force",
            taken.display()
        )));
    }
    let entropy = args.seed.map_or(Entropy::os(), Entropy::seeded);
    let options = PerturbOptions { replace: args.force, format: args.format.format()?, ..PerturbOptions::new(entropy) };
    if !schema.checks_readability() {
        // Always the same words: what the cells hold must not decide it.
        let _ = writeln!(io::stderr(), "{READING}");
    }

    let bar = progress_bar();
    let mut progress = |at: Progress| {
        if let Some(total) = at.total_bytes {
            bar.set_length(total);
        }
        bar.set_position(at.bytes);
        bar.set_message(format!("{} rows", at.records));
    };
    let outcome = if to_standard || is_standard(&args.input) {
        let outcome = through_a_file(&schema, args, &options, &mut progress, out);
        bar.finish_and_clear();
        outcome?
    } else {
        let outcome = perturb_table(&schema, &args.input, &args.output, &options, &mut progress);
        bar.finish_and_clear();
        outcome?
    };

    if let Some(columns) = outcome.unreadable_columns.as_ref().filter(|columns| !columns.is_empty()) {
        let names: Vec<_> = columns.iter().map(|column| format!("{column:?}")).collect();
        warn(&format!(
            "most cells of {} seem to be missing, unreadable or unknown, and count as the default (a private test, \
             part of the statement): look at the kind, `values`, `thousands`, `decimal` and `suffix` in the schema",
            names.join(", ")
        ));
    }
    if let Some([markdown, json]) = &statements {
        write_atomically(markdown, outcome.to_markdown())?;
        write_atomically(json, outcome.to_json() + "\n")?;
    }
    let mut report = format!("{outcome}");
    if let Some([markdown, json]) = &statements {
        let table = if to_standard { String::new() } else { format!("{}, ", args.output.display()) };
        report.push_str(&format!("\nWrote {table}{} and {}\n", markdown.display(), json.display()));
    }
    // Standard output is the table's, if that goes there.
    if to_standard {
        io::stderr().write_all(report.as_bytes())?
    } else {
        out.write_all(report.as_bytes())?
    }
    Ok(())
}

/// What is said where nobody is told whether cells could be read.
const READING: &str = "\
note: cells that are missing or not written as the schema says count as their column's default, and none is reported.
      Numbers are read as 12.5 or 1e3; 1,234.50 or 45% need `thousands` or `suffix` in the schema. Categories are
      compared letter by letter: True is not true. To be told, privately, which columns seem unreadable, give the
      schema a `readability_epsilon`.";

/// Perturbs from or to a standard stream. The table waits in a temporary file until it is complete.
fn through_a_file(
    schema: &TableSchema,
    args: &PerturbRunArgs,
    options: &PerturbOptions,
    progress: &mut dyn FnMut(Progress),
    out: &mut impl Write,
) -> Result<PerturbationStatement, Failure> {
    let (input, name) = (open(&args.input)?, named(&args.input));
    if !is_standard(&args.output) {
        let mut file = burn_privacy_output::AtomicFile::create(&args.output)?;
        let statement = perturb_stream(schema, input, &name, &mut file, options, progress)?;
        if args.force {
            file.commit()?
        } else {
            file.commit_new()?
        };
        return Ok(statement);
    }
    let mut file = tempfile::tempfile()?;
    let statement = perturb_stream(schema, input, &name, &mut file, options, progress)?;
    file.rewind()?;
    io::copy(&mut file, out)?;
    out.flush()?;
    Ok(statement)
}

fn read_schema(path: &Path, epsilon: Option<f64>) -> Result<TableSchema, Failure> {
    let text = read_text(path, LARGEST_SCHEMA)?;
    TableSchema::parse(&text, epsilon).map_err(|error| Failure::Input(format!("{}: {error}", named(path))))
}

/// The path with an ending more.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// A bar for people, nothing for files and pipes.
pub fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
