//! The table, its hierarchies and its models, from the command line.

use std::path::{Path, PathBuf};

use burn_privacy_anonymize::recoding::Recoding;
use burn_privacy_anonymize::table::{Column, Hierarchy, PrivacyModel, Table, TableRoles};
use burn_privacy_anonymize::{ReleaseOptions, column_names, write_release};
use burn_privacy_output::write_atomically;
use clap::Args;

use crate::failure::Failure;

/// A separator of one byte.
pub fn separator(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => match text.as_bytes() {
            [byte] if !byte.is_ascii_alphanumeric() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
            _ => Err("a separator is one character, such as ',', ';' or tab".to_owned()),
        },
    }
}

/// The table and what is asked of it.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// CSV file with a header
    pub data: PathBuf,
    /// Separator of its cells
    #[arg(long, default_value = ",", value_parser = separator)]
    pub separator: u8,
    /// Folder of hierarchies: that of column c is the file *hierarchy_c.csv; a column without one is no quasi-identifier
    #[arg(long, value_name = "DIR")]
    pub hierarchies: PathBuf,
    /// Rows of a class at least
    #[arg(long)]
    pub k: u64,
    /// Sensitive values of a class at least
    #[arg(long, value_name = "L", requires = "sensitive")]
    pub distinct_l: Option<u64>,
    /// Entropy of a class's sensitive values at least log L
    #[arg(long, value_name = "L", requires = "sensitive")]
    pub entropy_l: Option<f64>,
    /// Equal distance of a class's sensitive values from the table's at most T
    #[arg(long, value_name = "T", requires = "sensitive")]
    pub equal_t: Option<f64>,
    /// The sensitive column, which then is no quasi-identifier
    #[arg(long, value_name = "COLUMN")]
    pub sensitive: Option<String>,
}

impl TableArgs {
    /// The models, k-anonymity first.
    pub fn models(&self) -> Vec<PrivacyModel> {
        [
            Some(PrivacyModel::KAnonymity { k: self.k }),
            self.distinct_l.map(|l| PrivacyModel::DistinctLDiversity { l }),
            self.entropy_l.map(|l| PrivacyModel::EntropyLDiversity { l }),
            self.equal_t.map(|t| PrivacyModel::EqualTCloseness { t }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Reads the hierarchies, then the table.
    pub fn read(&self) -> Result<Table, Failure> {
        read_table(&self.data, self.separator, &self.hierarchies, self.sensitive.as_deref())
    }
}

/// Reads the hierarchies of a folder, then a table: columns with a hierarchy are quasi-identifiers.
pub fn read_table(data: &Path, separator: u8, hierarchies: &Path, sensitive: Option<&str>) -> Result<Table, Failure> {
    let mut quasi_identifiers = Vec::new();
    for name in column_names(data, separator)? {
        if sensitive == Some(name.as_str()) {
            continue;
        }
        if let Some(file) = hierarchy_file(hierarchies, &name)? {
            quasi_identifiers.push(Column { hierarchy: Hierarchy::read(&name, &file)?, name });
        }
    }
    if quasi_identifiers.is_empty() {
        return Err(Failure::Input(format!(
            "{} has no hierarchy of a column of {}: name them *hierarchy_COLUMN.csv",
            hierarchies.display(),
            data.display()
        )));
    }
    let roles = TableRoles { quasi_identifiers, sensitive: sensitive.map(str::to_owned) };
    Ok(Table::read(data, separator, roles)?)
}

/// The one file of a folder that ends as the hierarchy of a column does.
fn hierarchy_file(folder: &Path, column: &str) -> Result<Option<PathBuf>, Failure> {
    let ending = format!("hierarchy_{column}.csv");
    let unreadable = |error| Failure::Input(format!("{}: could not be read: {error}", folder.display()));
    let mut found: Option<PathBuf> = None;
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let fits = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(&ending));
        if !fits {
            continue;
        }
        if let Some(first) = found {
            let (one, other) = (first.display(), path.display());
            return Err(Failure::Input(format!("column {column:?} has two hierarchies: {one} and {other}")));
        }
        found = Some(path);
    }
    Ok(found)
}

/// Where a recoded table goes.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// CSV file to write; beside it what it is worth (.statement.txt, .statement.json)
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Columns to release as they are, separated by commas; others than quasi-identifiers and the sensitive one are left out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', requires = "output")]
    pub keep: Vec<String>,
    /// Keeps the order of the rows, which can tell who is who, in constant memory
    #[arg(long, requires = "output")]
    pub keep_order: bool,
    /// Replaces an output that exists
    #[arg(long, requires = "output")]
    pub force: bool,
}

impl ReleaseArgs {
    /// Checks a recoding anew and writes it with its statement, if an output was named.
    pub fn write(&self, args: &TableArgs, table: &Table, recoding: &Recoding) -> Result<(), Failure> {
        let models = args.models();
        recoding.verify(table, &models)?;
        let Some(output) = &self.output else { return Ok(()) };
        let beside = |ending: &str| {
            let mut name = output.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        let statements = [beside(".statement.txt"), beside(".statement.json")];
        if let Some(taken) = statements.iter().find(|path| path.exists())
            && !self.force
        {
            let taken = taken.display();
            return Err(Failure::Input(format!("{taken} exists already: name another --output, or give --force")));
        }
        let options = ReleaseOptions { keep: self.keep.clone(), keep_order: self.keep_order, replace: self.force };
        write_release(&args.data, args.separator, table, recoding, output, &options)?;
        let mut statement = recoding.statement(table, &models)?;
        if !self.keep.is_empty() {
            statement = statement.caveat(format!("columns released as they are: {}", self.keep.join(", ")));
        }
        if self.keep_order {
            statement = statement.caveat("the order of the rows, which is that of the input");
        }
        write_atomically(&statements[0], statement.to_string())?;
        write_atomically(&statements[1], format!("{:#}\n", burn_privacy_budget::statement::json(&statement)))?;
        Ok(())
    }
}
