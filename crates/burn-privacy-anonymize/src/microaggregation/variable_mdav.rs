//! V-MDAV: groups of k to 2k - 1 records (Solanas and Martinez-Balleste 2006).

use super::mdav::{farthest, take_nearest};
use super::records::{Grouping, Records, centroid, squared_distance};
use crate::AnonymizeError;

/// Groups records by V-MDAV: around the record farthest from the mean of all, with the k - 1 nearest; then the group
/// grows by the record nearest to it, as long as that is nearer to the group than `gain` times its distance to any other
/// that is left. What is left at the end, fewer than k, joins the nearest groups.
///
/// A `gain` of 0 never grows a group; 0.2 suits scattered data, 1.1 clustered (section 4 of the paper). Groups can come
/// to more than 2k - 1 records by what joins at the end.
///
/// # Errors
///
/// Those of [`super::mdav`], and [`AnonymizeError::Parameter`] for a `gain` that is negative or not finite.
pub fn variable_mdav(records: &Records, k: usize, gain: f64) -> Result<Grouping, AnonymizeError> {
    records.check(k)?;
    if !(gain >= 0.0 && gain.is_finite()) {
        return Err(AnonymizeError::parameter("the gain", gain, "0 or more"));
    }
    let records = records.standardized();
    let mut left: Vec<usize> = (0..records.len()).collect();
    let mean = centroid(&records, left.iter().copied());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    while left.len() >= k {
        let far = farthest(&records, &left, &mean);
        let mut group = take_nearest(&records, &mut left, records.record(far), k);
        // Squared distances of what is left to the group.
        let mut to_group: Vec<f64> = left.iter().map(|&index| nearest_of(&records, &group, index)).collect();
        while group.len() + 1 < 2 * k {
            let nearest = (0..left.len()).min_by(|&one, &other| to_group[one].total_cmp(&to_group[other]));
            let Some(place) = nearest else { break };
            let candidate = left[place];
            let others = left.iter().filter(|&&index| index != candidate);
            let outside = others
                .map(|&index| squared_distance(records.record(candidate), records.record(index)))
                .fold(f64::INFINITY, f64::min);
            if to_group[place].sqrt() >= gain * outside.sqrt() {
                break;
            }
            left.remove(place);
            to_group.remove(place);
            group.push(candidate);
            for (distance, &index) in to_group.iter_mut().zip(&left) {
                *distance = distance.min(squared_distance(records.record(candidate), records.record(index)));
            }
        }
        groups.push(group);
    }
    let centers: Vec<Vec<f64>> = groups.iter().map(|group| centroid(&records, group.iter().copied())).collect();
    for index in left {
        let distance = |group: usize| squared_distance(records.record(index), &centers[group]);
        // There is a group, since there are k records at least.
        let nearest = (0..groups.len()).min_by(|&one, &other| distance(one).total_cmp(&distance(other))).unwrap_or(0);
        groups[nearest].push(index);
    }
    Ok(Grouping::new(groups))
}

/// Squared distance of a record to the nearest of a group.
fn nearest_of(records: &Records, group: &[usize], index: usize) -> f64 {
    let distances = group.iter().map(|&other| squared_distance(records.record(index), records.record(other)));
    distances.fold(f64::INFINITY, f64::min)
}
