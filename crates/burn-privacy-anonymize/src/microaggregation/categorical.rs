//! MDAV over categories (Domingo-Ferrer and Torra 2005, MDAV-generic): rows are put in groups of at least k, and each shows its
//! group's central values in place of its own. Values stay values: nothing is generalized.
//!
//! Two values are as far from each other as the loss of the lowest label above both, by the column's hierarchy; without one but a
//! top, all different values are equally far. A group's central value in a column is the one whose distances to the group's
//! come to least, ties to the first.

use crate::AnonymizeError;
use crate::recoding::{Joined, PairLosses, RecodedClass, Recoding};
use crate::statement::TableStatement;
use crate::table::Table;
use burn_privacy_budget::statement::Grade;

/// Groups of rows with their central values.
#[derive(Debug, Clone, PartialEq)]
pub struct CategoricalGrouping {
    /// What each row shows: a value of level 0 in each column.
    pub recoding: Recoding,
    /// Mean distance of a cell from what is shown in its place, from 0 to 1.
    pub distance: f64,
    k: u64,
}

/// Groups the rows of a table by MDAV over its quasi-identifiers' hierarchies.
///
/// Time grows with rows over k times distinct tuples.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for k = 0, [`AnonymizeError::Hierarchy`] for hierarchies without a top,
/// [`AnonymizeError::Unreachable`] for fewer rows than k.
pub fn categorical_mdav(table: &Table, k: u64) -> Result<CategoricalGrouping, AnonymizeError> {
    if k == 0 {
        return Err(AnonymizeError::parameter("k", k, "at least 1"));
    }
    if table.rows() < k {
        let reason = format!("k is {k}, and there are {} rows", table.rows());
        return Err(AnonymizeError::Unreachable { reason });
    }
    let pairs = PairLosses::new(table)?;
    let mut left = Left::new(&pairs);
    let mut groups: Vec<Vec<(usize, u64)>> = Vec::new();
    while left.rows >= 3 * k {
        let Some(far) = left.farthest(left.center(table)) else { break };
        let Some(farther) = left.farthest(far) else { break };
        groups.push(left.take_nearest(far, k));
        groups.push(left.take_nearest(farther, k));
    }
    if left.rows >= 2 * k
        && let Some(far) = left.farthest(left.center(table))
    {
        groups.push(left.take_nearest(far, k));
    }
    if left.rows > 0 {
        groups.push(left.rest());
    }
    let mut assigned: Vec<Vec<(usize, u64)>> = vec![Vec::new(); table.tuples()];
    let mut classes = Vec::with_capacity(groups.len());
    let mut distance = 0.0;
    for group in &groups {
        let center: Vec<u32> = (0..table.columns().len()).map(|column| central(table, group, column)).collect();
        for &(tuple, rows) in group {
            assigned[tuple].push((classes.len(), rows));
            let cells = table.tuple(tuple).iter().zip(&center).enumerate();
            let moved: f64 = cells.map(|(column, (&own, &shown))| pairs.of_codes(column, own, shown)).sum();
            distance += moved * rows as f64;
        }
        let rows = group.iter().map(|(_, rows)| rows).sum();
        classes.push(RecodedClass { cells: center.into_iter().map(|code| (0, code)).collect(), rows });
    }
    let cells = (table.rows() as f64 * table.columns().len() as f64).max(1.0);
    Ok(CategoricalGrouping { recoding: Recoding::of_parts(classes, assigned), distance: distance / cells, k })
}

/// The central value of a group in a column.
fn central(table: &Table, group: &[(usize, u64)], column: usize) -> u32 {
    let hierarchy = &table.columns()[column].hierarchy;
    let mut counts: Vec<(u32, u64)> = group.iter().map(|&(tuple, rows)| (table.tuple(tuple)[column], rows)).collect();
    counts.sort_unstable();
    let distance = |one: u32, other: u32| {
        let level = hierarchy.common_level(one, other).unwrap_or(hierarchy.levels() - 1);
        hierarchy.loss(level, hierarchy.generalize(one, level))
    };
    // Of the values that occur: any other in their tree is no nearer to all of them.
    let to_all = |value: u32| counts.iter().map(|&(other, rows)| distance(value, other) * rows as f64).sum::<f64>();
    let nearest = counts.iter().map(|&(value, _)| (to_all(value), value));
    nearest.min_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))).map_or(0, |(_, value)| value)
}

/// Rows that are in no group yet.
struct Left<'a> {
    pairs: &'a PairLosses,
    counts: Vec<u64>,
    open: Vec<u32>,
    rows: u64,
    losses: Vec<f64>,
}

impl<'a> Left<'a> {
    fn new(pairs: &'a PairLosses) -> Self {
        let open = (0..pairs.tuples() as u32).collect();
        Self { pairs, counts: pairs.counts.clone(), open, rows: pairs.counts.iter().sum(), losses: Vec::new() }
    }

    /// The tuple that is nearest to the central values of what is left.
    fn center(&self, table: &Table) -> u32 {
        let group: Vec<(usize, u64)> =
            self.open.iter().map(|&tuple| (tuple as usize, self.counts[tuple as usize])).collect();
        let values: Vec<u32> = (0..table.columns().len()).map(|column| modal(table, &group, column)).collect();
        let distance = |tuple: u32| -> f64 {
            let cells = table.tuple(tuple as usize).iter().zip(&values).enumerate();
            cells.map(|(column, (&own, &shown))| self.pairs.of_codes(column, own, shown)).sum()
        };
        let nearest = self.open.iter().map(|&tuple| (distance(tuple), tuple));
        nearest.min_by(|one, other| one.0.total_cmp(&other.0)).map_or(0, |(_, tuple)| tuple)
    }

    fn farthest(&mut self, from: u32) -> Option<u32> {
        self.pairs.with_each(&Joined::alone(self.pairs, from), &self.open, &mut self.losses);
        let far = self.open.iter().zip(&self.losses);
        far.max_by(|one, other| one.1.total_cmp(other.1).then(other.0.cmp(one.0))).map(|(&tuple, _)| tuple)
    }

    /// Takes the `k` rows nearest to a tuple.
    fn take_nearest(&mut self, to: u32, k: u64) -> Vec<(usize, u64)> {
        self.pairs.with_each(&Joined::alone(self.pairs, to), &self.open, &mut self.losses);
        let mut order: Vec<(f64, u32)> = self.losses.iter().copied().zip(self.open.iter().copied()).collect();
        let nearer = |one: &(f64, u32), other: &(f64, u32)| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1));
        // Each tuple has a row at least: the k nearest tuples are enough.
        if order.len() > k as usize {
            order.select_nth_unstable_by(k as usize - 1, nearer);
            order.truncate(k as usize);
        }
        order.sort_unstable_by(nearer);
        let (mut needed, mut group) = (k, Vec::new());
        for (_, tuple) in order {
            let taken = self.counts[tuple as usize].min(needed);
            if taken == 0 {
                break;
            }
            self.counts[tuple as usize] -= taken;
            needed -= taken;
            group.push((tuple as usize, taken));
        }
        self.rows -= k - needed;
        self.open.retain(|&tuple| self.counts[tuple as usize] > 0);
        group
    }

    fn rest(&self) -> Vec<(usize, u64)> {
        self.open.iter().map(|&tuple| (tuple as usize, self.counts[tuple as usize])).collect()
    }
}

/// The commonest value of a column, a cheap center of many rows.
fn modal(table: &Table, group: &[(usize, u64)], column: usize) -> u32 {
    let mut counts = vec![0; table.columns()[column].hierarchy.leaves()];
    group.iter().for_each(|&(tuple, rows)| counts[table.tuple(tuple)[column] as usize] += rows);
    (0..counts.len() as u32).max_by_key(|&code| (counts[code as usize], std::cmp::Reverse(code))).unwrap_or(0)
}

impl CategoricalGrouping {
    /// What the release is worth.
    ///
    /// # Errors
    ///
    /// As [`TableStatement::new`].
    pub fn statement(&self, table: &Table) -> Result<TableStatement, AnonymizeError> {
        let columns: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
        let k = self.k;
        Ok(TableStatement::new(
            Grade::Syntactic,
            format!("{k}-anonymity: each row shows the central values of a group of at least {k} rows."),
        )?
        .fact("quasi-identifiers", columns.join(", "))
        .fact("rows", table.rows())
        .fact("groups", self.recoding.classes().len())
        .fact("mean distance of a cell from what is shown, 0 to 1", format!("{:.6}", self.distance))
        .caveat("cells show values that the row need not have: a release looks exact and is not")
        .caveat(
            "a value that is shown is that of at least one row of its group: a rare one tells that it is in the table",
        )
        .caveat("what all rows of a group have in common (homogeneity): nothing bounds it here")
        .caveat("how the groups were chosen depends on all rows; two releases can be compared"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Hierarchy, PrivacyModel};

    #[test]
    fn rows_show_the_central_values_of_k_rows() {
        let lines = ["1;low;*", "2;low;*", "3;low;*", "8;high;*", "9;high;*"]
            .map(|line| line.split(';').map(str::to_owned).collect());
        let column = Column { name: "a".to_owned(), hierarchy: Hierarchy::new("a", &lines).unwrap() };
        let rows = [(vec![0], 1), (vec![1], 3), (vec![2], 1), (vec![3], 2), (vec![4], 1)];
        let table = Table::from_tuples(vec![column], None, rows).unwrap();
        let found = categorical_mdav(&table, 3).unwrap();
        found.recoding.verify(&table, &[PrivacyModel::KAnonymity { k: 3 }]).unwrap();
        assert_eq!(found.recoding.released_rows(), 8);
        // 8 stands for 8, 8, 9, and 2 for the others: three cells moved, 9 by 1/4, 1 and 3 by 2/4.
        assert!((found.distance - (0.25 + 0.5 + 0.5) / 8.0).abs() < 1e-12, "{found:?}");
        assert!(categorical_mdav(&table, 0).is_err() && categorical_mdav(&table, 9).is_err());
        assert_eq!(categorical_mdav(&table, 1).unwrap().distance, 0.0);
    }
}
