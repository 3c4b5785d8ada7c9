//! Whether a delta means anything for the number of records.

use std::io::Write;

use burn_privacy_output::{InvalidValue, printable_lines};

use crate::numbers::shortest;

/// Deltas from here on say nothing, however few records there are: every tenth could be published as it is.
const MEANINGLESS: f64 = 0.1;

/// The smallest delta that means nothing for so many records, with its reason. The mechanism that publishes one record
/// of N, drawn at random, is (0, 1/N)-differentially private.
fn limit(dataset_size: Option<u64>) -> (f64, String) {
    match dataset_size {
        Some(records) if records > 0 && 1.0 / records as f64 <= MEANINGLESS => {
            (1.0 / records as f64, format!("1/{records}, one over the number of records"))
        }
        _ => (MEANINGLESS, format!("{MEANINGLESS}, however few records there are")),
    }
}

/// A sentence if a delta means nothing.
pub fn warning(delta: f64, dataset_size: Option<u64>) -> Option<String> {
    let (limit, reason) = limit(dataset_size);
    (delta >= limit).then(|| {
        format!(
            "delta {} is not below {reason}: with it, a mechanism that publishes a record as it is counts as private; \
             choose it well below",
            shortest(delta)
        )
    })
}

/// Refuses a delta that means nothing.
pub fn require_meaningful(name: &'static str, delta: f64, dataset_size: u64) -> Result<(), InvalidValue> {
    let (limit, reason) = limit(Some(dataset_size));
    if delta >= limit {
        let allowed = format!(
            "well below {reason}: with it, a mechanism that publishes a record as it is counts as private, and no \
             statement is issued"
        );
        return Err(InvalidValue::new(name, shortest(delta), allowed));
    }
    Ok(())
}

/// Says a warning on standard error. It belongs to an answer, so that it never ends the command.
pub fn warn(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {}", printable_lines(sentence));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_over_the_number_of_records_is_the_limit() {
        for records in [10, 49, 1_000, 50_000] {
            let limit = 1.0 / records as f64;
            assert!(warning(limit, Some(records)).is_some() && warning(limit.next_down(), Some(records)).is_none());
            require_meaningful("delta", limit, records).unwrap_err();
            require_meaningful("delta", limit.next_down(), records).unwrap();
        }
        // No number of records makes 0.5 a guarantee.
        for records in [None, Some(0), Some(1), Some(2)] {
            assert!(warning(0.5, records).is_some() && warning(0.01, records).is_none());
        }
    }
}
