//! Counts of areas: cells of H3 and S2, polygons, and a quadtree whose cells have at least k people.

mod cell_counts;
mod cell_system;
mod discrete_laplace;
mod polygons;
mod quadtree;

pub use cell_counts::{CellCount, CountedCells, NoisyCounts, count_cells};
pub use cell_system::{CellSystem, MOST_PUBLIC_CELLS};
pub use discrete_laplace::DiscreteLaplace;
pub use polygons::{Area, count_areas, read_areas};
pub use quadtree::{QuadtreeCell, quadtree, quadtree_statement};
