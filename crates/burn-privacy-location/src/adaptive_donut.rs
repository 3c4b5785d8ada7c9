//! A donut whose size follows the population, and which is checked: enough people live as near to each released point.

use std::sync::Arc;

use super::error::LocationError;
use super::geodesy::displaced;
use super::mask::PointMask;
use super::place::Place;
use super::population::Population;
use super::radial::{MOST_RADIUS, radius_by_area};
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// The inner area over that in which k people live: donuts of that area fail in less than 1 % of homes where population is
/// uneven (Allshouse et al., "Geomasking sensitive health data and privacy protection", 2010).
const INNER_AREA: f64 = 3.0;
/// The outer radius over the inner one.
const OUTER: f64 = 2.0;
/// Attempts before a place is given up, each in a ring wider by [`WIDER`].
const ATTEMPTS: u64 = 24;
/// What a failed attempt widens the ring by.
const WIDER: f64 = 1.2;

/// An adaptive donut (Hampton et al., "Mapping health data: improved privacy protection with donut method geomasking",
/// American Journal of Epidemiology 172, 2010): the inner radius follows from how many live around the place, and every
/// released point is checked against the population. Where too few live as near to it, the ring is widened and drawn anew.
#[derive(Debug, Clone)]
pub struct AdaptiveDonut {
    population: Arc<Population>,
    k: f64,
}

/// What came of one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckedPoint {
    /// What is released.
    pub place: Place,
    /// How often the ring was widened before enough people were found.
    pub widened: u64,
    /// How many people live as near to it as the true place, counted up to k and the next place.
    pub people: f64,
}

impl AdaptiveDonut {
    /// A donut in which at least `k` people are.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless `k` is finite and at least 2, and not above the whole population.
    pub fn new(population: Arc<Population>, k: f64) -> Result<Self, LocationError> {
        let all: f64 = population.places().iter().map(|(_, people)| people).sum();
        if !(k >= 2.0 && k <= all) {
            return Err(LocationError::parameter("k", k, format!("from 2 to the whole population of {all}")));
        }
        Ok(Self { population, k })
    }

    /// The first draw alone, unchecked: how a donut without the check would do.
    pub fn unchecked(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        self.attempt(place, self.inner(place)?, randomness)
    }

    /// A point that is checked, with how it was found; none if no ring up to 1,000 km has enough people.
    pub fn checked(&self, place: Place, randomness: &PointRandomness) -> Option<CheckedPoint> {
        let mut inner = self.inner(place)?;
        for widened in 0..ATTEMPTS {
            let again;
            let randomness = match widened {
                0 => randomness,
                _ => {
                    again = randomness.again(widened);
                    &again
                }
            };
            let point = self.attempt(place, inner, randomness)?;
            let people = self.people(place, point);
            if people >= self.k {
                return Some(CheckedPoint { place: point, widened, people });
            }
            inner *= WIDER;
        }
        None
    }

    /// How many people live as near to `released` as the true place, counted up to k and the next place.
    pub fn people(&self, place: Place, released: Place) -> f64 {
        self.population.people_as_near(released, place, self.k)
    }

    fn inner(&self, place: Place) -> Option<f64> {
        // At least a meter: a whole town may stand at one point of the file.
        Some(self.population.radius_of(place, self.k)?.max(1.0) * INNER_AREA.sqrt())
    }

    fn attempt(&self, place: Place, inner: f64, randomness: &PointRandomness) -> Option<Place> {
        let outer = inner * OUTER;
        if outer > MOST_RADIUS {
            return None;
        }
        let radius = radius_by_area(place, inner, outer, randomness.wide_unit().0);
        // What is checked is what is written, to the last digit.
        Some(displaced(place, randomness.angle(), radius).as_written())
    }
}

impl PointMask for AdaptiveDonut {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        self.checked(place, randomness).map(|point| point.place)
    }

    fn mask_checked(&self, place: Place, randomness: &PointRandomness) -> (Option<Place>, u64) {
        self.checked(place, randomness).map_or((None, ATTEMPTS), |point| (Some(point.place), point.widened))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![4, self.k.to_bits(), self.population.fingerprint()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let sentence = format!(
            "spatial k-anonymity with k = {}: of the population file, at least that many people live as near to each released \
             point as its true place",
            self.k
        );
        Ok(PlaceStatement::syntactic(sentence)?
            .fact("Mask", "adaptive donut: checked, widened where it failed, left out where nothing was found")
            .fact("Inner radius", "that of three times the area in which k people live")
            .fact("Outer radius", "twice the inner one, and more where it was widened")
            .assumption("the population file says where people live, and people of a file's place live at that point")
            .assumption("the adversary has no other knowledge of who could be meant")
            .not_covered("several releases of one place, which average out unless draws are kept")
            .not_covered(
                "that the true place is not inside the ring's hole, which an adversary who knows the mask can use",
            ))
    }

    fn typical_displacement(&self) -> Option<f64> {
        None
    }
}
