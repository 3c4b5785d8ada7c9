//! What a transformation of a table is worth, in the form that all statements share.

use std::fmt;

use burn_privacy_budget::statement::{Caveats, Fact, Grade, Guarantee, Statement, Wording, text};

use crate::error::AnonymizeError;

/// What was done to a table and what that protects. Printed by [`Display`](fmt::Display), or by
/// [`markdown`](burn_privacy_budget::statement::markdown) and [`json`](burn_privacy_budget::statement::json).
///
/// Its grade is never differential privacy: that is [`PerturbationStatement`](crate::perturb::PerturbationStatement)'s.
#[derive(Debug, Clone, PartialEq)]
pub struct TableStatement {
    guarantee: Guarantee,
    facts: Vec<Fact>,
    caveats: Vec<String>,
}

impl TableStatement {
    /// A statement without facts and caveats yet: what is protected, against whom, under which assumption.
    ///
    /// # Errors
    ///
    /// [`AnonymizeError::Overclaim`] if the sentence claims more than the grade holds, and for
    /// [`Grade::DifferentialPrivacy`].
    pub fn new(grade: Grade, guarantee: impl Into<String>) -> Result<Self, AnonymizeError> {
        // Words of differential privacy are refused under every grade that a table can have.
        let sentence = guarantee.into();
        let guarantee = match grade {
            Grade::DifferentialPrivacy | Grade::Syntactic => {
                Guarantee::Syntactic(Wording::under(Grade::Syntactic, sentence)?)
            }
            Grade::Pseudonymized => Guarantee::pseudonymized(sentence)?,
            Grade::Disguised => Guarantee::disguised(sentence)?,
        };
        Ok(Self { guarantee, facts: Vec::new(), caveats: Vec::new() })
    }

    /// Adds a fact.
    pub fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push(Fact::new(name, value));
        self
    }

    /// Adds a sentence on what is not covered.
    pub fn caveat(mut self, sentence: impl Into<String>) -> Self {
        self.caveats.push(sentence.into());
        self
    }
}

impl Statement for TableStatement {
    fn kind(&self) -> &'static str {
        match self.guarantee.grade() {
            Grade::Disguised => "Statement of disguise",
            Grade::Pseudonymized => "Statement of pseudonymization",
            Grade::Syntactic | Grade::DifferentialPrivacy => "Statement of generalization",
        }
    }

    fn guarantee(&self) -> Guarantee {
        self.guarantee.clone()
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![Fact::new("Grade", self.guarantee.grade())];
        facts.extend(self.facts.iter().cloned());
        facts
    }

    fn caveats(&self) -> Vec<Caveats> {
        vec![Caveats { title: "Not covered", sentences: self.caveats.clone() }]
    }

    fn is_void(&self) -> bool {
        false
    }
}

impl fmt::Display for TableStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_never_claims_more_than_its_grade() {
        assert!(TableStatement::new(Grade::Syntactic, "5-anonymity over age").is_ok());
        assert!(TableStatement::new(Grade::Syntactic, "epsilon 1").is_err());
        assert!(TableStatement::new(Grade::DifferentialPrivacy, "differentially private").is_err());
        assert!(TableStatement::new(Grade::Pseudonymized, "anonymous names").is_err());
        let statement = TableStatement::new(Grade::Pseudonymized, "names by a key").unwrap().fact("rows", 3);
        let text = statement.to_string();
        assert!(text.contains("pseudonymized: names by a key") && text.contains("rows"), "{text}");
    }
}
