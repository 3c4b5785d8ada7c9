//! What a run of several phases says of itself.

use std::fmt;

use burn_privacy_accounting::{Adjacency, EpsilonReport, round_up_for_display};
use serde::{Deserialize, Serialize};

use super::{Caveats, Fact, FactTable, Guarantee, RandomnessSource, STOPPING_CAVEAT, Statement, text};

/// One phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseFacts {
    /// What was released.
    pub name: String,
    /// Probability of each record to be in a release's sum.
    pub sampling_rate: f64,
    /// L2 sensitivity of the sum.
    pub sensitivity: f64,
    /// Noise standard deviation divided by the sensitivity.
    pub noise_multiplier: f64,
    /// Standard deviation of the noise on each entry of the sum.
    pub noise_standard_deviation: f64,
    /// Releases that the plan allows.
    pub planned_steps: u64,
    /// Releases that were charged.
    pub charged_steps: u64,
}

/// What was protected by a plan of several phases, how, and how well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "a statement says what the release is worth: publish it beside it"]
pub struct PhasedStatement {
    /// The mechanism in words.
    pub mechanism: String,
    /// What one record is.
    pub protected_unit: String,
    /// Which data sets are neighbors.
    pub adjacency: Adjacency,
    /// The delta of all figures.
    pub delta: f64,
    /// Public, nominal number of records.
    pub nominal_dataset_size: u64,
    /// Epsilon of the planned mechanism.
    pub planned_epsilon: EpsilonReport,
    /// Epsilon of the charged releases.
    pub epsilon_so_far: EpsilonReport,
    /// All phases, in their order.
    pub phases: Vec<PhaseFacts>,
    /// Where the randomness came from.
    pub entropy: RandomnessSource,
    /// Name of the data set.
    pub dataset: String,
    /// What the guarantee rests on.
    pub assumptions: Vec<String>,
    /// What the guarantee leaves out.
    pub not_covered: Vec<String>,
}

impl Statement for PhasedStatement {
    fn kind(&self) -> &'static str {
        "Privacy statement"
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::DifferentialPrivacy {
            mechanism: self.mechanism.clone(),
            epsilon: self.planned_epsilon.epsilon,
            delta: self.delta,
            is_bound: self.planned_epsilon.is_bound,
            of: format!("{} under {} adjacency", self.protected_unit, self.adjacency),
            accountant: self.planned_epsilon.accountant.clone(),
            local: false,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let shown = |report: &EpsilonReport| match self.is_void() {
            true => "void: fixed seed".to_owned(),
            false => round_up_for_display(report.epsilon),
        };
        vec![
            Fact::new("Data set", &self.dataset),
            Fact::new("Protected unit", &self.protected_unit),
            Fact::new("Adjacency", format!("{}: {}", self.adjacency, self.adjacency.explanation())),
            Fact::new("Nominal data-set size", self.nominal_dataset_size),
            Fact::new("Delta", round_up_for_display(self.delta)),
            Fact::new(
                format!("Epsilon of all phases by {}", self.planned_epsilon.accountant),
                shown(&self.planned_epsilon),
            ),
            Fact::new("Epsilon so far", format!("{} ({STOPPING_CAVEAT})", shown(&self.epsilon_so_far))),
            Fact::new("Randomness", self.entropy),
        ]
    }

    fn tables(&self) -> Vec<FactTable> {
        let rows = self.phases.iter().map(|phase| {
            vec![
                phase.name.clone(),
                format!("{} of {}", phase.charged_steps, phase.planned_steps),
                format!("{:.6}", phase.sampling_rate),
                format!("{:.6}", phase.sensitivity),
                format!("{:.4}", phase.noise_multiplier),
                format!("{:.6}", phase.noise_standard_deviation),
            ]
        });
        let columns = vec!["phase", "releases", "sampling rate", "sensitivity", "noise multiplier", "noise std"];
        vec![FactTable { columns, rows: rows.collect() }]
    }

    fn caveats(&self) -> Vec<Caveats> {
        Caveats::both(&self.assumptions, &self.not_covered)
    }

    fn is_void(&self) -> bool {
        self.entropy == RandomnessSource::Seeded
    }
}

impl fmt::Display for PhasedStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}
