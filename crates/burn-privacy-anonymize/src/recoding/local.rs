//! Local recoding: every class has cells of its own.

use super::Recoding;
use super::certificate::{mean_bound, row_bounds};
use super::clustering::{Cluster, cluster_closely, cluster_greedily};
use super::dual_bound::feasible_prices;
use super::improvement::improve;
use super::judge::{Group, Judge};
use super::pair_losses::PairLosses;
use super::value_certificate::row_bounds_by_values;
use crate::AnonymizeError;
use crate::table::{PrivacyModel, Table};

/// Rounds of pricing for the certificate.
const PRICE_ROUNDS: usize = 4;

/// What the losses of the known recoding are multiplied by to begin with.
const START_SCALES: [f64; 2] = [1.0, 3.0];

/// A local recoding, and how far from the best of all it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalRecoding {
    /// The classes.
    pub recoding: Recoding,
    /// Mean loss of a cell.
    pub loss: f64,
    /// No recoding by these hierarchies whose classes meet the models loses less, however they are made
    /// ([`super::loss_lower_bound`], and for models of sensitive values a bound of its own).
    pub lower_bound: f64,
}

/// Recodes a table class by class: greedy clusters of at least k rows, improved by dividing neighbors anew in at most
/// `passes` passes, then joined with their neighbors where they fail a model.
///
/// Rows that no class of which meets all models are suppressed. Time and memory grow with the square of the distinct tuples
/// that have fewer than k rows.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for models that the table can't serve, [`AnonymizeError::Hierarchy`] for hierarchies
/// without a top, [`AnonymizeError::Unreachable`] if the whole table in one class fails a model. Delta-presence is refused: a
/// person may fit the cells of several classes, whose shares of the population then bound nothing.
pub fn recode_locally(table: &Table, models: &[PrivacyModel], passes: usize) -> Result<LocalRecoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let pairs = PairLosses::new(table)?;
    let bounds = row_bounds(&pairs, judge.least_rows());
    let recoding = by_clusters(&judge, &pairs, &bounds, passes)?;
    let lower_bound = bound_near(&judge, &pairs, &bounds, &recoding);
    Ok(LocalRecoding { loss: recoding.loss(table), recoding, lower_bound })
}

/// As [`recode_locally`], without the bound. With 0 passes the clusters stay as they are first made (k-member, Byun et al.
/// 2007).
///
/// # Errors
///
/// Those of [`recode_locally`].
pub fn recode_by_clusters(table: &Table, models: &[PrivacyModel], passes: usize) -> Result<Recoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let pairs = PairLosses::new(table)?;
    let bounds = row_bounds(&pairs, judge.least_rows());
    by_clusters(&judge, &pairs, &bounds, passes)
}

/// A lower bound of the loss over **every** recoding whose classes meet the models, however they are made; `known` is one of them, from
/// which the search for the bound sets out.
///
/// # Errors
///
/// Those of [`recode_locally`].
pub fn certified_lower_bound(table: &Table, models: &[PrivacyModel], known: &Recoding) -> Result<f64, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    let pairs = PairLosses::new(table)?;
    let bounds = row_bounds(&pairs, judge.least_rows());
    Ok(bound_near(&judge, &pairs, &bounds, known))
}

/// Clusters, improved in some passes, then joined until all meet the models.
fn by_clusters(
    judge: &Judge<'_>,
    pairs: &PairLosses,
    bounds: &[f64],
    passes: usize,
) -> Result<Recoding, AnonymizeError> {
    let (table, k) = (judge.table, judge.least_rows());
    // Of a tuple that can stand alone, k rows take part, so that others may join them; the rest stays whole.
    let mut whole: Vec<u64> = vec![0; pairs.tuples()];
    let mut rows = pairs.counts.clone();
    for (whole, rows) in whole.iter_mut().zip(&mut rows).filter(|(_, rows)| **rows >= 2 * k) {
        *whole = *rows - k;
        *rows = k;
    }
    // Where shares are compared with the table's, tuples can't stand alone.
    if judge.compares_shares() {
        whole.fill(0);
        rows.clone_from(&pairs.counts);
    }
    let mut clusters = match judge.equal_t() {
        Some(t) => closely_of_best_size(judge, pairs, t, &rows, bounds),
        None => cluster_greedily(judge, pairs, k as usize, &rows, bounds),
    };
    improve(judge, pairs, k as usize, &mut clusters, passes);
    // A cluster of one tuple takes the rest of it in.
    let mut groups: Vec<Group> = Vec::with_capacity(clusters.len());
    for (tuple, &rest) in whole.iter().enumerate().filter(|(_, rest)| **rest > 0) {
        groups.push(vec![(tuple, rest)]);
    }
    groups.extend(clusters.iter().map(counted));
    let groups = join_until_met(judge, pairs, groups)?;
    let recoding = Recoding::local(table, &groups)?;
    recoding.verify(table, judge.models)?;
    Ok(recoding)
}

/// Close clusters of the size that loses least: small ones can't be as close as large ones, which lose more.
fn closely_of_best_size(judge: &Judge<'_>, pairs: &PairLosses, t: f64, rows: &[u64], bounds: &[f64]) -> Vec<Cluster> {
    let smallest = (judge.least_rows() as usize).max((1.0 / t.max(1e-6)).ceil() as usize);
    let total = rows.iter().sum::<u64>() as usize;
    let mut best: Option<(f64, Vec<Cluster>)> = None;
    for factor in [1, 2, 4] {
        let size = (smallest.saturating_mul(factor)).min(total);
        let clusters = cluster_closely(judge, pairs, size, t, rows, bounds);
        // What fails will be joined, at a cost that is not known yet: it counts as lost.
        let lost = |cluster: &Cluster| match judge.meets(cluster.rows.iter().map(|&tuple| (tuple as usize, 1))) {
            true => cluster.loss(),
            false => (pairs.columns() * cluster.rows.len()) as f64,
        };
        let loss: f64 = clusters.iter().map(lost).sum();
        if best.as_ref().is_none_or(|(known, _)| loss < *known) {
            best = Some((loss, clusters));
        }
    }
    best.map(|(_, clusters)| clusters).unwrap_or_default()
}

/// The largest of the bounds that are known.
fn bound_near(judge: &Judge<'_>, pairs: &PairLosses, bounds: &[f64], known: &Recoding) -> f64 {
    let table = judge.table;
    let by_values = row_bounds_by_values(pairs, table, judge.models);
    let larger: Vec<f64> = bounds.iter().zip(&by_values).map(|(one, other)| one.max(*other)).collect();
    let mut lower_bound = mean_bound(pairs, &larger);
    // Prices begin with what rows lose, or well above: any start gives a bound, and which is best is not known beforehand.
    for scale in START_SCALES {
        let start: Vec<f64> = (0..table.tuples())
            .map(|tuple| {
                let classes = known.assigned(tuple).iter().map(|&(class, _)| scale * known.class_loss(table, class));
                classes.fold(bounds[tuple], f64::max)
            })
            .collect();
        if let Some(prices) = feasible_prices(table, judge.least_rows(), &start, PRICE_ROUNDS) {
            lower_bound = lower_bound.max(mean_bound(pairs, &prices));
        }
    }
    lower_bound
}

/// A cluster's tuples with their numbers of rows.
fn counted(cluster: &Cluster) -> Group {
    let mut rows = cluster.rows.clone();
    rows.sort_unstable();
    rows.chunk_by(|one, other| one == other).map(|same| (same[0] as usize, same.len() as u64)).collect()
}

/// Joins groups that fail a model with the group that this costs least, until all meet it.
fn join_until_met(judge: &Judge<'_>, pairs: &PairLosses, groups: Vec<Group>) -> Result<Vec<Group>, AnonymizeError> {
    let meets = |group: &Group| judge.meets(group.iter().copied());
    let joined =
        |group: &[(usize, u64)]| super::pair_losses::Joined::of(pairs, group.iter().map(|&(tuple, _)| tuple as u32));
    let size = |group: &[(usize, u64)]| group.iter().map(|(_, rows)| *rows as f64).sum::<f64>();
    let mut met: Vec<_> = Vec::new();
    let mut failing: Vec<_> = Vec::new();
    for group in groups {
        let Some(shown) = joined(&group) else { continue };
        if meets(&group) { met.push((group, shown)) } else { failing.push((group, shown)) }
    }
    while let Some((mut group, shown)) = failing.pop() {
        let cost = |other: &(Vec<(usize, u64)>, super::pair_losses::Joined)| {
            let together = shown.loss_with(pairs, &other.1) * (size(&group) + size(&other.0));
            together - other.1.loss() * size(&other.0)
        };
        let least = |groups: &[_]| {
            (0..groups.len()).map(|place| (cost(&groups[place]), place)).min_by(|one, other| one.0.total_cmp(&other.0))
        };
        let (from_failing, from_met) = (least(&failing), least(&met));
        let other = match (from_failing, from_met) {
            (Some(one), Some(other)) if other.0 < one.0 => met.swap_remove(other.1),
            (Some(one), _) => failing.swap_remove(one.1),
            (None, Some(other)) => met.swap_remove(other.1),
            (None, None) => {
                let reason = "even all rows in one class fail the models: lower the target".to_owned();
                return Err(AnonymizeError::Unreachable { reason });
            }
        };
        group.extend(other.0);
        let Some(shown) = joined(&group) else { continue };
        if meets(&group) { met.push((group, shown)) } else { failing.push((group, shown)) }
    }
    Ok(met.into_iter().map(|(group, _)| group).collect())
}
