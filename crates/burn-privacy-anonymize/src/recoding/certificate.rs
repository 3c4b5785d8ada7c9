//! How little any recoding can lose: a lower bound to hold a local recoding against.
//!
//! Let d(r, s) be the loss, summed over columns, of the lowest labels that cover rows r and s. In any k-anonymous recoding
//! by the same hierarchies, r is suppressed and loses 1 in each column, which is no less than any d; or r is in a class
//! with at least k - 1 other rows s, whose cells cover r and s both, so that r loses at least d(r, s) for each of them, and
//! so at least their largest. The largest of k - 1 others' distances is at least the (k - 1)-th smallest of all others'.
//! The mean over rows bounds the loss of **every** k-anonymous recoding, full-domain or local, optimal or not.
//!
//! The second bound looks at pairs of the others too. Let j(r; s, t) be the loss of the labels that cover r, s and t. If r
//! loses x or less in its class, at least k - 1 others s have at least k - 2 further rows t with j(r; s, t) at most x: for
//! each s let e(s) be the (k - 2)-th smallest j(r; s, t) over all t; then r loses at least the (k - 1)-th smallest e(s).
//! As e(s) is at least d(r, s), only rows with d below the bound found so far have to be looked at.

use super::pair_losses::{Joined, PairLosses};
use crate::AnonymizeError;
use crate::table::Table;

/// Candidates that the second bound looks at for a row; with more, the first bound stands. It bounds the time.
const MOST_CANDIDATES: usize = 400;

/// A lower bound of the mean loss of a cell over all k-anonymous recodings by the table's hierarchies.
///
/// The time grows with the square of the number of distinct tuples (some seconds for 20,000).
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0, [`AnonymizeError::Hierarchy`] for hierarchies without a top.
pub fn loss_lower_bound(table: &Table, k: u64) -> Result<f64, AnonymizeError> {
    if k == 0 {
        return Err(AnonymizeError::parameter("k", k, "at least 1"));
    }
    let pairs = PairLosses::new(table)?;
    let bounds = row_bounds(&pairs, k);
    let cells = table.rows() as f64 * pairs.columns() as f64;
    let sum: f64 = bounds.iter().zip(&pairs.counts).map(|(bound, &rows)| bound * rows as f64).sum();
    // Down by more than the rounding of all sums.
    Ok(if cells > 0.0 { (sum / cells * (1.0 - 1e-12)).max(0.0) } else { 0.0 })
}

/// The bound of a row of each tuple, summed over columns.
pub(super) fn row_bounds(pairs: &PairLosses, k: u64) -> Vec<f64> {
    let all: Vec<u32> = (0..pairs.tuples() as u32).collect();
    let mut distances = Vec::new();
    all.iter()
        .map(|&tuple| {
            // The other rows of the same tuple come first, at distance 0.
            if pairs.counts[tuple as usize] >= k {
                return 0.0;
            }
            pairs.with_each(&Joined::alone(pairs, tuple), &all, &mut distances);
            let first =
                smallest(k - 1, all.iter().map(|&other| (distances[other as usize], others(pairs, tuple, other))));
            match first {
                // Fewer than k rows in all: every row is suppressed.
                None => pairs.columns() as f64,
                Some(first) => second_bound(pairs, k, tuple, first, &distances),
            }
        })
        .collect()
}

/// Rows of `other` besides the one row of `tuple` that is looked at.
fn others(pairs: &PairLosses, tuple: u32, other: u32) -> u64 {
    pairs.counts[other as usize] - u64::from(other == tuple)
}

/// The `rank`-th smallest value, each counted as often as it says; 0 for rank 0, `None` if there are not as many.
fn smallest(rank: u64, values: impl Iterator<Item = (f64, u64)>) -> Option<f64> {
    if rank == 0 {
        return Some(0.0);
    }
    // The smallest values so far that come to `rank`, in order.
    let mut kept: Vec<(f64, u64)> = Vec::new();
    let mut sum = 0;
    for (value, times) in values {
        if times == 0 || (sum >= rank && kept.last().is_some_and(|last| value >= last.0)) {
            continue;
        }
        let place = kept.partition_point(|known| known.0 <= value);
        kept.insert(place, (value, times));
        sum += times;
        while let Some(&(_, last)) = kept.last()
            && sum - last >= rank
        {
            sum -= last;
            kept.pop();
        }
    }
    if sum >= rank { kept.last().map(|last| last.0) } else { None }
}

/// The bound by triples, at least `first`.
fn second_bound(pairs: &PairLosses, k: u64, tuple: u32, first: f64, distances: &[f64]) -> f64 {
    if k < 3 {
        return first;
    }
    // An upper end: the loss of one class, grown greedily from the nearest. Rows beyond it can't lower the bound to it.
    let mut nearest: Vec<u32> = (0..pairs.tuples() as u32).filter(|&other| others(pairs, tuple, other) > 0).collect();
    let by_distance =
        |one: &u32, other: &u32| distances[*one as usize].total_cmp(&distances[*other as usize]).then(one.cmp(other));
    if nearest.len() > MOST_CANDIDATES {
        nearest.select_nth_unstable_by(MOST_CANDIDATES, by_distance);
        nearest.truncate(MOST_CANDIDATES + 1);
    }
    nearest.sort_by(by_distance);
    let mut class = Joined::alone(pairs, tuple);
    let mut rows = 1;
    for &other in &nearest {
        if rows >= k {
            break;
        }
        class.join(pairs, other);
        rows += others(pairs, tuple, other);
    }
    let end = class.loss();
    let candidates: Vec<u32> = nearest.iter().copied().take_while(|&other| distances[other as usize] < end).collect();
    if candidates.len() > MOST_CANDIDATES {
        return first;
    }
    let mut joint = Vec::new();
    let of_candidate = |&other: &u32| {
        let mut pair = Joined::alone(pairs, tuple);
        pair.join(pairs, other);
        pairs.with_each(&pair, &candidates, &mut joint);
        // Of the candidate's rows one is s itself.
        let further = candidates
            .iter()
            .zip(&joint)
            .map(|(&third, &loss)| (loss, others(pairs, tuple, third) - u64::from(third == other)));
        // What is no candidate costs `end` or more.
        let least = smallest(k - 2, further).map_or(end, |least| least.min(end));
        (least.max(distances[other as usize]), others(pairs, tuple, other))
    };
    let bounds: Vec<(f64, u64)> = candidates.iter().map(of_candidate).collect();
    smallest(k - 1, bounds.into_iter()).map_or(end, |bound| bound.min(end)).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_multiplicities() {
        let values = [(3.0, 2), (1.0, 1), (2.0, 3), (0.5, 0)];
        let ranks = [1, 2, 4, 5, 6].map(|rank| smallest(rank, values.into_iter()));
        assert_eq!(ranks, [Some(1.0), Some(2.0), Some(2.0), Some(3.0), Some(3.0)]);
        assert_eq!((smallest(7, values.into_iter()), smallest(0, values.into_iter())), (None, Some(0.0)));
    }
}
