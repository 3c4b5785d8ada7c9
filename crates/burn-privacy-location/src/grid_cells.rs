//! The center of a place's cell of a public grid: coarser, and the same each time.

use super::error::LocationError;
use super::mask::PointMask;
use super::place::Place;
use super::public_grid::PublicGrid;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// Releases the center of a place's cell of a grid that depends on its spacing alone. Under the `k` of a table's schema, rows
/// of a cell are a class that is counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridCells(pub PublicGrid);

impl PointMask for GridCells {
    fn mask(&self, place: Place, _: &PointRandomness) -> Option<Place> {
        Some(self.0.snapped(place))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![11, self.0.spacing().to_bits()]
    }

    fn drawn_for(&self, place: Place) -> [u64; 2] {
        self.0.cell(place)
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        Ok(PlaceStatement::disguised("places were brought to the centers of cells: who lives alone in one is found")?
            .fact("Spacing of the public grid", format!("{} m", self.0.spacing()))
            .not_covered("cells of few people: count them (a `k` in a table's schema), or aggregate by people"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(self.0.spacing() / 2.0)
    }
}
