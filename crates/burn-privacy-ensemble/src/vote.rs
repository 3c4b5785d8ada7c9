//! Noisy votes: the class with the most of them, always or only where the teachers agree.

use burn_privacy_budget::ledger::{Ledger, RunId};
use burn_privacy_mechanisms::Entropy;

use crate::error::{EnsembleError, Result};
use crate::plan::QueryPlan;
use crate::predictor::{Aggregation, Predictor, Queries};

/// The class with the most votes after Gaussian noise on each count (GNMax).
///
/// # Formal guarantees
///
/// A record more or less moves one teacher's vote, which changes two counts by one: L2 sensitivity sqrt(2). The noise is
/// that times the plan's multiplier (Papernot et al., arXiv 1802.08908, section 4.1). The data-independent bound is counted.
pub type NoisyVote = Predictor<Votes>;

/// [`NoisyVote`] that abstains where the teachers don't agree (Confident-GNMax, Papernot et al., arXiv 1802.08908,
/// algorithm 1).
///
/// # Formal guarantees
///
/// The largest count changes by at most 1 with a record; its noisy test is charged whether it passes or not, and so is an answer
/// as those of [`NoisyVote`]: private votes decide which questions are answered, so that how many answers were given is no plan, and
/// what is composed must not depend on it. For the same reason all tests of the plan are charged with its last answer. Questions
/// that were not answered leave their answer to later ones, but for those after a restart.
pub type ConfidentVote = Predictor<VotesAboveThreshold>;

/// Votes are counted by class.
#[derive(Clone, Debug)]
pub struct Votes {
    classes: usize,
}

/// Votes are counted by class, and nothing is answered where the largest count fails a noisy test.
#[derive(Clone, Debug)]
pub struct VotesAboveThreshold {
    votes: Votes,
    threshold: f64,
    tests: QueryPlan,
    tests_run: RunId,
}

impl Votes {
    fn new(classes: usize) -> Result<Self> {
        if classes < 2 {
            return Err(EnsembleError::plan("classes", classes, "at least 2"));
        }
        Ok(Self { classes })
    }

    fn counts(&self, votes: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.classes];
        votes.iter().for_each(|&vote| counts[vote.min(self.classes - 1)] += 1.0);
        counts
    }

    /// The class with the most votes after noise; charged first.
    fn most(&self, votes: &[usize], queries: &mut Queries) -> Result<usize> {
        queries.charge()?;
        let mut noise = vec![0.0; self.classes];
        let deviation = 2.0_f64.sqrt() * (1.0 + f64::EPSILON) * queries.plan.noise_multiplier();
        queries.noise(&mut noise, deviation)?;
        let noisy = self.counts(votes).into_iter().zip(noise).map(|(count, noise)| count + noise);
        Ok(noisy.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(class, _)| class))
    }
}

impl Aggregation for Votes {
    fn mechanism(&self, teachers: usize, _: u64, _: u64) -> String {
        format!("most votes of {teachers} teachers for {} classes, with Gaussian noise", self.classes)
    }
}

impl Aggregation for VotesAboveThreshold {
    fn mechanism(&self, teachers: usize, planned: u64, answered: u64) -> String {
        format!(
            "most votes of {teachers} teachers for {} classes where a noisy count exceeds {}, with Gaussian noise; at most {planned} \
             answers, {answered} given",
            self.votes.classes, self.threshold
        )
    }

    fn test(&self) -> Option<(&QueryPlan, RunId)> {
        Some((&self.tests, self.tests_run))
    }
}

impl NoisyVote {
    /// Opens the run `name` of the ledger, which it holds until it is dropped.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for fewer than two classes or no teachers; [`EnsembleError::Ledger`] if the run's answers are
    /// spent, or it has another plan.
    pub fn open(
        plan: QueryPlan,
        classes: usize,
        teachers: usize,
        ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        let aggregation = Votes::new(classes)?;
        Ok(Self { aggregation, queries: Queries::open(plan, teachers, ledger, name, entropy)? })
    }

    /// The class with the most votes after noise. A vote for a class that there isn't counts for the last one.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when all planned answers are spent, or the ledger can't be written: nothing is released then.
    pub fn answer(&mut self, votes: &[usize]) -> Result<usize> {
        self.queries.check(votes.len())?;
        self.aggregation.most(votes, &mut self.queries)
    }
}

impl ConfidentVote {
    /// Opens the runs `name` (answers) and `name`, tests (the threshold's) of the ledger. `tests` is the plan of the
    /// threshold test, whose noise has a standard deviation of its multiplier in votes; `threshold` is in votes.
    ///
    /// # Errors
    ///
    /// As [`NoisyVote::open`]; [`EnsembleError::Plan`] for a threshold that is not finite, or if the plans' deltas differ.
    #[allow(clippy::too_many_arguments)]
    pub fn open(
        tests: QueryPlan,
        answers: QueryPlan,
        threshold: f64,
        classes: usize,
        teachers: usize,
        ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        if !threshold.is_finite() {
            return Err(EnsembleError::plan("threshold", threshold, "a finite number of votes"));
        }
        if tests.delta() != answers.delta() {
            return Err(EnsembleError::plan("delta", tests.delta(), "the same for tests and answers"));
        }
        let votes = Votes::new(classes)?;
        let mut queries = Queries::open(answers, teachers, ledger, name, entropy)?;
        let description = tests.description(&format!("{name}, tests"), queries.private)?;
        let tests_run = queries.ledger.begin_or_resume(description)?;
        Ok(Self { aggregation: VotesAboveThreshold { votes, threshold, tests, tests_run }, queries })
    }

    /// The class with the most votes, or nothing if the noisy test says that the teachers don't agree.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when the planned tests or answers are spent, or the ledger can't be written: nothing is
    /// released then. A question is refused before its test if no answer is left, so that the refusal says nothing about the
    /// votes.
    pub fn answer(&mut self, votes: &[usize]) -> Result<Option<usize>> {
        self.queries.check(votes.len())?;
        if self.remaining()? == 0 {
            return Err(EnsembleError::BudgetSpent { steps: self.queries.plan.queries() });
        }
        let last = self.remaining()? == 1;
        let VotesAboveThreshold { votes: counter, threshold, tests, tests_run } = &self.aggregation;
        self.queries.ledger.charge_step(*tests_run)?;
        // Before the votes are looked at, and whatever they say.
        let charged = self.queries.ledger.charged(*tests_run)?.min(self.queries.plan.queries());
        self.queries.charge_first(self.queries.run, charged)?;
        let most = counter.counts(votes).into_iter().fold(0.0, f64::max);
        let mut noise = [0.0];
        self.queries.noise(&mut noise, tests.noise_multiplier())?;
        if most + noise[0] < *threshold {
            return Ok(None);
        }
        if last {
            // Private votes decide after how many tests it is given.
            self.queries.charge_first(*tests_run, tests.queries())?;
        }
        counter.most(votes, &mut self.queries).map(Some)
    }
}
