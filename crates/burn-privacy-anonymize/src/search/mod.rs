//! The best full-domain generalization, proved.
//!
//! Depth-first over the attributes, the one with most values first: choosing a level rolls the classes of the step before
//! up by one attribute, so a choice costs one pass over tuples that are merged already. A partial choice is cut if a lower
//! bound over all of its completions is not below the best value known, which comes first from a descent over single
//! levels. The bounds are in `bounds`; the facts that they rest on hold for k-anonymity and distinct l-diversity in
//! full. Entropy and recursive l-diversity and t-closeness are not monotone: a class may have parts that are better than it.
//! They are cut by loss, by k, by the number of sensitive values and, for the equal distance, by a bound on how many rows
//! any parts can release (`releasable`); what is left is judged at full depth.
//!
//! Compare Kohlmayer et al. 2012 (Flash), El Emam et al. 2009 (OLA), LeFevre et al. 2005 (Incognito).

mod bounds;
mod classes;
mod descent;
mod problem;
mod releasable;
mod tail;

use classes::{Classes, Scratch};
use problem::Problem;
use tail::Tail;

use crate::AnonymizeError;
use crate::table::{Metric, Partition, PrivacyModel, Quality, Table};

/// Relative width below which two values count as equal: the rounding of sums of a table's size.
const ROUNDING: f64 = 1e-12;

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// What every released class has to meet.
    pub models: Vec<PrivacyModel>,
    /// What is made small.
    pub metric: Metric,
    /// Share of the rows that may be suppressed, from 0 to 1; the number of rows is rounded down.
    pub suppression_limit: f64,
    /// Choices to look at, partial ones among them, before the search ends with a gap. A million are some minutes for
    /// 20,000 distinct tuples.
    pub max_choices: u64,
}

/// The best generalization found, and how far from the best it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// The level of each quasi-identifier, in the table's order.
    pub levels: Vec<usize>,
    /// Its value and its classes, counted anew from the table.
    pub quality: Quality,
    /// No generalization has a smaller value than this (to a relative 1e-12); equal to the value if the search ended.
    pub lower_bound: f64,
    /// True if the search ended: the value is the optimum.
    pub proved: bool,
    /// Choices that were looked at.
    pub choices: u64,
    /// The classes.
    pub partition: Partition,
}

/// Searches the whole lattice of levels.
///
/// # Errors
///
/// [`AnonymizeError::Parameter`] for a suppression limit outside 0 to 1, for a table without quasi-identifiers, without
/// models or with models that it can't serve (those that compare with a population need
/// [`Table::with_population`]),
/// [`AnonymizeError::Unreachable`] if nothing meets the models within the limit, or if `max_choices` ended the search before
/// anything did.
pub fn optimum(table: &Table, options: &SearchOptions) -> Result<Optimum, AnonymizeError> {
    if !(0.0..=1.0).contains(&options.suppression_limit) {
        return Err(AnonymizeError::parameter("the suppression limit", options.suppression_limit, "from 0 to 1"));
    }
    if table.columns().is_empty() {
        return Err(AnonymizeError::parameter("the number of quasi-identifiers", 0, "at least 1: name a hierarchy"));
    }
    if options.models.is_empty() {
        return Err(AnonymizeError::parameter("the number of privacy models", 0, "at least 1"));
    }
    table.check_population(&options.models)?;
    if table.rows() == 0 {
        return Err(AnonymizeError::Unreachable { reason: "the table has no rows".to_owned() });
    }
    let limit = (options.suppression_limit * table.rows() as f64).floor() as u64;
    let problem = Problem::new(table, &options.models, options.metric, limit)?;
    let mut search = Search::new(&problem, options.max_choices);
    descent::descend(&mut search);
    search.run();
    let Some(best) = search.best.clone() else {
        return Err(AnonymizeError::Unreachable { reason: nothing_found(&search, table, options) });
    };
    let mut levels = vec![0; problem.depth()];
    for (attribute, &level) in problem.attributes.iter().zip(&best.levels) {
        levels[attribute.place] = level;
    }
    let partition = Partition::full_domain(table, &levels, &options.models)?;
    let quality = options.metric.quality(table, &partition);
    let proved = !search.ended_early;
    let lower_bound = if proved { quality.value } else { search.open_bound.min(quality.value) };
    Ok(Optimum { levels, quality, lower_bound, proved, choices: search.choices, partition })
}

fn nothing_found(search: &Search<'_>, table: &Table, options: &SearchOptions) -> String {
    if search.ended_early {
        return format!("{} choices were looked at and none met the models: allow more", search.choices);
    }
    format!(
        "even the highest levels leave classes that fail, of {} rows in all, and at most {} may be suppressed: lower the \
         target, allow more suppression, or add a top level (*) to the hierarchies",
        table.rows(),
        (options.suppression_limit * table.rows() as f64).floor()
    )
}

/// The best choice so far, by depth.
#[derive(Clone)]
struct Best {
    levels: Vec<usize>,
    value: f64,
}

/// What choosing a level leads to.
enum Choice {
    /// More rows are suppressed than may be, as on every lower level of the attribute.
    TooManySuppressed,
    /// The classes are complete, and too many fail the models; lower levels cost this at least.
    Fails { lower_levels: f64 },
    /// A bound on all completions, and on those of lower levels.
    Open { bound: f64, lower_levels: f64 },
}

/// The state of a search.
struct Search<'a> {
    problem: &'a Problem,
    best: Option<Best>,
    /// Smallest bound among choices that were left unexplored.
    open_bound: f64,
    ended_early: bool,
    choices: u64,
    max_choices: u64,
    scratch: Scratch,
    /// The last attributes, if they are chosen all at once.
    tail: Option<Tail>,
    /// The classes of each level at each depth, kept for their memory.
    memory: Vec<Vec<Classes>>,
}

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, max_choices: u64) -> Self {
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

    fn run(&mut self) {
        let root = Classes::root(self.problem);
        self.explore(&root, 0.0, &mut Vec::with_capacity(self.problem.depth()));
    }

    /// True if something of this bound can't be better than the best.
    fn is_cut(&self, bound: f64) -> bool {
        self.best.as_ref().is_some_and(|best| bound >= best.value * (1.0 - ROUNDING))
    }

    /// Chooses a level for the next attribute: the classes go to `out`. At full depth the bound is the value, which becomes
    /// the best if it is.
    fn choose(&mut self, classes: &Classes, levels: &[usize], out: &mut Classes) -> Choice {
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
    fn single_depths(&self) -> usize {
        self.tail.as_ref().map_or(self.problem.depth(), |tail| tail.depth)
    }

    /// Where the tail begins: the best value of all completions of `levels`, infinite if none is allowed.
    fn complete(&mut self, classes: &Classes, levels: &[usize]) -> Option<f64> {
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
