//! A place on the globe, checked when it is made.

use super::error::LocationError;

/// Decimals of degrees that are written: steps of a centimeter.
pub(super) const DECIMALS: usize = 7;

/// A place on the WGS 84 ellipsoid: latitude and longitude in degrees.
///
/// ```
/// use burn_privacy_location::Place;
///
/// let suva = Place::new(-18.14, 178.44)?;
/// assert_eq!(Place::new(-18.14, 178.44 - 360.0)?.longitude(), suva.longitude());
/// assert!(Place::new(f64::NAN, 0.0).is_err());
/// assert!(Place::new(178.44, -18.14).unwrap_err().to_string().contains("exchanged"));
/// # Ok::<(), burn_privacy_location::LocationError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    latitude: f64,
    longitude: f64,
}

impl Place {
    /// A place from degrees: latitude from -90 to 90, longitude from -360 to 360, which is brought to -180 to 180 (without
    /// 180 itself).
    ///
    /// # Errors
    ///
    /// [`LocationError::NoPlace`] for what is not finite or out of range, with a hint where the two seem exchanged.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, LocationError> {
        let refused = |problem| Err(LocationError::NoPlace { latitude, longitude, problem });
        if !latitude.is_finite() || !longitude.is_finite() {
            return refused("both must be finite numbers of degrees");
        }
        if latitude.abs() > 90.0 {
            if longitude.abs() <= 90.0 && latitude.abs() <= 180.0 {
                return refused(
                    "a latitude is from -90 to 90; the two seem to be exchanged: name the columns the other way",
                );
            }
            return refused("a latitude is from -90 to 90 degrees");
        }
        if longitude.abs() > 360.0 {
            return refused("a longitude is from -180 to 180 degrees (up to 360 is understood): are these meters?");
        }
        Ok(Self::wrapped(latitude, longitude))
    }

    /// A place whose latitude is known to be in range.
    pub(super) fn wrapped(latitude: f64, longitude: f64) -> Self {
        let turned = if (-180.0..180.0).contains(&longitude) {
            longitude
        } else {
            // A tiny negative number plus 360 can round to 180.
            let turned = (longitude + 180.0).rem_euclid(360.0) - 180.0;
            if turned >= 180.0 { -180.0 } else { turned }
        };
        Self { latitude: latitude.clamp(-90.0, 90.0), longitude: turned }
    }

    /// Degrees north of the equator.
    pub const fn latitude(&self) -> f64 {
        self.latitude
    }

    /// Degrees east of Greenwich, from -180 up to but not 180.
    pub const fn longitude(&self) -> f64 {
        self.longitude
    }

    /// The place that is read where this one is written with [`DECIMALS`].
    pub(super) fn as_written(self) -> Self {
        // The quotient of two whole numbers below 2^53 is the double nearest to the decimal number.
        let scale = 10.0_f64.powi(DECIMALS as i32);
        let of = |degrees: f64| (degrees * scale).round() / scale;
        Self::wrapped(of(self.latitude), of(self.longitude))
    }

    /// The bits of both numbers: equal for equal places.
    pub(super) fn bits(&self) -> [u64; 2] {
        // Minus zero is zero.
        [(self.latitude + 0.0).to_bits(), (self.longitude + 0.0).to_bits()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_place_is_refused_with_a_reason() {
        for (latitude, longitude, word) in [
            (f64::NAN, 0.0, "finite"),
            (0.0, f64::INFINITY, "finite"),
            (-122.4, 37.8, "exchanged"),
            (91.0, 120.0, "-90 to 90"),
            (51.0, 5_000.0, "meters"),
        ] {
            let error = Place::new(latitude, longitude).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn what_is_written_is_the_place_that_was_checked() {
        for number in 0..20_000 {
            let place =
                Place::wrapped(-89.9 + 0.008_991_3 * f64::from(number), -179.99 + 0.017_993_1 * f64::from(number));
            let kept = place.as_written();
            let read = |degrees: f64| format!("{degrees:.DECIMALS$}").parse::<f64>().unwrap();
            assert_eq!((read(kept.latitude()), read(kept.longitude())), (kept.latitude(), kept.longitude()));
            assert!((kept.latitude() - place.latitude()).abs() < 6e-8);
        }
    }

    #[test]
    fn longitudes_are_brought_into_range() {
        for (given, kept) in [(180.0, -180.0), (-180.0, -180.0), (270.0, -90.0), (-190.0, 170.0), (360.0, 0.0)] {
            assert_eq!(Place::new(10.0, given).unwrap().longitude(), kept);
        }
        assert!(Place::wrapped(0.0, -180.0 - 1e-14).longitude() < 180.0);
        assert_eq!(Place::new(-0.0, 0.0).unwrap().bits(), Place::new(0.0, -0.0).unwrap().bits());
    }
}
