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
mod exploration;
mod problem;
mod releasable;
mod tail;

use exploration::Search;
use problem::Problem;

use crate::AnonymizeError;
use crate::table::{Metric, Partition, PrivacyModel, Quality, Table};

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
