//! What one record of the data set is, and so what a guarantee protects.

use serde::{Deserialize, Serialize};

/// What a guarantee protects: the unit that is sampled, whose contribution is clipped, and that neighbors differ by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProtectedUnit {
    /// One item of the data set: one row, one image, one sequence.
    #[default]
    Example,
    /// All items that belong to one user. Users are sampled, and a user's gradient is clipped as one (user-level sampling, Charles
    /// et al. 2024, arXiv 2407.07737): all sizes of a plan count users.
    User,
}

impl std::fmt::Display for ProtectedUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProtectedUnit::Example => f.write_str("one example (one item of the data set)"),
            ProtectedUnit::User => f.write_str("one user (all items of the data set that belong to one user)"),
        }
    }
}
