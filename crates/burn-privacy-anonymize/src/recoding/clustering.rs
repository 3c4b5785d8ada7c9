//! Greedy clustering (k-member, Byun et al. 2007): the loneliest row first, joined by whatever costs least, until there
//! are k rows; what is left joins the class that it costs least.

use super::judge::Judge;
use super::pair_losses::{Joined, PairLosses};
use crate::table::PrivacyModel;

/// A class of rows: its tuples, one entry a row.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) rows: Vec<u32>,
    pub(super) joined: Joined,
}

impl Cluster {
    /// A cluster of some rows; `None` without any.
    pub(super) fn new(pairs: &PairLosses, rows: Vec<u32>) -> Option<Self> {
        Joined::of(pairs, rows.iter().copied()).map(|joined| Self { rows, joined })
    }

    /// Loss of all rows, summed over columns.
    pub(super) fn loss(&self) -> f64 {
        self.joined.loss() * self.rows.len() as f64
    }

    /// Takes a row in.
    pub(super) fn push(&mut self, pairs: &PairLosses, tuple: u32) {
        self.joined.join(pairs, tuple);
        self.rows.push(tuple);
    }
}

/// Clusters of at least `k` rows, given how many rows of each tuple there are to place and how lonely each is; none if there
/// are fewer than `k` rows. Where the models ask for several sensitive values, a cluster takes in rows with new ones until
/// there are enough.
pub(super) fn cluster_greedily(
    judge: &Judge<'_>,
    pairs: &PairLosses,
    k: usize,
    rows: &[u64],
    loneliness: &[f64],
) -> Vec<Cluster> {
    let values_needed = judge.models.iter().map(PrivacyModel::least_values).max().unwrap_or(1) as usize;
    let value = |tuple: u32| judge.table.sensitive_code(tuple as usize);
    let order = loneliest_first(rows, loneliness);
    let mut left: Vec<u64> = rows.to_vec();
    let mut open = order.clone();
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut losses = Vec::new();
    for &seed in &order {
        if left[seed as usize] == 0 {
            continue;
        }
        // Rows that are gone are cleared out when they are many.
        let present = open.iter().filter(|&&tuple| left[tuple as usize] > 0).count();
        if present * 4 < open.len() * 3 {
            open.retain(|&tuple| left[tuple as usize] > 0);
        }
        let waiting: u64 = open.iter().map(|&tuple| left[tuple as usize]).take(k).sum();
        if waiting < k as u64 && open.iter().map(|&tuple| left[tuple as usize]).sum::<u64>() < k as u64 {
            break;
        }
        let mut cluster = Cluster { rows: Vec::with_capacity(k), joined: Joined::alone(pairs, seed) };
        take(&mut cluster, pairs, seed, &mut left, 2 * k - 1);
        while cluster.rows.len() < k {
            pairs.with_each(&cluster.joined, &open, &mut losses);
            let present = open.iter().zip(&losses).filter(|(tuple, _)| left[**tuple as usize] > 0);
            let Some((&best, _)) = present.min_by(|one, other| one.1.total_cmp(other.1)) else { break };
            take(&mut cluster, pairs, best, &mut left, 2 * k - 1);
        }
        loop {
            if values_needed <= 1 {
                break;
            }
            let mut known: Vec<_> = cluster.rows.iter().map(|&tuple| value(tuple)).collect();
            known.sort_unstable();
            known.dedup();
            if known.len() >= values_needed {
                break;
            }
            pairs.with_each(&cluster.joined, &open, &mut losses);
            let new = |tuple: u32| left[tuple as usize] > 0 && !known.contains(&value(tuple));
            let present = open.iter().zip(&losses).filter(|(tuple, _)| new(**tuple));
            let Some((&best, _)) = present.min_by(|one, other| one.1.total_cmp(other.1)) else { break };
            left[best as usize] -= 1;
            cluster.push(pairs, best);
        }
        clusters.push(cluster);
    }
    let rest = order.into_iter().flat_map(|tuple| std::iter::repeat_n(tuple, left[tuple as usize] as usize));
    for tuple in rest {
        let row = Joined::alone(pairs, tuple);
        let cost = |cluster: &Cluster| {
            cluster.joined.loss_with(pairs, &row) * (cluster.rows.len() + 1) as f64 - cluster.loss()
        };
        let nearest = clusters.iter_mut().min_by(|one, other| cost(one).total_cmp(&cost(other)));
        if let Some(cluster) = nearest {
            cluster.push(pairs, tuple);
        }
    }
    clusters
}

/// Clusters of `size` rows whose sensitive values are within `t` of the table's by the equal distance: each takes the nearest row
/// that leaves room for that. The distance is the sum over values of what is above their share, which must come to `t` at the full
/// size. What is left joins the cluster that it costs least among those that stay close; what none takes makes groups of
/// their own, which are not close.
pub(super) fn cluster_closely(
    judge: &Judge<'_>,
    pairs: &PairLosses,
    size: usize,
    t: f64,
    rows: &[u64],
    loneliness: &[f64],
) -> Vec<Cluster> {
    let shares = judge.shares();
    let value = |tuple: u32| judge.table.sensitive_code(tuple as usize).map_or(0, |code| code as usize);
    let order = loneliest_first(rows, loneliness);
    let mut left: Vec<u64> = rows.to_vec();
    let mut open = order.clone();
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut losses = Vec::new();
    let above = |count: f64, value: usize| (count - shares[value] * size as f64).max(0.0);
    for &seed in &order {
        while left[seed as usize] > 0 {
            open.retain(|&tuple| left[tuple as usize] > 0);
            let mut cluster = Cluster { rows: vec![seed], joined: Joined::alone(pairs, seed) };
            left[seed as usize] -= 1;
            let mut counts = vec![0.0; shares.len()];
            counts[value(seed)] = 1.0;
            let mut excess = above(1.0, value(seed));
            while cluster.rows.len() < size {
                pairs.with_each(&cluster.joined, &open, &mut losses);
                let room = |tuple: u32| {
                    let of = value(tuple);
                    excess - above(counts[of], of) + above(counts[of] + 1.0, of) <= t * size as f64 * (1.0 + 1e-12)
                };
                let present = open.iter().zip(&losses).filter(|(tuple, _)| left[**tuple as usize] > 0 && room(**tuple));
                let Some((&best, _)) = present.min_by(|one, other| one.1.total_cmp(other.1)) else { break };
                left[best as usize] -= 1;
                cluster.push(pairs, best);
                let of = value(best);
                excess += above(counts[of] + 1.0, of) - above(counts[of], of);
                counts[of] += 1.0;
            }
            if cluster.rows.len() < size {
                // Nothing completes it: its rows wait for the end.
                cluster.rows.iter().for_each(|&tuple| left[tuple as usize] += 1);
                break;
            }
            clusters.push(cluster);
        }
    }
    let rest = order.into_iter().flat_map(|tuple| std::iter::repeat_n(tuple, left[tuple as usize] as usize));
    let mut alone: Option<Cluster> = None;
    for tuple in rest {
        let row = Joined::alone(pairs, tuple);
        let cost = |cluster: &Cluster| {
            cluster.joined.loss_with(pairs, &row) * (cluster.rows.len() + 1) as f64 - cluster.loss()
        };
        let mut by_cost: Vec<(f64, usize)> = clusters.iter().map(cost).zip(0..).collect();
        by_cost.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let stays = |&(_, place): &(f64, usize)| {
            let joined = clusters[place].rows.iter().chain([&tuple]);
            judge.meets(joined.map(|&tuple| (tuple as usize, 1)))
        };
        match (by_cost.iter().take(400).find(|entry| stays(entry)).map(|entry| entry.1), &mut alone) {
            (Some(place), _) => clusters[place].push(pairs, tuple),
            (None, Some(alone)) => alone.push(pairs, tuple),
            (None, None) => alone = Cluster::new(pairs, vec![tuple]),
        }
    }
    clusters.extend(alone);
    clusters
}

/// Moves rows of a tuple to a cluster, up to `most` rows in it.
fn take(cluster: &mut Cluster, pairs: &PairLosses, tuple: u32, left: &mut [u64], most: usize) {
    let rows = left[tuple as usize].min((most - cluster.rows.len()) as u64);
    left[tuple as usize] -= rows;
    for _ in 0..rows {
        cluster.push(pairs, tuple);
    }
}

/// The tuples that have rows, those far from all others first.
fn loneliest_first(rows: &[u64], loneliness: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows.len() as u32).filter(|&tuple| rows[tuple as usize] > 0).collect();
    order.sort_by(|one, other| loneliness[*other as usize].total_cmp(&loneliness[*one as usize]));
    order
}
