//! Local recoding: every class has cells of its own.

use super::Recoding;
use super::certificate::{mean_bound, row_bounds};
use super::clustering::{Cluster, cluster_greedily};
use super::dual_bound::feasible_prices;
use super::improvement::improve;
use super::pair_losses::PairLosses;
use crate::AnonymizeError;
use crate::table::{PrivacyModel, SensitiveDistribution, Table};

/// Rounds of pricing for the certificate.
const PRICE_ROUNDS: usize = 4;

/// A local recoding, and how far from the best of all it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalRecoding {
    /// The classes.
    pub recoding: Recoding,
    /// Mean loss of a cell.
    pub loss: f64,
    /// No k-anonymous recoding by these hierarchies loses less, of whatever kind
    /// ([`super::loss_lower_bound`]); models beyond k-anonymity can only raise it.
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
/// without a top, [`AnonymizeError::Unreachable`] if the whole table in one class fails a model.
pub fn recode_locally(table: &Table, models: &[PrivacyModel], passes: usize) -> Result<LocalRecoding, AnonymizeError> {
    let distribution = table.sensitive_distribution();
    for model in models {
        model.check(distribution.as_ref())?;
    }
    if models.iter().any(PrivacyModel::needs_population) {
        return Err(AnonymizeError::parameter("a model", "one about a population", "about the table alone here"));
    }
    let k = models.iter().map(PrivacyModel::least_rows).max().unwrap_or(1).max(1);
    if table.rows() < k {
        let reason = format!("classes need {k} rows, and the table has {}", table.rows());
        return Err(AnonymizeError::Unreachable { reason });
    }
    let pairs = PairLosses::new(table)?;
    let bounds = row_bounds(&pairs, k);
    // Of a tuple that can stand alone, k rows take part, so that others may join them; the rest stays whole.
    let mut whole: Vec<u64> = vec![0; pairs.tuples()];
    let mut rows = pairs.counts.clone();
    for (whole, rows) in whole.iter_mut().zip(&mut rows).filter(|(_, rows)| **rows >= 2 * k) {
        *whole = *rows - k;
        *rows = k;
    }
    let mut clusters = cluster_greedily(&pairs, k as usize, &rows, &bounds);
    improve(&pairs, k as usize, &mut clusters, passes);
    // A cluster of one tuple takes the rest of it in.
    let mut groups: Vec<Vec<(usize, u64)>> = Vec::with_capacity(clusters.len());
    for (tuple, &rest) in whole.iter().enumerate().filter(|(_, rest)| **rest > 0) {
        groups.push(vec![(tuple, rest)]);
    }
    groups.extend(clusters.iter().map(counted));
    let groups = join_until_met(table, &pairs, models, distribution.as_ref(), groups)?;
    let recoding = Recoding::local(table, &groups)?;
    recoding.verify(table, models)?;
    let loss = recoding.loss(table);
    // Prices begin with what rows lose, which no class of the recoding is above.
    let start: Vec<f64> = (0..table.tuples())
        .map(|tuple| {
            let classes = recoding.assigned(tuple).iter().map(|&(class, _)| recoding.class_loss(table, class));
            classes.fold(bounds[tuple], f64::max)
        })
        .collect();
    let mut lower_bound = mean_bound(&pairs, &bounds);
    if let Some(prices) = feasible_prices(table, k, &start, PRICE_ROUNDS) {
        lower_bound = lower_bound.max(mean_bound(&pairs, &prices));
    }
    Ok(LocalRecoding { recoding, loss, lower_bound })
}

/// A cluster's tuples with their numbers of rows.
fn counted(cluster: &Cluster) -> Vec<(usize, u64)> {
    let mut rows = cluster.rows.clone();
    rows.sort_unstable();
    rows.chunk_by(|one, other| one == other).map(|same| (same[0] as usize, same.len() as u64)).collect()
}

/// Joins groups that fail a model with the group that this costs least, until all meet it.
fn join_until_met(
    table: &Table,
    pairs: &PairLosses,
    models: &[PrivacyModel],
    distribution: Option<&SensitiveDistribution>,
    groups: Vec<Vec<(usize, u64)>>,
) -> Result<Vec<Vec<(usize, u64)>>, AnonymizeError> {
    let values = table.sensitive().map_or(0, |sensitive| sensitive.values.len());
    let mut histogram = vec![0; values];
    let mut meets = |group: &[(usize, u64)]| {
        histogram.fill(0);
        for &(tuple, rows) in group {
            if let Some(code) = table.sensitive_code(tuple) {
                histogram[code as usize] += rows;
            }
        }
        let rows = group.iter().map(|(_, rows)| rows).sum();
        models.iter().all(|model| model.is_met(rows, &histogram, distribution, None))
    };
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
