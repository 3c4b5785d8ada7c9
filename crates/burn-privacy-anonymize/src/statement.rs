//! What a transformation is worth: its grade, the guarantee in a sentence, facts, and what it does not promise.

use std::fmt;

use serde::Serialize;

/// How strong a protection is, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Holds against every attacker, whatever they know; the only grade that has an epsilon.
    DifferentialPrivacy,
    /// A property of the released table that can be counted, such as k-anonymity; no bound on what is learned.
    Syntactic,
    /// Names are replaced; whoever holds the key, or knows enough of the rest of a row, finds the person.
    Pseudonymized,
    /// Harder to read, with no property that could be checked.
    Disguised,
}

impl Grade {
    /// The grade in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::DifferentialPrivacy => "differential privacy",
            Self::Syntactic => "syntactic",
            Self::Pseudonymized => "pseudonymized",
            Self::Disguised => "disguised",
        }
    }
}

/// What was done to data and what that protects, for people ([`fmt::Display`]) and, by serde, for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// How strong it is.
    pub grade: Grade,
    /// What is protected, against whom, under which assumption.
    pub guarantee: String,
    /// Names and values of what was counted.
    pub facts: Vec<(String, String)>,
    /// What it leaves out, a sentence each.
    pub caveats: Vec<String>,
}

impl Statement {
    /// A statement without facts and caveats yet.
    pub fn new(grade: Grade, guarantee: impl Into<String>) -> Self {
        Self { grade, guarantee: guarantee.into(), facts: Vec::new(), caveats: Vec::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl ToString) -> Self {
        self.facts.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a caveat.
    #[must_use]
    pub fn caveat(mut self, sentence: impl Into<String>) -> Self {
        self.caveats.push(sentence.into());
        self
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Grade: {}", self.grade.name())?;
        writeln!(f, "{}", self.guarantee)?;
        for (name, value) in &self.facts {
            writeln!(f, "  {name}: {value}")?;
        }
        if !self.caveats.is_empty() {
            writeln!(f, "Not covered:")?;
            for caveat in &self.caveats {
                writeln!(f, "  - {caveat}")?;
            }
        }
        Ok(())
    }
}
