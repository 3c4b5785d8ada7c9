//! Tables in which nobody can be found, with proofs where there are any and the attack beside each method.
//!
//! [`table`] reads a table into distinct tuples with counts and measures what a generalization costs; [`search`] finds the
//! best full-domain generalization that meets k-anonymity, l-diversity or t-closeness, and proves it; [`microaggregation`] replaces numbers by
//! means of groups. [`recoding`] says which cells each row gets, and [`write_release`] writes the table.
//!
//! Every result has a [`Statement`]: what is protected, against whom, under which assumption, and what is not covered.

pub mod attack;
mod error;
pub mod inspect;
pub mod microaggregation;
pub mod perturb;
pub mod pseudonym;
pub mod recoding;
mod release;
pub mod search;
mod statement;
pub mod table;
mod unfinished_file;

pub use error::AnonymizeError;
pub use release::{ReleaseOptions, write_release};
pub use statement::{Grade, Statement};
pub use table::column_names;
