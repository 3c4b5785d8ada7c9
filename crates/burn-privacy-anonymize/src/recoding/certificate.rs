//! How little any recoding can lose: a lower bound to hold a local recoding against.
//!
//! Let d(r, s) be the loss, summed over columns, of the lowest labels that cover rows r and s. In any k-anonymous recoding
//! by the same hierarchies, r is suppressed and loses 1 in each column, which is no less than any d; or r is in a class
//! with at least k - 1 other rows s, whose cells cover r and s both, so that r loses at least d(r, s) for each of them, and
//! so at least their largest. The largest of k - 1 others' distances is at least the (k - 1)-th smallest of all others'.
//! The mean over rows bounds the loss of **every** k-anonymous recoding, full-domain or local, optimal or not.
//!
//! The second bound is what the cheapest class that holds r would cost, the others being free to choose theirs: the
//! cells of a class that holds r lie on the paths above r's values, so the class lies in a box of rows whose loss with r
//! is bounded column by column; the cheapest box that holds k rows is found by branch and bound. Only rows s with d(r, s)
//! below a class that is known already can be in a cheaper one.

use super::pair_losses::{Joined, PairLosses};
use crate::AnonymizeError;
use crate::table::Table;

/// Rows that the second bound looks at, the nearest; a class that holds any other costs at least that one's distance.
const MOST_CANDIDATES: usize = 1000;

/// Boxes that the second bound looks at for a row; after that the first bound stands. It bounds the time.
const MOST_BOXES: usize = 20_000;

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
    Ok(mean_bound(&pairs, &row_bounds(&pairs, k)))
}

/// The mean of rows' bounds over all cells, lowered by more than the rounding of the sums.
pub(super) fn mean_bound(pairs: &PairLosses, bounds: &[f64]) -> f64 {
    let cells = pairs.counts.iter().sum::<u64>() as f64 * pairs.columns() as f64;
    let sum: f64 = bounds.iter().zip(&pairs.counts).map(|(bound, &rows)| bound * rows as f64).sum();
    if cells > 0.0 { (sum / cells * (1.0 - 1e-9)).max(0.0) } else { 0.0 }
}

/// The bound of a row of each tuple, summed over columns: what the cheapest class that holds it would cost.
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

/// The cost of the cheapest class that holds a row, or a bound below it that is at least `first`.
fn second_bound(pairs: &PairLosses, k: u64, tuple: u32, first: f64, distances: &[f64]) -> f64 {
    let by_distance =
        |one: &u32, other: &u32| distances[*one as usize].total_cmp(&distances[*other as usize]).then(one.cmp(other));
    let mut nearest: Vec<u32> = (0..pairs.tuples() as u32).filter(|&other| others(pairs, tuple, other) > 0).collect();
    let mut beyond = f64::INFINITY;
    if nearest.len() > MOST_CANDIDATES {
        let (_, next, _) = nearest.select_nth_unstable_by(MOST_CANDIDATES, by_distance);
        beyond = distances[*next as usize];
        nearest.truncate(MOST_CANDIDATES);
    }
    let known = grown_class(pairs, k, tuple, &nearest);
    let candidates: Vec<u32> = nearest.into_iter().filter(|&other| distances[other as usize] < known).collect();
    let mut search = BoxSearch {
        rows: candidates.iter().map(|&other| others(pairs, tuple, other)).collect(),
        losses: (0..pairs.columns())
            .map(|column| candidates.iter().map(|&other| pairs.in_column(column, tuple, other)).collect())
            .collect(),
        needed: k - 1,
        best: known,
        first,
        boxes: 0,
    };
    // Columns that differ most come first, where they cut most.
    search.losses.sort_by(|one, other| other.iter().sum::<f64>().total_cmp(&one.iter().sum::<f64>()));
    let all: Vec<u32> = (0..candidates.len() as u32).collect();
    let rest: Vec<f64> = candidates.iter().map(|&other| distances[other as usize]).collect();
    search.explore(0, 0.0, &all, &rest);
    if search.boxes >= MOST_BOXES { first } else { search.best.min(beyond).max(first) }
}

/// What a class costs that is grown from a row by whatever costs least; infinite if the rows do not come to `k`.
fn grown_class(pairs: &PairLosses, k: u64, tuple: u32, nearest: &[u32]) -> f64 {
    let mut class = Joined::alone(pairs, tuple);
    let mut open: Vec<u32> = nearest.to_vec();
    let mut rows = 1;
    let mut losses = Vec::new();
    open.retain(|&other| {
        rows += if other == tuple { others(pairs, tuple, other) } else { 0 };
        other != tuple
    });
    while rows < k {
        pairs.with_each(&class, &open, &mut losses);
        let Some(place) = (0..open.len()).min_by(|&one, &other| losses[one].total_cmp(&losses[other])) else {
            return f64::INFINITY;
        };
        let next = open.swap_remove(place);
        rows += others(pairs, tuple, next);
        class.join(pairs, next);
    }
    class.loss()
}

/// Looks for the cheapest box: a bound for each column, such that enough rows lie within all of them.
struct BoxSearch {
    rows: Vec<u64>,
    /// Of each candidate with the row, by column.
    losses: Vec<Vec<f64>>,
    needed: u64,
    best: f64,
    first: f64,
    boxes: usize,
}

impl BoxSearch {
    /// Boxes of `inside`, which the columns before `depth` allow at a cost of `cost`; `rest` is what each candidate costs in
    /// the columns from `depth` on.
    fn explore(&mut self, depth: usize, cost: f64, inside: &[u32], rest: &[f64]) {
        self.boxes += 1;
        if self.boxes >= MOST_BOXES || self.best <= self.first {
            return;
        }
        let nearest =
            smallest(self.needed, inside.iter().zip(rest).map(|(&other, &loss)| (loss, self.rows[other as usize])));
        match nearest {
            Some(least) if cost + least < self.best * (1.0 - 1e-12) => {}
            _ => return,
        }
        if depth == self.losses.len() {
            self.best = cost;
            return;
        }
        let loss = |other: u32| self.losses[depth][other as usize];
        let mut steps: Vec<f64> = inside.iter().map(|&other| loss(other)).collect();
        steps.push(0.0);
        steps.sort_unstable_by(f64::total_cmp);
        steps.dedup();
        for step in steps {
            if cost + step >= self.best {
                break;
            }
            let loss = |other: u32| self.losses[depth][other as usize];
            let within = inside.iter().zip(rest).filter(|(other, _)| loss(**other) <= step);
            let (inside, rest): (Vec<u32>, Vec<f64>) =
                within.map(|(&other, &rest)| (other, (rest - loss(other)).max(0.0))).unzip();
            self.explore(depth + 1, cost + step, &inside, &rest);
        }
    }
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
