//! Which unit the runs of a ledger protect.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What neighboring data sets differ in. Guarantees for different units do not compose: one for a record says little about a user with
/// many, and one for users little about a record, without which a user's clipped contribution is another one of the same norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One record of the data set.
    #[default]
    Record,
    /// All records that belong to one user.
    User,
}

impl Unit {
    /// Whether it is a record, which files do not write.
    pub(super) fn is_record(&self) -> bool {
        *self == Self::Record
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "one record",
            Self::User => "one user (all records that belong to one user)",
        })
    }
}
