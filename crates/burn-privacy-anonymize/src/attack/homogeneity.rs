//! The homogeneity attack: in a class whose rows share a sensitive value, knowing the class is knowing the value.

use std::collections::HashMap;
use std::path::Path;

use crate::AnonymizeError;
use crate::table::header_of;

/// What the classes of a release give away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomogeneityFinding {
    /// Rows of the release.
    pub rows: u64,
    /// Classes of rows with the same quasi-identifiers.
    pub classes: u64,
    /// Rows of the smallest class: the k of the release.
    pub smallest_class: u64,
    /// Distinct sensitive values of the poorest class: its l.
    pub fewest_values: u64,
    /// Classes whose rows all have one sensitive value.
    pub homogeneous_classes: u64,
    /// Their rows: people whose value is known to whoever knows their quasi-identifiers.
    pub exposed_rows: u64,
    /// The largest such classes, quasi-identifiers and value; up to ten.
    pub examples: Vec<(Vec<String>, String, u64)>,
}

/// Groups the rows of a released table by `quasi_identifiers` as they are printed and looks at `sensitive`.
///
/// # Errors
///
/// [`AnonymizeError`] if the file can't be read or a column is missing.
pub fn homogeneity(
    data: &Path,
    separator: u8,
    quasi_identifiers: &[String],
    sensitive: &str,
) -> Result<HomogeneityFinding, AnonymizeError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .from_path(data)
        .map_err(|error| AnonymizeError::csv(data, error))?;
    let header = header_of(data, &mut reader)?;
    let place_of = |name: &String| {
        header.iter().position(|column| column == name).ok_or_else(|| AnonymizeError::MissingColumn {
            file: data.to_owned(),
            column: name.clone(),
            present: header.join(", "),
        })
    };
    let places: Vec<usize> = quasi_identifiers.iter().map(place_of).collect::<Result<_, _>>()?;
    let value_place = place_of(&sensitive.to_owned())?;
    let mut classes: HashMap<Vec<String>, HashMap<String, u64>> = HashMap::new();
    let mut rows = 0;
    for record in reader.records() {
        let record = record.map_err(|error| AnonymizeError::csv(data, error))?;
        let key = places.iter().map(|&place| record[place].to_owned()).collect();
        *classes.entry(key).or_default().entry(record[value_place].to_owned()).or_insert(0) += 1;
        rows += 1;
    }
    let mut exposed: Vec<(Vec<String>, String, u64)> = classes
        .iter()
        .filter(|(_, values)| values.len() == 1)
        .flat_map(|(key, values)| values.iter().map(|(value, &rows)| (key.clone(), value.clone(), rows)))
        .collect();
    exposed.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(&other.0)));
    Ok(HomogeneityFinding {
        rows,
        classes: classes.len() as u64,
        smallest_class: classes.values().map(|values| values.values().sum()).min().unwrap_or(0),
        fewest_values: classes.values().map(|values| values.len() as u64).min().unwrap_or(0),
        homogeneous_classes: exposed.len() as u64,
        exposed_rows: exposed.iter().map(|(.., rows)| rows).sum(),
        examples: exposed.into_iter().take(10).collect(),
    })
}
