//! Local differential privacy of places: randomized response over a public list of cells.

use std::sync::Arc;

use burn_privacy_budget::statement::Guarantee;
use burn_privacy_mechanisms::local::{CellRandomness, RandomizedResponse};

use super::error::LocationError;
use super::mask::PointMask;
use super::place::Place;
use super::population::Population;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// The cell of a place, or with some probability any other cell of a public list, each equally likely: unlike
/// geo-indistinguishability, it hides the place among all cells, however far they are.
///
/// # Formal guarantees
///
/// Exactly `epsilon`-locally differentially private for each report ([`RandomizedResponse`]); a place counts as the nearest cell.
#[derive(Debug, Clone)]
pub struct CellResponse {
    cells: Arc<Population>,
    response: RandomizedResponse,
}

impl CellResponse {
    /// Randomized response over the places of a public list.
    ///
    /// # Errors
    ///
    /// [`LocationError::Local`] unless there are 2 to 65,536 cells and epsilon is from 1e-4 to 32.
    pub fn new(cells: Arc<Population>, epsilon: f64) -> Result<Self, LocationError> {
        let response = RandomizedResponse::new(cells.places().len(), epsilon)?;
        Ok(Self { cells, response })
    }

    /// The mechanism, whose [`debias_counts`](RandomizedResponse::debias_counts) estimates how many are in each cell.
    pub fn response(&self) -> &RandomizedResponse {
        &self.response
    }

    fn cell(&self, place: Place) -> usize {
        self.cells.nearest(place).next().map_or(0, |neighbor| neighbor.number)
    }
}

impl PointMask for CellResponse {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let coins = CellRandomness::of_coins(randomness.coins());
        let cell = self.response.perturb(u32::try_from(self.cell(place)).ok()?, &coins);
        self.cells.places().get(cell as usize).map(|(place, _)| *place)
    }

    fn drawn_for(&self, place: Place) -> [u64; 2] {
        [u64::MAX - 1, self.cell(place) as u64]
    }

    fn parameters(&self) -> Vec<u64> {
        vec![9, self.response.epsilon().to_bits(), self.cells.fingerprint()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let guarantee = Guarantee::DifferentialPrivacy {
            mechanism: "randomized response over cells".into(),
            epsilon: self.response.epsilon(),
            delta: 0.0,
            is_bound: true,
            of: "each report".into(),
            accountant: String::new(),
            local: true,
        };
        Ok(PlaceStatement::new(guarantee)
            .fact("Cells", self.response.categories())
            .fact("Probability of the true cell", format!("{:.4}", self.response.keep_probability()))
            .assumption("the list of cells is public: it was not made from the places that are protected")
            .not_covered("the number, times and order of the reports, the other columns, and the running time"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::{Entropy, PrivacyKey};

    use super::*;
    use crate::geodesy::displaced;

    #[test]
    fn cells_are_kept_as_often_as_epsilon_says() {
        let center = Place::new(60.0, 10.0).unwrap();
        let cells: Vec<(Place, f64)> = (0..4).map(|cell| (displaced(center, f64::from(cell), 5_000.0), 1.0)).collect();
        let response = CellResponse::new(Arc::new(Population::new(cells.clone()).unwrap()), 1.0).unwrap();
        let key = PrivacyKey::draw(Entropy::seeded(8)).unwrap();
        let home = displaced(cells[2].0, 1.0, 300.0);
        let draws = PointRandomness::fresh_rows(&key, 0, 40_000).unwrap();
        let kept = draws.iter().filter(|draw| response.mask(home, draw) == Some(cells[2].0)).count() as f64 / 40_000.0;
        // Hoeffding: off by 0.015 with probability below 2 exp(-18).
        assert!((kept - response.response().keep_probability()).abs() < 0.015, "{kept}");
        assert!(response.statement().unwrap().to_string().contains("local differential privacy"));
        assert!(CellResponse::new(Arc::new(Population::new(cells).unwrap()), 0.0).is_err());
    }
}
