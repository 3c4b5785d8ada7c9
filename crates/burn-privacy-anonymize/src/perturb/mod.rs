//! Local differential privacy for tables: CSV files are perturbed row by row, under a schema that the user states.
//!
//! [`TableSchema`] says, in TOML, what each column may hold and what happens to it; nothing is learned from the data.
//! [`perturb_table`] streams a file of any size through it in constant memory, and returns a [`PerturbationStatement`]
//! that says what that is worth.
//!
//! Cells are clamped to the bounds; what is missing, unreadable or unknown becomes the column's public default, without
//! any trace: no message and no count depends on a cell. A schema with a `readability_epsilon` tells, privately and for
//! that epsilon, which columns seem unreadable throughout, such as 1,234.50 without `thousands = ","`.
//!
//! Only a broken file stops the run (a wrong number of cells, broken quoting, another header), and then leaves no
//! output. The message names a line, so that it is for whoever has the table, and no part of what may be published.
//!
//! Tables are UTF-8, plain or packed by gzip or zstd; [`TableFormat`] has the separator and comments. What else a file is,
//! UTF-16 or a workbook, is named and refused.
//!
//! ```
//! use burn_privacy_anonymize::perturb::{ProtectionLevel, TableSchema};
//! use burn_privacy_mechanisms::Entropy;
//!
//! let schema = TableSchema::parse(
//!     r#"
//!         epsilon = 2.0 # of a whole row
//!
//!         [[column]]
//!         name = "age"
//!         kind = "integer"
//!         lo = 0
//!         hi = 120
//!         default = 40
//!         treatment = "randomize"
//!
//!         [[column]]
//!         name = "smoker"
//!         kind = "category"
//!         values = ["yes", "no"]
//!         other = "unknown"
//!         treatment = "randomize"
//!
//!         [[column]]
//!         name = "name"
//!         treatment = "drop"
//!     "#,
//!     None,
//! )?;
//! let statement = schema.statement(Entropy::os());
//! assert_eq!((statement.level, statement.epsilon), (ProtectionLevel::Row, 2.0));
//! # Ok::<(), burn_privacy_anonymize::perturb::TableError>(())
//! ```

mod budget;
mod column;
mod encoding;
mod error;
mod number_format;
mod raw_schema;
mod readability;
mod run;
mod schema;
mod statement;
mod structure;
mod template;
mod zstd_frames;

pub(crate) use column::{Perturbed, Treatment};
pub(crate) use encoding::{Counted, TableBytes};
pub use encoding::{FormatProblem, TableFormat};
pub use error::TableError;
pub use run::{PerturbOptions, Progress, perturb_stream, perturb_table};
pub use schema::TableSchema;
pub use statement::{ColumnGuarantee, PerturbationStatement, ProtectionLevel};
pub(crate) use structure::{Broken, TableReader};
pub use structure::{MAX_RECORD_BYTES, StructureProblem};
pub use template::{schema_template, schema_template_of};
