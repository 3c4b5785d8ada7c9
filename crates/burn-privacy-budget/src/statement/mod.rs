//! What a mechanism says of itself: one form for all of them.
//!
//! A [`Statement`] has a kind, a [`Guarantee`], facts, caveats, and says whether it is void. [`text`], [`markdown`] and
//! [`json`] print any of them, so that differential privacy, k-anonymity and a blurred face are told apart at a glance. A
//! [`Guarantee`] has one of four [`Grade`]s, and what each may say is a type: only differential privacy holds an epsilon, and
//! a pseudonym or a disguise can't call itself anonymous.

mod dp_sgd;
mod guarantee;
mod independence;
mod phased;
mod privacy_statement;
mod randomness_source;
mod render;

pub use dp_sgd::{LastBits, Noise, statement};
pub use guarantee::{Grade, Guarantee, OverclaimError, Wording};
pub use independence::Independence;
pub use phased::{PhaseFacts, PhasedStatement};
pub use privacy_statement::{PrivacyStatement, STOPPING_CAVEAT};
pub use randomness_source::RandomnessSource;
pub use render::{json, markdown, text};

/// What the first line of a statement says whose randomness came from a fixed seed.
pub const SEEDED: &str = "NOT PRIVATE: fixed seed";

/// A name and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Such as "Noise multiplier".
    pub name: String,
    /// Its value for people.
    pub value: String,
}

impl Fact {
    /// A fact.
    pub fn new(name: impl Into<String>, value: impl ToString) -> Self {
        Self { name: name.into(), value: value.to_string() }
    }
}

/// What a guarantee rests on, or leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caveats {
    /// Such as "Assumptions" or "Not covered".
    pub title: &'static str,
    /// One sentence each.
    pub sentences: Vec<String>,
}

impl Caveats {
    /// Both kinds: assumptions, and what is not covered.
    pub fn both<S: ToString>(assumptions: &[S], not_covered: &[S]) -> Vec<Self> {
        let caveats = |title, sentences: &[S]| Self { title, sentences: sentences.iter().map(S::to_string).collect() };
        vec![caveats("Assumptions", assumptions), caveats("Not covered", not_covered)]
    }
}

/// Facts that have columns, such as one row for each protected column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactTable {
    /// Names of the columns.
    pub columns: Vec<&'static str>,
    /// As many cells a row as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// What was protected, against whom, how well, and what that rests on.
///
/// # Formal guarantee
///
/// [`text`], [`markdown`] and [`json`] put [`SEEDED`] before everything else of a void statement, and print an epsilon as the
/// guarantee of nothing but [`Guarantee::DifferentialPrivacy`].
pub trait Statement {
    /// The statement's title, such as "Privacy statement".
    fn kind(&self) -> &'static str;

    /// What is guaranteed, were the randomness fresh.
    fn guarantee(&self) -> Guarantee;

    /// Parameters and circumstances.
    fn facts(&self) -> Vec<Fact>;

    /// Facts with columns; none unless there are any.
    fn tables(&self) -> Vec<FactTable> {
        Vec::new()
    }

    /// Assumptions, and what is not covered.
    fn caveats(&self) -> Vec<Caveats>;

    /// True if nothing here is a guarantee, because the randomness came from a fixed seed.
    fn is_void(&self) -> bool;

    /// An epsilon or a delta for [`Self::facts`], rounded up. That of a void statement never stands there as if it held.
    fn figure(&self, number: f64) -> String {
        let shown = burn_privacy_accounting::round_up_for_display(number);
        if self.is_void() { format!("void: fixed seed; with fresh randomness {shown}") } else { shown }
    }

    /// One sentence with the guarantee, or with the lack of one.
    fn headline(&self) -> String {
        let guarantee = self.guarantee().to_string();
        if self.is_void() { format!("{SEEDED}; with fresh randomness it would be {guarantee}") } else { guarantee }
    }
}
