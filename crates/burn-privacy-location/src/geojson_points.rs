//! Points of GeoJSON files, in and out.

use std::path::Path;

use geojson::{GeoJson, GeometryValue};
use serde_json::{Value, json};

use super::error::LocationError;
use super::place::Place;
use burn_privacy_anonymize::AnonymizeError;

/// Whether a file is named as GeoJSON is.
#[must_use]
pub fn is_geojson(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("geojson") || ending.eq_ignore_ascii_case("json"))
}

/// Reads the points of a collection of features, one a feature; their properties are not read.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, is no collection, or has a feature that is no point or no place.
pub fn read_points(file: &Path) -> Result<Vec<Place>, LocationError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
    let refused = |problem: String| LocationError::GeoJson { file: file.display().to_string(), problem };
    let document: GeoJson =
        text.parse().map_err(|error: geojson::Error| refused(format!("this is no GeoJSON: {error}")))?;
    let GeoJson::FeatureCollection(collection) = document else {
        return Err(refused("a collection of features is needed".to_owned()));
    };
    let point = |(number, feature): (usize, geojson::Feature)| {
        let wrong = |problem: String| refused(format!("feature {number}: {problem}"));
        match feature.geometry.map(|geometry| geometry.value) {
            Some(GeometryValue::Point { coordinates }) => match coordinates.as_slice() {
                [longitude, latitude, ..] => {
                    Place::new(*latitude, *longitude).map_err(|error| wrong(error.to_string()))
                }
                _ => Err(wrong("a position needs two numbers".to_owned())),
            },
            _ => Err(wrong("it is no point".to_owned())),
        }
    };
    collection.features.into_iter().enumerate().map(point).collect()
}

/// A collection of points, without properties.
#[must_use]
pub fn points_document(places: &[Place]) -> String {
    collection(places.iter().map(|place| (json!({ "type": "Point", "coordinates": position(*place) }), json!({}))))
}

/// A collection of features of polygons, each of which is one ring of places, with properties.
#[must_use]
pub fn polygons_document(features: &[(Vec<Vec<Place>>, Value)]) -> String {
    let closed = |ring: &Vec<Place>| {
        let mut positions: Vec<Value> = unwrapped(ring);
        positions.extend(positions.first().cloned());
        positions
    };
    collection(features.iter().map(|(rings, properties)| {
        let geometry = match rings.as_slice() {
            [ring] => json!({ "type": "Polygon", "coordinates": [closed(ring)] }),
            _ => {
                let polygons: Vec<Value> = rings.iter().map(|ring| json!([closed(ring)])).collect();
                json!({ "type": "MultiPolygon", "coordinates": polygons })
            }
        };
        (geometry, properties.clone())
    }))
}

fn collection(features: impl Iterator<Item = (Value, Value)>) -> String {
    let features: Vec<Value> = features
        .map(|(geometry, properties)| json!({ "type": "Feature", "geometry": geometry, "properties": properties }))
        .collect();
    format!("{}\n", json!({ "type": "FeatureCollection", "features": features }))
}

fn position(place: Place) -> Value {
    // Centimeters; more digits would be of no use.
    let rounded = |degrees: f64| (degrees * 1e7).round() / 1e7;
    json!([rounded(place.longitude()), rounded(place.latitude())])
}

/// Positions of a ring whose longitudes go on past the antimeridian: viewers then draw no line around the globe.
fn unwrapped(ring: &[Place]) -> Vec<Value> {
    let first = ring.first().map_or(0.0, Place::longitude);
    ring.iter()
        .map(|place| {
            let turn = ((first - place.longitude()) / 360.0).round() * 360.0;
            let rounded = |degrees: f64| (degrees * 1e7).round() / 1e7;
            json!([rounded(place.longitude() + turn), rounded(place.latitude())])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_survive_a_round_trip() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("points.geojson");
        let places = [Place::new(51.5, -0.1276).unwrap(), Place::new(-90.0, -180.0).unwrap()];
        std::fs::write(&file, points_document(&places)).unwrap();
        assert_eq!(read_points(&file).unwrap(), places);
        assert!(is_geojson(&file) && !is_geojson(Path::new("points.csv")));
        std::fs::write(&file, r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,95]}}]}"#).unwrap();
        assert!(read_points(&file).unwrap_err().to_string().contains("feature 0"));
    }

    #[test]
    fn a_ring_across_the_antimeridian_stays_together() {
        let ring = [(0.0, 179.0), (0.0, -179.0), (1.0, -179.0)].map(|(y, x)| Place::new(y, x).unwrap()).to_vec();
        let document = polygons_document(&[(vec![ring.clone()], json!({ "count": 3 }))]);
        assert!(document.contains("[181.0,0.0]") && document.contains("\"count\":3"), "{document}");
        assert!(polygons_document(&[(vec![ring.clone(), ring], json!({}))]).contains("MultiPolygon"));
    }
}
