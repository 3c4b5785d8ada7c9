//! Why a local mechanism is not made.

use burn_privacy_accounting::AccountingError;

use super::{MAX_BOUND, MAX_CATEGORIES, MAX_EPSILON, MAX_INTEGER_BOUND, MIN_DELTA, MIN_EPSILON};

/// A local mechanism that can't be made as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// An epsilon out of range.
    #[error("epsilon is {epsilon}, but must be a number from {MIN_EPSILON} to {MAX_EPSILON}")]
    Epsilon {
        /// The epsilon given.
        epsilon: f64,
    },

    /// A delta out of range.
    #[error(
        "delta is {delta:e}, but must be a number from {MIN_DELTA:e} to 0.5, well below one over the number of records"
    )]
    Delta {
        /// The delta given.
        delta: f64,
    },

    /// Real bounds that are not an interval.
    #[error("bounds {lo} to {hi} are not an interval: give finite numbers lo < hi of magnitude up to {MAX_BOUND:e}")]
    RealBounds {
        /// The lower bound given.
        lo: f64,
        /// The upper bound given.
        hi: f64,
    },

    /// Integer bounds that are not an interval.
    #[error("bounds {lo} to {hi} are not an interval: give integers lo < hi of magnitude up to {MAX_INTEGER_BOUND}")]
    IntegerBounds {
        /// The lower bound given.
        lo: i64,
        /// The upper bound given.
        hi: i64,
    },

    /// A standard deviation out of proportion to the bounds.
    #[error("a standard deviation of {given} is not between {smallest} and {largest}, which these bounds allow")]
    StandardDeviation {
        /// The standard deviation given.
        given: f64,
        /// The smallest allowed.
        smallest: f64,
        /// The largest allowed.
        largest: f64,
    },

    /// Too few or too many categories.
    #[error("{given} categories are not between 2 and {MAX_CATEGORIES}")]
    Categories {
        /// The number given.
        given: usize,
    },

    /// Counts of another number of categories.
    #[error("{given} counts were given, but there are {categories} categories: give one count for each")]
    Counts {
        /// The number of counts given.
        given: usize,
        /// The number of categories.
        categories: u32,
    },

    /// Weights that choose nothing.
    #[error(
        "{given} weights were given for {needed} numbers: give one for each, finite, and none below a millionth of their sum"
    )]
    Weights {
        /// The number of weights given.
        given: usize,
        /// The number of numbers.
        needed: usize,
    },

    /// No noise reaches the target.
    #[error(transparent)]
    Accounting(#[from] AccountingError),
}
