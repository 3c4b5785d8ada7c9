//! Masks that move a point to where others are: swapping with a known place, and the edge of its Voronoi cell.

use std::sync::Arc;

use super::error::{LocationError, check_meters};
use super::geodesy::{azimuth, displaced, distance};
use super::mask::{NO_GUARANTEE, PointMask};
use super::place::Place;
use super::population::{Neighbor, Population};
use super::radial::MOST_RADIUS;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// Location swapping (Zhang et al., "The location swapping method for geomasking", 2017): one of the known places between
/// two distances, each equally likely. What is released is always a place where somebody could live.
#[derive(Debug, Clone)]
pub struct Swapping {
    candidates: Arc<Population>,
    inner: f64,
    outer: f64,
}

impl Swapping {
    /// Swapping with candidates between two distances in meters.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless 0 <= inner < outer <= 1,000 km.
    pub fn new(candidates: Arc<Population>, inner: f64, outer: f64) -> Result<Self, LocationError> {
        let outer = check_meters("the outer radius", outer, MOST_RADIUS)?;
        if !(0.0..outer).contains(&inner) {
            return Err(LocationError::parameter(
                "the inner radius",
                inner,
                format!("from 0 up to, but not, {outer} meters"),
            ));
        }
        Ok(Self { candidates, inner, outer })
    }

    /// The places that could be released for one.
    pub fn candidates(&self, place: Place) -> Vec<Neighbor> {
        let mut found = self.candidates.within(place, self.outer);
        found.retain(|neighbor| neighbor.meters >= self.inner && neighbor.place != place);
        found
    }
}

impl PointMask for Swapping {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let candidates = self.candidates(place);
        let choice = ((u128::from(randomness.word()) * candidates.len() as u128) >> 64) as usize;
        candidates.get(choice).map(|neighbor| neighbor.place)
    }

    fn parameters(&self) -> Vec<u64> {
        vec![5, self.inner.to_bits(), self.outer.to_bits(), self.candidates.fingerprint()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let sentence = format!("each point was replaced by a known place {} to {} m away", self.inner, self.outer);
        Ok(PlaceStatement::disguised(sentence)?
            .fact("Mask", "location swapping: a point without a candidate is left out")
            .not_covered(NO_GUARANTEE)
            .not_covered("points with few candidates, for which the true place is easily guessed"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(2.0 / 3.0 * self.outer)
    }
}

/// Voronoi masking (Seidl, Paulus, Jankowski and Regenfelder, "Spatial obfuscation methods for privacy protection of household-level
/// data", Applied Geography 63, 2015): the nearest point of the edge of the place's Voronoi cell, which is the middle between
/// it and its nearest neighbor. There is no randomness in it.
#[derive(Debug, Clone)]
pub struct VoronoiMask {
    sites: Arc<Population>,
}

impl VoronoiMask {
    /// Cells around known places.
    pub fn new(sites: Arc<Population>) -> Self {
        Self { sites }
    }
}

impl PointMask for VoronoiMask {
    fn mask(&self, place: Place, _: &PointRandomness) -> Option<Place> {
        // A home and its entry in the file may differ in the last digits.
        let nearest = self.sites.nearest(place).find(|neighbor| neighbor.meters > 1e-3)?;
        Some(displaced(place, azimuth(place, nearest.place), 0.5 * distance(place, nearest.place)))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![6, self.sites.fingerprint()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        Ok(PlaceStatement::disguised("each point was moved to the middle between it and its nearest neighbor")?
            .fact("Mask", "Voronoi: not random, the same for each release")
            .not_covered(
                "whoever has the known places finds the two whose middle a point is: one of two is the true one",
            ))
    }

    fn typical_displacement(&self) -> Option<f64> {
        None
    }
}

#[cfg(test)]
mod tests {
    use burn_privacy_mechanisms::{Entropy, PrivacyKey};

    use super::*;

    fn village() -> Arc<Population> {
        let center = Place::new(60.0, 10.0).unwrap();
        let homes = (0..8).map(|home| (displaced(center, f64::from(home), 100.0 * f64::from(home)), 1.0)).collect();
        Arc::new(Population::new(homes).unwrap())
    }

    #[test]
    fn swapping_takes_every_candidate_and_no_other() {
        let village = village();
        let swapping = Swapping::new(Arc::clone(&village), 150.0, 450.0).unwrap();
        let home = village.places()[0].0;
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        let mut seen: Vec<usize> = PointRandomness::fresh_rows(&key, 0, 200)
            .unwrap()
            .iter()
            .map(|draw| {
                let released = swapping.mask(home, draw).unwrap();
                village.places().iter().position(|(place, _)| *place == released).unwrap()
            })
            .collect();
        seen.sort_unstable();
        seen.dedup();
        // 3 candidates; one is never drawn in 200 with probability 3 (2/3)^200 = 2e-35.
        assert_eq!(seen, [2, 3, 4]);
        let far = Place::new(0.0, 0.0).unwrap();
        assert_eq!(swapping.mask(far, &PointRandomness::fresh(&key, 0).unwrap()), None);
    }

    #[test]
    fn the_edge_of_a_cell_is_as_near_to_both() {
        let village = village();
        let key = PrivacyKey::draw(Entropy::seeded(1)).unwrap();
        let home = village.places()[5].0;
        let edge =
            VoronoiMask::new(Arc::clone(&village)).mask(home, &PointRandomness::fresh(&key, 0).unwrap()).unwrap();
        let near: Vec<f64> = village.nearest(edge).take(2).map(|neighbor| neighbor.meters).collect();
        assert!((near[0] - near[1]).abs() < 1e-3 && (near[0] - distance(home, edge)).abs() < 1e-3);
    }
}
