//! Planar Laplace noise on the globe: geo-indistinguishability between public grids, with every correction counted.

use burn_privacy_accounting::round_up_for_display;
use burn_privacy_budget::statement::Guarantee;

use super::error::LocationError;
use super::geodesy::{DISPLACEMENT_ERROR, LEAST_CURVATURE, MOST_CURVATURE, displaced};
use super::laplace_radius::radius_beyond;
use super::mask::PointMask;
use super::place::Place;
use super::public_grid::PublicGrid;
use super::randomness::PointRandomness;
use super::statement::PlaceStatement;

/// The smallest epsilon per meter: noise of 80 km on average.
pub const LEAST_EPSILON_PER_METER: f64 = 2.5e-5;
/// The largest epsilon per meter: noise of 20 cm on average.
pub const MOST_EPSILON_PER_METER: f64 = 10.0;
/// The share of the noise that is cut off: the radius of `2^-100` is the largest drawn.
const CUT: f64 = 1.0 / (1_u128 << 100) as f64;
/// What the guarantee leaves to chance: `2^-70`.
pub const TAIL: f64 = 1.0 / (1_u128 << 70) as f64;
/// Places for which the guarantee is stated are at most this many times 1/epsilon apart; the factor is then 5e8.
pub const MOST_SCALES: f64 = 20.0;

/// Planar Laplace noise (Andrés, Bordenabe, Chatzikokolakis and Palamidessi, "Geo-indistinguishability", CCS 2013): a place
/// is brought to the center of its cell of a public grid, moved in an even direction by a distance `r` of density
/// `epsilon^2 r e^(-epsilon r)`, and brought to the center of the cell where it ends.
///
/// # Formal guarantees
///
/// Let `x`, `x'` be centers of cells, `d <= 20 / epsilon` meters apart. For every set `S` of cells
/// `P[K(x) in S] <= e^(epsilon d) P[K(x') in S] + 2^-70`. For places that are no centers, `d` is the distance of their
/// cells' centers, at most twice [`PublicGrid::most_offset`] more than theirs.
///
/// The noise is drawn with a smaller parameter `inner`, so that this holds after what separates the program from the plane
/// and from real numbers. As distinct centers are `w = 0.95 · spacing` apart or more, a factor `1 + c` between probabilities
/// costs `ln(1 + c) / w` of epsilon, as in theorem 4.1 of the source:
///
/// - *Curvature.* Around `x` the noise has the density `inner^2 / (2 pi) e^(-inner r) r / m(r)` by area, `m` the geodesic's
///   reduced length. By Rauch's comparison `m` lies between `sin(sqrt(K) r) / sqrt(K)` for the largest and the smallest
///   Gaussian curvature `K` of the ellipsoid. That adds `1/R - sqrt(K) cot(sqrt(K) R)` to epsilon, `R` the largest radius, and
///   the difference of the two `ln(r / m)` at `R`, over `w`.
/// - *Numbers.* The computed point lies within `h` of the ideal one that belongs to the same bits: `h` is 1e-6 m for geodesics
///   and `2^-28 / epsilon` for radii (128 bits of uniform randomness; their tail is cut at `2^-100`). The probability of a
///   cell therefore changes by at most a factor `1 ± 11 h / spacing · e^(2 epsilon spacing)`, for its boundary is at most 5 times its area
///   over the spacing: twice its logarithm's difference, over `w`.
/// - *Tail.* Points that `x` sends further than the radius of `2^-70`, or `x'` further than that of `2^-100`, which lie 21 / epsilon
///   apart, are left to the added `2^-70`.
///
/// Several reports of one subject add up: `n` of them are `n` epsilon. Grid cells are output by choice of the program
/// alone; bringing a point to its cell is post-processing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanarLaplace {
    epsilon: f64,
    inner: f64,
    grid: PublicGrid,
}

impl PlanarLaplace {
    /// Noise for an epsilon per meter, on a grid of a hundredth of 1 / epsilon, or of a little more where that is so fine
    /// that the error of geodesics would cost more than a hundredth of epsilon.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for an epsilon out of range.
    pub fn new(epsilon_per_meter: f64) -> Result<Self, LocationError> {
        let epsilon = check_epsilon(epsilon_per_meter)?;
        Self::on_grid(epsilon, PublicGrid::new((0.01 / epsilon).max(0.05 / epsilon.sqrt()))?)
    }

    /// Noise for an epsilon per meter on a given grid.
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for an epsilon out of range, or a grid whose corrections take more than half of it.
    pub fn on_grid(epsilon_per_meter: f64, grid: PublicGrid) -> Result<Self, LocationError> {
        let epsilon = check_epsilon(epsilon_per_meter)?;
        if grid.spacing() * epsilon > 2.0 {
            let allowed =
                format!("at most {} meters, twice 1 / epsilon: coarser cells can be counted instead", 2.0 / epsilon);
            return Err(LocationError::parameter("the grid's spacing", grid.spacing(), allowed));
        }
        // The corrections grow as the inner epsilon falls, so a few rounds from above end at it.
        let mut inner = epsilon;
        for _ in 0..60 {
            inner = epsilon - correction(inner, grid);
            if inner < epsilon / 2.0 || inner.is_nan() {
                break;
            }
        }
        inner *= 1.0 - 1e-9;
        if inner < epsilon / 2.0 || inner.is_nan() || inner + correction(inner, grid) > epsilon {
            let allowed = "coarser: the corrections for numbers and curvature take more than half of epsilon";
            return Err(LocationError::parameter("the grid's spacing", grid.spacing(), allowed));
        }
        Ok(Self { epsilon, inner, grid })
    }

    /// The epsilon per meter that is claimed.
    pub fn epsilon_per_meter(&self) -> f64 {
        self.epsilon
    }

    /// The epsilon per meter of the noise that is drawn: what the corrections leave.
    pub fn inner_epsilon_per_meter(&self) -> f64 {
        self.inner
    }

    /// The grid of inputs and outputs.
    pub fn grid(&self) -> PublicGrid {
        self.grid
    }

    /// The radius within which a share of the noise lies, in meters.
    pub fn radius_within(&self, share: f64) -> f64 {
        radius_beyond(1.0 - share, share) / self.inner
    }

    /// The noise before it is brought to the grid.
    pub(super) fn noisy(&self, center: Place, randomness: &PointRandomness) -> Place {
        let (beyond, within) = randomness.wide_unit();
        let radius = radius_beyond(beyond.max(CUT), within) / self.inner;
        displaced(center, randomness.angle(), radius)
    }

    /// A report of a place.
    pub fn report(&self, place: Place, randomness: &PointRandomness) -> Place {
        self.grid.snapped(self.noisy(self.grid.snapped(place), randomness))
    }
}

fn check_epsilon(epsilon: f64) -> Result<f64, LocationError> {
    if (LEAST_EPSILON_PER_METER..=MOST_EPSILON_PER_METER).contains(&epsilon) {
        Ok(epsilon)
    } else {
        let allowed = format!(
            "from {LEAST_EPSILON_PER_METER:e} to {MOST_EPSILON_PER_METER} per meter, such as 0.005: noise is 2 / epsilon meters \
             on average"
        );
        Err(LocationError::parameter("epsilon", epsilon, allowed))
    }
}

/// What curvature and numbers add to an inner epsilon, per meter. See [`PlanarLaplace`].
fn correction(inner: f64, grid: PublicGrid) -> f64 {
    let least = grid.least_distance();
    let reach = radius_beyond(CUT, 1.0) / inner;
    let (flat, bent) = (LEAST_CURVATURE.sqrt(), MOST_CURVATURE.sqrt());
    if bent * reach > 1.0 {
        return f64::INFINITY;
    }
    // Both differences are of nearly equal numbers: rounding costs 1e-16 of the terms, far below what is added at the end.
    let stretch = |curvature: f64| (curvature * reach / (curvature * reach).sin()).ln();
    let radial = 1.0 / reach - bent / (bent * reach).tan();
    let between = stretch(bent) - stretch(flat);
    let error = DISPLACEMENT_ERROR + 2.0_f64.powi(-28) / inner;
    let share = 11.0 * error / grid.spacing() * (2.0 * inner * grid.spacing()).exp();
    if share >= 0.5 {
        return f64::INFINITY;
    }
    let numbers = share.ln_1p() - (-share).ln_1p();
    (radial + (between + numbers) / least) * (1.0 + 1e-9) + 1e-14
}

impl PointMask for PlanarLaplace {
    fn mask(&self, place: Place, randomness: &PointRandomness) -> Option<Place> {
        Some(self.report(place, randomness))
    }

    fn drawn_for(&self, place: Place) -> [u64; 2] {
        self.grid.cell(place)
    }

    fn parameters(&self) -> Vec<u64> {
        vec![7, self.epsilon.to_bits(), self.inner.to_bits(), self.grid.spacing().to_bits()]
    }

    fn charged_distance(&self, within: f64) -> f64 {
        // Both places are moved to their cells' centers first.
        within + 2.0 * self.grid.most_offset()
    }

    fn statement(&self) -> Result<PlaceStatement, LocationError> {
        let guarantee = Guarantee::Metric {
            mechanism: "planar Laplace".into(),
            name: "geo-indistinguishability".into(),
            epsilon: self.epsilon,
            unit: "meter".into(),
            delta: TAIL,
            of: "each report".into(),
        };
        let shown = |meters: f64| format!("{meters:.0} m");
        Ok(PlaceStatement::new(guarantee)
            .fact("Epsilon per meter", round_up_for_display(self.epsilon))
            .fact("A factor of 2 in likelihood at", format!("{:.1} m", std::f64::consts::LN_2 / self.epsilon))
            .fact("Epsilon per meter of the noise", format!("{:.6e} (the rest pays for the corrections below)", self.inner))
            .fact(
                "Corrections",
                "curvature of the ellipsoid, rounding of numbers and discretization (as Andrés et al. 2013, theorem 4.1)",
            )
            .fact("Public grid", format!("{} m, of places and of reports", self.grid.spacing()))
            .fact("Mean displacement", shown(2.0 / self.inner))
            .fact("95 % are displaced by less than", shown(self.radius_within(0.95)))
            .assumption(format!(
                "a distance is that of the centers of the places' cells, at most {} m more than that of the places",
                round_up_for_display(2.0 * self.grid.most_offset())
            ))
            .assumption(format!("two places are at most {} m apart; nothing is said of farther ones", (MOST_SCALES / self.epsilon).floor()))
            .assumption("geodesics are computed within 1e-6 m, which tests compare with GeographicLib, and the operating system's generator is sound")
            .not_covered("the number, times and order of the reports, the other columns, and the running time")
            .not_covered("this is no epsilon of a record: places far apart are told apart as well as epsilon times their distance allows"))
    }

    fn typical_displacement(&self) -> Option<f64> {
        Some(2.0 / self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corrections_are_small_on_the_default_grid_and_refused_where_they_are_not() {
        for epsilon in [2.5e-5, 1e-4, 0.001, 0.01, 0.1, 1.0] {
            let noise = PlanarLaplace::new(epsilon).unwrap();
            let share = noise.inner_epsilon_per_meter() / epsilon;
            assert!(share > 0.94 && share < 1.0, "{epsilon}: {share}");
            assert!(noise.inner + correction(noise.inner, noise.grid) <= epsilon);
        }
        assert!(PlanarLaplace::on_grid(1e-4, PublicGrid::new(0.01).unwrap()).is_err());
        assert!(PlanarLaplace::on_grid(0.01, PublicGrid::new(50_000.0).unwrap()).is_err());
        for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-6, 11.0] {
            assert!(PlanarLaplace::new(epsilon).is_err());
        }
    }

    #[test]
    fn the_tails_are_as_far_apart_as_is_claimed() {
        assert!(radius_beyond(CUT, 1.0) - radius_beyond(TAIL, 1.0) > MOST_SCALES);
        // The curvature's radial share is R/3 of it for small R.
        let reach = 1_000.0;
        let bent = MOST_CURVATURE.sqrt();
        assert!(((1.0 / reach - bent / (bent * reach).tan()) / (MOST_CURVATURE * reach / 3.0) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_statement_has_a_unit_and_no_epsilon_of_a_record() {
        let statement = PlanarLaplace::new(0.005).unwrap().statement().unwrap();
        let text = statement.to_string();
        assert!(text.contains("geo-indistinguishability at 0.005 per meter of each report"), "{text}");
        assert!(!text.contains("-differential privacy"), "{text}");
    }
}
