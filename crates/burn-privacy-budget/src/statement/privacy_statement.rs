//! A privacy statement: what was protected, how, and how well; not just a number.

use std::fmt;

use burn_privacy_accounting::{AccountingError, Adjacency, EpsilonReport, Result, round_up_for_display};
use serde::{Deserialize, Serialize};

use super::{Caveats, Fact, Guarantee, RandomnessSource, Statement, markdown, text};

/// The caveat that belongs to every epsilon of an unfinished run.
pub const STOPPING_CAVEAT: &str = "valid if the decision to stop does not depend on private data";

/// What was protected, how, and how well: a record of facts, for people ([`fmt::Display`], [`Self::to_markdown`]) and
/// for machines ([`Self::to_json`]).
///
/// The headline is the planned mechanism. Epsilons are shown rounded up. A run from a fixed seed says first of all
/// that it is not private.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a statement says what the release is worth: publish it beside it"]
pub struct PrivacyStatement {
    /// What one record is, such as `"one training image"`.
    pub protected_unit: String,
    /// Which data sets are neighbors.
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
    /// How contributions are bounded, in words; empty in statements of earlier versions.
    #[serde(default)]
    pub clipping: String,
    /// The norm C to which each record's contribution is clipped.
    pub clipping_norm: f64,
    /// L2 sensitivity of the clipped sum to what is sampled and clipped as one, under the adjacency.
    pub sensitivity: f64,
    /// What the sensitivity is of, if not of the protected unit in every step: of one record of a user, of the first step.
    #[serde(default)]
    pub sensitivity_of: String,
    /// Noise standard deviation divided by the sensitivity.
    pub noise_multiplier: f64,
    /// Standard deviation of the noise on each coordinate of the sum: noise multiplier x sensitivity, where both are those of one step.
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
    pub entropy: RandomnessSource,
    /// Name of the data set.
    pub dataset: String,
    /// What the guarantee rests on; [`Self::standard_assumptions`] is a start.
    pub assumptions: Vec<String>,
    /// What the guarantee leaves out; [`Self::standard_exclusions`] is a start.
    pub not_covered: Vec<String>,
}

impl PrivacyStatement {
    fn sensitivity_in_words(&self) -> String {
        if self.sensitivity_of.is_empty() {
            self.sensitivity.to_string()
        } else {
            format!("{} ({})", self.sensitivity, self.sensitivity_of)
        }
    }

    /// With the relation to the other two figures, where it holds of them.
    fn deviation_in_words(&self) -> String {
        let product = self.noise_multiplier * self.sensitivity;
        let deviation = self.noise_standard_deviation;
        if (deviation - product).abs() <= 1e-12 * product.abs() {
            format!("{deviation} (multiplier x sensitivity)")
        } else {
            deviation.to_string()
        }
    }

    /// Assumptions that every run of DP-SGD rests on.
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
    pub fn standard_exclusions() -> Vec<String> {
        [
            "hyper-parameter search: every run on the private data costs, whether its model is published or not",
            "metrics: losses and accuracies that were computed on private data and shown",
            "preprocessing that looked at the private data, such as normalization statistics, vocabularies and de-duplication",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The statement as JSON, with all numbers at full precision.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a statement has string keys only")
    }

    /// Reads a statement from JSON.
    ///
    /// # Errors
    ///
    /// [`AccountingError::MalformedJson`](burn_privacy_accounting::AccountingError::MalformedJson).
    pub fn from_json(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| AccountingError::MalformedJson { reason: error.to_string() })
    }

    /// The statement as a Markdown section.
    pub fn to_markdown(&self) -> String {
        markdown(self)
    }
}

impl Statement for PrivacyStatement {
    fn kind(&self) -> &'static str {
        "Privacy statement"
    }

    fn guarantee(&self) -> Guarantee {
        let Some(first) = self.planned_epsilon.first() else {
            return Guarantee::Uncounted { mechanism: self.mechanism.clone() };
        };
        Guarantee::DifferentialPrivacy {
            mechanism: self.mechanism.clone(),
            epsilon: first.epsilon,
            delta: self.delta,
            is_bound: first.is_bound,
            of: format!("{} under {} adjacency", self.protected_unit, self.adjacency),
            accountant: first.accountant.clone(),
            local: false,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![
            Fact::new("Data set", &self.dataset),
            Fact::new("Protected unit", &self.protected_unit),
            Fact::new("Adjacency", format!("{}: {}", self.adjacency, self.adjacency.explanation())),
            Fact::new("Mechanism", &self.mechanism),
            Fact::new("Sampling", &self.sampling),
            Fact::new("Sampling rate", self.sampling_rate),
            Fact::new("Nominal data-set size", self.nominal_dataset_size),
            Fact::new("Expected batch size", self.expected_batch_size),
            Fact::new("Sensitivity of the sum", self.sensitivity_in_words()),
            Fact::new("Noise multiplier", self.noise_multiplier),
            Fact::new("Noise standard deviation", self.deviation_in_words()),
            Fact::new("Steps", format!("{} planned, {} charged", self.planned_steps, self.charged_steps)),
            Fact::new("Delta", round_up_for_display(self.delta)),
        ];
        facts.insert(
            8,
            if self.clipping.is_empty() {
                Fact::new("Clipping norm", self.clipping_norm)
            } else {
                Fact::new("Clipping", format!("{}; largest contribution {}", self.clipping, self.clipping_norm))
            },
        );
        for report in &self.planned_epsilon {
            facts.push(Fact::new(format!("Planned epsilon by {}", method(report)), self.figure(report.epsilon)));
        }
        for report in &self.epsilon_so_far {
            let value = if self.is_void() {
                "infinite: fixed seed".to_owned()
            } else {
                format!("{} ({STOPPING_CAVEAT})", round_up_for_display(report.epsilon))
            };
            facts.push(Fact::new(format!("Epsilon so far by {}", method(report)), value));
        }
        facts.push(Fact::new("Randomness", self.entropy));
        facts
    }

    fn caveats(&self) -> Vec<Caveats> {
        Caveats::both(&self.assumptions, &self.not_covered)
    }

    fn is_void(&self) -> bool {
        self.entropy == RandomnessSource::Seeded
    }
}

/// The accountant's name, and what its figure is.
fn method(report: &EpsilonReport) -> String {
    let kind = if report.is_bound { "upper bound" } else { "an estimate, not a bound" };
    format!("{}, {kind}", report.accountant)
}

impl fmt::Display for PrivacyStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(entropy: RandomnessSource) -> PrivacyStatement {
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
            clipping: "flat clipping at norm 1".into(),
            clipping_norm: 1.0,
            sensitivity: 1.0,
            sensitivity_of: String::new(),
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
        for text in [statement(RandomnessSource::Os).to_string(), statement(RandomnessSource::Os).to_markdown()] {
            assert!(text.contains("(1.184, 1e-5)-differential privacy"), "{text}");
            assert!(text.contains(STOPPING_CAVEAT));
            assert!(text.contains("an estimate, not a bound"));
            assert!(text.contains("hyper-parameter search"));
            assert!(!text.contains("NOT PRIVATE"));
        }
    }

    #[test]
    fn a_fixed_seed_is_said_first() {
        assert!(statement(RandomnessSource::Seeded).to_string().starts_with("*** NOT PRIVATE: fixed seed ***"));
        let markdown = statement(RandomnessSource::Seeded).to_markdown();
        assert!(markdown.find("NOT PRIVATE").unwrap() < markdown.find("DP-SGD").unwrap());
        // No number stands there as if it held.
        assert!(markdown.contains("void: fixed seed; with fresh randomness 1.184"), "{markdown}");
        assert!(markdown.contains("| infinite: fixed seed |") && !markdown.contains("0.8"), "{markdown}");
    }

    #[test]
    fn json_round_trip_keeps_everything() {
        let before = statement(RandomnessSource::Os);
        let json = before.to_json();
        assert!(json.contains("\"inf\""));
        assert_eq!(PrivacyStatement::from_json(&json).unwrap(), before);
        assert!(PrivacyStatement::from_json("{}").is_err());
    }
}
