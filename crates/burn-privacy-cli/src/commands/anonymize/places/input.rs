//! Files of places, from the command line.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn_privacy_location::{PlaceColumns, PlaceStatement, Population, read_population};
use burn_privacy_output::write_atomically;
use clap::Args;

use super::super::input::separator;
use crate::failure::Failure;

/// Where the places are in a table.
#[derive(Clone, Debug, Args)]
pub struct ColumnArgs {
    /// Column of latitudes, in degrees
    #[arg(long, value_name = "COLUMN", default_value = "latitude")]
    pub latitude: String,
    /// Column of longitudes, in degrees
    #[arg(long, value_name = "COLUMN", default_value = "longitude")]
    pub longitude: String,
    /// Separator of cells
    #[arg(long, default_value = ",", value_parser = separator)]
    pub separator: u8,
}

impl ColumnArgs {
    /// As the library names them.
    pub fn columns(&self) -> PlaceColumns {
        PlaceColumns { latitude: self.latitude.clone(), longitude: self.longitude.clone(), separator: self.separator }
    }
}

/// A file of where people are, with the same names of columns as the data.
#[derive(Clone, Debug, Args)]
pub struct PopulationArgs {
    /// Public CSV file of where people live, with the same names of columns: a row a person, unless --people names a column
    #[arg(long, value_name = "FILE")]
    pub population: Option<PathBuf>,
    /// Column of the population file with the number of people of a row
    #[arg(long, value_name = "COLUMN", requires = "population")]
    pub people: Option<String>,
}

impl PopulationArgs {
    /// Reads the file, which `needed` needs.
    pub fn read(&self, columns: &ColumnArgs, needed: &str) -> Result<Arc<Population>, Failure> {
        let Some(file) = &self.population else {
            return Err(Failure::Input(format!(
                "{needed} needs --population FILE, a public file of where people live"
            )));
        };
        Ok(Arc::new(read_population(file, &columns.columns(), self.people.as_deref())?))
    }
}

/// The files of a statement beside an output.
pub fn beside(output: &Path, replace: bool) -> Result<[PathBuf; 2], Failure> {
    let files = [".statement.txt", ".statement.json"].map(|ending| {
        let mut name = output.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    });
    match std::iter::once(output).chain(files.iter().map(PathBuf::as_path)).find(|file| file.exists() && !replace) {
        Some(taken) => {
            Err(Failure::Input(format!("{} exists already: name another --output, or give --force", taken.display())))
        }
        None => Ok(files),
    }
}

/// Writes a statement into the files beside an output.
pub fn write_statement(files: &[PathBuf; 2], statement: &PlaceStatement) -> Result<(), Failure> {
    write_atomically(&files[0], statement.to_string())?;
    write_atomically(&files[1], format!("{:#}\n", burn_privacy_budget::statement::json(statement)))?;
    Ok(())
}
