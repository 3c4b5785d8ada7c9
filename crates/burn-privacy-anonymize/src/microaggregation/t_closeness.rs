//! t-closeness by microaggregation, t-closeness first (Domingo-Ferrer and Soria-Comas 2015, TKDE 27(11), algorithm 3).
//!
//! The records are divided by their sensitive value into k' equal parts, and each group takes one record of each part, the
//! nearest ones: its sensitive values are spread as the table's, at an ordered distance of about (n - k') / (2 (n - 1) k')
//! (proposition 2 of the paper), which sets k'. What the proposition does not cover, parts of unequal size and equal values, is
//! checked afterwards by the distance itself; k' grows until all groups meet it.

use super::kd_tree::KdTree;
use super::records::{Grouping, Records};
use crate::AnonymizeError;
use crate::statement::TableStatement;
use crate::table::{PrivacyModel, SensitiveDistribution};
use burn_privacy_budget::statement::Grade;

/// Groups of at least k records within t of the table's sensitive values.
#[derive(Debug, Clone, PartialEq)]
pub struct TClosenessGrouping {
    /// The groups.
    pub grouping: Grouping,
    /// Records of a group that t-closeness took.
    pub group_size: usize,
    t: f64,
}

/// Groups `records` (quasi-identifiers alone) in groups of at least `k` whose `sensitive` values, one a record, are within an
/// ordered distance of `t` of all.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for `t` outside 0 to 1 or another number of sensitive values than of records or one that is not
/// finite, and those of [`super::mdav()`].
pub fn t_close_mdav(
    records: &Records,
    sensitive: &[f64],
    k: usize,
    t: f64,
) -> Result<TClosenessGrouping, AnonymizeError> {
    records.check(k)?;
    let model = PrivacyModel::OrderedTCloseness { t };
    if sensitive.len() != records.len() {
        let allowed = format!("{}, one a record", records.len());
        return Err(AnonymizeError::parameter("the number of sensitive values", sensitive.len(), allowed));
    }
    if let Some(value) = sensitive.iter().find(|value| !value.is_finite()) {
        return Err(AnonymizeError::parameter("a sensitive value", value, "a finite number"));
    }
    let mut distinct = sensitive.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let code = |value: f64| distinct.partition_point(|known| *known < value);
    let histogram = |group: &[usize]| {
        let mut counts = vec![0_u64; distinct.len()];
        group.iter().for_each(|&index| counts[code(sensitive[index])] += 1);
        counts
    };
    let all: Vec<usize> = (0..records.len()).collect();
    let names: Vec<String> = distinct.iter().map(f64::to_string).collect();
    let table = SensitiveDistribution::new(&names, histogram(&all));
    model.check(Some(&table))?;
    let rows = records.len() as f64;
    let needed = (rows / (2.0 * (rows - 1.0).max(1.0) * t + 1.0)).ceil() as usize;
    let scaled = records.standardized();
    let mut order = all;
    order.sort_by(|&one, &other| sensitive[one].total_cmp(&sensitive[other]).then(one.cmp(&other)));
    let mut size = k.max(needed).clamp(1, records.len());
    loop {
        let groups = spread(&scaled, &order, size);
        let met = |group: &Vec<usize>| model.is_met(group.len() as u64, &histogram(group), Some(&table), None);
        // All records in one group are at distance 0.
        if groups.iter().all(met) || size == records.len() {
            return Ok(TClosenessGrouping { grouping: Grouping::new(groups), group_size: size, t });
        }
        size = (size + 1 + size / 50).min(records.len());
    }
}

/// Groups of `size` records or one more, one of each of `size` parts of `order`; the middle parts hold what does not divide.
fn spread(records: &Records, order: &[usize], size: usize) -> Vec<Vec<usize>> {
    let groups = order.len() / size;
    let extra = order.len() % size;
    // Parts of `groups` records; the middle one has the extra ones too, so that no group leans to either end.
    let middle = size / 2;
    let mut parts: Vec<Vec<usize>> = Vec::with_capacity(size);
    let mut next = 0;
    for part in 0..size {
        let length = groups + if part == middle { extra } else { 0 };
        parts.push(order[next..next + length].to_vec());
        next += length;
    }
    let mut left = KdTree::new(records);
    let mut made = Vec::with_capacity(groups);
    let take_around = |left: &mut KdTree<'_>, parts: &mut Vec<Vec<usize>>, point: &[f64], last: usize| {
        let mut group = Vec::with_capacity(size + 1);
        for (place, part) in parts.iter_mut().enumerate() {
            // Extra records are spread over the groups that are still to come.
            let more = if place == middle { part.len().saturating_sub(last).div_ceil(last.max(1)) } else { 0 };
            for _ in 0..1 + more {
                let distance = |index: usize| super::records::squared_distance(records.record(index), point);
                let nearest =
                    (0..part.len()).min_by(|&one, &other| distance(part[one]).total_cmp(&distance(part[other])));
                if let Some(nearest) = nearest {
                    group.push(part.remove(nearest));
                }
            }
        }
        group.iter().for_each(|&index| left.take(index));
        group
    };
    while made.len() < groups {
        let Some(far) = left.farthest(&left.mean()) else { break };
        let point = records.record(far).to_vec();
        let group = take_around(&mut left, &mut parts, &point, groups - made.len());
        made.push(group);
        if made.len() < groups
            && let Some(farther) = left.farthest(&point)
        {
            let farther = records.record(farther).to_vec();
            let group = take_around(&mut left, &mut parts, &farther, groups - made.len());
            made.push(group);
        }
    }
    made
}

impl TClosenessGrouping {
    /// What the release is worth.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, records: &Records, sensitive: &str) -> Result<TableStatement, AnonymizeError> {
        let k = self.grouping.smallest();
        let guarantee = format!(
            "{k}-anonymity of all columns but {sensitive}, and {}-closeness of {sensitive} by the ordered distance: each record \
             shows the mean of a group of at least {k} records.",
            self.t
        );
        Ok(TableStatement::new(Grade::Syntactic, guarantee)?
            .fact("columns", records.names().join(", "))
            .fact("released as it is", sensitive)
            .fact("records", records.len())
            .fact("groups", self.grouping.groups().len())
            .fact("records of the smallest group", k)
            .fact(
                "information loss, 100 SSE / SST of standardized columns",
                format!("{:.4} %", self.grouping.information_loss_percent(records)),
            )
            .caveat("whoever knows all but one record of a group computes the one from the mean")
            .caveat("how the groups were chosen depends on all records; two releases can be compared"))
    }

    /// The groups' means with each record's own sensitive value.
    pub fn release(&self, records: &Records, name: &str, sensitive: &[f64]) -> Records {
        self.grouping.aggregate(records).with(name, sensitive)
    }
}
