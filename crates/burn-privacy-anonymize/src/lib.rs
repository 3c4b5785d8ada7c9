//! Tables in which nobody can be found, with proofs where there are any and the attack beside each method.
//!
//! [`table`] reads a table into distinct tuples with counts and measures what a generalization costs; [`search`] finds the
//! best full-domain generalization that meets k-anonymity, l-diversity or t-closeness, and proves it; [`microaggregation`] replaces numbers by
//! means of groups.

mod error;
pub mod microaggregation;
pub mod search;
pub mod table;

pub use error::AnonymizeError;
