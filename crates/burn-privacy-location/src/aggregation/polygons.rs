//! Areas of a GeoJSON file, and how many places are in each.

use std::path::Path;

use geojson::{GeoJson, GeometryValue};

use super::super::error::LocationError;
use super::super::place::Place;
use burn_privacy_anonymize::AnonymizeError;

/// A named area: polygons, each an outer ring and holes, of longitude and latitude.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its name, or its number where it has none.
    pub name: String,
    /// Polygons: rings of `[longitude, latitude]`.
    pub polygons: Vec<Vec<Vec<[f64; 2]>>>,
}

impl Area {
    /// Whether a place is inside: edges are straight in degrees, as RFC 7946 says, and an area that crosses the antimeridian is
    /// cut there. A place on an edge that two areas share is in one of them.
    #[must_use]
    pub fn contains(&self, place: Place) -> bool {
        let (x, y) = (place.longitude(), place.latitude());
        // A place on the antimeridian is on both sides of it.
        let inside =
            |x: f64| self.polygons.iter().any(|rings| rings.iter().filter(|ring| crosses(ring, x, y)).count() % 2 == 1);
        inside(x) || (x == -180.0 && inside(180.0))
    }
}

/// Whether a ray to the east crosses a ring an odd number of times.
fn crosses(ring: &[[f64; 2]], x: f64, y: f64) -> bool {
    let mut odd = false;
    for pair in ring.windows(2) {
        let ([x1, y1], [x2, y2]) = (pair[0], pair[1]);
        if (y1 > y) != (y2 > y) && x < x1 + (y - y1) / (y2 - y1) * (x2 - x1) {
            odd = !odd;
        }
    }
    odd
}

/// Reads the areas of a GeoJSON file: polygons and multi-polygons, named by a property.
///
/// # Errors
///
/// [`LocationError`] if the file can't be read, is no GeoJSON, or has no area.
pub fn read_areas(file: &Path, name: &str) -> Result<Vec<Area>, LocationError> {
    let text =
        std::fs::read_to_string(file).map_err(|source| AnonymizeError::Read { file: file.to_owned(), source })?;
    let refused = |problem: String| LocationError::GeoJson { file: file.display().to_string(), problem };
    let document: GeoJson =
        text.parse().map_err(|error: geojson::Error| refused(format!("this is no GeoJSON: {error}")))?;
    let GeoJson::FeatureCollection(collection) = document else {
        return Err(refused("a collection of features is needed".to_owned()));
    };
    let mut areas = Vec::new();
    for (number, feature) in collection.features.into_iter().enumerate() {
        let name = match feature.properties.as_ref().and_then(|properties| properties.get(name)) {
            Some(serde_json::Value::String(name)) => name.clone(),
            Some(other) if !other.is_null() => other.to_string(),
            _ => number.to_string(),
        };
        let ring = |ring: &Vec<geojson::Position>| -> Option<Vec<[f64; 2]>> {
            ring.iter().map(|at| Some([*at.as_slice().first()?, *at.as_slice().get(1)?])).collect()
        };
        let polygon = |rings: &Vec<Vec<geojson::Position>>| rings.iter().map(ring).collect::<Option<Vec<_>>>();
        let polygons = match feature.geometry.as_ref().map(|geometry| &geometry.value) {
            Some(GeometryValue::Polygon { coordinates }) => vec![polygon(coordinates)],
            Some(GeometryValue::MultiPolygon { coordinates }) => coordinates.iter().map(polygon).collect(),
            _ => continue,
        };
        let polygons = polygons.into_iter().collect::<Option<Vec<_>>>();
        areas
            .push(Area { name, polygons: polygons.ok_or_else(|| refused("a position needs two numbers".to_owned()))? });
    }
    if areas.is_empty() {
        return Err(refused("there is no polygon".to_owned()));
    }
    Ok(areas)
}

/// How many places are in each area, the first that has them; and how many are in none.
#[must_use]
pub fn count_areas(areas: &[Area], places: &[Place]) -> (Vec<u64>, u64) {
    let (mut counts, mut outside) = (vec![0; areas.len()], 0);
    for &place in places {
        match areas.iter().position(|area| area.contains(place)) {
            Some(area) => counts[area] += 1,
            None => outside += 1,
        }
    }
    (counts, outside)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","properties":{"name":"ring"},"geometry":{"type":"Polygon","coordinates":[
            [[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[6,4],[6,6],[4,6],[4,4]]]}},
        {"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon","coordinates":[
            [[[170,-5],[180,-5],[180,5],[170,5],[170,-5]]],[[[-180,-5],[-170,-5],[-170,5],[-180,5],[-180,-5]]]]}},
        {"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[0,0]}}]}"#;

    #[test]
    fn holes_and_the_antimeridian_are_respected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("areas.geojson");
        std::fs::write(&file, TWO).unwrap();
        let areas = read_areas(&file, "name").unwrap();
        assert_eq!(areas.iter().map(|area| area.name.as_str()).collect::<Vec<_>>(), ["ring", "1"]);
        let place = |latitude, longitude| Place::new(latitude, longitude).unwrap();
        let places = [place(5.0, 5.0), place(5.0, 2.0), place(0.0, 180.0), place(0.0, -175.0), place(0.0, 175.0)];
        assert_eq!(count_areas(&areas, &places), (vec![1, 3], 1));
        std::fs::write(&file, "{}").unwrap();
        assert!(read_areas(&file, "name").unwrap_err().to_string().contains("no GeoJSON"));
    }
}
