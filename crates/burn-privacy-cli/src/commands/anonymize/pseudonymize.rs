//! `burn-privacy anonymize pseudonymize` and `burn-privacy anonymize key`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn_privacy_anonymize::columns::{ColumnTreatment, Treatment, pseudonymize_table};
use burn_privacy_anonymize::pseudonym::{Mask, NumberFormat, PseudonymKey};
use burn_privacy_output::write_atomically;
use clap::Args;

use super::input::separator;
use crate::failure::Failure;

/// `anonymize pseudonymize`.
#[derive(Debug, Args)]
pub struct PseudonymizeArgs {
    /// CSV file with a header
    data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    separator: u8,
    /// File of the key (`anonymize key` makes one)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Columns whose values become keyed hashes; COLUMN=DOMAIN joins columns of other names
    #[arg(long, value_name = "COLUMN[=DOMAIN]", value_delimiter = ',')]
    hmac: Vec<String>,
    /// Columns whose digits are encrypted in place (FF1); at least six digits
    #[arg(long, value_name = "COLUMN[=DOMAIN]", value_delimiter = ',')]
    ff1: Vec<String>,
    /// Columns of card numbers: as ff1, with the Luhn digit made anew
    #[arg(long, value_name = "COLUMN[=DOMAIN]", value_delimiter = ',')]
    card: Vec<String>,
    /// Columns of IBANs: as ff1, with the check digits made anew
    #[arg(long, value_name = "COLUMN[=DOMAIN]", value_delimiter = ',')]
    iban: Vec<String>,
    /// Columns to mask, with the signs shown at the beginning and at the end
    #[arg(long, value_name = "COLUMN=FIRST+LAST", value_delimiter = ',')]
    mask: Vec<String>,
    /// Columns to hash without a key, which a dictionary undoes: for comparison
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    unkeyed_hash: Vec<String>,
    /// Columns to release as they are; those named nowhere are left out
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    keep: Vec<String>,
    /// CSV file to write; beside it what it is worth (.statement.txt)
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Replaces an output that exists
    #[arg(long)]
    force: bool,
}

/// `anonymize key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// File to write, for its owner alone; one that exists is never replaced
    output: PathBuf,
}

/// `burn-privacy anonymize pseudonymize`.
pub fn pseudonymize(args: &PseudonymizeArgs, out: &mut impl Write) -> Result<(), Failure> {
    let key = args.key.as_deref().map(PseudonymKey::read).transpose()?;
    let treatments = treatments(args)?;
    let beside = PathBuf::from(format!("{}.statement.txt", args.output.display()));
    if beside.exists() && !args.force {
        let taken = beside.display();
        return Err(Failure::Input(format!("{taken} exists already: name another --output, or give --force")));
    }
    let statement =
        pseudonymize_table(&args.data, args.separator, &treatments, key.as_ref(), &args.output, args.force)?;
    write_atomically(&beside, statement.to_string())?;
    write!(out, "{statement}")?;
    Ok(())
}

/// The treatments, in the order of the options.
fn treatments(args: &PseudonymizeArgs) -> Result<Vec<ColumnTreatment>, Failure> {
    let in_domain = |text: &str| match text.split_once('=') {
        Some((column, domain)) => (column.to_owned(), domain.to_owned()),
        None => (text.to_owned(), text.to_owned()),
    };
    let mut treatments = Vec::new();
    for text in &args.hmac {
        let (column, domain) = in_domain(text);
        treatments.push(ColumnTreatment { column, treatment: Treatment::Hmac { domain } });
    }
    for (texts, format) in
        [(&args.ff1, NumberFormat::Digits), (&args.card, NumberFormat::Luhn), (&args.iban, NumberFormat::Iban)]
    {
        for text in texts {
            let (column, domain) = in_domain(text);
            treatments.push(ColumnTreatment { column, treatment: Treatment::FormatPreserving { domain, format } });
        }
    }
    for text in &args.mask {
        let parsed = text.rsplit_once('=').and_then(|(column, shown)| {
            let (first, last) = shown.split_once('+')?;
            Some((column.to_owned(), Mask { first: first.parse().ok()?, last: last.parse().ok()? }))
        });
        let Some((column, mask)) = parsed else {
            return Err(Failure::Input(format!("--mask {text}: write COLUMN=FIRST+LAST, such as name=1+0")));
        };
        treatments.push(ColumnTreatment { column, treatment: Treatment::Mask(mask) });
    }
    for (columns, treatment) in [(&args.unkeyed_hash, Treatment::UnkeyedHash), (&args.keep, Treatment::Keep)] {
        for column in columns {
            treatments.push(ColumnTreatment { column: column.clone(), treatment: treatment.clone() });
        }
    }
    Ok(treatments)
}

/// `burn-privacy anonymize key`.
pub fn key(args: &KeyArgs, out: &mut impl Write) -> Result<(), Failure> {
    let key = PseudonymKey::generate()?;
    write_key(&args.output, &key.to_hex())
        .map_err(|error| Failure::Input(format!("{}: could not be written: {error}", args.output.display())))?;
    writeln!(
        out,
        "Wrote a key to {}: keep it apart from the data; without it, no pseudonym can be undone",
        args.output.display()
    )?;
    Ok(())
}

/// A new file that only its owner can read.
fn write_key(path: &Path, digits: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let written = file.write_all(digits.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is worse than none.
        let _ = std::fs::remove_file(path);
    }
    written
}
