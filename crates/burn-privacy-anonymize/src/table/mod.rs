//! What a table is here: columns as codes of a hierarchy, and distinct tuples with the number of their rows.

mod dataset;
mod equivalence_classes;
mod hierarchy;
mod metrics;
mod models;
mod sensitive_distance;

pub(crate) use dataset::header_of;
pub use dataset::{Column, Sensitive, Table, TableRoles, column_names};
pub use equivalence_classes::{EquivalenceClass, Partition};
pub use hierarchy::Hierarchy;
pub use metrics::{Metric, Quality};
pub(crate) use metrics::{generalization_entropy, histogram_bits};
pub use models::{PrivacyModel, SensitiveDistribution};
