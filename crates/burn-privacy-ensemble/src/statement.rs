//! What the answers of a predictor have cost, and what that rests on.

use std::fmt;

use burn_privacy_accounting::{EpsilonReport, round_up_for_display};
use burn_privacy_budget::statement::{Caveats, Fact, Guarantee, Noise, STOPPING_CAVEAT, Statement, text};

/// What the answers of a predictor have cost, and what that rests on.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a statement says what the release is worth: publish it beside it"]
pub struct PredictionStatement {
    /// Such as "mean of 50 teachers with Gaussian noise".
    pub mechanism: String,
    /// Name of the data set.
    pub dataset: String,
    /// Answers that the plan allows.
    pub planned_queries: u64,
    /// Answers that were charged.
    pub charged_queries: u64,
    /// Standard deviation of the noise over the sensitivity of one answer.
    pub noise_multiplier: f64,
    /// The delta of both epsilons.
    pub delta: f64,
    /// Epsilon of all planned answers, an upper bound, with the method that proved it.
    pub planned_epsilon: EpsilonReport,
    /// Epsilon of the charged answers, an upper bound; valid if the decision to stop does not depend on private data.
    /// Infinite for a fixed seed.
    pub epsilon_so_far: EpsilonReport,
    /// False for a fixed seed: nothing here holds then.
    pub private: bool,
}

impl Statement for PredictionStatement {
    fn kind(&self) -> &'static str {
        "Privacy statement"
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::DifferentialPrivacy {
            mechanism: format!("Output perturbation, all {} answers together", self.planned_queries),
            epsilon: self.planned_epsilon.epsilon,
            delta: self.delta,
            is_bound: self.planned_epsilon.is_bound,
            of: "one training record under add-or-remove-one adjacency".into(),
            accountant: self.planned_epsilon.accountant.clone(),
            local: false,
        }
    }

    fn facts(&self) -> Vec<Fact> {
        let EpsilonReport { accountant, epsilon, .. } = &self.epsilon_so_far;
        let so_far = round_up_for_display(*epsilon);
        vec![
            Fact::new("Data set", &self.dataset),
            Fact::new("Mechanism", &self.mechanism),
            Fact::new("Noise multiplier", self.noise_multiplier),
            Fact::new("Answers", format!("{} planned, {} charged", self.planned_queries, self.charged_queries)),
            Fact::new("Epsilon so far", format!("{so_far} (by {accountant}; {STOPPING_CAVEAT})")),
        ]
    }

    fn caveats(&self) -> Vec<Caveats> {
        let assumptions = [
            "each record belongs to one protected unit only, and was put into one teacher's shard by a secret coin or by what it holds \
             itself: not by its place in the data",
            "teachers learn from their own shard alone, and are never released",
            "questions are not chosen by looking at the private data",
            Noise::FloatingPoint.assumption(),
        ];
        let not_covered = ["the questions themselves, and hyper-parameters that were chosen on the private data"];
        Caveats::both(&assumptions, &not_covered)
    }

    fn is_void(&self) -> bool {
        !self.private
    }
}

impl fmt::Display for PredictionStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(self))
    }
}
