//! What one record of the data set is, and so what a guarantee protects.

use burn_privacy_accounting::Adjacency;
use serde::{Deserialize, Serialize};

use crate::error::{Result, refuse};

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
    /// All items that belong to one user, of which this number, the first ones in the data set's order, take part at most. Single items
    /// are sampled and clipped, each by itself (example-level sampling, ELS, in Charles et al. 2024): all sizes of a plan count items.
    UserByRecords {
        /// The most items of one user, from 1 to 256.
        most_records: u64,
    },
}

/// The accountant sums over a user's records.
const MOST_RECORDS: u64 = 256;

impl ProtectedUnit {
    /// The most records that differ between neighbors, each sampled and clipped by itself: 1 where the unit is what is sampled.
    pub fn sampled_records(self) -> u64 {
        match self {
            ProtectedUnit::Example | ProtectedUnit::User => 1,
            ProtectedUnit::UserByRecords { most_records } => most_records,
        }
    }

    pub(super) fn check(self, adjacency: Adjacency) -> Result<()> {
        let ProtectedUnit::UserByRecords { most_records } = self else { return Ok(()) };
        if !(1..=MOST_RECORDS).contains(&most_records) {
            let allowed = "from 1 to 256 records; ProtectedUnit::User takes any number";
            return Err(refuse("records of a user", most_records, allowed));
        }
        if adjacency != Adjacency::AddOrRemoveOne {
            return Err(refuse(
                "adjacency",
                adjacency,
                "add-or-remove-one for users whose records are sampled one by one",
            ));
        }
        Ok(())
    }
}

impl std::fmt::Display for ProtectedUnit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ProtectedUnit::Example => f.write_str("one example (one item of the data set)"),
            ProtectedUnit::User => f.write_str("one user (all items of the data set that belong to one user)"),
            ProtectedUnit::UserByRecords { most_records } => write!(
                f,
                "one user (all items of the data set that belong to one user, of whom at most {most_records} items take part)"
            ),
        }
    }
}
