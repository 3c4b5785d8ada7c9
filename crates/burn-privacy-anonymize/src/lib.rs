//! Tables in which people are hard to find, with proofs where there are any and the attack beside each method.
//!
//! [`table`] reads a table into distinct tuples with counts and measures what a generalization costs; [`search`] finds the
//! best full-domain generalization that meets k-anonymity, l-diversity or t-closeness, and proves it; [`microaggregation`]
//! replaces numbers by means of groups. [`recoding`] says which cells each row gets, finds local recodings and bounds what
//! any could do, and [`write_release`] writes the table. [`columns`] transforms a file of any size column by column under a
//! schema, [`pseudonym`] replaces names under a key, [`inspect`] says which columns single people out, and [`attack`] tries to
//! find them in an output.
//!
//! Every result has a [`TableStatement`]: what is protected, against whom, under which assumption, and what is not covered.
//!
//! ```
//! use burn_privacy_anonymize::search::{SearchOptions, optimum};
//! use burn_privacy_anonymize::table::{Column, Hierarchy, Metric, PrivacyModel, Table, TableRoles};
//!
//! let lines = ["21;20s;*", "23;20s;*", "41;40s;*", "43;40s;*"];
//! let lines: Vec<Vec<String>> = lines.iter().map(|line| line.split(';').map(str::to_owned).collect()).collect();
//! let age = Column { name: "age".to_owned(), hierarchy: Hierarchy::new("age", &lines)? };
//! let roles = TableRoles { quasi_identifiers: vec![age], sensitive: None };
//! let csv = "name,age\nAnn,21\nBob,23\nCid,41\nDan,43\n";
//! let table = Table::from_csv("people.csv".as_ref(), csv.as_bytes(), b',', roles)?;
//!
//! let options = SearchOptions {
//!     models: vec![PrivacyModel::KAnonymity { k: 2 }],
//!     metric: Metric::Loss,
//!     suppression_limit: 0.0,
//!     max_choices: 1_000_000,
//! };
//! let found = optimum(&table, &options)?;
//! assert_eq!((found.levels, found.proved, found.quality.classes), (vec![1], true, 2));
//! # Ok::<(), burn_privacy_anonymize::AnonymizeError>(())
//! ```

pub mod attack;
pub mod columns;
pub mod decimal_sum;
mod error;
pub mod inspect;
pub mod itemsets;
pub mod microaggregation;
pub mod perturb;
pub mod pseudonym;
pub mod recoding;
mod records;
mod release;
#[cfg(feature = "report")]
pub mod report;
pub mod risk;
pub mod sampled_release;
pub mod search;
mod statement;
pub mod table;
mod unfinished_file;
#[cfg(feature = "utility")]
pub mod utility;

pub use error::AnonymizeError;
pub use records::{FileFormat, Packing};
pub use release::{ReleaseOptions, write_release};
pub use statement::TableStatement;
pub use table::column_names;
pub use unfinished_file::UnfinishedFile;
