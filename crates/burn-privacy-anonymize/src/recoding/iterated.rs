//! Local recoding as ARX does it: the best full-domain generalization with suppression, then the same for the rows that it
//! suppresses, until none are left.

use super::Recoding;
use super::judge::Judge;
use crate::AnonymizeError;
use crate::search::{SearchOptions, optimum};
use crate::table::{Metric, PrivacyModel, Table};

/// Recodes a table by full-domain generalizations, each of which may suppress `suppression` of the rows that the one before
/// left (1: as many as pays). A class of a later one is coarser than one of an earlier. What is left of less than a class,
/// or of no gain, is suppressed.
///
/// # Errors
///
/// Those of [`crate::search::optimum`]; [`AnonymizeError::Unreachable`] if even the first finds nothing.
pub fn recode_iterated(
    table: &Table,
    models: &[PrivacyModel],
    suppression: f64,
    max_choices: u64,
) -> Result<Recoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let options = |suppression_limit| SearchOptions {
        models: models.to_vec(),
        metric: Metric::Loss,
        suppression_limit,
        max_choices,
    };
    let mut left: Vec<u64> = (0..table.tuples()).map(|tuple| table.count(tuple)).collect();
    let mut recoding = Recoding { classes: Vec::new(), assigned: vec![Vec::new(); table.tuples()] };
    loop {
        let (part, places) = table.part(&left);
        if part.rows() < judge.least_rows() {
            break;
        }
        let found = match optimum(&part, &options(suppression)) {
            Ok(found) => found,
            // The rest is too small for the models: what is released stays.
            Err(AnonymizeError::Unreachable { .. }) if !recoding.classes.is_empty() => break,
            Err(error) => return Err(error),
        };
        if found.quality.classes == 0 {
            break;
        }
        let step = Recoding::full_domain(&part, &found.partition);
        let first = recoding.classes.len();
        recoding.classes.extend(step.classes);
        for (parts, &place) in step.assigned.iter().zip(&places) {
            recoding.assigned[place].extend(parts.iter().map(|&(class, rows)| (first + class, rows)));
            if !parts.is_empty() {
                left[place] = 0;
            }
        }
    }
    if recoding.classes.is_empty() {
        let reason = "suppressing all rows costs least: allow less suppression".to_owned();
        return Err(AnonymizeError::Unreachable { reason });
    }
    recoding.verify(table, models)?;
    Ok(recoding)
}
