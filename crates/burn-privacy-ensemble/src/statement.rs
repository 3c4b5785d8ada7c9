use std::fmt;

use burn_privacy_accounting::round_up_for_display;

/// What the answers of a predictor have cost, and what that rests on.
#[derive(Debug, Clone, PartialEq)]
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
    /// Epsilon of all planned answers, an upper bound.
    pub planned_epsilon: f64,
    /// Epsilon of the charged answers, an upper bound; valid if the decision to stop does not depend on private data.
    /// Infinite for a fixed seed.
    pub epsilon_so_far: f64,
    /// False for a fixed seed: nothing here holds then.
    pub private: bool,
}

impl fmt::Display for PredictionStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.private {
            writeln!(f, "*** NOT PRIVATE: fixed seed ***\n")?;
        }
        let delta = round_up_for_display(self.delta);
        writeln!(f, "Privacy statement")?;
        writeln!(
            f,
            "Output perturbation: all {} answers together {} ({}, {delta})-differentially private for one training record \
             under add-or-remove-one adjacency (by PLD, upper bound)\n",
            self.planned_queries,
            if self.private { "are" } else { "would be, with fresh randomness," },
            round_up_for_display(self.planned_epsilon),
        )?;
        writeln!(f, "  Data set          {}", self.dataset)?;
        writeln!(f, "  Mechanism         {}", self.mechanism)?;
        writeln!(f, "  Noise multiplier  {}", self.noise_multiplier)?;
        writeln!(f, "  Answers           {} planned, {} charged", self.planned_queries, self.charged_queries)?;
        writeln!(
            f,
            "  Epsilon so far    {} (valid if the decision to stop does not depend on private data)",
            round_up_for_display(self.epsilon_so_far),
        )?;
        writeln!(f, "\nAssumptions:")?;
        writeln!(f, "  - each record belongs to one protected unit only, and to one teacher's shard")?;
        writeln!(f, "  - teachers learn from their own shard alone, and are never released")?;
        writeln!(f, "  - questions are not chosen by looking at the private data")?;
        writeln!(f, "\nNot covered:")?;
        writeln!(f, "  - the questions themselves, and hyper-parameters that were chosen on the private data")
    }
}
