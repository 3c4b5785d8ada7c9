//! Places: masks that are even on the globe, geo-indistinguishability, counts of areas, and what an adversary finds.
//!
//! Places lie on the WGS 84 ellipsoid; every distance is a geodesic's, in meters, poles and the antimeridian included.
//!
//! | module's idea | what it gives | grade |
//! |---|---|---|
//! | [`Disc`], [`Donut`], [`GaussianDisplacement`] | displacement even in direction and by area | disguised |
//! | [`AdaptiveDonut`] | as near to each released point as its true place, at least k people live | syntactic |
//! | [`GridCells`] | the center of a cell of a public grid | disguised, or syntactic under a table's `k` |
//! | [`Swapping`], [`VoronoiMask`] | a known place near, or the middle to the nearest | disguised |
//! | [`PlanarLaplace`] | geo-indistinguishability of each report, per meter | differential privacy (metric) |
//! | [`Remapping`] | the same with less error, by a public prior | differential privacy (metric) |
//! | [`CellResponse`] | a cell of a list, whatever the distance | differential privacy (local) |
//! | [`OptimalMechanism`] | the least error of all, for a few cells | differential privacy (metric) |
//!
//! A mask is a pure function of a place and of [`PointRandomness`]: drawn anew for each row, or [kept](KeptDraws) for each
//! subject and period, so that a place that is reported a hundred times is reported once.
//!
//! [`PlaceTreatments`] makes all of them treatments of a table's columns.
//!
//! ```
//! use burn_privacy_location::{Place, PlanarLaplace, PointMask, PointRandomness};
//! use burn_privacy_mechanisms::{Entropy, PrivacyKey};
//!
//! let noise = PlanarLaplace::new(0.01)?; // per meter: 200 m on average
//! let key = PrivacyKey::draw(Entropy::os())?; // serves nothing else
//! let home = Place::new(51.5033, -0.1276)?;
//! let report = noise.report(home, &PointRandomness::fresh(&key, 0)?);
//! println!("{report:?}\n{}", noise.statement()?);
//! # Ok::<(), burn_privacy_location::LocationError>(())
//! ```

mod adaptive_donut;
pub mod aggregation;
mod attacks;
mod cell_response;
mod error;
mod finite_mechanism;
mod geodesy;
mod geojson_points;
mod geometric_median;
mod grid_cells;
mod kept_draws;
mod laplace_radius;
mod mask;
mod mask_choice;
mod mask_file;
mod masked_rows;
mod neighbors;
mod optimal_mechanism;
mod place;
mod place_columns;
mod place_map;
mod place_table;
mod place_text;
mod place_writer;
mod planar_laplace;
mod population;
mod public_grid;
mod radial;
mod randomness;
mod remapping;
mod repeated_reports;
mod statement;

pub use adaptive_donut::{AdaptiveDonut, CheckedPoint};
pub use attacks::{AddressGuess, Anchors, ErrorSummary, averaged, home_and_work, nearest_address, summary};
pub use cell_response::CellResponse;
pub use error::LocationError;
pub use finite_mechanism::FiniteMechanism;
pub use geodesy::{azimuth, displaced, displaced_by_series, distance};
pub use geojson_points::{is_geojson, points_document, polygons_document, read_points};
pub use grid_cells::GridCells;
pub use kept_draws::KeptDraws;
pub use mask::PointMask;
pub use mask_choice::{MaskChoice, MaskMethod};
pub use mask_file::{Draws, MaskFileOptions, MaskedRows, SubjectColumns, count_reports, mask_file};
pub use neighbors::{Swapping, VoronoiMask};
pub use optimal_mechanism::{MOST_CELLS, OptimalMechanism};
pub use place::Place;
pub use place_columns::PlaceTreatments;
pub use place_map::{DrawnMap, PlaceMap};
pub use place_table::{PlaceColumns, read_places, read_population, read_traces};
pub use place_text::PlaceText;
pub use planar_laplace::{LEAST_EPSILON_PER_METER, MOST_EPSILON_PER_METER, MOST_SCALES, PlanarLaplace, TAIL};
pub use population::{Neighbor, Population};
pub use public_grid::PublicGrid;
pub use radial::{Disc, Donut, GaussianDisplacement};
pub use randomness::PointRandomness;
pub use remapping::{BayesianAdversary, Guess, Remapping};
pub use repeated_reports::{JITTER, ReportCharge, ReportCount, statement_of_draws};
pub use statement::PlaceStatement;

#[cfg(test)]
mod statistics_tests;

/// The page of the book, so that its code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/mechanisms/places.md")]
struct Page;
