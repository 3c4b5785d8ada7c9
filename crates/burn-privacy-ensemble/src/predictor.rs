//! Private answers from an ensemble of teachers: noisy mean, noisy vote, and the vote that abstains without agreement.

use std::ops::RangeInclusive;

use burn_privacy_mechanisms::{Entropy, PrivacyKey, fill_gaussian_f64};

use super::clipped_mean::{clipped_mean, sensitivity};
use super::plan::{QueryPlan, epsilon};
use super::statement::PredictionStatement;
use crate::error::{EnsembleError, Result};
use burn_privacy_budget::ledger::{Ledger, RunId};

/// The mean of the teachers' clipped predictions, plus Gaussian noise.
///
/// # Formal guarantees
///
/// A record more or less changes one teacher's prediction by no more than the range is wide, and so the mean by range /
/// teachers; the noise is that times the plan's multiplier, both in units of the range's width, so that no rounding of
/// numbers far away from zero is larger than counted (it is scaled back afterwards) (Dwork and Roth, The Algorithmic Foundations of Differential
/// Privacy, 2014, appendix A, with the exact curve of Balle and Wang, arXiv 1805.06530).
pub struct NoisyMean {
    range: RangeInclusive<f64>,
    queries: Queries,
}

/// The class with the most votes after Gaussian noise on each count (GNMax).
///
/// # Formal guarantees
///
/// A record more or less moves one teacher's vote, which changes two counts by one: L2 sensitivity sqrt(2). The noise is
/// that times the plan's multiplier (Papernot et al., arXiv 1802.08908, section 4.1). The data-independent bound is counted.
pub struct NoisyVote {
    classes: usize,
    queries: Queries,
}

/// [`NoisyVote`] that abstains where the teachers don't agree (Confident-GNMax, Papernot et al., arXiv 1802.08908,
/// algorithm 1).
///
/// # Formal guarantees
///
/// The largest count changes by at most 1 with a record; its noisy test is charged whether it passes or not. The answers
/// that pass are charged besides, as those of [`NoisyVote`].
pub struct ConfidentVote {
    threshold: f64,
    tests: QueryPlan,
    tests_run: RunId,
    votes: NoisyVote,
}

/// A ledger's run of queries, with the key of their noise.
struct Queries {
    plan: QueryPlan,
    teachers: usize,
    ledger: Ledger,
    run: RunId,
    key: PrivacyKey,
    private: bool,
    /// The number of the next draw of noise.
    draw: u64,
}

impl Queries {
    fn open(plan: QueryPlan, teachers: usize, mut ledger: Ledger, name: &str, entropy: &Entropy) -> Result<Self> {
        if teachers == 0 {
            return Err(EnsembleError::Plan { field: "teachers", given: "0".into(), allowed: "at least 1".into() });
        }
        let private = entropy.is_private();
        let key = PrivacyKey::draw(entropy)?;
        let run = ledger.begin_or_resume(plan.description(name, private)?)?;
        Ok(Self { plan, teachers, ledger, run, key, private, draw: 0 })
    }

    /// Lets a question with one prediction of each teacher pass.
    fn check(&self, predictions: usize) -> Result<()> {
        if predictions == self.teachers {
            return Ok(());
        }
        Err(EnsembleError::Plan {
            field: "predictions",
            given: predictions.to_string(),
            allowed: format!("one of each of the {} teachers", self.teachers),
        })
    }

    /// Noise that was not drawn before.
    fn noise(&mut self, out: &mut [f64], deviation: f64) -> Result<()> {
        fill_gaussian_f64(&self.key, self.draw, 0, out, deviation)?;
        self.draw += 1;
        Ok(())
    }

    fn remaining(&self) -> Result<u64> {
        Ok(self.ledger.remaining(self.run)?)
    }

    fn statement(&self, mechanism: String) -> Result<PredictionStatement> {
        let charged = self.ledger.charged(self.run)?;
        Ok(PredictionStatement {
            mechanism,
            dataset: self.ledger.dataset().to_owned(),
            planned_queries: self.plan.queries(),
            charged_queries: charged,
            noise_multiplier: self.plan.noise_multiplier(),
            delta: self.plan.delta(),
            planned_epsilon: self.plan.epsilon_after(self.plan.queries())?,
            epsilon_so_far: if self.private { self.plan.epsilon_after(charged)? } else { f64::INFINITY },
            private: self.private,
        })
    }

    /// Writes how many answers were really given.
    fn close(&mut self, run: RunId) -> Result<()> {
        let released = self.ledger.released(run)?;
        Ok(self.ledger.close(run, released)?)
    }
}

impl NoisyMean {
    /// Opens the run `name` of the ledger, which it holds until it is dropped. `range` is public: predictions are clipped to
    /// it, and NaN counts as its lower end.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for a range that is not finite or empty, or no teachers; [`EnsembleError::Ledger`] if the run's answers are
    /// spent, or it has another plan.
    pub fn open(
        plan: QueryPlan,
        range: RangeInclusive<f64>,
        teachers: usize,
        ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        let width = range.end() - range.start();
        if !(width > 0.0 && width.is_finite()) {
            return Err(EnsembleError::Plan {
                field: "range",
                given: format!("{} to {}", range.start(), range.end()),
                allowed: "two finite numbers, the second above the first".into(),
            });
        }
        Ok(Self { range, queries: Queries::open(plan, teachers, ledger, name, &entropy)? })
    }

    /// The noisy mean of one prediction of each teacher. It may lie outside of the range: clipping it is free.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when all planned answers are spent, or the ledger can't be written: nothing is released then.
    pub fn answer(&mut self, predictions: &[f64]) -> Result<f64> {
        self.queries.check(predictions.len())?;
        self.queries.ledger.charge_step(self.queries.run)?;
        let mean = clipped_mean(&self.range, predictions);
        let mut noise = [0.0];
        self.queries.noise(&mut noise, sensitivity(self.queries.teachers) * self.queries.plan.noise_multiplier())?;
        Ok(self.range.start() + (self.range.end() - self.range.start()) * (mean + noise[0]))
    }

    /// Answers that are left.
    ///
    /// # Errors
    ///
    /// None for a predictor that was opened; the type is the ledger's.
    pub fn remaining(&self) -> Result<u64> {
        self.queries.remaining()
    }

    /// What the answers have cost.
    ///
    /// # Errors
    ///
    /// As [`remaining`](Self::remaining).
    pub fn statement(&self) -> Result<PredictionStatement> {
        self.queries.statement(format!(
            "mean of {} teachers' predictions, clipped to {} .. {}, with Gaussian noise",
            self.queries.teachers,
            self.range.start(),
            self.range.end()
        ))
    }

    /// Ends the run: writes to the ledger how many answers were really given.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(mut self) -> Result<PredictionStatement> {
        let statement = self.statement()?;
        self.queries.close(self.queries.run)?;
        Ok(statement)
    }
}

impl NoisyVote {
    /// Opens the run `name` of the ledger, which it holds until it is dropped.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Plan`] for fewer than two classes or no teachers; [`EnsembleError::Ledger`] if the run's answers are spent, or it
    /// has another plan.
    pub fn open(
        plan: QueryPlan,
        classes: usize,
        teachers: usize,
        ledger: Ledger,
        name: &str,
        entropy: Entropy,
    ) -> Result<Self> {
        if classes < 2 {
            return Err(EnsembleError::Plan {
                field: "classes",
                given: classes.to_string(),
                allowed: "at least 2".into(),
            });
        }
        Ok(Self { classes, queries: Queries::open(plan, teachers, ledger, name, &entropy)? })
    }

    /// The class with the most votes after noise. A vote for a class that there isn't counts for the last one.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when all planned answers are spent, or the ledger can't be written: nothing is released then.
    pub fn answer(&mut self, votes: &[usize]) -> Result<usize> {
        self.queries.check(votes.len())?;
        self.queries.ledger.charge_step(self.queries.run)?;
        let mut noise = vec![0.0; self.classes];
        let deviation = 2.0_f64.sqrt() * (1.0 + f64::EPSILON) * self.queries.plan.noise_multiplier();
        self.queries.noise(&mut noise, deviation)?;
        let noisy = self.counts(votes).into_iter().zip(noise).map(|(count, noise)| count + noise);
        Ok(noisy.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(class, _)| class))
    }

    fn counts(&self, votes: &[usize]) -> Vec<f64> {
        let mut counts = vec![0.0; self.classes];
        votes.iter().for_each(|&vote| counts[vote.min(self.classes - 1)] += 1.0);
        counts
    }

    /// Answers that are left.
    ///
    /// # Errors
    ///
    /// None for a predictor that was opened; the type is the ledger's.
    pub fn remaining(&self) -> Result<u64> {
        self.queries.remaining()
    }

    /// What the answers have cost.
    ///
    /// # Errors
    ///
    /// As [`remaining`](Self::remaining).
    pub fn statement(&self) -> Result<PredictionStatement> {
        let (teachers, classes) = (self.queries.teachers, self.classes);
        self.queries.statement(format!("most votes of {teachers} teachers for {classes} classes, with Gaussian noise"))
    }

    /// Ends the run: writes to the ledger how many answers were really given.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(mut self) -> Result<PredictionStatement> {
        let statement = self.statement()?;
        self.queries.close(self.queries.run)?;
        Ok(statement)
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
        let refuse = |field, given: f64, allowed: &str| {
            Err(EnsembleError::Plan { field, given: given.to_string(), allowed: allowed.into() })
        };
        if !threshold.is_finite() {
            return refuse("threshold", threshold, "a finite number of votes");
        }
        if tests.delta() != answers.delta() {
            return refuse("delta", tests.delta(), "the same for tests and answers");
        }
        let mut votes = NoisyVote::open(answers, classes, teachers, ledger, name, entropy)?;
        let description = tests.description(&format!("{name}, tests"), votes.queries.private)?;
        let tests_run = votes.queries.ledger.begin_or_resume(description)?;
        Ok(Self { threshold, tests, tests_run, votes })
    }

    /// The class with the most votes, or nothing if the noisy test says that the teachers don't agree.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Ledger`] when the planned tests or answers are spent, or the ledger can't be written: nothing is released
    /// then. A question is refused before its test if no answer is left, so that the refusal says nothing about the votes.
    pub fn answer(&mut self, votes: &[usize]) -> Result<Option<usize>> {
        self.votes.queries.check(votes.len())?;
        if self.votes.remaining()? == 0 {
            return Err(EnsembleError::BudgetSpent { steps: self.votes.queries.plan.queries() });
        }
        self.votes.queries.ledger.charge_step(self.tests_run)?;
        let most = self.votes.counts(votes).into_iter().fold(0.0, f64::max);
        let mut noise = [0.0];
        self.votes.queries.noise(&mut noise, self.tests.noise_multiplier())?;
        if most + noise[0] < self.threshold {
            return Ok(None);
        }
        self.votes.answer(votes).map(Some)
    }

    /// What tests and answers have cost together; the counts are those of the tests.
    ///
    /// # Errors
    ///
    /// None for a predictor that was opened; the type is the accounting crate's.
    pub fn statement(&self) -> Result<PredictionStatement> {
        let answers = &self.votes.queries;
        let (tested, answered) = (answers.ledger.charged(self.tests_run)?, answers.ledger.charged(answers.run)?);
        let delta = answers.plan.delta();
        Ok(PredictionStatement {
            mechanism: format!(
                "most votes of {} teachers for {} classes where a noisy count exceeds {}, with Gaussian noise; at most {} \
                 answers, {} given",
                answers.teachers,
                self.votes.classes,
                self.threshold,
                answers.plan.queries(),
                answered
            ),
            dataset: answers.ledger.dataset().to_owned(),
            planned_queries: self.tests.queries(),
            charged_queries: tested,
            noise_multiplier: self.tests.noise_multiplier(),
            delta,
            planned_epsilon: epsilon(
                &[(&self.tests, self.tests.queries()), (&answers.plan, answers.plan.queries())],
                delta,
            )?,
            epsilon_so_far: match answers.private {
                true => epsilon(&[(&self.tests, tested), (&answers.plan, answered)], delta)?,
                false => f64::INFINITY,
            },
            private: answers.private,
        })
    }

    /// Ends both runs: writes to the ledger how many tests and answers there really were.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved numbers.
    pub fn finish(mut self) -> Result<PredictionStatement> {
        let statement = self.statement()?;
        self.votes.queries.close(self.votes.queries.run)?;
        self.votes.queries.close(self.tests_run)?;
        Ok(statement)
    }
}
