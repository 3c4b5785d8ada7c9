//! The best grouping of one column (Hansen and Mukherjee 2003): a shortest path over the sorted values.

use super::records::{Grouping, Records};
use crate::AnonymizeError;

/// Groups the records of one column so that no grouping in groups of at least k loses less.
///
/// In an optimum each group is a run of the sorted values of k to 2k - 1 records (theorem of the paper), so that n k runs
/// are all there is to look at.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0 or more than one column, [`AnonymizeError::Unreachable`] for fewer records than
/// k.
pub fn optimal_univariate(records: &Records, k: usize) -> Result<Grouping, AnonymizeError> {
    records.check(k)?;
    if records.names().len() != 1 {
        return Err(AnonymizeError::parameter("the number of columns", records.names().len(), "1: this is univariate"));
    }
    let records = records.standardized();
    let value = |index: usize| records.record(index)[0];
    let mut order: Vec<usize> = (0..records.len()).collect();
    order.sort_by(|&one, &other| value(one).total_cmp(&value(other)));
    // best[e]: the smallest sum of squares of the first e values, and where their last group starts.
    let mut best: Vec<(f64, usize)> = vec![(f64::INFINITY, 0); order.len() + 1];
    best[0] = (0.0, 0);
    for start in (0..order.len()).filter(|&start| start == 0 || start >= k) {
        let before = best[start].0;
        if before.is_infinite() {
            continue;
        }
        // Mean and sum of squares of a growing run (Welford), exact where sums of squares would cancel.
        let (mut mean, mut squares) = (0.0, 0.0);
        for (size, end) in (1..).zip(start + 1..=(start + 2 * k - 1).min(order.len())) {
            let next = value(order[end - 1]);
            let step = next - mean;
            mean += step / f64::from(size);
            squares += step * (next - mean);
            if end - start >= k && before + squares < best[end].0 {
                best[end] = (before + squares, start);
            }
        }
    }
    let mut groups = Vec::new();
    let mut end = order.len();
    while end > 0 {
        let start = best[end].1;
        groups.push(order[start..end].to_vec());
        end = start;
    }
    groups.reverse();
    Ok(Grouping::new(groups))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::microaggregation::{mdav, variable_mdav};

    fn column(values: &[f64]) -> Records {
        let rows: Vec<Vec<f64>> = values.iter().map(|&value| vec![value]).collect();
        Records::new(vec!["x".to_owned()], &rows).unwrap()
    }

    /// The smallest loss over all partitions of the records in groups of at least k.
    fn by_brute_force(records: &Records, k: usize, groups: &mut Vec<Vec<usize>>, next: usize) -> f64 {
        if next == records.len() {
            let grouping = Grouping::new(groups.clone());
            return if grouping.smallest() >= k { grouping.information_loss_percent(records) } else { f64::INFINITY };
        }
        let mut best = f64::INFINITY;
        for place in 0..=groups.len() {
            if place == groups.len() {
                groups.push(Vec::new());
            }
            groups[place].push(next);
            best = best.min(by_brute_force(records, k, groups, next + 1));
            groups[place].pop();
            if groups[place].is_empty() {
                groups.pop();
            }
        }
        best
    }

    proptest! {
        #[test]
        fn no_grouping_loses_less(values in prop::collection::vec(-9.0_f64..9.0, 1..8), k in 1_usize..4) {
            let records = column(&values);
            match optimal_univariate(&records, k) {
                Ok(grouping) => {
                    prop_assert!(grouping.smallest() >= k);
                    let (ours, least) = (
                        grouping.information_loss_percent(&records),
                        by_brute_force(&records, k, &mut Vec::new(), 0),
                    );
                    prop_assert!((ours - least).abs() < 1e-9, "{} {}", ours, least);
                    for other in [mdav(&records, k).unwrap(), variable_mdav(&records, k, 0.5).unwrap()] {
                        prop_assert!(other.smallest() >= k);
                        prop_assert!(other.information_loss_percent(&records) >= least - 1e-9);
                    }
                }
                Err(_) => prop_assert!(values.len() < k),
            }
        }
    }
}
