//! A quadtree as fine as the rows allow: every cell that is released has at least k of them.

use super::super::error::LocationError;
use super::super::place::Place;
use super::super::statement::PlaceStatement;

/// Splits at most: cells of a centimeter.
const DEEPEST: u32 = 30;

/// A rectangle of latitudes and longitudes, and how many rows are in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuadtreeCell {
    /// South, west, north and east, in degrees; a longitude never passes the antimeridian.
    pub bounds: [f64; 4],
    /// Rows inside.
    pub count: u64,
}

/// Divides the globe into quarters until another division would leave one with fewer than `k` rows, but not none. Quarters
/// without any row are not released.
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
    divide(places.to_vec(), [-90.0, -180.0, 90.0, 180.0], k, DEEPEST, &mut cells);
    Ok(cells)
}

fn divide(places: Vec<Place>, bounds: [f64; 4], k: u64, depth: u32, cells: &mut Vec<QuadtreeCell>) {
    let [south, west, north, east] = bounds;
    let (middle, center) = ((south + north) / 2.0, (west + east) / 2.0);
    let count = places.len() as u64;
    if depth > 0 {
        let quarter =
            |place: &Place| 2 * usize::from(place.latitude() >= middle) + usize::from(place.longitude() >= center);
        let mut counts = [0; 4];
        places.iter().for_each(|place| counts[quarter(place)] += 1);
        if counts.iter().all(|&count| count == 0 || count >= k) {
            let mut quarters: [Vec<Place>; 4] =
                std::array::from_fn(|number| Vec::with_capacity(counts[number] as usize));
            places.into_iter().for_each(|place| quarters[quarter(&place)].push(place));
            for (number, places) in quarters.into_iter().enumerate().filter(|(_, places)| !places.is_empty()) {
                let (south, north) = if number >= 2 { (middle, north) } else { (south, middle) };
                let (west, east) = if number % 2 == 1 { (center, east) } else { (west, center) };
                divide(places, [south, west, north, east], k, depth - 1, cells);
            }
            return;
        }
    }
    cells.push(QuadtreeCell { bounds, count });
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
        .not_covered("that nobody is where no cell is released, and that a cell's quarters are not all of k rows")
        .not_covered("differences between this and other counts of the same rows, which can single somebody out"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(quadtree(&places, 10).unwrap().len() > quadtree(&places, 500).unwrap().len());
        assert!(quadtree(&places, 1).is_err() && quadtree(&places, 5_001).is_err());
    }
}
