//! Treatments that another crate brings, of one column or of several that belong together, such as a place's two.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use burn_privacy_budget::statement::{Grade, Guarantee};
use burn_privacy_mechanisms::key::Entropy;

use crate::decimal_sum::sum_as_written;
use crate::pseudonym::PseudonymKey;

/// A treatment for each column, and which of its columns that is, from 0.
pub type ColumnParts = Vec<(Arc<dyn RowTreatment>, usize)>;

/// Reads the columns of one `treatment` out of a schema.
pub trait RowTreatmentReader {
    /// The name that stands in the schema as `treatment`.
    fn name(&self) -> &str;

    /// Reads all columns of that treatment, in the schema's order: the name and the keys of each, but for `name`, `role` and
    /// `treatment`. Files are found from `folder`.
    ///
    /// # Errors
    ///
    /// A sentence on what is wrong with the schema.
    fn read(&self, columns: &[(String, toml::Table)], folder: Option<&Path>) -> Result<ColumnParts, String>;
}

/// A treatment that is known, but has no table yet.
pub trait RowTreatment: Debug + Send + Sync {
    /// The columns that it reads, its own among them.
    fn reads(&self) -> &[String];

    /// True if it needs the key of pseudonyms.
    fn needs_key(&self) -> bool;

    /// Gets ready for one table. Randomness comes from `entropy`, by a key that serves nothing else.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn ready(&self, key: Option<&PseudonymKey>, entropy: Entropy) -> Result<Arc<dyn RowWriter>, String>;
}

/// Writes a row's cell, from those of [`RowTreatment::reads`] (nothing for a null); the error is the rest of a sentence on the
/// cell, which holds no value. It is called once for each row; what writes nothing leaves the cell empty.
pub type WriteRow<'a> = Box<dyn FnMut(&[Option<&[u8]>], &mut Vec<u8>) -> Result<(), String> + 'a>;

/// A treatment of one table. Rows are written by several threads, each column by itself: what is written may depend on the row's
/// number and cells alone.
pub trait RowWriter: Send + Sync {
    /// A pass over the table begins: there may be two, of which the last counts.
    fn begin(&self);

    /// How `rows` rows from the number `first` on are written, in their order, in the treatment's column `part`.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn rows(&self, part: usize, first: u64, rows: usize) -> Result<WriteRow<'_>, String>;

    /// True if a column holds numbers.
    fn is_number(&self, part: usize) -> bool;

    /// What the pass was worth.
    ///
    /// # Errors
    ///
    /// A sentence.
    fn worth(&self) -> Result<RowWorth, String>;
}

/// What a treatment of a table is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct RowWorth {
    /// What was done, in words.
    pub what: String,
    /// What holds.
    pub guarantee: Guarantee,
    /// What is left, or against whom it holds.
    pub fact: String,
    /// What is assumed and what is not covered.
    pub caveats: Vec<String>,
    /// True if a fixed seed makes all of it void.
    pub seeded: bool,
}

/// True for one and the same treatment.
pub(super) fn is_same(one: &Arc<dyn RowTreatment>, other: &Arc<dyn RowTreatment>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// What several treatments and noise guarantee of each row together; none without a treatment.
///
/// Distances are of all places of a row at once, each moved by at most so much: factors multiply, so epsilons add up; so do
/// deltas, both as they were written: every treatment's mechanism holds back a part in 10^12 of its epsilon or more. Epsilons per unit and those of columns with noise do not add: then the former are said, the latter are in the table.
pub(super) fn together(worths: &[&RowWorth], noise: Option<Guarantee>) -> Option<Guarantee> {
    let all: Vec<Guarantee> = worths.iter().map(|worth| worth.guarantee.clone()).chain(noise).collect();
    if worths.is_empty() {
        return None;
    }
    if let [one] = all.as_slice() {
        return Some(one.clone());
    }
    let (mut names, mut units) = (Vec::new(), Vec::new());
    let (mut metric, mut record) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for guarantee in &all {
        match guarantee {
            Guarantee::Metric { mechanism, epsilon, delta, unit, name, .. } => {
                names.push(mechanism.as_str());
                units.push((unit, name));
                metric.0.push(*epsilon);
                metric.1.push(*delta);
            }
            Guarantee::DifferentialPrivacy { mechanism, epsilon, delta, .. } => {
                names.push(mechanism.as_str());
                record.0.push(*epsilon);
                record.1.push(*delta);
            }
            // No epsilon of all of them.
            other => return Some(other.clone()),
        }
    }
    let mechanism = names.join(", ");
    Some(match units.first() {
        None => Guarantee::DifferentialPrivacy {
            mechanism,
            epsilon: sum_as_written(&record.0),
            delta: sum_as_written(&record.1),
            is_bound: true,
            of: "what was treated of each row".into(),
            accountant: String::new(),
            local: true,
        },
        Some((unit, name)) => Guarantee::Metric {
            mechanism,
            name: (*name).clone(),
            epsilon: sum_as_written(&metric.0),
            unit: (*unit).clone(),
            delta: sum_as_written(&metric.1),
            of: match record.0.iter().any(|epsilon| *epsilon > 0.0) {
                true => {
                    "all places and draws of a subject together, as far as each is moved (columns with noise have an \
                         epsilon of their own)"
                        .into()
                }
                false => "all places and draws of a subject together, as far as each is moved".into(),
            },
        },
    })
}

/// The grade of a worth.
pub(super) fn grade(worth: &RowWorth) -> Grade {
    worth.guarantee.grade()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worth(guarantee: Guarantee) -> RowWorth {
        RowWorth { what: String::new(), guarantee, fact: String::new(), caveats: Vec::new(), seeded: false }
    }

    #[test]
    fn guarantees_of_one_row_add_up() {
        let metric = |epsilon| {
            worth(Guarantee::Metric {
                mechanism: "planar Laplace".into(),
                name: "geo-indistinguishability".into(),
                epsilon,
                unit: "meter".into(),
                delta: 1e-21,
                of: "each report".into(),
            })
        };
        let local = |epsilon| Guarantee::DifferentialPrivacy {
            mechanism: "randomized response".into(),
            epsilon,
            delta: 0.0,
            is_bound: true,
            of: "a report".into(),
            accountant: String::new(),
            local: true,
        };
        assert_eq!(together(&[], Some(local(1.0))), None);
        assert_eq!(together(&[&metric(0.1)], None), Some(metric(0.1).guarantee));
        let Some(Guarantee::Metric { epsilon, delta, .. }) = together(&[&metric(0.1), &metric(0.2)], None) else {
            panic!()
        };
        // As written: not 0.30000000000000004, which is shown as 0.3001.
        assert!(epsilon == 0.3 && delta == 2e-21, "{epsilon} {delta}");
        let Some(Guarantee::DifferentialPrivacy { epsilon, .. }) = together(&[&worth(local(1.0))], Some(local(2.0)))
        else {
            panic!()
        };
        assert_eq!(epsilon, 3.0);
        // An epsilon per meter is never added to one of a record.
        let Some(Guarantee::Metric { epsilon, of, .. }) = together(&[&metric(0.1)], Some(local(2.0))) else { panic!() };
        assert!(epsilon == 0.1 && of.contains("of their own"));
    }
}
