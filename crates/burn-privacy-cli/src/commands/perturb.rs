//! `burn-privacy perturb`.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use burn_privacy_mechanisms::Entropy;
use burn_privacy_mechanisms::table::{PerturbOptions, TableError, TableSchema, perturb_table, schema_template};
use burn_privacy_output::write_atomically;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{PerturbCommand, PerturbRunArgs};
use crate::failure::Failure;

/// `burn-privacy perturb`.
pub fn perturb(command: &PerturbCommand, out: &mut impl Write) -> Result<(), Failure> {
    match command {
        PerturbCommand::Run(args) => run(args, out),
        PerturbCommand::SchemaTemplate { input } => {
            write!(out, "{}", schema_template(input)?)?;
            Ok(())
        }
        PerturbCommand::Check { schema, epsilon } => {
            write!(out, "{}", read_schema(schema, *epsilon)?.statement(&Entropy::os()))?;
            Ok(())
        }
    }
}

fn run(args: &PerturbRunArgs, out: &mut impl Write) -> Result<(), Failure> {
    let schema = read_schema(&args.schema, args.epsilon)?;
    let statements = [beside(&args.output, ".statement.md"), beside(&args.output, ".statement.json")];
    if let Some(taken) = [&args.output].into_iter().chain(&statements).find(|path| path.exists())
        && !args.force
    {
        return Err(Failure::Input(format!(
            "{} exists already: name another --output, or give --force",
            taken.display()
        )));
    }
    let entropy = args.seed.map_or(Entropy::os(), Entropy::seeded);
    let options = PerturbOptions { replace: args.force, ..PerturbOptions::new(entropy) };
    let bar = progress_bar();
    let outcome = perturb_table(&schema, &args.input, &args.output, &options, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} rows", progress.records));
    });
    bar.finish_and_clear();
    let statement = outcome?;
    let [markdown, json] = &statements;
    write_atomically(markdown, statement.to_markdown())?;
    write_atomically(json, statement.to_json() + "\n")?;
    write!(out, "{statement}")?;
    writeln!(out, "\nWrote {}, {} and {}", args.output.display(), markdown.display(), json.display())?;
    Ok(())
}

fn read_schema(path: &Path, epsilon: Option<f64>) -> Result<TableSchema, Failure> {
    let text = std::fs::read_to_string(path).map_err(|source| TableError::Read { file: path.to_owned(), source })?;
    TableSchema::parse(&text, epsilon).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))
}

/// The path with an ending more.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// A bar for people, nothing for files and pipes.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg} {eta}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
