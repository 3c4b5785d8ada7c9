//! What several private runs on the same records cost together: each of their figures is released, not only the best one's.

use burn_privacy::accounting::{EpsilonReport, round_up_for_display};
use burn_privacy::ledger::COMPOSITION_CAVEAT;
use burn_privacy::prelude::*;

use crate::Result;

/// Runs under add-or-remove-one adjacency, for programs that keep no ledger.
pub struct RunsTogether {
    accountant: PldAccountant,
    runs: u64,
    /// None has a fixed seed.
    private: bool,
}

impl RunsTogether {
    /// No run yet; `private` unless they are seeded, which protects nobody.
    pub fn new(private: bool) -> Self {
        Self { accountant: PldAccountant::new(Adjacency::AddOrRemoveOne), runs: 0, private }
    }

    /// Adds all steps of a plan.
    ///
    /// # Errors
    ///
    /// A sentence for a plan under another adjacency.
    pub fn add(&mut self, plan: &PrivacyPlan) -> Result<()> {
        if plan.adjacency() != Adjacency::AddOrRemoveOne {
            return Err(format!(
                "a run under {} can't be added to others under add-or-remove-one adjacency",
                plan.adjacency()
            )
            .into());
        }
        self.accountant.compose(plan.event(), 1)?;
        self.runs += 1;
        Ok(())
    }

    /// Epsilon of all at `delta`, an upper bound if no run was planned by the results of another.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn epsilon(&self, delta: f64) -> Result<f64> {
        Ok(if self.private { EpsilonReport::of(&self.accountant, delta)?.epsilon } else { f64::INFINITY })
    }

    /// The line to print below a table of the runs.
    ///
    /// # Errors
    ///
    /// As [`epsilon`](Self::epsilon).
    pub fn sentence(&self, delta: f64) -> Result<String> {
        let epsilon = round_up_for_display(self.epsilon(delta)?);
        let caveat = if self.private { COMPOSITION_CAVEAT } else { "they have a fixed seed: nothing is private" };
        Ok(format!(
            "Each epsilon is that of one run. All {} private runs of this command together: epsilon {epsilon} at delta {delta} \
             ({caveat}).",
            self.runs
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_runs_cost_more_than_one_and_less_than_twice_as_much() {
        let plan = PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(100, 1_000))
            .with_noise(NoiseLevel::multiplier(2.0))
            .with_delta(1e-5)
            .with_steps(50)
            .build()
            .unwrap();
        let one = plan.epsilon(1e-5).unwrap();
        let mut together = RunsTogether::new(true);
        together.add(&plan).unwrap();
        assert!((together.epsilon(1e-5).unwrap() - one).abs() < 1e-3 * one);
        together.add(&plan).unwrap();
        let both = together.epsilon(1e-5).unwrap();
        assert!(both > 1.2 * one && both < 2.0 * one, "{one} {both}");
        assert!(together.sentence(1e-5).unwrap().contains("All 2 private runs"));
        assert!(RunsTogether::new(false).sentence(1e-5).unwrap().contains("epsilon inf"));
        let other = PrivacyPlanConfig::new()
            .with_adjacency(Adjacency::ReplaceOne)
            .with_sampling(Sampling::full_batch(1_000))
            .with_noise(NoiseLevel::multiplier(2.0))
            .with_delta(1e-5)
            .with_steps(5)
            .build()
            .unwrap();
        assert!(together.add(&other).is_err());
    }
}
