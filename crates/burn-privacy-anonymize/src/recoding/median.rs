//! Mondrian by medians (LeFevre, DeWitt and Ramakrishnan 2006): a class is halved at the median of one column, the one that
//! saves most loss, in the order of the hierarchy's leaves.
//!
//! Strict: rows with equal values stay together. Relaxed: rows of the median value are divided between the halves, so that a
//! class of 2k rows can always be halved; cells of different classes then overlap.

use super::judge::{Group, Judge};
use super::{Recoding, common_cells};
use crate::AnonymizeError;
use crate::table::{Hierarchy, PrivacyModel, Table};

/// Recodes a table by halving at medians, as long as both halves meet the models.
///
/// # Errors
///
/// Those of [`super::recode_locally`].
pub fn recode_by_medians(table: &Table, models: &[PrivacyModel], relaxed: bool) -> Result<Recoding, AnonymizeError> {
    let judge = Judge::new(table, models)?;
    judge.check_whole()?;
    let ranks: Vec<Vec<u32>> = table.columns().iter().map(|column| ranks(&column.hierarchy)).collect();
    let mut open: Vec<Group> = vec![(0..table.tuples()).map(|tuple| (tuple, table.count(tuple))).collect()];
    let mut done: Vec<Group> = Vec::new();
    while let Some(group) = open.pop() {
        match halve(&judge, &ranks, &group, relaxed) {
            Some((one, other)) => open.extend([one, other]),
            None => done.push(group),
        }
    }
    let recoding = Recoding::local(table, &done)?;
    recoding.verify(table, models)?;
    Ok(recoding)
}

/// The place of each leaf in the order of the tree: by the labels above it from the top down, and by its number, if it is
/// one, or its place in the file.
fn ranks(hierarchy: &Hierarchy) -> Vec<u32> {
    let leaves = hierarchy.leaves() as u32;
    let numbers: Option<Vec<f64>> = (0..leaves)
        .map(|leaf| hierarchy.label(0, leaf).trim().parse().ok().filter(|number: &f64| number.is_finite()))
        .collect();
    let mut order: Vec<u32> = (0..leaves).collect();
    match numbers {
        // Intervals are labels of neighbors, so that the numbers' order is the tree's too.
        Some(numbers) => order.sort_by(|one, other| numbers[*one as usize].total_cmp(&numbers[*other as usize])),
        None => order.sort_by_cached_key(|&leaf| {
            (0..hierarchy.levels()).rev().map(|level| hierarchy.generalize(leaf, level)).collect::<Vec<u32>>()
        }),
    }
    let mut ranks = vec![0; order.len()];
    (0..).zip(order).for_each(|(rank, leaf)| ranks[leaf as usize] = rank);
    ranks
}

/// The two halves that save most loss, if any two both meet the models and save some.
fn halve(judge: &Judge<'_>, ranks: &[Vec<u32>], group: &Group, relaxed: bool) -> Option<(Group, Group)> {
    let table = judge.table;
    let rows: u64 = group.iter().map(|(_, rows)| rows).sum();
    if rows < 2 * judge.least_rows() {
        return None;
    }
    let cells = common_cells(table, group.iter().map(|&(tuple, _)| tuple))?;
    let before = judge.loss(group)?;
    let mut best: Option<(f64, (Group, Group))> = None;
    for (place, _) in cells.iter().enumerate().filter(|(_, (level, _))| *level > 0) {
        let rank = |tuple: usize| ranks[place][table.tuple(tuple)[place] as usize];
        let mut sorted = group.clone();
        sorted.sort_unstable_by_key(|&(tuple, _)| (rank(tuple), tuple));
        let Some(halves) = (if relaxed { at_the_middle(&sorted, rows) } else { between_values(&sorted, rows, rank) })
        else {
            continue;
        };
        let after = judge.loss(&halves.0)? + judge.loss(&halves.1)?;
        let saved = before - after;
        let better = saved > 1e-9 && best.as_ref().is_none_or(|(known, _)| saved > *known);
        if better && judge.meets(halves.0.iter().copied()) && judge.meets(halves.1.iter().copied()) {
            best = Some((saved, halves));
        }
    }
    best.map(|(_, halves)| halves)
}

/// Half of the rows each; a tuple may be in both.
fn at_the_middle(sorted: &Group, rows: u64) -> Option<(Group, Group)> {
    let mut left = rows / 2;
    let (mut low, mut high) = (Group::new(), Group::new());
    for &(tuple, rows) in sorted {
        let taken = rows.min(left);
        left -= taken;
        if taken > 0 {
            low.push((tuple, taken));
        }
        if rows > taken {
            high.push((tuple, rows - taken));
        }
    }
    (!low.is_empty() && !high.is_empty()).then_some((low, high))
}

/// Divided between two values, where the halves are most equal.
fn between_values(sorted: &Group, rows: u64, rank: impl Fn(usize) -> u32) -> Option<(Group, Group)> {
    let (mut below, mut best) = (0, None);
    for (place, pair) in (1..).zip(sorted.windows(2)) {
        below += pair[0].1;
        if rank(pair[0].0) != rank(pair[1].0) {
            let uneven = below.abs_diff(rows - below);
            if best.is_none_or(|(known, _)| uneven < known) {
                best = Some((uneven, place));
            }
        }
    }
    let (low, high) = sorted.split_at(best?.1);
    Some((low.to_vec(), high.to_vec()))
}
