//! What every mask of single points does, so that files, tables and programs use any of them alike.

use super::error::LocationError;
use super::place::Place;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// A mask of single points.
pub trait PointMask: Send + Sync {
    /// A place to release instead of `place`, a function of the place and the randomness alone; none if nothing that
    /// the mask promises can be released for it.
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place>;

    /// As [`Self::mask`], and how often what was drawn had failed the mask's own check before: never, where it has none.
    fn mask_checked(&self, place: Place, randomness: &PointRandomness) -> (Option<Place>, u64) {
        (self.mask(place, randomness), 0)
    }

    /// All that makes this mask another one: a number for its method, its parameters, a fingerprint of its places. Kept draws of
    /// masks that differ are independent: two masks with the same coins tell, together, far more than each.
    fn parameters(&self) -> Vec<u64>;

    /// Between which places what is released differs by at most epsilon per meter times this, in meters, for places up to `within`
    /// meters apart: more than that where places are first moved to a grid or a cell.
    fn charged_distance(&self, within: f64) -> f64 {
        within
    }

    /// Two numbers that name what a kept draw is drawn for: places with the same numbers share it.
    fn drawn_for(&self, place: Place) -> [u64; 2] {
        place.bits()
    }

    /// What a point masked once is worth.
    ///
    /// # Errors
    ///
    /// If the statement would claim more than its grade holds.
    fn statement(&self) -> Result<PlaceStatement, LocationError>;

    /// Typical distance between a place and what is released for it, in meters, for pictures; none if it varies.
    fn typical_displacement(&self) -> Option<f64>;
}

/// What every mask without a guarantee leaves open.
pub(super) const NO_GUARANTEE: &str = "whoever knows the mask and a map can rule out most places; several releases of one \
    place average out (the command `places attack averaging` shows it), unless draws are kept";
