//! Microaggregation: numeric records are put in groups of at least k and replaced by their group's mean.
//!
//! Distances are between standardized columns (mean 0, population standard deviation 1; a constant column counts
//! nothing), and so is the information loss.

mod categorical;
mod kd_tree;
mod lower_bound;
mod mdav;
mod records;
mod t_closeness;
mod univariate;
mod variable_mdav;

pub use categorical::{CategoricalGrouping, categorical_mdav};
pub use lower_bound::information_loss_lower_bound_percent;
pub use mdav::mdav;
pub use records::{Grouping, Records};
pub use t_closeness::{TClosenessGrouping, t_close_mdav};
pub use univariate::optimal_univariate;
pub use variable_mdav::variable_mdav;
