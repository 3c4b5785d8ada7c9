//! Microaggregation: numeric records are put in groups of at least k and replaced by their group's mean.
//!
//! Distances are between standardized columns (mean 0, population standard deviation 1; a constant column counts
//! nothing), and so is the information loss.

mod mdav;
mod records;
mod univariate;
mod variable_mdav;

pub use mdav::mdav;
pub use records::{Grouping, Records};
pub use univariate::optimal_univariate;
pub use variable_mdav::variable_mdav;
