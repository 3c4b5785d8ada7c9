//! A quadtree as fine as the rows allow: every cell that is released has at least k of them.

use super::super::error::LocationError;
use super::super::place::Place;
use super::super::statement::PlaceStatement;

/// Splits at most: cells of a centimeter.
const DEEPEST: u32 = 30;

/// South, west, north and east of a rectangle, in degrees; it never passes the antimeridian.
type Bounds = [f64; 4];

/// Rectangles that are counted together: one, or quarters of one that were too small alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuadtreeCell {
    /// South, west, north and east of each rectangle, in degrees.
    pub parts: Vec<[f64; 4]>,
    /// Rows inside all of them together.
    pub count: u64,
}

impl QuadtreeCell {
    /// The rectangles as rings of places for [`polygons_document`](crate::polygons_document): sides along parallels have a corner
    /// every 90 degrees at least, so that it is clear which way around the globe they go.
    pub fn rings(&self) -> Vec<Vec<Place>> {
        let ring = |&[south, west, north, east]: &Bounds| {
            let steps = ((east - west) / 90.0).ceil().max(1.0);
            let along = |step: f64| west + (east - west) * step / steps;
            let to_east = (0..=steps as u32).map(|step| Place::wrapped(south, along(f64::from(step))));
            let to_west = (0..=steps as u32).rev().map(|step| Place::wrapped(north, along(f64::from(step))));
            to_east.chain(to_west).collect()
        };
        self.parts.iter().map(ring).collect()
    }
}

/// Divides the globe into quarters, and quarters again, as far as every cell keeps at least `k` rows. Quarters with fewer are
/// counted together, and where they are still too few, with a cell of the smallest of the others.
///
/// # Errors
///
/// [`LocationError::Parameter`] unless `k` is at least 2 and at most the number of rows.
pub fn quadtree(places: &[Place], k: u64) -> Result<Vec<QuadtreeCell>, LocationError> {
    if k < 2 || k > places.len() as u64 {
        let allowed = format!("from 2 to the number of rows, {}", places.len());
        return Err(LocationError::parameter("k", k, allowed));
    }
    let mut cells = Vec::new();
    divide(places.to_vec(), [-90.0, -180.0, 90.0, 180.0], QuadtreeCell::default(), k, DEEPEST, &mut cells);
    Ok(cells)
}

/// Divides a rectangle with at least `k` rows; `others` are too small alone and go with one of its cells.
fn divide(
    places: Vec<Place>,
    bounds: Bounds,
    mut others: QuadtreeCell,
    k: u64,
    depth: u32,
    cells: &mut Vec<QuadtreeCell>,
) {
    let [south, west, north, east] = bounds;
    let (middle, center) = ((south + north) / 2.0, (west + east) / 2.0);
    let all = places.len() as u64;
    let mut quarters: Vec<(Bounds, Vec<Place>)> = [
        [south, west, middle, center],
        [south, center, middle, east],
        [middle, west, north, center],
        [middle, center, north, east],
    ]
    .map(|bounds| (bounds, Vec::new()))
    .to_vec();
    for place in places {
        let quarter = 2 * usize::from(place.latitude() >= middle) + usize::from(place.longitude() >= center);
        quarters[quarter].1.push(place);
    }
    quarters.retain(|(_, places)| !places.is_empty());
    if depth == 0 || quarters.iter().all(|(_, places)| (places.len() as u64) < k) {
        others.parts.push(bounds);
        others.count += all;
        cells.push(others);
        return;
    }
    // Those with the fewest rows come first.
    quarters.sort_by_key(|(_, places)| places.len());
    for (bounds, places) in quarters {
        let count = places.len() as u64;
        if count < k {
            others.parts.push(bounds);
            others.count += count;
            continue;
        }
        if others.count >= k {
            cells.push(std::mem::take(&mut others));
        }
        divide(places, bounds, std::mem::take(&mut others), k, depth - 1, cells);
    }
}

/// What such cells are worth.
///
/// # Errors
///
/// Never for a `k` that [`quadtree`] takes.
pub fn quadtree_statement(cells: &[QuadtreeCell], k: u64) -> Result<PlaceStatement, LocationError> {
    let rows: u64 = cells.iter().map(|cell| cell.count).sum();
    Ok(PlaceStatement::syntactic(format!("each released cell of the quadtree holds at least {k} rows"))?
        .fact("Cells", cells.len())
        .fact("Rows", rows)
        .assumption("each person is in one row")
        .not_covered(
            "that nobody is where no cell is released, and that no part of a cell has k rows and leaves as many",
        )
        .not_covered("differences between this and other counts of the same rows, which can single somebody out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_of_halves_of_the_globe_are_on_their_side() {
        let place = |longitude| Place::new(10.0, longitude).unwrap();
        let places = [place(-170.0), place(-10.0), place(20.0), place(170.0)];
        let cells = quadtree(&places, 2).unwrap();
        let features: Vec<_> = cells.iter().map(|cell| (cell.rings(), serde_json::json!({}))).collect();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cells.geojson");
        std::fs::write(&file, crate::polygons_document(&features)).unwrap();
        let areas = super::super::read_areas(&file, "name").unwrap();
        let (counts, outside) = super::super::count_areas(&areas, &places);
        assert_eq!((counts, outside), (cells.iter().map(|cell| cell.count).collect(), 0));
        let whole = QuadtreeCell { parts: vec![[-90.0, -180.0, 90.0, 180.0]], count: 2 };
        let document = crate::polygons_document(&[(whole.rings(), serde_json::json!({}))]);
        assert!(document.contains("[180.0,90.0]") && !document.contains("270"), "{document}");
    }

    #[test]
    fn every_cell_has_k_rows_and_no_row_is_lost() {
        let place = |number: u32| Place::new(f64::from(number % 100).sqrt(), f64::from(number % 37) / 7.0).unwrap();
        let places: Vec<Place> = (0..5_000).map(place).collect();
        for k in [2, 10, 500, 5_000] {
            let cells = quadtree(&places, k).unwrap();
            assert!(cells.iter().all(|cell| cell.count >= k));
            assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), 5_000);
            let statement = quadtree_statement(&cells, k).unwrap();
            assert!(statement.to_string().contains("syntactic"));
        }
        assert!(quadtree(&places, 10).unwrap().len() > 10 * quadtree(&places, 500).unwrap().len());
        assert!(quadtree(&places, 1).is_err() && quadtree(&places, 5_001).is_err());
    }
}
