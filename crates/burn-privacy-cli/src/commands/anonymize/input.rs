//! The table, its hierarchies and its models, from the command line.

use std::path::{Path, PathBuf};

use burn_privacy_anonymize::recoding::Recoding;
use burn_privacy_anonymize::table::{Column, Hierarchy, PrivacyModel, Table, TableRoles};
use burn_privacy_anonymize::{ReleaseOptions, TableStatement, column_names, write_release};
use burn_privacy_output::write_atomically;
use clap::Args;

use crate::failure::Failure;
use crate::input::refuse_input;

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
    /// The sensitive column, which then is no quasi-identifier
    #[arg(long, value_name = "COLUMN")]
    pub sensitive: Option<String>,
    #[command(flatten)]
    pub models: ModelArgs,
}

/// What is asked of a class beside its number of rows; all of it at once, if several are given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Privacy models")]
pub struct ModelArgs {
    /// Sensitive values of a class at least
    #[arg(long, value_name = "L", requires = "sensitive")]
    distinct_l: Option<u64>,
    /// Entropy of a class's sensitive values at least log L
    #[arg(long, value_name = "L", requires = "sensitive")]
    entropy_l: Option<f64>,
    /// Recursive (C, L)-diversity: the commonest value less often than C times all but the L - 1 commonest
    #[arg(long, value_name = "L", requires_all = ["sensitive", "recursive_c"])]
    recursive_l: Option<u64>,
    /// C of the recursive (C, L)-diversity
    #[arg(long, value_name = "C", requires = "recursive_l")]
    recursive_c: Option<f64>,
    /// Equal distance of a class's sensitive values from the table's at most T
    #[arg(long, value_name = "T", requires = "sensitive")]
    equal_t: Option<f64>,
    /// Ordered distance at most T; the sensitive values must be numbers
    #[arg(long, value_name = "T", requires = "sensitive")]
    ordered_t: Option<f64>,
    /// Hierarchical distance at most T, by the sensitive column's hierarchy in the same folder
    #[arg(long, value_name = "T", requires = "sensitive")]
    hierarchical_t: Option<f64>,
    /// No sensitive value's share above 1 + B times that in the table
    #[arg(long, value_name = "B", requires = "sensitive")]
    beta: Option<f64>,
    /// As --beta, with min(B, -ln share) in place of B
    #[arg(long, value_name = "B", requires = "sensitive")]
    enhanced_beta: Option<f64>,
    /// Logarithm of a sensitive value's share over that in the table between -D and D
    #[arg(long, value_name = "D", requires = "sensitive")]
    delta_disclosure: Option<f64>,
    /// Rows of the population in a class at least
    #[arg(long, value_name = "K", requires = "population")]
    k_map: Option<u64>,
    /// Share of a class's population that is in the table, from and to; with LOW above 0 all of the population must fit a
    /// released class
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 1, requires = "population")]
    presence: Vec<f64>,
    /// The population: a CSV file with the same quasi-identifiers, in which the table's people are
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
}

impl TableArgs {
    /// The models, k-anonymity first.
    ///
    /// # Errors
    ///
    /// If the sensitive column's hierarchy is needed and can't be read.
    pub fn models(&self) -> Result<Vec<PrivacyModel>, Failure> {
        let asked = &self.models;
        let hierarchical = match (asked.hierarchical_t, &self.sensitive) {
            (Some(t), Some(sensitive)) => {
                let Some(file) = hierarchy_file(&self.hierarchies, sensitive)? else {
                    return Err(Failure::Input(format!(
                        "--hierarchical-t needs a hierarchy of {sensitive:?}: put *hierarchy_{sensitive}.csv into {}",
                        self.hierarchies.display()
                    )));
                };
                Some(PrivacyModel::HierarchicalTCloseness { t, hierarchy: Hierarchy::read(sensitive, &file)? })
            }
            _ => None,
        };
        let presence = match asked.presence[..] {
            [] => None,
            [lower, upper] => Some(PrivacyModel::DeltaPresence { lower, upper }),
            _ => return Err(Failure::Input("--presence takes two shares, as in 0,0.5".to_owned())),
        };
        let recursive = asked.recursive_l.zip(asked.recursive_c);
        Ok([
            Some(PrivacyModel::KAnonymity { k: self.k }),
            asked.distinct_l.map(|l| PrivacyModel::DistinctLDiversity { l }),
            asked.entropy_l.map(|l| PrivacyModel::EntropyLDiversity { l }),
            recursive.map(|(l, c)| PrivacyModel::RecursiveLDiversity { c, l }),
            asked.equal_t.map(|t| PrivacyModel::EqualTCloseness { t }),
            asked.ordered_t.map(|t| PrivacyModel::OrderedTCloseness { t }),
            hierarchical,
            asked.beta.map(|beta| PrivacyModel::BetaLikeness { beta, enhanced: false }),
            asked.enhanced_beta.map(|beta| PrivacyModel::BetaLikeness { beta, enhanced: true }),
            asked.delta_disclosure.map(|delta| PrivacyModel::DeltaDisclosure { delta }),
            asked.k_map.map(|k| PrivacyModel::KMap { k }),
            presence,
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    /// Reads the hierarchies, then the table, and the population if there is one.
    pub fn read(&self) -> Result<Table, Failure> {
        let table = read_table(&self.data, self.separator, &self.hierarchies, self.sensitive.as_deref())?;
        let Some(file) = &self.models.population else { return Ok(table) };
        let roles = TableRoles { quasi_identifiers: table.columns().to_vec(), sensitive: None };
        let population = Table::read(file, self.separator, roles)?;
        Ok(table.with_population(population)?)
    }
}

/// Reads the hierarchies of a folder, then a table: columns with a hierarchy are quasi-identifiers.
pub fn read_table(data: &Path, separator: u8, hierarchies: &Path, sensitive: Option<&str>) -> Result<Table, Failure> {
    let mut quasi_identifiers = hierarchies_of(data, separator, hierarchies)?;
    quasi_identifiers.retain(|column| sensitive != Some(column.name.as_str()));
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

/// The columns of a file that have a hierarchy in a folder.
pub fn hierarchies_of(data: &Path, separator: u8, folder: &Path) -> Result<Vec<Column>, Failure> {
    let mut columns = Vec::new();
    for name in column_names(data, separator)? {
        if let Some(file) = hierarchy_file(folder, &name)? {
            columns.push(Column { hierarchy: Hierarchy::read(&name, &file)?, name });
        }
    }
    Ok(columns)
}

/// Refuses outputs that exist.
pub fn refuse_existing(paths: &[&Path], force: bool) -> Result<(), Failure> {
    match paths.iter().find(|path| path.exists()) {
        Some(taken) if !force => {
            let taken = taken.display();
            Err(Failure::Input(format!("{taken} exists already: name another, or give --force")))
        }
        _ => Ok(()),
    }
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
    /// One self-contained HTML page on the release, with charts
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// People in the population, for estimates of how many are unique in it
    #[arg(long, value_name = "N")]
    pub population_size: Option<u64>,
    /// Replaces outputs that exist
    #[arg(long)]
    pub force: bool,
}

impl ReleaseArgs {
    /// Refuses outputs that are read or exist, before anything is searched or written.
    pub fn check(&self, args: &TableArgs, recipe: Option<&Path>) -> Result<(), Failure> {
        let outputs: Vec<&Path> =
            [self.output.as_deref(), self.report.as_deref(), recipe].into_iter().flatten().collect();
        let inputs: Vec<&Path> =
            std::iter::once(args.data.as_path()).chain(args.models.population.as_deref()).collect();
        refuse_input(&inputs, &outputs)?;
        let statements = self.statements();
        let all: Vec<&Path> = outputs.into_iter().chain(statements.iter().flatten().map(PathBuf::as_path)).collect();
        refuse_existing(&all, self.force)
    }

    /// The files of the statement beside the output.
    fn statements(&self) -> Option<[PathBuf; 2]> {
        let output = self.output.as_ref()?;
        let beside = |ending: &str| {
            let mut name = output.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        Some([beside(".statement.txt"), beside(".statement.json")])
    }

    /// Checks a recoding anew and writes it with its statement, if an output was named.
    pub fn write(&self, args: &TableArgs, table: &Table, recoding: &Recoding) -> Result<(), Failure> {
        let models = args.models()?;
        recoding.verify(table, &models)?;
        self.write_with(args, table, recoding, recoding.statement(table, &models)?)
    }

    /// As [`Self::write`], for a recoding that was checked in another way.
    pub fn write_with(
        &self,
        args: &TableArgs,
        table: &Table,
        recoding: &Recoding,
        mut statement: TableStatement,
    ) -> Result<(), Failure> {
        let (Some(output), Some(statements)) = (&self.output, self.statements()) else { return Ok(()) };
        let options = ReleaseOptions { keep: self.keep.clone(), keep_order: self.keep_order, replace: self.force };
        write_release(&args.data, args.separator, table, recoding, output, &options)?;
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
