//! Improving a clustering: neighboring clusters are put together and divided anew, as long as that loses less.

use super::clustering::Cluster;
use super::judge::Judge;
use super::pair_losses::{Joined, PairLosses};

/// Clusters that each cluster is divided anew with, the nearest ones.
const NEIGHBORS: usize = 12;

/// Improves clusters of at least `k` rows, in at most `passes` passes over all pairs of neighbors.
/// What met the models still does.
pub(super) fn improve(judge: &Judge<'_>, pairs: &PairLosses, k: usize, clusters: &mut [Cluster], passes: usize) {
    // Clusters that changed since all of their pairs were tried.
    let mut changed = vec![true; clusters.len()];
    for _ in 0..passes {
        let before = std::mem::replace(&mut changed, vec![false; clusters.len()]);
        let mut gained = false;
        for one in 0..clusters.len() {
            if !before[one] && !changed[one] {
                continue;
            }
            for other in neighbors(pairs, clusters, one) {
                let (first, second) = two(clusters, one, other);
                if redivide(judge, pairs, k, first, second) {
                    (changed[one], changed[other], gained) = (true, true, true);
                }
            }
        }
        if !gained {
            return;
        }
    }
}

/// The clusters with which a cluster has the least to lose.
fn neighbors(pairs: &PairLosses, clusters: &[Cluster], one: usize) -> Vec<usize> {
    let cost = |other: usize| {
        let joint = clusters[one].joined.loss_with(pairs, &clusters[other].joined);
        // What joining would cost, less what both lose already: two lossy clusters close to each other come first.
        joint - 0.5 * (clusters[one].joined.loss() + clusters[other].joined.loss())
    };
    let mut by_cost: Vec<(f64, usize)> =
        (0..clusters.len()).filter(|&other| other != one).map(|other| (cost(other), other)).collect();
    if by_cost.len() > NEIGHBORS {
        by_cost.select_nth_unstable_by(NEIGHBORS, |one, other| one.0.total_cmp(&other.0));
        by_cost.truncate(NEIGHBORS);
    }
    by_cost.into_iter().map(|(_, other)| other).collect()
}

fn two(clusters: &mut [Cluster], one: usize, other: usize) -> (&mut Cluster, &mut Cluster) {
    if one < other {
        let (low, high) = clusters.split_at_mut(other);
        (&mut low[one], &mut high[0])
    } else {
        let (low, high) = clusters.split_at_mut(one);
        (&mut high[0], &mut low[other])
    }
}

/// Divides two clusters' rows anew; true if that loses less, which it then is.
fn redivide(judge: &Judge<'_>, pairs: &PairLosses, k: usize, one: &mut Cluster, other: &mut Cluster) -> bool {
    let loss = one.loss() + other.loss();
    let meets = |rows: &[u32]| judge.meets(rows.iter().map(|&tuple| (tuple as usize, 1)));
    if loss <= 0.0 {
        return false;
    }
    let mut best = (loss - 1e-9, None);
    // By exchanging rows as they lie, and by starting over from the two rows that differ most.
    // Where shares are compared, rows of the same sensitive value change places, and nothing else moves.
    let fixed = judge.compares_shares();
    let anew = if fixed { None } else { from_extremes(pairs, k, &one.rows, &other.rows) };
    for mut division in [Some((one.rows.clone(), other.rows.clone())), anew].into_iter().flatten() {
        let value = exchange(pairs, k, &mut division, |row| fixed.then(|| judge.table.sensitive_code(row as usize)));
        if value < best.0 {
            best = (value, Some(division));
        }
    }
    let (_, Some((first, second))) = best else { return false };
    let kept = |before: &[u32], after: &[u32]| meets(after) || !meets(before);
    if judge.looks_beyond_rows() && !(kept(&one.rows, &first) && kept(&other.rows, &second)) {
        return false;
    }
    if let (Some(first), Some(second)) = (Cluster::new(pairs, first), Cluster::new(pairs, second)) {
        (*one, *other) = (first, second);
        return true;
    }
    false
}

/// The two rows that differ most, each with the rows that are nearer to it than to the other.
fn from_extremes(pairs: &PairLosses, k: usize, one: &[u32], other: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut rows: Vec<u32> = one.iter().chain(other).copied().collect();
    let mut extremes = (0.0, 0, 0);
    for (index, &first) in rows.iter().enumerate() {
        for &second in &rows[index + 1..] {
            let distance = pairs.between(first, second);
            if distance > extremes.0 {
                extremes = (distance, first, second);
            }
        }
    }
    let (distance, left, right) = extremes;
    if distance <= 0.0 {
        return None;
    }
    let side = |row: &u32| pairs.between(left, *row) - pairs.between(right, *row);
    rows.sort_by(|one, other| side(one).total_cmp(&side(other)));
    let natural = rows.iter().filter(|row| side(row) < 0.0).count();
    let second = rows.split_off(natural.clamp(k, rows.len() - k));
    Some((rows, second))
}

/// Loss of rows, summed.
fn loss_of(pairs: &PairLosses, rows: impl Iterator<Item = u32> + Clone) -> f64 {
    let size = rows.clone().count() as f64;
    Joined::of(pairs, rows).map_or(0.0, |joined| joined.loss() * size)
}

/// Moves and swaps single rows while that loses less; gives the loss. Rows of some `kind` only change places with rows of the same.
fn exchange<K: PartialEq>(
    pairs: &PairLosses,
    k: usize,
    (one, other): &mut (Vec<u32>, Vec<u32>),
    kind: impl Fn(u32) -> Option<K>,
) -> f64 {
    let mut value = loss_of(pairs, one.iter().copied()) + loss_of(pairs, other.iter().copied());
    loop {
        let mut best = (value - 1e-9, None);
        let without = |rows: &[u32], place: usize| -> Vec<u32> {
            rows.iter().enumerate().filter(|(index, _)| *index != place).map(|(_, &row)| row).collect()
        };
        // For each row of a side: what the side shows without it.
        let sides: [Vec<Option<Joined>>; 2] =
            [&*one, &*other].map(|rows| (0..rows.len()).map(|place| Joined::of(pairs, without(rows, place))).collect());
        let whole = [&*one, &*other].map(|rows| Joined::of(pairs, rows.iter().copied()));
        let with = |joined: &Option<Joined>, tuple: u32| {
            joined.as_ref().map_or(0.0, |joined| joined.loss_with(pairs, &Joined::alone(pairs, tuple)))
        };
        let loss = |joined: &Option<Joined>| joined.as_ref().map_or(0.0, Joined::loss);
        let (first, second) = (one.len() as f64, other.len() as f64);
        for (from, &row) in one.iter().enumerate() {
            if one.len() > k && kind(row).is_none() {
                let moved = loss(&sides[0][from]) * (first - 1.0) + with(&whole[1], row) * (second + 1.0);
                if moved < best.0 {
                    best = (moved, Some((Some(from), None)));
                }
            }
            for (to, &back) in other.iter().enumerate() {
                if kind(row) != kind(back) {
                    continue;
                }
                let swapped = with(&sides[0][from], back) * first + with(&sides[1][to], row) * second;
                if swapped < best.0 {
                    best = (swapped, Some((Some(from), Some(to))));
                }
            }
        }
        if other.len() > k {
            for (to, &row) in other.iter().enumerate().filter(|(_, row)| kind(**row).is_none()) {
                let moved = loss(&sides[1][to]) * (second - 1.0) + with(&whole[0], row) * (first + 1.0);
                if moved < best.0 {
                    best = (moved, Some((None, Some(to))));
                }
            }
        }
        let (next, Some(change)) = best else { return value };
        value = next;
        match change {
            (Some(from), Some(to)) => std::mem::swap(&mut one[from], &mut other[to]),
            (Some(from), None) => other.push(one.swap_remove(from)),
            (None, Some(to)) => one.push(other.swap_remove(to)),
            (None, None) => return value,
        }
    }
}
