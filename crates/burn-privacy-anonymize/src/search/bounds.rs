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
            for group in &classes.groups {
                for entry in &classes.entries[group.start as usize..group.end as usize] {
                    by_leaf[attribute.leaf[entry.tuple as usize] as usize] += u64::from(entry.rows);
                }
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
            let chosen = &problem.attributes[above.len()].levels[last];
            let of_group = |group: &super::classes::Group| {
                let tuple = classes.entries[group.start as usize].tuple as usize;
                let loss = (group.loss - chosen.loss[chosen.code[tuple] as usize]).max(0.0);
                (group.rows - group.held) as f64 * loss
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
    let released: f64 = classes.groups.iter().map(|group| (group.rows - group.held) as f64 * group.loss).sum();
    let columns = problem.depth() as f64;
    (released + (classes.suppressed + classes.held) as f64 * columns) / (columns * problem.rows as f64)
}

/// A row ends in a class of at least its entry's rows and of at least k, or is suppressed, which costs more than either.
fn discernibility(problem: &Problem, classes: &Classes, complete: bool) -> f64 {
    let least = problem.least_rows;
    let mut sum = u128::from(classes.suppressed) * u128::from(problem.rows);
    for group in &classes.groups {
        let entries = &classes.entries[group.start as usize..group.end as usize];
        // At full depth a group is a class, whose entries differ in the sensitive value only.
        sum += if complete {
            u128::from(group.rows) * u128::from(group.rows)
        } else {
            let rows = entries.iter().map(|entry| u64::from(entry.rows) * u64::from(entry.rows).max(least));
            rows.map(u128::from).sum()
        };
    }
    sum as f64
}

/// Each class has at least k rows, and is made of whole entries: those with k rows or more may stand alone, all others
/// have to join.
fn average_class_size(problem: &Problem, classes: &Classes, complete: bool) -> f64 {
    let least = problem.least_rows.max(1);
    let most: u64 = if complete {
        classes.groups.len() as u64
    } else {
        let of_group = |group: &super::classes::Group| {
            let (mut large, mut small) = (0, 0);
            for entry in &classes.entries[group.start as usize..group.end as usize] {
                if u64::from(entry.rows) >= least { large += 1 } else { small += u64::from(entry.rows) }
            }
            large + small / least
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
                suppressed[chosen.code[tuple] as usize] -= group.rows;
            }
            bits += histogram_bits(suppressed.iter().copied());
        }
    }
    bits
}
