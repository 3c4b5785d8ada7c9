//! MDAV: maximum distance to the average vector (Domingo-Ferrer and Torra 2005, algorithm MDAV-generic).

use super::records::{Grouping, Records, centroid, squared_distance};
use crate::AnonymizeError;

/// Groups records by MDAV: around the record farthest from the mean, and around the one farthest from that, with the
/// k - 1 nearest of each, until fewer than 3k are left. Ties go to the record that comes first.
///
/// All groups have k records but the last, which has up to 2k - 1. Time grows with n^2 / k.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0, [`AnonymizeError::Unreachable`] for fewer records than k.
pub fn mdav(records: &Records, k: usize) -> Result<Grouping, AnonymizeError> {
    records.check(k)?;
    let records = records.standardized();
    let mut left: Vec<usize> = (0..records.len()).collect();
    let mut groups = Vec::with_capacity(records.len() / k);
    while left.len() >= 3 * k {
        let mean = centroid(&records, left.iter().copied());
        let far = farthest(&records, &left, &mean);
        let farther = records.record(farthest(&records, &left, records.record(far))).to_vec();
        groups.push(take_nearest(&records, &mut left, records.record(far), k));
        groups.push(take_nearest(&records, &mut left, &farther, k));
    }
    if left.len() >= 2 * k {
        let mean = centroid(&records, left.iter().copied());
        let far = farthest(&records, &left, &mean);
        groups.push(take_nearest(&records, &mut left, records.record(far), k));
    }
    if !left.is_empty() {
        groups.push(left);
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
