//! What all predictors share: a run of the ledger, its noise, and its statement.

use std::fmt;

use burn_privacy_budget::ledger::{Ledger, RunId};
use burn_privacy_mechanisms::{Entropy, PrivacyKey, fill_gaussian_f64};

use crate::error::{EnsembleError, Result};
use crate::plan::{QueryPlan, epsilon};
use crate::statement::PredictionStatement;

/// Private answers from an ensemble of teachers, of one [`Aggregation`]: [`NoisyMean`](crate::NoisyMean),
/// [`NoisyVote`](crate::NoisyVote), [`ConfidentVote`](crate::ConfidentVote).
///
/// It holds its run of the ledger until it is dropped. Each answer is charged before it leaves.
pub struct Predictor<A> {
    pub(crate) aggregation: A,
    pub(crate) queries: Queries,
}

/// How the teachers' predictions become one answer.
pub trait Aggregation {
    /// What releases, such as "mean of 50 teachers' predictions, .., with Gaussian noise", after `answered` of `planned`
    /// answers.
    fn mechanism(&self, teachers: usize, planned: u64, answered: u64) -> String;

    /// A noisy test before each answer, with its run, if there is one.
    fn test(&self) -> Option<(&QueryPlan, RunId)> {
        None
    }
}

impl<A: Aggregation> Predictor<A> {
    /// Answers that are left.
    ///
    /// # Errors
    ///
    /// None for a predictor that was opened; the type is the ledger's.
    pub fn remaining(&self) -> Result<u64> {
        Ok(self.queries.ledger.remaining(self.queries.run)?)
    }

    /// What is charged for the answers and for the tests before them; where there are tests, the counts are theirs.
    ///
    /// # Errors
    ///
    /// As [`remaining`](Self::remaining).
    pub fn statement(&self) -> Result<PredictionStatement> {
        let Queries { plan, ledger, run, private, .. } = &self.queries;
        let mut runs = vec![(plan, ledger.charged(*run)?)];
        if let Some((tests, run)) = self.aggregation.test() {
            runs.insert(0, (tests, ledger.charged(run)?));
        }
        let planned: Vec<(&QueryPlan, u64)> = runs.iter().map(|(plan, _)| (*plan, plan.queries())).collect();
        let mut epsilon_so_far = epsilon(&runs, plan.delta())?;
        if !private {
            epsilon_so_far.epsilon = f64::INFINITY;
        }
        let (counted, charged) = runs[0];
        Ok(PredictionStatement {
            mechanism: self.aggregation.mechanism(self.queries.teachers, plan.queries(), ledger.released(*run)?),
            dataset: ledger.dataset().to_owned(),
            planned_queries: counted.queries(),
            charged_queries: charged,
            noise_multiplier: counted.noise_multiplier(),
            delta: plan.delta(),
            planned_epsilon: epsilon(&planned, plan.delta())?,
            epsilon_so_far,
            private: *private,
        })
    }

    /// Ends the run: writes to the ledger how many answers were really given. Where there are tests, their number is written, and
    /// as many answers, given or not: all that are planned once the last answer was given.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(mut self) -> Result<PredictionStatement> {
        let statement = self.statement()?;
        let Queries { plan, ledger, run, .. } = &mut self.queries;
        let mut answered = ledger.released(*run)?;
        if let Some((_, tests)) = self.aggregation.test() {
            let all = answered == plan.queries();
            let tested = if all { ledger.charged(tests)? } else { ledger.released(tests)? };
            ledger.close(tests, tested)?;
            answered = answered.max(tested.min(plan.queries()));
        }
        ledger.close(*run, answered)?;
        Ok(statement)
    }
}

impl<A> fmt::Debug for Predictor<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor anything that was asked.
        f.debug_struct("Predictor").field("plan", &self.queries.plan).finish_non_exhaustive()
    }
}

/// A ledger's run of queries, with the key of their noise.
pub(crate) struct Queries {
    pub(crate) plan: QueryPlan,
    pub(crate) teachers: usize,
    pub(crate) ledger: Ledger,
    pub(crate) private: bool,
    pub(crate) run: RunId,
    key: PrivacyKey,
    /// The number of the next draw of noise.
    draw: u64,
}

impl Queries {
    pub(crate) fn open(
        plan: QueryPlan,
        teachers: usize,
        mut ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        if teachers == 0 {
            return Err(EnsembleError::plan("teachers", 0, "at least 1"));
        }
        let private = entropy.is_private();
        let key = PrivacyKey::draw(entropy)?;
        let run = ledger.begin_or_resume(plan.description(name, private)?)?;
        Ok(Self { plan, teachers, ledger, run, key, private, draw: 0 })
    }

    /// Lets a question with one prediction of each teacher pass.
    pub(crate) fn check(&self, predictions: usize) -> Result<()> {
        if predictions == self.teachers {
            return Ok(());
        }
        let allowed = format!("one of each of the {} teachers", self.teachers);
        Err(EnsembleError::plan("predictions", predictions, allowed))
    }

    /// Charges an answer.
    pub(crate) fn charge(&mut self) -> Result<()> {
        self.ledger.charge_step(self.run)?;
        Ok(())
    }

    /// Charges a run's first so many steps, whether they are ever made or not.
    pub(crate) fn charge_first(&mut self, run: RunId, steps: u64) -> Result<()> {
        let more = steps.saturating_sub(self.ledger.charged(run)?);
        Ok(self.ledger.reserve(run, more)?)
    }

    /// Noise that was not drawn before.
    pub(crate) fn noise(&mut self, out: &mut [f64], deviation: f64) -> Result<()> {
        fill_gaussian_f64(&self.key, self.draw, 0, out, deviation)?;
        self.draw += 1;
        Ok(())
    }
}
