//! Tables with a place in each row: CSV files with columns of degrees, read row by row, and GeoJSON files of points.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use serde_json::Value;

use super::error::LocationError;
use super::geojson_points::{PointFeature, is_geojson, read_features, wrong_feature};
use super::place::Place;
use super::place_text::of_degrees;
use super::population::Population;
use burn_privacy_anonymize::AnonymizeError;
use burn_privacy_anonymize::table::{open_csv, place_of};

/// Where the places are in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceColumns {
    /// Name of the column of latitudes, in degrees.
    pub latitude: String,
    /// Name of the column of longitudes, in degrees.
    pub longitude: String,
    /// Separator of cells.
    pub separator: u8,
}

impl Default for PlaceColumns {
    fn default() -> Self {
        Self { latitude: "latitude".to_owned(), longitude: "longitude".to_owned(), separator: b',' }
    }
}

/// Rows of a CSV file, or features that are all in memory.
enum Rows {
    Csv(Box<csv::Reader<File>>),
    Features(std::iter::Enumerate<std::vec::IntoIter<PointFeature>>),
}

/// A table that is being read. Features are rows whose columns are those of places, by the names that are asked for, and their
/// properties.
pub(super) struct PlaceTable {
    rows: Rows,
    pub(super) header: Vec<String>,
    pub(super) file: PathBuf,
    latitude: usize,
    longitude: usize,
}

impl PlaceTable {
    /// Opens a file and finds its columns.
    pub(super) fn open(file: &Path, columns: &PlaceColumns) -> Result<Self, LocationError> {
        let (rows, header) = if is_geojson(file) {
            let features = read_features(file)?;
            let mut header = vec![columns.latitude.clone(), columns.longitude.clone()];
            let mut known: HashSet<&str> = HashSet::from([columns.latitude.as_str(), columns.longitude.as_str()]);
            // The geometry is the place, whatever properties of these names say.
            let names = features.iter().flat_map(|(_, properties)| properties.keys());
            header.extend(names.filter(|name| known.insert(name)).cloned());
            (Rows::Features(features.into_iter().enumerate()), header)
        } else {
            let (reader, header) = open_csv(file, columns.separator)?;
            (Rows::Csv(Box::new(reader)), header)
        };
        let latitude = place_of(file, &header, &columns.latitude)?;
        let longitude = place_of(file, &header, &columns.longitude)?;
        if latitude == longitude {
            let problem = "latitude and longitude are one column: name two".to_owned();
            return Err(AnonymizeError::Structure { file: file.to_owned(), line: 1, problem }.into());
        }
        Ok(Self { rows, header, file: file.to_owned(), latitude, longitude })
    }

    /// Where another column is.
    pub(super) fn column(&self, name: &str) -> Result<usize, LocationError> {
        Ok(place_of(&self.file, &self.header, name)?)
    }

    /// Reads the next row; false at the end.
    pub(super) fn read(&mut self, record: &mut ByteRecord) -> Result<bool, LocationError> {
        let features = match &mut self.rows {
            Rows::Csv(reader) => {
                return reader.read_byte_record(record).map_err(|error| AnonymizeError::csv(&self.file, error).into());
            }
            Rows::Features(features) => features,
        };
        record.clear();
        let Some((number, (at, properties))) = features.next() else { return Ok(false) };
        for cell in at.map_or([const { String::new() }; 2], |at| at.map(|degrees| degrees.to_string())) {
            record.push_field(cell.as_bytes());
        }
        for name in &self.header[2..] {
            match properties.get(name) {
                None | Some(Value::Null) => record.push_field(b""),
                Some(Value::String(text)) => record.push_field(text.as_bytes()),
                Some(other) => record.push_field(other.to_string().as_bytes()),
            }
        }
        let mut position = csv::Position::new();
        // Lines count from 1, features from 0.
        position.set_line(number as u64 + 1);
        record.set_position(Some(position));
        Ok(true)
    }

    /// How a row's place is read, for use by several threads.
    pub(super) fn places(&self) -> PlaceCells {
        PlaceCells { file: self.file.clone(), latitude: self.latitude, longitude: self.longitude }
    }
}

/// Finds the place of a row.
#[derive(Debug, Clone)]
pub(super) struct PlaceCells {
    file: PathBuf,
    latitude: usize,
    longitude: usize,
}

impl PlaceCells {
    /// The place of a row; none where both cells are empty.
    pub(super) fn place(&self, record: &ByteRecord) -> Result<Option<Place>, LocationError> {
        let cell = |column: usize| record.get(column).unwrap_or_default();
        of_degrees(cell(self.latitude), cell(self.longitude)).map_err(|problem| self.wrong(record, problem))
    }

    /// An error in a row.
    pub(super) fn wrong(&self, record: &ByteRecord, problem: String) -> LocationError {
        let line = record.position().map_or(0, csv::Position::line);
        if is_geojson(&self.file) {
            return wrong_feature(&self.file, line.saturating_sub(1), &problem);
        }
        LocationError::Line { file: self.file.display().to_string(), line, problem }
    }

    /// The columns of latitude and longitude.
    pub(super) fn columns(&self) -> [usize; 2] {
        [self.latitude, self.longitude]
    }
}

/// Reads all places of a file (CSV, or GeoJSON by its name), which must have one in each row.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, lacks a column, or holds what is no place.
pub fn read_places(file: &Path, columns: &PlaceColumns) -> Result<Vec<Place>, LocationError> {
    Ok(read_weighted(file, columns, None)?.into_iter().map(|(place, _)| place).collect())
}

/// Reads a population: a place in each row and, where a column is named, its people; else one person a row.
///
/// # Errors
///
/// As [`read_places`]; also for a number of people that is none.
pub fn read_population(file: &Path, columns: &PlaceColumns, people: Option<&str>) -> Result<Population, LocationError> {
    Population::new(read_weighted(file, columns, people)?)
}

fn read_weighted(
    file: &Path,
    columns: &PlaceColumns,
    people: Option<&str>,
) -> Result<Vec<(Place, f64)>, LocationError> {
    let mut table = PlaceTable::open(file, columns)?;
    let people = people.map(|name| table.column(name)).transpose()?;
    let (cells, mut record, mut all) = (table.places(), ByteRecord::new(), Vec::new());
    while table.read(&mut record)? {
        let wrong = |problem: String| cells.wrong(&record, problem);
        let place = cells.place(&record)?.ok_or_else(|| wrong("there is no place in this row".to_owned()))?;
        let weight = match people {
            None => 1.0,
            Some(column) => {
                let text = std::str::from_utf8(record.get(column).unwrap_or_default()).unwrap_or("?").trim();
                text.parse().map_err(|_| wrong(format!("{text:?} is no number of people")))?
            }
        };
        all.push((place, weight));
    }
    Ok(all)
}

/// Reads places by subject, in the order of the rows.
///
/// # Errors
///
/// As [`read_places`].
pub fn read_traces(
    file: &Path,
    columns: &PlaceColumns,
    subject: &str,
    time: Option<&str>,
) -> Result<std::collections::BTreeMap<String, Vec<(Place, String)>>, LocationError> {
    let mut table = PlaceTable::open(file, columns)?;
    let subject = table.column(subject)?;
    let time = time.map(|name| table.column(name)).transpose()?;
    let (cells, mut record) = (table.places(), ByteRecord::new());
    let mut traces: std::collections::BTreeMap<String, Vec<(Place, String)>> = std::collections::BTreeMap::new();
    let text = |record: &ByteRecord, column: usize| {
        String::from_utf8_lossy(record.get(column).unwrap_or_default()).into_owned()
    };
    while table.read(&mut record)? {
        if let Some(place) = cells.place(&record)? {
            let at = time.map(|column| text(&record, column)).unwrap_or_default();
            traces.entry(text(&record, subject)).or_default().push((place, at));
        }
    }
    Ok(traces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_rows_whose_properties_are_cells() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("homes.geojson");
        let text = r#"{"type":"FeatureCollection","features":[
            {"type":"Feature","properties":{"user":"ann","people":3,"latitude":"x"},"geometry":{"type":"Point","coordinates":[10,60,5]}},
            {"type":"Feature","properties":null,"geometry":null}]}"#;
        std::fs::write(&file, text).unwrap();
        let columns = PlaceColumns::default();
        let traces = read_traces(&file, &columns, "user", Some("people")).unwrap();
        assert_eq!(traces["ann"], [(Place::new(60.0, 10.0).unwrap(), "3".to_owned())]);
        let error = read_population(&file, &columns, Some("people")).unwrap_err().to_string();
        assert!(error.contains("feature 1: there is no place"), "{error}");
        assert!(read_traces(&file, &columns, "name", None).is_err());
    }
}
