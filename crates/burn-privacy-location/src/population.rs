//! Known places with a number of people each, found by how near they are.

use burn_privacy_anonymize::pseudonym::keyed;
use hmac::Mac;
use rstar::RTree;
use rstar::primitives::GeomWithData;

use super::error::LocationError;
use super::geodesy::position;
use super::place::Place;

/// The first eight bytes of an HMAC as a number.
pub(crate) fn first_word(mac: impl Mac) -> u64 {
    let bytes = mac.finalize().into_bytes();
    bytes.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Places with weights (people, or 1 for each home), indexed by nearness in a straight line.
///
/// A straight line through the globe orders places as the geodesic does, up to the ellipsoid's flattening: within 1,000 km
/// its length is shorter by up to 0.1 %.
#[derive(Debug, Clone)]
pub struct Population {
    tree: RTree<GeomWithData<[f64; 3], usize>>,
    places: Vec<(Place, f64)>,
}

/// A place that was found: its number, its distance in a straight line in meters, and its people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// Number of the place in the population.
    pub number: usize,
    /// Where it is.
    pub place: Place,
    /// Straight distance in meters.
    pub meters: f64,
    /// Its people.
    pub people: f64,
}

impl Population {
    /// A population.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for no place at all, nobody in all of them, or a number of people that is not finite or
    /// below 0.
    pub fn new(places: Vec<(Place, f64)>) -> Result<Self, LocationError> {
        if places.is_empty() {
            return Err(LocationError::parameter("the population", "empty", "at least one place"));
        }
        if let Some((_, people)) = places.iter().find(|(_, people)| !(*people >= 0.0 && people.is_finite())) {
            return Err(LocationError::parameter("a number of people", people, "finite and at least 0"));
        }
        let all: f64 = places.iter().map(|(_, people)| people).sum();
        if !(all > 0.0 && all.is_finite()) {
            return Err(LocationError::parameter("the number of all people", all, "above 0 and finite"));
        }
        let points =
            places.iter().enumerate().map(|(number, (place, _))| GeomWithData::new(position(*place), number)).collect();
        Ok(Self { tree: RTree::bulk_load(points), places })
    }

    /// The places and their people.
    pub fn places(&self) -> &[(Place, f64)] {
        &self.places
    }

    /// A number that tells this list of places and people from others.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut mac = keyed(b"places");
        for (place, people) in &self.places {
            for bits in place.bits().into_iter().chain([people.to_bits()]) {
                mac.update(&bits.to_le_bytes());
            }
        }
        first_word(mac)
    }

    /// Places from the nearest on.
    pub fn nearest(&self, place: Place) -> impl Iterator<Item = Neighbor> + '_ {
        self.tree.nearest_neighbor_iter_with_distance_2(position(place)).map(|(point, squared)| {
            let number = point.data;
            let (place, people) = self.places[number];
            Neighbor { number, place, meters: squared.sqrt(), people }
        })
    }

    /// Places within a straight distance in meters, in the order of their numbers.
    pub fn within(&self, place: Place, meters: f64) -> Vec<Neighbor> {
        let center = position(place);
        let mut found: Vec<Neighbor> = self
            .tree
            .locate_within_distance(center, meters * meters)
            .map(|point| {
                let squared: f64 = point.geom().iter().zip(center).map(|(a, b)| (a - b).powi(2)).sum();
                let (place, people) = self.places[point.data];
                Neighbor { number: point.data, place, meters: squared.sqrt(), people }
            })
            .collect();
        found.sort_unstable_by_key(|neighbor| neighbor.number);
        found
    }

    /// The straight distance in meters within which at least `people` live; none if the whole population is smaller.
    pub fn radius_of(&self, place: Place, people: f64) -> Option<f64> {
        let mut sum = 0.0;
        self.nearest(place).find_map(|neighbor| {
            sum += neighbor.people;
            (sum >= people).then_some(neighbor.meters)
        })
    }

    /// How many people live as near to `reported` as `home` does, or nearer; counting stops at `enough`.
    pub fn people_as_near(&self, reported: Place, home: Place, enough: f64) -> f64 {
        let (a, b) = (position(reported), position(home));
        let squared: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
        // The home itself is among them, whatever rounding does.
        let limit = squared.sqrt() * (1.0 + 1e-9);
        let mut sum = 0.0;
        for neighbor in self.nearest(reported) {
            if neighbor.meters > limit || sum >= enough {
                break;
            }
            sum += neighbor.people;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_counted_across_the_antimeridian() {
        let place = |longitude| Place::new(10.0, longitude).unwrap();
        let population =
            Population::new(vec![(place(179.999), 3.0), (place(-179.999), 4.0), (place(0.0), 5.0)]).unwrap();
        assert_eq!(population.within(place(180.0), 200.0).len(), 2);
        assert!((population.radius_of(place(179.999), 7.0).unwrap() - 219.0).abs() < 2.0);
        assert_eq!(population.radius_of(place(0.0), 13.0), None);
        assert_eq!(population.people_as_near(place(180.0), place(179.999), 1e9), 7.0);
        for refused in [vec![], vec![f64::NAN], vec![-1.0], vec![0.0, 0.0], vec![f64::MAX, f64::MAX]] {
            assert!(Population::new(refused.iter().map(|people| (place(0.0), *people)).collect()).is_err());
        }
    }
}
