//! Depth-first over the levels of each attribute, with bounds.

use super::bounds;
use super::classes::{Classes, Scratch};
use super::problem::Problem;
use super::tail::Tail;

/// Relative width below which two values count as equal: the rounding of sums of a table's size.
const ROUNDING: f64 = 1e-12;

/// The best choice so far, by depth.
#[derive(Clone)]
pub(super) struct Best {
    pub(super) levels: Vec<usize>,
    pub(super) value: f64,
}

/// What choosing a level leads to.
pub(super) enum Choice {
    /// More rows are suppressed than may be, as on every lower level of the attribute.
    TooManySuppressed,
    /// The classes are complete, and too many fail the models; lower levels cost this at least.
    Fails { lower_levels: f64 },
    /// A bound on all completions, and on those of lower levels.
    Open { bound: f64, lower_levels: f64 },
}

/// The state of a search.
pub(super) struct Search<'a> {
    pub(super) problem: &'a Problem,
    pub(super) best: Option<Best>,
    /// Smallest bound among choices that were left unexplored.
    pub(super) open_bound: f64,
    pub(super) ended_early: bool,
    pub(super) choices: u64,
    pub(super) max_choices: u64,
    scratch: Scratch,
    /// The last attributes, if they are chosen all at once.
    tail: Option<Tail>,
    /// The classes of each level at each depth, kept for their memory.
    memory: Vec<Vec<Classes>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(problem: &'a Problem, max_choices: u64) -> Self {
        let memory =
            problem.attributes.iter().map(|attribute| vec![Classes::default(); attribute.levels.len()]).collect();
        Self {
            problem,
            best: None,
            open_bound: f64::INFINITY,
            ended_early: false,
            choices: 0,
            max_choices,
            scratch: Scratch::default(),
            tail: Tail::new(problem),
            memory,
        }
    }

    pub(super) fn run(&mut self) {
        let root = Classes::root(self.problem);
        self.explore(&root, 0.0, &mut Vec::with_capacity(self.problem.depth()));
    }

    /// True if something of this bound can't be better than the best.
    pub(super) fn is_cut(&self, bound: f64) -> bool {
        self.best.as_ref().is_some_and(|best| bound >= best.value * (1.0 - ROUNDING))
    }

    /// Chooses a level for the next attribute: the classes go to `out`. At full depth the bound is the value, which becomes
    /// the best if it is.
    pub(super) fn choose(&mut self, classes: &Classes, levels: &[usize], out: &mut Classes) -> Choice {
        self.choices += 1;
        let depth = levels.len() - 1;
        if !classes.refine(self.problem, depth, levels[depth], &mut self.scratch, out) {
            return Choice::TooManySuppressed;
        }
        let complete = levels.len() == self.problem.depth();
        let lower_levels = bounds::bound_of_lower_levels(self.problem, out, levels);
        if complete && !out.judge(self.problem, levels) {
            return Choice::Fails { lower_levels };
        }
        let bound = bounds::lower_bound(self.problem, out, levels);
        if complete && !self.is_cut(bound) {
            self.best = Some(Best { levels: levels.to_vec(), value: bound });
        }
        Choice::Open { bound, lower_levels }
    }

    /// Depths that are chosen one by one; the tail, if there is one, begins there.
    pub(super) fn single_depths(&self) -> usize {
        self.tail.as_ref().map_or(self.problem.depth(), |tail| tail.depth)
    }

    /// Where the tail begins: the best value of all completions of `levels`, infinite if none is allowed.
    pub(super) fn complete(&mut self, classes: &Classes, levels: &[usize]) -> Option<f64> {
        let tail = self.tail.as_ref().filter(|tail| tail.depth == levels.len())?;
        self.choices += tail.choices();
        let Some((value, rest)) = tail.best(self.problem, classes) else { return Some(f64::INFINITY) };
        if !self.is_cut(value) {
            self.best = Some(Best { levels: levels.iter().chain(rest).copied().collect(), value });
        }
        Some(value)
    }

    /// All completions of `levels`, whose classes these are and whose bound this is.
    fn explore(&mut self, classes: &Classes, bound: f64, levels: &mut Vec<usize>) {
        let depth = levels.len();
        if self.complete(classes, levels).is_some() {
            return;
        }
        let mut children = std::mem::take(&mut self.memory[depth]);
        let mut open: Vec<(f64, usize)> = Vec::with_capacity(children.len());
        let before = bounds::bounds_by_level(self.problem, classes, depth, bound);
        // From the top: whatever a level suppresses, lower ones do.
        for (level, child) in children.iter_mut().enumerate().rev() {
            if self.is_cut(before[level]) {
                continue;
            }
            levels.push(level);
            let choice = self.choose(classes, levels, child);
            levels.pop();
            let lower_levels = match choice {
                Choice::Open { bound, lower_levels } => {
                    open.push((bound, level));
                    lower_levels
                }
                Choice::Fails { lower_levels } => lower_levels,
                Choice::TooManySuppressed => break,
            };
            if self.is_cut(lower_levels) {
                break;
            }
        }
        if depth + 1 < self.problem.depth() {
            open.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (bound, level) in open {
                if self.is_cut(bound) {
                    break;
                }
                if self.choices >= self.max_choices {
                    self.ended_early = true;
                    self.open_bound = self.open_bound.min(bound);
                    break;
                }
                levels.push(level);
                self.explore(&children[level], bound, levels);
                levels.pop();
            }
        }
        self.memory[depth] = children;
    }
}
