//! A place as the text of one cell.

use std::io::Write;

use serde::Deserialize;

use super::place::{DECIMALS, Place};

/// How one cell has latitude and longitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PlaceText {
    /// Latitude and longitude, with a comma between them.
    #[serde(rename = "lat,lon")]
    LatitudeFirst,
    /// Longitude and latitude, with a comma between them.
    #[serde(rename = "lon,lat")]
    LongitudeFirst,
    /// Well-known text: `POINT (longitude latitude)`, as OGC 06-103r4 has it for coordinates in this order.
    #[serde(rename = "wkt")]
    WellKnownText,
}

impl PlaceText {
    /// The place of a cell; none of an empty one, or of `POINT EMPTY`. The error is the rest of a sentence and shows nothing of it.
    pub(super) fn read(self, cell: &[u8]) -> Result<Option<Place>, String> {
        let text = std::str::from_utf8(cell).unwrap_or("?").trim();
        let (first, second) = match self {
            Self::LatitudeFirst | Self::LongitudeFirst => {
                if text.is_empty() {
                    return Ok(None);
                }
                text.split_once(',').ok_or("the cell has no comma between latitude and longitude")?
            }
            Self::WellKnownText => {
                let upper = text.to_ascii_uppercase();
                let rest = match upper.strip_prefix("POINT").map(str::trim) {
                    None if upper.is_empty() => return Ok(None),
                    Some("EMPTY") => return Ok(None),
                    Some(rest) => rest,
                    None => return Err("the cell is no POINT (longitude latitude)".to_owned()),
                };
                let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
                let numbers: Vec<&str> = inner.unwrap_or_default().split_whitespace().collect();
                let [longitude, latitude] = numbers.as_slice() else {
                    return Err("the cell is no POINT (longitude latitude): two numbers, and no more".to_owned());
                };
                return of_degrees(latitude.as_bytes(), longitude.as_bytes());
            }
        };
        match self {
            Self::LongitudeFirst => of_degrees(second.as_bytes(), first.as_bytes()),
            _ => of_degrees(first.as_bytes(), second.as_bytes()),
        }
    }

    /// Writes a place as it was read, in steps of a centimeter.
    pub(super) fn write(self, place: Place, out: &mut Vec<u8>) {
        let (latitude, longitude) = (place.latitude(), place.longitude());
        // Memory does not fail.
        let _ = match self {
            Self::LatitudeFirst => write!(out, "{latitude:.DECIMALS$},{longitude:.DECIMALS$}"),
            Self::LongitudeFirst => write!(out, "{longitude:.DECIMALS$},{latitude:.DECIMALS$}"),
            Self::WellKnownText => write!(out, "POINT ({longitude:.DECIMALS$} {latitude:.DECIMALS$})"),
        };
    }
}

/// The place of two cells of degrees; none where both are empty. The error is the rest of a sentence and shows nothing of them.
pub(super) fn of_degrees(latitude: &[u8], longitude: &[u8]) -> Result<Option<Place>, String> {
    let [latitude, longitude] = [latitude, longitude].map(|cell| std::str::from_utf8(cell).unwrap_or("?").trim());
    if latitude.is_empty() && longitude.is_empty() {
        return Ok(None);
    }
    let degrees = |text: &str| {
        text.parse::<f64>().map_err(|_| {
            "a cell is no number of degrees: write it as 51.5033, with a point and without a unit".to_owned()
        })
    };
    let (latitude, longitude) = (degrees(latitude)?, degrees(longitude)?);
    Place::new(latitude, longitude).map(Some).map_err(|error| match error {
        super::error::LocationError::NoPlace { problem, .. } => format!("this is no place: {problem}"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_read_as_they_are_written_and_refused_without_showing_them() {
        let place = Place::new(51.5, -0.125).unwrap();
        for (text, cell) in [
            (PlaceText::LatitudeFirst, "51.5000000,-0.1250000"),
            (PlaceText::LongitudeFirst, "-0.1250000,51.5000000"),
            (PlaceText::WellKnownText, "POINT (-0.1250000 51.5000000)"),
        ] {
            let mut out = Vec::new();
            text.write(place, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), cell);
            assert_eq!(text.read(cell.as_bytes()), Ok(Some(place)));
            assert_eq!(text.read(b" "), Ok(None));
        }
        let wkt = PlaceText::WellKnownText;
        assert_eq!(wkt.read(b"point( -0.125   51.5 )"), Ok(Some(place)));
        assert_eq!(wkt.read(b"POINT EMPTY"), Ok(None));
        for (text, cell) in [
            (wkt, "POINT Z (1 2 3)"),
            (wkt, "POINT (1 2 3)"),
            (wkt, "LINESTRING (1 2, 3 4)"),
            (wkt, "1,2"),
            (wkt, "POINT (1 91)"),
            (PlaceText::LatitudeFirst, "98.765 1"),
            (PlaceText::LatitudeFirst, "98.765,"),
            (PlaceText::LatitudeFirst, "98.765,1"),
            (PlaceText::LatitudeFirst, "98.765,1,3"),
            (PlaceText::LatitudeFirst, "NaN,1"),
        ] {
            let error = text.read(cell.as_bytes()).unwrap_err();
            assert!(!error.contains("98.7"), "{cell}: {error}");
        }
        assert!(of_degrees(b"51.5", b"").is_err() && of_degrees(b"", b"3").is_err());
    }
}
