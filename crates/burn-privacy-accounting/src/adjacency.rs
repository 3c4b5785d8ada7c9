//! Which pairs of data sets count as neighbors.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which pairs of data sets a guarantee makes hard to tell apart.
///
/// The same value decides the sensitivity of a clipped sum, the sampler, the accountant and what a statement says, so
/// that they can't disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjacency {
    /// One data set is the other plus one record, at a place that is empty in the other; all others keep their places. The
    /// number of records is private.
    AddOrRemoveOne,
    /// One record is replaced by any other record. The number of records is public.
    ReplaceOne,
    /// One record is replaced by a null record whose contribution is zero. The number of records is public.
    ZeroOut,
}

impl Adjacency {
    /// L2 sensitivity of a sum of vectors that are each clipped to norm C, in units of C.
    ///
    /// It is 1 for [`Adjacency::AddOrRemoveOne`] and [`Adjacency::ZeroOut`]: a vector of norm at most C appears or
    /// vanishes. It is 2 for [`Adjacency::ReplaceOne`]: a vector becomes its opposite. A noise multiplier is relative
    /// to the sensitivity, so the noise's standard deviation is multiplier x factor x C.
    pub const fn sensitivity_factor(self) -> f64 {
        match self {
            Self::AddOrRemoveOne | Self::ZeroOut => 1.0,
            Self::ReplaceOne => 2.0,
        }
    }

    /// One sentence for a reader who doesn't know the term.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::AddOrRemoveOne => "the data set with one record more or less",
            Self::ReplaceOne => "the data set with one record exchanged for any other",
            Self::ZeroOut => "the data set with one record's contribution set to zero",
        }
    }
}

impl fmt::Display for Adjacency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddOrRemoveOne => "add-or-remove-one",
            Self::ReplaceOne => "replace-one",
            Self::ZeroOut => "zero-out",
        })
    }
}
