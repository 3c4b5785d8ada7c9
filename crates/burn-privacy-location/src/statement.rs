//! What released places are worth, in the form that all statements share.

use std::fmt;

use burn_privacy_budget::statement::{Caveats, Fact, FactTable, Grade, Guarantee, Statement, text};

use super::error::LocationError;
use burn_privacy_anonymize::AnonymizeError;

/// What was done to places and what that protects. Printed by [`Display`](fmt::Display), or by
/// [`markdown`](burn_privacy_budget::statement::markdown) and [`json`](burn_privacy_budget::statement::json).
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceStatement {
    guarantee: Guarantee,
    facts: Vec<Fact>,
    tables: Vec<FactTable>,
    assumptions: Vec<String>,
    not_covered: Vec<String>,
    seeded: bool,
}

impl PlaceStatement {
    /// A statement of a guarantee, without facts and caveats yet.
    pub fn new(guarantee: Guarantee) -> Self {
        let (facts, assumptions, not_covered) = (Vec::new(), Vec::new(), Vec::new());
        Self { guarantee, facts, tables: Vec::new(), assumptions, not_covered, seeded: false }
    }

    /// A mask without a guarantee: what was moved, and what undoes it.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Overclaim`] if the sentence claims more.
    pub fn disguised(sentence: impl Into<String>) -> Result<Self, LocationError> {
        Ok(Self::new(Guarantee::disguised(sentence).map_err(AnonymizeError::from)?))
    }

    /// A property of the released points, checked on them.
    ///
    /// # Errors
    ///
    /// As [`Self::disguised`].
    pub fn syntactic(sentence: impl Into<String>) -> Result<Self, LocationError> {
        Ok(Self::new(Guarantee::syntactic(sentence).map_err(AnonymizeError::from)?))
    }

    /// Adds a fact.
    pub fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push(Fact::new(name, value));
        self
    }

    /// Adds facts in columns.
    pub fn table(mut self, table: FactTable) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds a sentence that the guarantee rests on.
    pub fn assumption(mut self, sentence: impl Into<String>) -> Self {
        self.assumptions.push(sentence.into());
        self
    }

    /// Adds a sentence on what is not covered.
    pub fn not_covered(mut self, sentence: impl Into<String>) -> Self {
        self.not_covered.push(sentence.into());
        self
    }

    /// Says that the randomness came from a fixed seed, so that nothing holds.
    pub fn seeded(mut self, seeded: bool) -> Self {
        self.seeded |= seeded;
        self
    }

    /// The same with another guarantee.
    pub(super) fn with_guarantee(mut self, guarantee: Guarantee) -> Self {
        self.guarantee = guarantee;
        self
    }
}

impl Statement for PlaceStatement {
    fn kind(&self) -> &'static str {
        match self.guarantee.grade() {
            Grade::DifferentialPrivacy => "Statement of perturbed places",
            Grade::Syntactic => "Statement of places checked against a population",
            Grade::Pseudonymized | Grade::Disguised => "Statement of disguised places",
        }
    }

    fn guarantee(&self) -> Guarantee {
        self.guarantee.clone()
    }

    fn facts(&self) -> Vec<Fact> {
        let metric = matches!(self.guarantee, Guarantee::Metric { .. });
        let kind = if metric { " (metric: of distances, not of records)" } else { "" };
        let mut facts = vec![Fact::new("Grade", format!("{}{kind}", self.guarantee.grade()))];
        facts.extend(self.facts.iter().cloned());
        facts
    }

    fn tables(&self) -> Vec<FactTable> {
        self.tables.clone()
    }

    fn caveats(&self) -> Vec<Caveats> {
        Caveats::both(&self.assumptions, &self.not_covered)
    }

    fn is_void(&self) -> bool {
        self.seeded
    }
}

impl fmt::Display for PlaceStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}
