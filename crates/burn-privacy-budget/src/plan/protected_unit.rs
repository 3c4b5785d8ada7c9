//! What one record of the data set is, and so what a guarantee protects.

use serde::{Deserialize, Serialize};

/// What one record of the data set is, and so what a guarantee protects.
///
/// Only [`Example`](ProtectedUnit::Example) can be built today. The type exists so that user-level privacy
/// (a group of records that share an owner is clipped as one) does not change the interfaces that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProtectedUnit {
    /// One item of the data set: one row, one image, one sequence.
    #[default]
    Example,
}

impl std::fmt::Display for ProtectedUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProtectedUnit::Example => f.write_str("one example (one item of the data set)"),
        }
    }
}
