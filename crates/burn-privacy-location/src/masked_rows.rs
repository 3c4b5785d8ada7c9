//! Rows of a masked file as text: lines of CSV, or features of GeoJSON.

use std::io::Write;
use std::path::Path;

use burn_privacy_anonymize::AnonymizeError;
use serde_json::{Map, Number, Value};

use super::error::LocationError;
use super::geojson_points::{is_geojson, point_feature};
use super::place::{DECIMALS, Place};

/// How the rows of a file are written.
pub(super) struct OutputRows {
    names: Vec<String>,
    /// Where latitude and longitude are among the names.
    at: [usize; 2],
    separator: u8,
    is_geojson: bool,
}

impl OutputRows {
    /// Rows of columns of these names, into a file that is GeoJSON if it is named so.
    pub(super) fn new(output: &Path, names: Vec<String>, at: [usize; 2], separator: u8) -> Self {
        Self { names, at, separator, is_geojson: is_geojson(output) }
    }

    /// What stands before all rows.
    pub(super) fn head(&self) -> Result<Vec<u8>, LocationError> {
        if self.is_geojson {
            return Ok(b"{\"type\":\"FeatureCollection\",\"features\":[\n".to_vec());
        }
        let mut writer = self.csv(Vec::new());
        writer.write_record(&self.names).map_err(unwritten)?;
        finished(writer)
    }

    /// What stands between two blocks of rows.
    pub(super) fn between(&self) -> &'static [u8] {
        if self.is_geojson { b",\n" } else { b"" }
    }

    /// What stands after all rows.
    pub(super) fn tail(&self) -> &'static [u8] {
        if self.is_geojson { b"\n]}\n" } else { b"" }
    }

    /// A writer of a block of rows.
    pub(super) fn writer(&self, rows: usize) -> BlockWriter<'_> {
        let memory = Vec::with_capacity(rows * if self.is_geojson { 128 } else { 32 });
        let text =
            if self.is_geojson { BlockText::Features(memory) } else { BlockText::Csv(Box::new(self.csv(memory))) };
        BlockWriter { format: self, text, latitude: Vec::new(), longitude: Vec::new() }
    }

    fn csv(&self, memory: Vec<u8>) -> csv::Writer<Vec<u8>> {
        csv::WriterBuilder::new().delimiter(self.separator).from_writer(memory)
    }
}

enum BlockText {
    Csv(Box<csv::Writer<Vec<u8>>>),
    Features(Vec<u8>),
}

/// Writes a block of rows.
pub(super) struct BlockWriter<'a> {
    format: &'a OutputRows,
    text: BlockText,
    latitude: Vec<u8>,
    longitude: Vec<u8>,
}

impl BlockWriter<'_> {
    /// Writes a row: the cells of all columns, in which the place's are replaced.
    pub(super) fn write<'b>(
        &mut self,
        place: Place,
        cells: impl Iterator<Item = &'b [u8]>,
    ) -> Result<(), LocationError> {
        let [of_latitude, of_longitude] = self.format.at;
        match &mut self.text {
            BlockText::Csv(writer) => {
                write_degrees(&mut self.latitude, place.latitude());
                write_degrees(&mut self.longitude, place.longitude());
                let cells = cells.enumerate().map(|(column, cell)| match column {
                    _ if column == of_latitude => self.latitude.as_slice(),
                    _ if column == of_longitude => self.longitude.as_slice(),
                    _ => cell,
                });
                writer.write_record(cells).map_err(unwritten)
            }
            BlockText::Features(bytes) => {
                if !bytes.is_empty() {
                    bytes.extend_from_slice(b",\n");
                }
                let kept = cells.enumerate().filter(|(column, _)| ![of_latitude, of_longitude].contains(column));
                let properties: Map<String, Value> =
                    kept.map(|(column, cell)| (self.format.names[column].clone(), property(cell))).collect();
                // Memory does not fail.
                let _ = write!(bytes, "{}", point_feature(place, &Value::Object(properties)));
                Ok(())
            }
        }
    }

    /// The block's bytes.
    pub(super) fn finish(self) -> Result<Vec<u8>, LocationError> {
        match self.text {
            BlockText::Csv(writer) => finished(*writer),
            BlockText::Features(bytes) => Ok(bytes),
        }
    }
}

/// A cell as a property: nothing where it is empty, a number where it is written as JSON writes it.
fn property(cell: &[u8]) -> Value {
    let text = String::from_utf8_lossy(cell);
    if text.is_empty() {
        return Value::Null;
    }
    match text.parse::<Number>() {
        Ok(number) if number.to_string() == text => Value::Number(number),
        _ => Value::String(text.into_owned()),
    }
}

fn write_degrees(cell: &mut Vec<u8>, degrees: f64) {
    cell.clear();
    // Memory does not fail.
    let _ = write!(cell, "{degrees:.DECIMALS$}");
}

fn unwritten(error: csv::Error) -> LocationError {
    AnonymizeError::csv(Path::new("the output"), error).into()
}

fn finished(writer: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, LocationError> {
    writer.into_inner().map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        AnonymizeError::Write { file: "the output".into(), source }.into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_properties_of_their_kind() {
        let of = |cell: &str| property(cell.as_bytes());
        assert_eq!([of(""), of("12"), of("1.5")], [Value::Null, 12.into(), 1.5.into()]);
        for text in ["007", "1e3", "+1", "Ann", "NaN", " 1"] {
            assert_eq!(of(text), Value::String(text.to_owned()));
        }
    }
}
