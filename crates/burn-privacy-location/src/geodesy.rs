//! Geodesics of the WGS 84 ellipsoid: how far apart places are, and where one gets to.

use std::sync::LazyLock;

use geographiclib_rs::{DirectGeodesic, Geodesic, InverseGeodesic};

use super::place::Place;

/// The equatorial radius in meters.
pub(super) const EQUATORIAL_RADIUS: f64 = 6_378_137.0;
/// The flattening.
const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// The polar radius in meters.
const POLAR_RADIUS: f64 = EQUATORIAL_RADIUS * (1.0 - FLATTENING);
/// The square of the eccentricity.
const E2: f64 = FLATTENING * (2.0 - FLATTENING);
/// The ratio of the squares of the axes.
const AXES: f64 = 1.0 / (1.0 - E2);
/// The largest Gaussian curvature, at the equator, per square meter.
pub(super) const MOST_CURVATURE: f64 = 1.0 / (POLAR_RADIUS * POLAR_RADIUS);
/// The smallest Gaussian curvature, at the poles, per square meter.
pub(super) const LEAST_CURVATURE: f64 =
    POLAR_RADIUS * POLAR_RADIUS / (EQUATORIAL_RADIUS * EQUATORIAL_RADIUS * EQUATORIAL_RADIUS * EQUATORIAL_RADIUS);
/// The smallest radius of curvature of a meridian, at the equator, in meters.
pub(super) const LEAST_MERIDIAN_RADIUS: f64 = EQUATORIAL_RADIUS * (1.0 - E2);
/// Up to here [`displaced`] integrates the geodesic's equation; beyond, it asks GeographicLib.
const SHORT: f64 = 100_000.0;
/// Length of a step of the integration, in meters: its error is below 1e-8 m a step.
const STEP: f64 = 10_000.0;
/// The error of [`displaced`] that guarantees allow for, in meters. GeographicLib's is 15 nanometers, and the integration
/// agrees with it within 1e-7 m (a test compares them from pole to pole).
pub(super) const DISPLACEMENT_ERROR: f64 = 1e-6;

static ELLIPSOID: LazyLock<Geodesic> = LazyLock::new(Geodesic::wgs84);

/// The length of the shortest way between two places, in meters (Karney, "Algorithms for geodesics", Journal of Geodesy 87,
/// 2013).
pub fn distance(from: Place, to: Place) -> f64 {
    ELLIPSOID.inverse(from.latitude(), from.longitude(), to.latitude(), to.longitude())
}

/// The direction, in radians from north to east, in which the shortest way from one place to another begins.
pub fn azimuth(from: Place, to: Place) -> f64 {
    let (azimuth, _, _): (f64, f64, f64) =
        ELLIPSOID.inverse(from.latitude(), from.longitude(), to.latitude(), to.longitude());
    azimuth.to_radians()
}

/// Where one gets to from a place on the geodesic that begins at `azimuth` (radians from north to east) after `meters`.
///
/// Poles and the antimeridian are places like any other: up to 100 km the geodesic's equation is integrated in three
/// dimensions (Runge and Kutta's fourth order, steps of 10 km at most), which is several times as fast as the series beyond.
pub fn displaced(from: Place, azimuth: f64, meters: f64) -> Place {
    if meters.abs() > SHORT || !meters.is_finite() {
        return displaced_by_series(from, azimuth, meters);
    }
    let (sin_azimuth, cos_azimuth) = azimuth.sin_cos();
    let frame = Frame::at(from);
    let mut position = frame.position;
    let mut direction = std::array::from_fn(|axis| sin_azimuth * frame.east[axis] + cos_azimuth * frame.north[axis]);
    let steps = (meters.abs() / STEP).ceil().max(1.0);
    let step = meters / EQUATORIAL_RADIUS / steps;
    for _ in 0..steps as usize {
        (position, direction) = runge_kutta(position, direction, step);
    }
    place_at(position)
}

/// As [`displaced`], by GeographicLib at any distance.
pub fn displaced_by_series(from: Place, azimuth: f64, meters: f64) -> Place {
    let (latitude, longitude): (f64, f64) =
        ELLIPSOID.direct(from.latitude(), from.longitude(), azimuth.to_degrees(), meters);
    Place::wrapped(latitude, longitude)
}

/// Radius of the sphere that has the ellipsoid's Gaussian curvature at a place, in meters.
pub(super) fn curvature_radius(place: Place) -> f64 {
    let sin = place.latitude().to_radians().sin();
    EQUATORIAL_RADIUS * (1.0 - E2).sqrt() / (1.0 - E2 * sin * sin)
}

/// Radius of the parallel of a latitude given by its sine and cosine, in meters.
pub(super) fn parallel_radius(latitude: f64) -> f64 {
    let (sin, cos) = latitude.to_radians().sin_cos();
    EQUATORIAL_RADIUS * cos / (1.0 - E2 * sin * sin).sqrt()
}

/// A place's position in space, in meters from the ellipsoid's center.
pub(super) fn position(place: Place) -> [f64; 3] {
    Frame::at(place).position.map(|coordinate| coordinate * EQUATORIAL_RADIUS)
}

/// The place nearest, in latitude and longitude, to a position in space near the ellipsoid, in meters.
pub(super) fn nearest_place(position: [f64; 3]) -> Place {
    place_at(position.map(|coordinate| coordinate / EQUATORIAL_RADIUS))
}

/// A place's position in units of the equatorial radius, and the directions east and north there.
struct Frame {
    position: [f64; 3],
    east: [f64; 3],
    north: [f64; 3],
}

impl Frame {
    fn at(place: Place) -> Self {
        let (sin_latitude, cos_latitude) = place.latitude().to_radians().sin_cos();
        let (sin_longitude, cos_longitude) = place.longitude().to_radians().sin_cos();
        let normal = 1.0 / (1.0 - E2 * sin_latitude * sin_latitude).sqrt();
        Self {
            position: [
                normal * cos_latitude * cos_longitude,
                normal * cos_latitude * sin_longitude,
                normal * (1.0 - E2) * sin_latitude,
            ],
            east: [-sin_longitude, cos_longitude, 0.0],
            north: [-sin_latitude * cos_longitude, -sin_latitude * sin_longitude, cos_latitude],
        }
    }
}

/// The place of a position on the ellipsoid, in units of the equatorial radius.
fn place_at([x, y, z]: [f64; 3]) -> Place {
    let latitude = (AXES * z).atan2(x.hypot(y)).to_degrees();
    Place::wrapped(latitude, y.atan2(x).to_degrees())
}

/// The geodesic's equation: the curve bends along the ellipsoid's normal as much as keeps it on the ellipsoid.
fn bend(p: [f64; 3], t: [f64; 3]) -> [f64; 3] {
    let gradient = [p[0], p[1], AXES * p[2]];
    let bent = t[0] * t[0] + t[1] * t[1] + AXES * t[2] * t[2];
    let squared = gradient[0] * gradient[0] + gradient[1] * gradient[1] + gradient[2] * gradient[2];
    gradient.map(|coordinate| -coordinate * bent / squared)
}

fn runge_kutta(p: [f64; 3], t: [f64; 3], step: f64) -> ([f64; 3], [f64; 3]) {
    let along = |v: [f64; 3], d: [f64; 3], by: f64| -> [f64; 3] { std::array::from_fn(|axis| v[axis] + by * d[axis]) };
    let (p1, t1) = (t, bend(p, t));
    let (p2, t2) = (along(t, t1, step / 2.0), bend(along(p, p1, step / 2.0), along(t, t1, step / 2.0)));
    let (p3, t3) = (along(t, t2, step / 2.0), bend(along(p, p2, step / 2.0), along(t, t2, step / 2.0)));
    let (p4, t4) = (along(t, t3, step), bend(along(p, p3, step), along(t, t3, step)));
    let mean = |a: [f64; 3], b: [f64; 3], c: [f64; 3], d: [f64; 3]| -> [f64; 3] {
        std::array::from_fn(|axis| (a[axis] + 2.0 * (b[axis] + c[axis]) + d[axis]) / 6.0)
    };
    (along(p, mean(p1, p2, p3, p4), step), along(t, mean(t1, t2, t3, t4), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ways_end_where_geographiclib_says() {
        let mut worst = 0.0_f64;
        for latitude in [-90.0, -89.999_999, -60.0, -1e-9, 0.0, 33.0, 51.5, 60.0, 89.0, 89.999, 90.0] {
            for longitude in [-180.0, -0.1, 13.4, 179.999_99] {
                let from = Place::new(latitude, longitude).unwrap();
                for azimuth in [0.0_f64, 0.3, 1.6, 3.1, 4.0, 6.2] {
                    for meters in [0.0, 0.01, 30.0, 1_000.0, 9_999.0, 40_000.0, 99_999.0] {
                        let (fast, series) =
                            (displaced(from, azimuth, meters), displaced_by_series(from, azimuth, meters));
                        let (fast, series) = (position(fast), position(series));
                        let apart: f64 = fast.iter().zip(series).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        worst = worst.max(apart);
                    }
                }
            }
        }
        assert!(worst < 1e-7, "{worst:e} m");
    }

    #[test]
    fn curvatures_and_positions_are_those_of_the_ellipsoid() {
        let (equator, pole) = (Place::new(0.0, 0.0).unwrap(), Place::new(90.0, 0.0).unwrap());
        assert!((curvature_radius(equator).powi(-2) / MOST_CURVATURE - 1.0).abs() < 1e-12);
        assert!((curvature_radius(pole).powi(-2) / LEAST_CURVATURE - 1.0).abs() < 1e-12);
        assert!((distance(equator, pole) - 10_001_965.729).abs() < 1e-2);
        assert!((parallel_radius(0.0) - EQUATORIAL_RADIUS).abs() < 1e-6 && parallel_radius(90.0).abs() < 1e-6);
        let place = Place::new(-33.9, 151.2).unwrap();
        assert!(distance(place, nearest_place(position(place))) < 1e-8);
        assert!((azimuth(equator, Place::new(0.0, 1.0).unwrap()) - std::f64::consts::FRAC_PI_2).abs() < 1e-12);
    }
}
