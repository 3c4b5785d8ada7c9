//! MDAV: maximum distance to the average vector (Domingo-Ferrer and Torra 2005, algorithm MDAV-generic).

use super::kd_tree::KdTree;
use super::records::{Grouping, Records, squared_distance};
use crate::AnonymizeError;

/// Groups records by MDAV: around the record farthest from the mean, and around the one farthest from that, with the
/// k - 1 nearest of each, until fewer than 3k are left. Ties go to the record that comes first.
///
/// All groups have k records but the last, which has up to 2k - 1. Time grows with n^2 / k at worst; a k-d tree makes it far
/// less where there are few columns.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0, [`AnonymizeError::Unreachable`] for fewer records than k.
pub fn mdav(records: &Records, k: usize) -> Result<Grouping, AnonymizeError> {
    records.check(k)?;
    let records = records.standardized();
    let mut left = KdTree::new(&records);
    let mut groups = Vec::with_capacity(records.len() / k);
    let mut take_around = |left: &mut KdTree<'_>, point: &[f64]| {
        let group = left.nearest(point, k);
        group.iter().for_each(|&index| left.take(index));
        groups.push(group);
    };
    while left.len() >= 3 * k {
        let Some(far) = left.farthest(&left.mean()) else { break };
        let Some(farther) = left.farthest(records.record(far)) else { break };
        take_around(&mut left, records.record(far));
        take_around(&mut left, records.record(farther));
    }
    if left.len() >= 2 * k
        && let Some(far) = left.farthest(&left.mean())
    {
        take_around(&mut left, records.record(far));
    }
    if left.len() > 0 {
        groups.push(left.indices());
    }
    Ok(Grouping::new(groups))
}

/// The record farthest from a point, the first of several.
pub(super) fn farthest(records: &Records, left: &[usize], from: &[f64]) -> usize {
    let mut best = (f64::NEG_INFINITY, 0);
    for &index in left {
        let distance = squared_distance(records.record(index), from);
        if distance > best.0 {
            best = (distance, index);
        }
    }
    best.1
}

/// Takes the `k` records nearest to a point out of those that are left, whose order stays.
pub(super) fn take_nearest(records: &Records, left: &mut Vec<usize>, to: &[f64], k: usize) -> Vec<usize> {
    let mut by_distance: Vec<(f64, usize)> =
        left.iter().map(|&index| (squared_distance(records.record(index), to), index)).collect();
    let nearer = |one: &(f64, usize), other: &(f64, usize)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1));
    if k < by_distance.len() {
        by_distance.select_nth_unstable_by(k - 1, nearer);
        by_distance.truncate(k);
    }
    by_distance.sort_by(nearer);
    let group: Vec<usize> = by_distance.into_iter().map(|(_, index)| index).collect();
    left.retain(|index| !group.contains(index));
    group
}
