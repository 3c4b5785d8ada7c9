//! Points of GeoJSON files, in and out, and polygons out.

use std::path::Path;

use geojson::{FeatureCollection, GeoJson, GeometryValue, JsonObject};
use serde_json::{Value, json};

use super::error::LocationError;
use super::place::Place;
use burn_privacy_anonymize::AnonymizeError;

/// Whether a file is named as GeoJSON is.
pub fn is_geojson(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("geojson") || ending.eq_ignore_ascii_case("json"))
}

/// A feature's latitude and longitude, if it has a point, and its properties.
pub(super) type PointFeature = (Option<[f64; 2]>, JsonObject);

/// An error in a feature, counted from 0.
pub(super) fn wrong_feature(file: &Path, number: u64, problem: &str) -> LocationError {
    LocationError::GeoJson { file: file.display().to_string(), problem: format!("feature {number}: {problem}") }
}

/// The collection of features that a file holds.
pub(super) fn read_collection(file: &Path) -> Result<FeatureCollection, LocationError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
    let refused = |problem: String| LocationError::GeoJson { file: file.display().to_string(), problem };
    let document: GeoJson =
        text.parse().map_err(|error: geojson::Error| refused(format!("this is no GeoJSON: {error}")))?;
    match document {
        GeoJson::FeatureCollection(collection) => Ok(collection),
        _ => Err(refused("a collection of features is needed".to_owned())),
    }
}

/// The features of a collection, each of which is a point or has no geometry.
pub(super) fn read_features(file: &Path) -> Result<Vec<PointFeature>, LocationError> {
    let collection = read_collection(file)?;
    let point = |(number, feature): (usize, geojson::Feature)| {
        let wrong = |problem: &str| Err(wrong_feature(file, number as u64, problem));
        let at = match feature.geometry.map(|geometry| geometry.value) {
            None => None,
            Some(GeometryValue::Point { coordinates }) => match coordinates.as_slice() {
                [longitude, latitude, ..] => Some([*latitude, *longitude]),
                _ => return wrong("a position needs two numbers"),
            },
            Some(_) => return wrong("it is no point"),
        };
        Ok((at, feature.properties.unwrap_or_default()))
    };
    collection.features.into_iter().enumerate().map(point).collect()
}

/// Reads the points of a collection of features, one a feature; their properties are not read.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, is no collection, or has a feature that is no point or no place.
pub fn read_points(file: &Path) -> Result<Vec<Place>, LocationError> {
    let place = |(number, (at, _)): (usize, PointFeature)| {
        let wrong = |problem: &str| wrong_feature(file, number as u64, problem);
        let [latitude, longitude] = at.ok_or_else(|| wrong("it is no point"))?;
        Place::new(latitude, longitude).map_err(|error| wrong(&error.to_string()))
    };
    read_features(file)?.into_iter().enumerate().map(place).collect()
}

/// The feature of a place, with properties.
pub(super) fn point_feature(place: Place, properties: &Value) -> Value {
    json!({
        "type": "Feature",
        "geometry": { "type": "Point", "coordinates": position(place) },
        "properties": properties,
    })
}

/// A collection of points, without properties.
pub fn points_document(places: &[Place]) -> String {
    collection(places.iter().map(|place| (json!({ "type": "Point", "coordinates": position(*place) }), json!({}))))
}

/// A collection of features of polygons, each of which is one ring of places, with properties. Neighbors of a ring are less than
/// half the globe apart; a ring around a pole contains the nearer one.
pub fn polygons_document(features: &[(Vec<Vec<Place>>, Value)]) -> String {
    let closed = |ring: &Vec<Place>| closed(ring);
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

/// Positions of a closed ring whose longitudes go on past the antimeridian: viewers then draw no line around the globe.
fn closed(ring: &[Place]) -> Vec<Value> {
    let Some(first) = ring.first() else { return Vec::new() };
    let mut unwrapped: Vec<[f64; 2]> = Vec::with_capacity(ring.len() + 4);
    let mut last = first.longitude();
    for place in ring.iter().chain([first]) {
        last = place.longitude() + ((last - place.longitude()) / 360.0).round() * 360.0;
        unwrapped.push([last, place.latitude()]);
    }
    // A ring that has gone around a pole comes back by way of it.
    let around = last - first.longitude();
    if around.abs() > 1.0 {
        let pole = if ring.iter().map(Place::latitude).sum::<f64>() < 0.0 { -90.0 } else { 90.0 };
        unwrapped.extend([[last, pole], [first.longitude(), pole], [first.longitude(), first.latitude()]]);
    }
    let rounded = |degrees: f64| (degrees * 1e7).round() / 1e7;
    unwrapped.into_iter().map(|at| json!(at.map(rounded))).collect()
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

    #[test]
    fn a_ring_around_a_pole_contains_it() {
        let ring = [0.0, 90.0, 180.0, 270.0].map(|x| Place::new(-80.0, x).unwrap());
        assert_eq!(
            Value::from(closed(&ring)),
            json!([
                [0.0, -80.0],
                [90.0, -80.0],
                [180.0, -80.0],
                [270.0, -80.0],
                [360.0, -80.0],
                [360.0, -90.0],
                [0.0, -90.0],
                [0.0, -80.0]
            ])
        );
        assert!(closed(&[]).is_empty());
    }
}
