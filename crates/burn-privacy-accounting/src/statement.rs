//! A privacy statement: what was protected, how, and how well; not just a number.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::event_json::malformed;
use crate::{Accountant, Adjacency, Result, round_up_for_display};

/// The caveat that belongs to every epsilon of an unfinished run.
pub const STOPPING_CAVEAT: &str = "valid if the decision to stop does not depend on private data";

/// Where the randomness of a run came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entropy {
    /// The operating system's cryptographic generator, new for every run.
    Os,
    /// A fixed seed: whoever knows it can subtract the noise, so there is no privacy.
    Seeded,
}

/// One accountant's figure at the statement's delta.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpsilonReport {
    /// The name of the accountant that proved it, such as `"RDP"`.
    pub accountant: String,
    /// In nats; infinity is the string `"inf"` in JSON.
    #[serde(with = "crate::json::number_or_inf")]
    pub epsilon: f64,
    /// True for an upper bound, false for an estimate.
    pub is_bound: bool,
}

impl EpsilonReport {
    /// Asks an accountant for its epsilon at `delta`.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn of(accountant: &(impl Accountant + ?Sized), delta: f64) -> Result<Self> {
        let (epsilon, method) = accountant.epsilon_and_method(delta)?;
        Ok(Self { accountant: method.to_owned(), epsilon, is_bound: accountant.is_bound() })
    }
}

/// What was protected, how, and how well: a record of facts, for people ([`fmt::Display`], [`Self::to_markdown`]) and
/// for machines ([`Self::to_json`]).
///
/// The headline is the planned mechanism. Epsilons are shown rounded up. A run from a fixed seed says first of all
/// that it is not private.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivacyStatement {
    /// What one record is, such as `"one training image"`.
    pub protected_unit: String,
    /// Which data sets are neighbours.
    pub adjacency: Adjacency,
    /// The mechanism in words, such as `"DP-SGD with flat clipping and Gaussian noise"`.
    pub mechanism: String,
    /// How records are drawn, such as `"Poisson: every record independently, anew in every step"`.
    pub sampling: String,
    /// Probability of each record to be in a step's batch.
    pub sampling_rate: f64,
    /// Public, nominal number of records.
    pub nominal_dataset_size: u64,
    /// Public expected number of records in a batch, by which sums are divided.
    pub expected_batch_size: f64,
    /// The norm C to which each record's contribution is clipped.
    pub clipping_norm: f64,
    /// L2 sensitivity of the clipped sum under the adjacency.
    pub sensitivity: f64,
    /// Noise standard deviation divided by the sensitivity.
    pub noise_multiplier: f64,
    /// Standard deviation of the noise on each coordinate of the sum: noise multiplier x sensitivity.
    pub noise_standard_deviation: f64,
    /// Steps that the plan allows.
    pub planned_steps: u64,
    /// Steps that the ledger has charged so far.
    pub charged_steps: u64,
    /// The delta of all figures.
    pub delta: f64,
    /// Epsilon of the planned mechanism, by every accountant present; the first one is the headline.
    pub planned_epsilon: Vec<EpsilonReport>,
    /// Epsilon of the charged steps, by every accountant present.
    pub epsilon_so_far: Vec<EpsilonReport>,
    /// Where the randomness came from.
    pub entropy: Entropy,
    /// Name of the data set.
    pub dataset: String,
    /// What the guarantee rests on; [`Self::standard_assumptions`] is a start.
    pub assumptions: Vec<String>,
    /// What the guarantee leaves out; [`Self::standard_exclusions`] is a start.
    pub not_covered: Vec<String>,
}

impl PrivacyStatement {
    /// Assumptions that every run of DP-SGD rests on.
    #[must_use]
    pub fn standard_assumptions() -> Vec<String> {
        [
            "each record belongs to one protected unit only",
            "the noise and the sampling come from a generator that no observer can predict",
            "nominal data-set size, expected batch size, steps, clipping norm and noise were chosen without looking at the private data",
            "observers see the models, checkpoints and updates, but not intermediate values in memory, nor the running time",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// What no accountant of training steps covers.
    #[must_use]
    pub fn standard_exclusions() -> Vec<String> {
        [
            "hyper-parameter search: every run on the private data costs, whether its model is published or not",
            "metrics: losses and accuracies that were computed on private data and shown",
            "preprocessing that looked at the private data, such as normalisation statistics, vocabularies and de-duplication",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// True if nothing in this statement is a privacy guarantee, because the noise came from a fixed seed.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.entropy == Entropy::Seeded
    }

    /// One sentence with the planned mechanism and its guarantee, or with the lack of one.
    #[must_use]
    pub fn headline(&self) -> String {
        let guarantee = self.guarantee();
        if self.is_void() { format!("{SEEDED}; with fresh randomness it would be {guarantee}") } else { guarantee }
    }

    fn guarantee(&self) -> String {
        let Some(first) = self.planned_epsilon.first() else {
            return format!("{}; no accountant has counted it", self.mechanism);
        };
        if first.epsilon == f64::INFINITY {
            return format!("{}: no finite epsilon (by {})", self.mechanism, method(first));
        }
        format!(
            "{}: {}({}, {})-differential privacy of {} under {} adjacency (by {})",
            self.mechanism,
            if first.is_bound { "" } else { "an estimated " },
            round_up_for_display(first.epsilon),
            round_up_for_display(self.delta),
            self.protected_unit,
            self.adjacency,
            method(first),
        )
    }

    /// The statement as JSON, with all numbers at full precision.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a statement has string keys only")
    }

    /// Reads a statement from JSON.
    ///
    /// # Errors
    ///
    /// [`AccountingError::MalformedJson`](crate::AccountingError::MalformedJson).
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(malformed)
    }

    /// The statement as a Markdown section.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::from("## Privacy statement\n\n");
        if self.is_void() {
            text.push_str(&format!("> **{SEEDED}**\n\n"));
        }
        text.push_str(&format!("**{}**\n\n| | |\n|---|---|\n", self.headline()));
        for (name, value) in self.facts() {
            text.push_str(&format!("| {name} | {} |\n", value.replace('|', "\\|")));
        }
        for (title, items) in self.lists() {
            text.push_str(&format!("\n{title}:\n\n"));
            for item in items {
                text.push_str(&format!("- {item}\n"));
            }
        }
        text
    }

    /// The facts below the headline, as names and values.
    fn facts(&self) -> Vec<(String, String)> {
        let mut facts: Vec<(String, String)> = vec![
            ("Data set".into(), self.dataset.clone()),
            ("Protected unit".into(), self.protected_unit.clone()),
            ("Adjacency".into(), format!("{}: {}", self.adjacency, self.adjacency.explanation())),
            ("Mechanism".into(), self.mechanism.clone()),
            ("Sampling".into(), self.sampling.clone()),
            ("Sampling rate".into(), self.sampling_rate.to_string()),
            ("Nominal data-set size".into(), self.nominal_dataset_size.to_string()),
            ("Expected batch size".into(), self.expected_batch_size.to_string()),
            ("Clipping norm".into(), self.clipping_norm.to_string()),
            ("Sensitivity of the sum".into(), self.sensitivity.to_string()),
            ("Noise multiplier".into(), self.noise_multiplier.to_string()),
            (
                "Noise standard deviation".into(),
                format!("{} (multiplier x sensitivity)", self.noise_standard_deviation),
            ),
            ("Steps".into(), format!("{} planned, {} charged", self.planned_steps, self.charged_steps)),
            ("Delta".into(), round_up_for_display(self.delta)),
        ];
        for report in &self.planned_epsilon {
            facts.push((format!("Planned epsilon by {}", method(report)), round_up_for_display(report.epsilon)));
        }
        for report in &self.epsilon_so_far {
            facts.push((
                format!("Epsilon so far by {}", method(report)),
                format!("{} ({STOPPING_CAVEAT})", round_up_for_display(report.epsilon)),
            ));
        }
        facts.push((
            "Randomness".into(),
            match self.entropy {
                Entropy::Os => "operating system's cryptographic generator".into(),
                Entropy::Seeded => "fixed seed, which makes all figures here void".into(),
            },
        ));
        facts
    }

    fn lists(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        [("Assumptions", self.assumptions.as_slice()), ("Not covered", self.not_covered.as_slice())]
            .into_iter()
            .filter(|(_, items)| !items.is_empty())
    }
}

/// What a statement of a seeded run says first.
const SEEDED: &str = "NOT PRIVATE: fixed seed";

/// The accountant's name, and what its figure is.
fn method(report: &EpsilonReport) -> String {
    let kind = if report.is_bound { "upper bound" } else { "an estimate, not a bound" };
    format!("{}, {kind}", report.accountant)
}

impl fmt::Display for PrivacyStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_void() {
            writeln!(f, "*** {SEEDED} ***\n")?;
        }
        writeln!(f, "Privacy statement\n{}\n", self.headline())?;
        let facts = self.facts();
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &facts {
            writeln!(f, "  {name:width$}  {value}")?;
        }
        let mut lists = String::new();
        for (title, items) in self.lists() {
            write!(lists, "\n{title}:\n")?;
            for item in items {
                writeln!(lists, "  - {item}")?;
            }
        }
        f.write_str(&lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(entropy: Entropy) -> PrivacyStatement {
        let report = |epsilon| {
            vec![
                EpsilonReport { accountant: "RDP".into(), epsilon, is_bound: true },
                EpsilonReport { accountant: "contour".into(), epsilon: f64::INFINITY, is_bound: false },
            ]
        };
        PrivacyStatement {
            protected_unit: "one training image".into(),
            adjacency: Adjacency::AddOrRemoveOne,
            mechanism: "DP-SGD".into(),
            sampling: "Poisson".into(),
            sampling_rate: 0.005,
            nominal_dataset_size: 50_000,
            expected_batch_size: 250.0,
            clipping_norm: 1.0,
            sensitivity: 1.0,
            noise_multiplier: 1.1,
            noise_standard_deviation: 1.1,
            planned_steps: 2_000,
            charged_steps: 1_000,
            delta: 1e-5,
            planned_epsilon: report(1.183_219_7),
            epsilon_so_far: report(0.8),
            entropy,
            dataset: "CIFAR-10".into(),
            assumptions: PrivacyStatement::standard_assumptions(),
            not_covered: PrivacyStatement::standard_exclusions(),
        }
    }

    #[test]
    fn text_says_what_matters() {
        for text in [statement(Entropy::Os).to_string(), statement(Entropy::Os).to_markdown()] {
            assert!(text.contains("(1.184, 1e-5)-differential privacy"), "{text}");
            assert!(text.contains(STOPPING_CAVEAT));
            assert!(text.contains("an estimate, not a bound"));
            assert!(text.contains("hyper-parameter search"));
            assert!(!text.contains("NOT PRIVATE"));
        }
    }

    #[test]
    fn a_fixed_seed_is_said_first() {
        assert!(statement(Entropy::Seeded).to_string().starts_with("*** NOT PRIVATE: fixed seed ***"));
        let markdown = statement(Entropy::Seeded).to_markdown();
        assert!(markdown.find("NOT PRIVATE").unwrap() < markdown.find("DP-SGD").unwrap());
    }

    #[test]
    fn json_round_trip_keeps_everything() {
        let before = statement(Entropy::Os);
        let json = before.to_json();
        assert!(json.contains("\"inf\""));
        assert_eq!(PrivacyStatement::from_json(&json).unwrap(), before);
        assert!(PrivacyStatement::from_json("{}").is_err());
    }
}
