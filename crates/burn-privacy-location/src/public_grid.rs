//! A grid of the whole globe that depends on nothing but its spacing.

use std::f64::consts::PI;

use super::error::LocationError;
use super::geodesy::{LEAST_MERIDIAN_RADIUS, parallel_radius};
use super::place::Place;

/// The finest and the coarsest spacing, in meters.
const SPACINGS: std::ops::RangeInclusive<f64> = 1e-2..=100_000.0;
/// A row with fewer columns is one cell: so few are too near to each other across the row.
const LEAST_COLUMNS: f64 = 6.0;

/// A grid of rows between parallels, each cut into cells of equal longitude, whose centers are at least
/// 0.95 · [`Self::spacing`] meters apart.
///
/// Neighboring centers of a row of `n >= 6` cells are at least `sin(pi/n) / (pi/n) >= 0.95` times the spacing apart, those
/// of different rows at least the spacing: the rows' height is measured where the meridian is most bent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublicGrid {
    spacing: f64,
    rows: f64,
    height: f64,
}

impl PublicGrid {
    /// A grid of a spacing in meters.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless it is from 1 cm to 100 km.
    pub fn new(spacing: f64) -> Result<Self, LocationError> {
        if !SPACINGS.contains(&spacing) {
            return Err(LocationError::parameter("the grid's spacing", spacing, "from 0.01 to 100000 meters"));
        }
        let rows = (PI * LEAST_MERIDIAN_RADIUS / spacing).floor();
        Ok(Self { spacing, rows, height: 180.0 / rows })
    }

    /// The spacing in meters.
    pub fn spacing(&self) -> f64 {
        self.spacing
    }

    /// What the centers of two cells are apart at least, in meters.
    pub fn least_distance(&self) -> f64 {
        0.95 * self.spacing
    }

    /// What a place is at most from its cell's center, in meters.
    pub fn most_offset(&self) -> f64 {
        // A cell is up to 1.02 spacings high (the poles are flatter) and 7/6 wide; the one at a pole is a disc of a radius of
        // 1.02, whose center lies half of that from the pole.
        1.6 * self.spacing
    }

    /// Row from the south and column from the west of the cell of a place.
    pub fn cell(&self, place: Place) -> [u64; 2] {
        let row = ((place.latitude() + 90.0) / self.height).floor().min(self.rows - 1.0);
        let columns = self.columns(row);
        let column = ((place.longitude() + 180.0) / 360.0 * columns).floor().min(columns - 1.0);
        [row as u64, column as u64]
    }

    /// The center of a cell.
    ///
    /// Cells beyond the last row or column count as the last.
    pub fn center(&self, [row, column]: [u64; 2]) -> Place {
        let row = (row as f64).min(self.rows - 1.0);
        let columns = self.columns(row);
        let column = (column as f64).min(columns - 1.0);
        Place::wrapped(self.latitude(row), (column + 0.5) / columns * 360.0 - 180.0)
    }

    /// The center of a place's cell.
    pub fn snapped(&self, place: Place) -> Place {
        let row = ((place.latitude() + 90.0) / self.height).floor().min(self.rows - 1.0);
        let columns = self.columns(row);
        let column = ((place.longitude() + 180.0) / 360.0 * columns).floor().min(columns - 1.0);
        Place::wrapped(self.latitude(row), (column + 0.5) / columns * 360.0 - 180.0)
    }

    fn latitude(&self, row: f64) -> f64 {
        (row + 0.5) * self.height - 90.0
    }

    fn columns(&self, row: f64) -> f64 {
        let columns = (2.0 * PI * parallel_radius(self.latitude(row)) / self.spacing).floor();
        if columns < LEAST_COLUMNS { 1.0 } else { columns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geodesy::distance;

    #[test]
    fn centers_keep_their_distance_and_places_stay_near() {
        for spacing in [1.0, 137.0, 20_000.0] {
            let grid = PublicGrid::new(spacing).unwrap();
            for latitude in [-90.0, -89.999_99, -89.9, -60.0, 0.0, 0.3, 51.5, 88.0, 89.5, 89.999_995, 90.0] {
                for longitude in [-180.0, -0.1, 45.0, 179.999_999] {
                    let place = Place::new(latitude, longitude).unwrap();
                    let [row, column] = grid.cell(place);
                    let center = grid.center([row, column]);
                    assert_eq!(center, grid.snapped(place));
                    assert_eq!(grid.snapped(center), center, "{spacing} {latitude} {longitude}");
                    assert!(distance(place, center) <= grid.most_offset(), "{spacing} {latitude} {longitude}");
                    for row in row.saturating_sub(1)..=row + 1 {
                        for column in column.saturating_sub(2)..=column + 2 {
                            let other = grid.center([row, column]);
                            let apart = distance(center, other);
                            assert!(other == center || apart >= grid.least_distance(), "{spacing} {latitude}: {apart}");
                        }
                    }
                }
            }
        }
        assert!(PublicGrid::new(0.0).is_err() && PublicGrid::new(f64::NAN).is_err());
    }
}
