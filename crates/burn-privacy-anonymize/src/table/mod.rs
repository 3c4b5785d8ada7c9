//! What a table is here: columns as codes of a hierarchy, and distinct tuples with the number of their rows.

mod csv_file;
mod dataset;
mod equivalence_classes;
mod hierarchy;
mod metrics;
mod models;
mod population;
mod sensitive_distance;
mod sensitive_distribution;

pub(crate) use csv_file::combinations;
pub use csv_file::{column_names, open_csv, place_of};
pub use dataset::{Column, Sensitive, Table, TableRoles};
pub use equivalence_classes::{EquivalenceClass, Partition};
pub use hierarchy::Hierarchy;
pub use metrics::{Metric, Quality};
pub(crate) use metrics::{generalization_entropy, histogram_bits};
pub use models::PrivacyModel;
pub use sensitive_distribution::SensitiveDistribution;
