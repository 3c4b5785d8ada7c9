//! A table transformed column by column under a schema: roles, operations, and what the result is worth.
//!
//! [`ColumnSchema`] says in TOML what each column is (an identifier, a quasi-identifier, sensitive or insensitive) and what
//! happens to it; it is the schema of [`crate::perturb`] with more treatments. [`transform_file`] applies it to a file of
//! any size in constant memory, on all processors, and returns a [`ColumnsStatement`], whose grade is that of the weakest
//! column. With `k` in the schema, rows are counted first and those of classes below k are left out, so that a schema that
//! was found once (`anonymize search --recipe`) can be applied to new rows. [`sql`](ColumnSchema::to_sql) writes it for
//! engines that hold larger tables.
//!
//! ```
//! use burn_privacy_anonymize::columns::{ColumnSchema, TransformOptions, transform_stream};
//! use burn_privacy_anonymize::pseudonym::PseudonymKey;
//!
//! let schema = ColumnSchema::parse(
//!     r#"
//!         [[column]]
//!         name = "email"
//!         role = "identifier"
//!         treatment = "pseudonym"
//!         method = "hmac"
//!
//!         [[column]]
//!         name = "amount"
//!         role = "sensitive"
//!         treatment = "round"
//!         to = 10
//!     "#,
//!     None,
//! )?;
//! let key = PseudonymKey::from_hex(&"07".repeat(32))?;
//! let (input, mut output) = ("email,amount\nann@example.org,123.4\n", Vec::new());
//! let options = TransformOptions::default();
//! transform_stream(&schema, Some(&key), input.as_bytes(), "people.csv", &mut output, &options, &mut |_| {})?;
//! let output = String::from_utf8(output)?;
//! assert!(output.starts_with("email,amount\n") && output.ends_with(",120\n") && !output.contains("ann"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cell_operation;
mod class_counts;
mod dates;
mod free_text;
mod input;
mod labels;
mod numbers;
mod operation;
mod options;
mod plan;
mod pseudonyms;
mod recipe;
mod repeats;
mod row_treatment;
mod rules;
mod schema;
mod sink;
mod sql;
mod statement;
mod transform;

pub use dates::DateFormat;
pub use operation::{Ff1Format, Operation, PseudonymMethod, Role};
pub use options::TransformOptions;
pub use pseudonyms::{ColumnTreatment, Treatment, pseudonymize_table};
pub use row_treatment::{ColumnParts, RowTreatment, RowTreatmentReader, RowWorth, RowWriter, WriteRow};
pub use rules::ColumnRule;
pub use schema::ColumnSchema;
pub use sql::Dialect;
pub use statement::{ColumnsStatement, ReleasedColumn};
pub use transform::{transform_bytes, transform_file, transform_stream, transform_to};
