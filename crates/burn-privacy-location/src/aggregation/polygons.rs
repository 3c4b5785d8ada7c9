//! Areas of a GeoJSON file, and how many places are in each.

use std::path::Path;

use geojson::GeometryValue;
use rayon::prelude::*;

use super::super::error::LocationError;
use super::super::geojson_points::read_collection;
use super::super::place::Place;

/// The farthest longitude of a corner: rings that cross the antimeridian go on beyond 180 degrees.
const FARTHEST: f64 = 540.0;

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
    /// cut there, or goes on beyond 180 degrees. A place on an edge that two areas share is in one of them.
    pub fn contains(&self, place: Place) -> bool {
        let (x, y) = (place.longitude(), place.latitude());
        let inside =
            |x: f64| self.polygons.iter().any(|rings| rings.iter().filter(|ring| crosses(ring, x, y)).count() % 2 == 1);
        // A place on the antimeridian is on both sides of it, and longitudes may go on beyond it.
        inside(x) || inside(x + 360.0) || inside(x - 360.0)
    }

    /// South, north, west and east of all corners; none of an area without any.
    fn bounds(&self) -> Option<[f64; 4]> {
        let corners = self.polygons.iter().flatten().flatten();
        corners.fold(None, |bounds, &[x, y]| {
            let [south, north, west, east] = bounds.unwrap_or([y, y, x, x]);
            Some([south.min(y), north.max(y), west.min(x), east.max(x)])
        })
    }
}

/// Whether a ray to the east crosses a ring an odd number of times. The last corner is joined to the first, also where a file
/// does not repeat it.
fn crosses(ring: &[[f64; 2]], x: f64, y: f64) -> bool {
    let mut odd = false;
    let mut last = ring.last();
    for corner in ring {
        let Some(&[x1, y1]) = last.replace(corner) else { continue };
        let [x2, y2] = *corner;
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
/// [`LocationError`] if the file can't be read, is no GeoJSON, has no area, or has a corner that is no place.
pub fn read_areas(file: &Path, name: &str) -> Result<Vec<Area>, LocationError> {
    let refused = |problem: String| LocationError::GeoJson { file: file.display().to_string(), problem };
    let collection = read_collection(file)?;
    let mut areas = Vec::new();
    for (number, feature) in collection.features.into_iter().enumerate() {
        let name = match feature.properties.as_ref().and_then(|properties| properties.get(name)) {
            Some(serde_json::Value::String(name)) => name.clone(),
            Some(other) if !other.is_null() => other.to_string(),
            _ => number.to_string(),
        };
        let corner = |at: &geojson::Position| {
            let at = [*at.as_slice().first()?, *at.as_slice().get(1)?];
            (at[0].abs() <= FARTHEST && at[1].abs() <= 90.0).then_some(at)
        };
        let ring = |ring: &Vec<geojson::Position>| ring.iter().map(corner).collect::<Option<Vec<[f64; 2]>>>();
        let polygon = |rings: &Vec<Vec<geojson::Position>>| rings.iter().map(ring).collect::<Option<Vec<_>>>();
        let polygons = match feature.geometry.as_ref().map(|geometry| &geometry.value) {
            Some(GeometryValue::Polygon { coordinates }) => vec![polygon(coordinates)],
            Some(GeometryValue::MultiPolygon { coordinates }) => coordinates.iter().map(polygon).collect(),
            _ => continue,
        };
        let polygons = polygons.into_iter().collect::<Option<Vec<_>>>();
        let wrong = || {
            let needed = "a corner needs a longitude and a latitude in degrees, in this order: are these meters?";
            refused(format!("feature {number}: {needed}"))
        };
        areas.push(Area { name, polygons: polygons.ok_or_else(wrong)? });
    }
    if areas.is_empty() {
        return Err(refused("there is no polygon".to_owned()));
    }
    Ok(areas)
}

/// How many places are in each area, the first that has them; and how many are in none.
pub fn count_areas(areas: &[Area], places: &[Place]) -> (Vec<u64>, u64) {
    let bounds: Vec<_> = areas.iter().map(Area::bounds).collect();
    let may_contain = |bounds: &Option<[f64; 4]>, place: Place| {
        let (x, y) = (place.longitude(), place.latitude());
        bounds.is_some_and(|[south, north, west, east]| {
            (south..=north).contains(&y) && [x, x + 360.0, x - 360.0].iter().any(|x| (west..=east).contains(x))
        })
    };
    let area_of = |place: &Place| {
        areas.iter().zip(&bounds).position(|(area, bounds)| may_contain(bounds, *place) && area.contains(*place))
    };
    let (mut counts, mut outside) = (vec![0; areas.len()], 0);
    for found in places.par_iter().map(area_of).collect::<Vec<_>>() {
        match found {
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
        // A ring that goes on beyond the antimeridian, and one whose first corner is not repeated.
        let square = "[[170,-5],[190,-5],[190,5],[170,5],[170,-5]]";
        for ring in [square, &square.replace(",[170,-5]]", "]")] {
            let one = format!(
                r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":null,"geometry":{{"type":"Polygon","coordinates":[{ring}]}}}}]}}"#
            );
            std::fs::write(&file, &one).unwrap();
            let areas = read_areas(&file, "name").unwrap();
            assert_eq!(count_areas(&areas, &places), (vec![3], 2));
            std::fs::write(&file, one.replace("-5", "-500000")).unwrap();
            assert!(read_areas(&file, "name").unwrap_err().to_string().contains("feature 0"));
        }
        std::fs::write(&file, "{}").unwrap();
        assert!(read_areas(&file, "name").unwrap_err().to_string().contains("no GeoJSON"));
    }
}
