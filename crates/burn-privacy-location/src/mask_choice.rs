//! A mask by its name and its numbers, as a command or a table's schema gives them.

use std::sync::Arc;

use serde::Deserialize;

use super::adaptive_donut::AdaptiveDonut;
use super::cell_response::CellResponse;
use super::error::LocationError;
use super::grid_cells::GridCells;
use super::mask::PointMask;
use super::neighbors::{Swapping, VoronoiMask};
use super::optimal_mechanism::OptimalMechanism;
use super::planar_laplace::PlanarLaplace;
use super::population::Population;
use super::public_grid::PublicGrid;
use super::radial::{Disc, Donut, GaussianDisplacement};
use super::remapping::Remapping;

/// How places are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MaskMethod {
    /// [`PlanarLaplace`] (`epsilon`, `grid`).
    PlanarLaplace,
    /// [`Remapping`] (`epsilon`, `grid`, a population).
    RemappedLaplace,
    /// [`OptimalMechanism`] (`epsilon`, a small population).
    Optimal,
    /// [`CellResponse`] (`epsilon`, a population).
    Cells,
    /// [`AdaptiveDonut`] (`k`, a population).
    AdaptiveDonut,
    /// [`Donut`] (`inner`, `radius`).
    Donut,
    /// [`Disc`] (`radius`).
    Disc,
    /// [`GaussianDisplacement`] (`radius`).
    Gaussian,
    /// [`Swapping`] (`inner`, `radius`, a population).
    Swap,
    /// [`VoronoiMask`] (a population).
    Voronoi,
    /// [`GridCells`] (`grid`).
    Grid,
}

/// A mask that is asked for. A number that its method does not use is refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskChoice {
    /// How places are moved.
    pub method: MaskMethod,
    /// Epsilon per meter (for cells, of a report).
    pub epsilon: Option<f64>,
    /// Spacing of the public grid in meters.
    pub grid: Option<f64>,
    /// Outer radius, or standard deviation, in meters.
    pub radius: Option<f64>,
    /// Inner radius in meters; 0 unless given.
    pub inner: Option<f64>,
    /// People who must live as near to a released point as its true place.
    pub k: Option<f64>,
}

impl MaskChoice {
    /// True if the method needs a population.
    pub fn needs_population(&self) -> bool {
        use MaskMethod::{AdaptiveDonut, Cells, Optimal, RemappedLaplace, Swap, Voronoi};
        matches!(self.method, RemappedLaplace | Optimal | Cells | AdaptiveDonut | Swap | Voronoi)
    }

    /// The mask. `population` is read only if [needed](Self::needs_population).
    ///
    /// # Errors
    ///
    /// [`LocationError::Parameter`] for a number that is missing, not used, or refused by the mask; what `population` says.
    pub fn mask<E: From<LocationError>>(
        &self,
        population: impl FnOnce() -> Result<Arc<Population>, E>,
    ) -> Result<Arc<dyn PointMask>, E> {
        use MaskMethod as Method;
        let used: &[&str] = match self.method {
            Method::PlanarLaplace | Method::RemappedLaplace => &["epsilon", "grid"],
            Method::Optimal | Method::Cells => &["epsilon"],
            Method::AdaptiveDonut => &["k"],
            Method::Donut | Method::Swap => &["radius", "inner"],
            Method::Disc | Method::Gaussian => &["radius"],
            Method::Voronoi => &[],
            Method::Grid => &["grid"],
        };
        let given = [
            ("epsilon", self.epsilon),
            ("grid", self.grid),
            ("radius", self.radius),
            ("inner", self.inner),
            ("k", self.k),
        ];
        if let Some((name, _)) = given.into_iter().find(|(name, value)| value.is_some() && !used.contains(name)) {
            return Err(LocationError::parameter(name, "given", "left out: this method does not use it").into());
        }
        let needed = |name: &'static str, value: Option<f64>, allowed: &str| {
            value.ok_or_else(|| LocationError::parameter(name, "missing", format!("given: {allowed}")))
        };
        let epsilon = || needed("epsilon", self.epsilon, "per meter, such as 0.005 (for cells, of a report)");
        let radius = || needed("radius", self.radius, "in meters");
        let laplace = || match self.grid {
            Some(spacing) => PlanarLaplace::on_grid(epsilon()?, PublicGrid::new(spacing)?),
            None => PlanarLaplace::new(epsilon()?),
        };
        let inner = self.inner.unwrap_or(0.0);
        Ok(match self.method {
            Method::PlanarLaplace => Arc::new(laplace()?),
            Method::RemappedLaplace => Arc::new(Remapping::new(laplace()?, population()?)),
            Method::Optimal => Arc::new(OptimalMechanism::solve(population()?.places(), epsilon()?)?),
            Method::Cells => Arc::new(CellResponse::new(population()?, epsilon()?)?),
            Method::AdaptiveDonut => {
                let k = needed("k", self.k, "how many people")?;
                Arc::new(AdaptiveDonut::new(population()?, k)?)
            }
            Method::Donut => Arc::new(Donut::new(inner, radius()?)?),
            Method::Disc => Arc::new(Disc::new(radius()?)?),
            Method::Gaussian => Arc::new(GaussianDisplacement::new(radius()?)?),
            Method::Swap => Arc::new(Swapping::new(population()?, inner, radius()?)?),
            Method::Voronoi => Arc::new(VoronoiMask::new(population()?)),
            Method::Grid => {
                let spacing = needed("grid", self.grid, "the spacing in meters")?;
                Arc::new(GridCells(PublicGrid::new(spacing)?))
            }
        })
    }
}
