//! The last attributes, where they have few values together: all of their levels at once.
//!
//! Most choices of a search are at its end. There a group is a handful of counts, one for each combination of the last
//! attributes' values, and every choice of their levels is a sum over those: one pass over the groups counts the classes of
//! all choices, which need not be made.

use super::classes::Classes;
use super::problem::Problem;
use crate::table::Metric;

/// Combinations of values at most.
const MOST_CELLS: usize = 256;

/// Combinations of levels at most.
const MOST_CHOICES: usize = 16;

/// The attributes from some depth on.
pub(super) struct Tail {
    pub(super) depth: usize,
    /// The combination of values that each suffix has.
    cell: Vec<u8>,
    choices: Vec<TailChoice>,
}

/// A level for each of them.
struct TailChoice {
    levels: Vec<usize>,
    /// The combination of labels that each combination of values has.
    label: Vec<u8>,
    /// Loss of each combination of labels, summed over the attributes.
    loss: Vec<f64>,
}

/// What a choice comes to.
#[derive(Clone, Copy, Default)]
struct Sums {
    released: u64,
    classes: u64,
    squares: u64,
    loss: f64,
}

impl Tail {
    /// The longest that there is; none where more than counts decides, or where the last attribute has many values.
    pub(super) fn new(problem: &Problem) -> Option<Self> {
        let by_counts = !problem.needs_values() && problem.population.is_none();
        if !by_counts || problem.metric == Metric::Entropy {
            return None;
        }
        let (mut depth, mut cells, mut choices) = (problem.depth(), 1, 1);
        while depth > 0 {
            let attribute = &problem.attributes[depth - 1];
            let (leaves, levels) = (attribute.levels[0].code_of_leaf.len(), attribute.levels.len());
            if cells * leaves > MOST_CELLS || choices * levels > MOST_CHOICES {
                break;
            }
            (depth, cells, choices) = (depth - 1, cells * leaves, choices * levels);
        }
        if depth == problem.depth() {
            return None;
        }
        let attributes = &problem.attributes[depth..];
        let cell_of = |first: usize| {
            let mut suffix = first;
            attributes.iter().fold(0, |cell, attribute| {
                let step = attribute.steps[suffix];
                suffix = step.next as usize;
                cell * attribute.levels[0].code_of_leaf.len() + step.leaf as usize
            })
        };
        let cell = (0..attributes[0].steps.len()).map(|suffix| cell_of(suffix) as u8).collect();
        let mut made = vec![TailChoice { levels: Vec::new(), label: vec![0], loss: vec![0.0] }];
        for attribute in attributes {
            made = made
                .iter()
                .flat_map(|before| {
                    (0..attribute.levels.len()).map(|level| before.with(&attribute.levels[level], level))
                })
                .collect();
        }
        Some(Self { depth, cell, choices: made })
    }

    /// Number of choices.
    pub(super) fn choices(&self) -> u64 {
        self.choices.len() as u64
    }

    /// The best choice under `classes`, with its levels; none if each suppresses too many rows.
    pub(super) fn best(&self, problem: &Problem, classes: &Classes) -> Option<(f64, &[usize])> {
        let values = self.choices.iter().filter_map(|choice| {
            let sums = match problem.metric {
                Metric::Loss => self.count(problem, classes, choice, |sums, rows, loss| {
                    sums.loss += rows as f64 * loss;
                }),
                Metric::Discernibility => self.count(problem, classes, choice, |sums, rows, _| {
                    sums.squares += rows * rows;
                }),
                Metric::AverageClassSize | Metric::Entropy => self.count(problem, classes, choice, |_, _, _| {}),
            };
            let suppressed = problem.rows - sums.released;
            (suppressed <= problem.limit).then(|| (value(problem, sums, suppressed), choice.levels.as_slice()))
        });
        values.min_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// Counts the classes of a choice.
    fn count(
        &self,
        problem: &Problem,
        classes: &Classes,
        choice: &TailChoice,
        add: impl Fn(&mut Sums, u64, f64),
    ) -> Sums {
        let mut sums = Sums::default();
        let mut release = |rows: u32, loss: f64| {
            let rows = u64::from(rows);
            sums.released += rows;
            sums.classes += 1;
            add(&mut sums, rows, loss);
        };
        let labels = choice.loss.len();
        let mut rows_of = [0_u32; MOST_CELLS];
        let mut here = [0_u8; MOST_CELLS + 1];
        for group in &classes.groups {
            let entries = classes.of(group);
            if labels == 1 {
                release(group.rows, group.loss + choice.loss[0]);
                continue;
            }
            if let [entry] = entries {
                let label = choice.label[self.cell[entry.suffix as usize] as usize];
                release(group.rows, group.loss + choice.loss[label as usize]);
                continue;
            }
            let mut labels_here = 0;
            for entry in entries {
                let label = choice.label[self.cell[entry.suffix as usize] as usize];
                let rows = &mut rows_of[label as usize];
                // Written in any case, and kept if the label is new.
                here[labels_here] = label;
                labels_here += usize::from(*rows == 0);
                *rows += entry.rows;
            }
            for &label in &here[..labels_here] {
                let rows = std::mem::take(&mut rows_of[label as usize]);
                if u64::from(rows) >= problem.least_rows {
                    release(rows, group.loss + choice.loss[label as usize]);
                }
            }
        }
        sums
    }
}

impl TailChoice {
    /// With a level of one more attribute.
    fn with(&self, chosen: &super::problem::AttributeLevel, level: usize) -> Self {
        let labels = chosen.loss.len();
        let levels = self.levels.iter().copied().chain([level]).collect();
        let of_label =
            |&label: &u8| chosen.code_of_leaf.iter().map(move |&code| (label as usize * labels + code as usize) as u8);
        let of_loss = |&loss: &f64| chosen.loss.iter().map(move |more| loss + more);
        Self {
            levels,
            label: self.label.iter().flat_map(of_label).collect(),
            loss: self.loss.iter().flat_map(of_loss).collect(),
        }
    }
}

/// The metric's value.
fn value(problem: &Problem, sums: Sums, suppressed: u64) -> f64 {
    match problem.metric {
        Metric::Loss => {
            let columns = problem.depth() as f64;
            (sums.loss + suppressed as f64 * columns) / (columns * problem.rows as f64)
        }
        // Below 2^64, since a table has below 2^32 rows.
        Metric::Discernibility => (sums.squares + suppressed * problem.rows) as f64,
        Metric::AverageClassSize | Metric::Entropy => {
            problem.rows as f64 / (sums.classes + u64::from(suppressed > 0)).max(1) as f64
        }
    }
}
