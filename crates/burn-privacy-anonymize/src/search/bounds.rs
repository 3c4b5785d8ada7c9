//! Lower bounds of each metric over all completions of a partial choice of levels; at full depth they are the value.
//!
//! All of them rest on two facts: rows that a group drops stay suppressed under every completion, and labels only get
//! coarser, so that losses, class sizes and hidden bits only grow.

use super::classes::Classes;
use super::problem::Problem;
use crate::table::{Metric, histogram_bits};

/// A bound on what any completion of `levels` (one for each attribute above `depth`) costs, given its `classes`.
pub(super) fn lower_bound(problem: &Problem, classes: &Classes, levels: &[usize]) -> f64 {
    let complete = levels.len() == problem.depth();
    match problem.metric {
        Metric::Loss => loss(problem, classes),
        Metric::Discernibility => discernibility(problem, classes, complete),
        Metric::AverageClassSize => average_class_size(problem, classes, complete),
        Metric::Entropy => entropy(problem, classes, levels),
    }
}

/// A bound for each level of the next attribute, before its classes are known: `bound` is that of `classes`, above.
///
/// Rows that are still released will show the label of that level, or be suppressed, which costs no less.
pub(super) fn bounds_by_level(problem: &Problem, classes: &Classes, depth: usize, bound: f64) -> Vec<f64> {
    let attribute = &problem.attributes[depth];
    match problem.metric {
        Metric::Loss => {
            let mut by_leaf = vec![0_u64; attribute.levels[0].code_of_leaf.len()];
            for entry in classes.groups.iter().flat_map(|group| classes.of(group)) {
                by_leaf[attribute.steps[entry.suffix as usize].leaf as usize] += u64::from(entry.rows);
            }
            let cells = problem.depth() as f64 * problem.rows as f64;
            // Rows that are held back cost everything already, and it is not known which they are: at most 1 each here.
            let held = classes.held as f64;
            let of_level = |level: &super::problem::AttributeLevel| {
                let losses = by_leaf.iter().zip(&level.code_of_leaf);
                let sum: f64 = losses.map(|(&rows, &code)| rows as f64 * level.loss[code as usize]).sum();
                bound + (sum - held).max(0.0) / cells
            };
            attribute.levels.iter().map(of_level).collect()
        }
        Metric::Entropy => attribute.levels.iter().map(|level| bound + level.bits).collect(),
        Metric::Discernibility | Metric::AverageClassSize => vec![bound; attribute.levels.len()],
    }
}

/// A bound on all completions that have a lower level than the last of `levels`, whose `classes` these are, before they are
/// judged: rows that are suppressed here are so there, and all others cost at least what the levels above cost, or as much
/// as the smallest class.
pub(super) fn bound_of_lower_levels(problem: &Problem, classes: &Classes, levels: &[usize]) -> f64 {
    let Some((&last, above)) = levels.split_last() else { return 0.0 };
    let suppressed = classes.suppressed + classes.held;
    match problem.metric {
        Metric::Loss => {
            let attribute = &problem.attributes[above.len()];
            let chosen = &attribute.levels[last].loss;
            let of_group = |group: &super::classes::Group| {
                let tuple = classes.entries[group.start as usize].tuple as usize;
                let loss = (group.loss - chosen[attribute.code(last, tuple) as usize]).max(0.0);
                f64::from(group.rows - group.held) * loss
            };
            let columns = problem.depth() as f64;
            let released: f64 = classes.groups.iter().map(of_group).sum();
            (released + suppressed as f64 * columns) / (columns * problem.rows as f64)
        }
        Metric::Discernibility => {
            let released = problem.rows - suppressed;
            suppressed as f64 * problem.rows as f64 + released as f64 * problem.least_rows as f64
        }
        Metric::AverageClassSize => {
            let most = (problem.rows - suppressed) / problem.least_rows.max(1);
            problem.rows as f64 / (most + 1) as f64
        }
        Metric::Entropy => 0.0,
    }
}

/// A suppressed row costs 1 a column, another at least what its chosen labels cost.
fn loss(problem: &Problem, classes: &Classes) -> f64 {
    let released: f64 = classes.groups.iter().map(|group| f64::from(group.rows - group.held) * group.loss).sum();
    let columns = problem.depth() as f64;
    (released + (classes.suppressed + classes.held) as f64 * columns) / (columns * problem.rows as f64)
}

/// A row ends in a class of at least its entry's rows and of at least k, or is suppressed, which costs more than either.
fn discernibility(problem: &Problem, classes: &Classes, complete: bool) -> f64 {
    // All of this is below 2^64, since a table has below 2^32 rows, and a class needs no more than there are.
    let released: u64 = classes
        .groups
        .iter()
        .map(|group| {
            // At full depth a group is a class, whose entries differ in the sensitive value only.
            if complete {
                return u64::from(group.rows) * u64::from(group.rows);
            }
            let entries = classes.of(group).iter().map(|entry| u64::from(entry.rows));
            entries.map(|rows| rows * rows.max(problem.least_rows)).sum()
        })
        .sum();
    (released + classes.suppressed * problem.rows) as f64
}

/// Each class has at least k rows, and is made of whole entries: those with k rows or more may stand alone, all others
/// have to join.
fn average_class_size(problem: &Problem, classes: &Classes, complete: bool) -> f64 {
    let least = problem.least_rows.max(1);
    let most: u64 = if complete {
        classes.groups.len() as u64
    } else {
        let of_group = |group: &super::classes::Group| {
            let (mut large, mut rows_of_large) = (0, 0);
            for entry in classes.of(group) {
                let alone = u64::from(u64::from(entry.rows) >= least);
                large += alone;
                rows_of_large += alone * u64::from(entry.rows);
            }
            large + (u64::from(group.rows) - rows_of_large) / least
        };
        classes.groups.iter().map(of_group).sum()
    };
    // While levels are open, rows may still come to be suppressed and count as one class more.
    let extra = u64::from(!complete || classes.suppressed > 0);
    problem.rows as f64 / (most + extra).max(1) as f64
}

/// The bits that the chosen levels hide, and for suppressed rows those of their labels, which only grow with more rows.
fn entropy(problem: &Problem, classes: &Classes, levels: &[usize]) -> f64 {
    let mut bits = 0.0;
    for (attribute, &level) in problem.attributes.iter().zip(levels) {
        let chosen = &attribute.levels[level];
        bits += chosen.bits;
        if classes.suppressed > 0 {
            let mut suppressed = chosen.rows.clone();
            for group in &classes.groups {
                let tuple = classes.entries[group.start as usize].tuple as usize;
                suppressed[attribute.code(level, tuple) as usize] -= u64::from(group.rows);
            }
            bits += histogram_bits(suppressed.iter().copied());
        }
    }
    bits
}
