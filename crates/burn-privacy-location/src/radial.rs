//! Displacement by a distance in an even direction: uniform disc, donut and Gaussian.

use super::error::{LocationError, check_meters};
use super::geodesy::{curvature_radius, displaced};
use super::mask::{NO_GUARANTEE, PointMask};
use super::place::Place;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// The largest radius of a mask in meters: beyond it, areas are not even by the local curvature.
pub(super) const MOST_RADIUS: f64 = 1_000_000.0;

/// A radius between two, even by area on the sphere that fits the ellipsoid at `place`: `unit` of the ring's area lies
/// within it. The ellipsoid's curvature changes by less than 1 % of itself over the largest radius, and areas by less than
/// a thousandth of that.
pub(super) fn radius_by_area(place: Place, inner: f64, outer: f64, unit: f64) -> f64 {
    let radius = curvature_radius(place);
    // The area within r is 4 pi R^2 sin^2(r / 2R).
    let within = |r: f64| (r / (2.0 * radius)).sin().powi(2);
    let (low, high) = (within(inner), within(outer));
    (2.0 * radius * (unit * (high - low) + low).sqrt().asin()).clamp(inner, outer)
}

/// A point of a disc around the place, even by area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disc {
    radius: f64,
}

impl Disc {
    /// A disc of a radius in meters.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless it is above 0 and at most 1,000 km.
    pub fn new(radius: f64) -> Result<Self, LocationError> {
        Ok(Self { radius: check_meters("the radius", radius, MOST_RADIUS)? })
    }
}

impl PointMask for Disc {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let radius = radius_by_area(place, 0.0, self.radius, randomness.wide_unit().0);
        Some(displaced(place, randomness.angle(), radius))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![1, self.radius.to_bits()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let sentence = format!("each point was moved by up to {} m, even by area", self.radius);
        Ok(PlaceStatement::disguised(sentence)?.fact("Mask", "uniform disc").not_covered(NO_GUARANTEE))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(self.radius * 2.0 / 3.0)
    }
}

/// A point of a ring around the place, even by area: never nearer than the inner radius.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Donut {
    inner: f64,
    outer: f64,
}

impl Donut {
    /// A ring between two radii in meters.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless 0 <= inner < outer <= 1,000 km.
    pub fn new(inner: f64, outer: f64) -> Result<Self, LocationError> {
        let outer = check_meters("the outer radius", outer, MOST_RADIUS)?;
        if !(0.0..outer).contains(&inner) {
            let allowed = format!("from 0 up to, but not, the outer radius of {outer} meters");
            return Err(LocationError::parameter("the inner radius", inner, allowed));
        }
        Ok(Self { inner, outer })
    }
}

impl PointMask for Donut {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let radius = radius_by_area(place, self.inner, self.outer, randomness.wide_unit().0);
        Some(displaced(place, randomness.angle(), radius))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![2, self.inner.to_bits(), self.outer.to_bits()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let sentence = format!("each point was moved by {} to {} m, even by area", self.inner, self.outer);
        Ok(PlaceStatement::disguised(sentence)?.fact("Mask", "donut").not_covered(NO_GUARANTEE).not_covered(
            "how many people live there: a ring of one size hides few in the country; the adaptive donut counts them",
        ))
    }

    fn typical_displacement(&self) -> Option<f64> {
        let (inner, outer) = (self.inner, self.outer);
        Some(2.0 / 3.0 * (outer.powi(3) - inner.powi(3)) / (outer * outer - inner * inner))
    }
}

/// Gaussian displacement: the distance follows Rayleigh's law, every direction alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianDisplacement {
    deviation: f64,
}

impl GaussianDisplacement {
    /// Displacement with a standard deviation in meters along each axis.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] unless it is above 0 and at most 200 km.
    pub fn new(deviation: f64) -> Result<Self, LocationError> {
        Ok(Self { deviation: check_meters("the standard deviation", deviation, MOST_RADIUS / 5.0)? })
    }
}

impl PointMask for GaussianDisplacement {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        let radius = self.deviation * (-2.0 * randomness.wide_unit().0.ln()).sqrt();
        Some(displaced(place, randomness.angle(), radius))
    }

    fn parameters(&self) -> Vec<u64> {
        vec![3, self.deviation.to_bits()]
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let sentence =
            format!("each point was moved by Gaussian noise of {} m standard deviation an axis", self.deviation);
        Ok(PlaceStatement::disguised(sentence)?.fact("Mask", "Gaussian").not_covered(NO_GUARANTEE))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(self.deviation * std::f64::consts::FRAC_PI_2.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_are_even_by_area() {
        let place = Place::new(60.0, 10.0).unwrap();
        // In the plane: sqrt(u (R^2 - r^2) + r^2).
        for unit in [0.0, 0.1, 0.5, 0.99, 1.0] {
            let planar = (unit * (4.0e6 - 1.0e6) + 1.0e6_f64).sqrt();
            assert!((radius_by_area(place, 1_000.0, 2_000.0, unit) - planar).abs() < 1e-4);
        }
        // The globe's rings grow more slowly than those of the plane, so that half the area of a large cap lies further in.
        assert!(radius_by_area(place, 0.0, 1_000_000.0, 0.5) < 1_000_000.0 * 0.5_f64.sqrt() - 300.0);
    }

    #[test]
    fn sizes_that_make_no_ring_are_refused() {
        for radius in [0.0, -1.0, f64::NAN, f64::INFINITY, 2e6] {
            assert!(Disc::new(radius).is_err() && GaussianDisplacement::new(radius).is_err());
        }
        for (inner, outer) in [(2.0, 1.0), (1.0, 1.0), (-1.0, 1.0), (f64::NAN, 1.0), (0.0, f64::NAN)] {
            assert!(Donut::new(inner, outer).is_err());
        }
        let statement = Donut::new(100.0, 200.0).unwrap().statement().unwrap().to_string();
        assert!(statement.contains("disguised: ") && !statement.to_lowercase().contains("anonymous"));
    }
}
