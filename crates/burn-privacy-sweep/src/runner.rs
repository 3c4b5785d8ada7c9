//! Runs the trials of a sweep: each is charged to the ledger before it starts, and recorded when it ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::config::SweepConfig;
use super::log::{TrialEnd, TrialLog, TrialRecord};
use super::planned::PlannedSetting;
use super::summary::SweepSummary;
use super::trial::{Trial, TrialResult};
use crate::error::Result;
use burn_privacy_budget::ledger::{Ledger, RunDescription};
use burn_privacy_budget::plan::PrivacyPlan;
use burn_privacy_output::SilentThread;

/// Name of the ledger in the sweep's folder, unless another is named.
const LEDGER_FILE: &str = "privacy-ledger.jsonl";

/// How far a sweep is.
#[derive(Clone, Copy, Debug)]
pub struct SweepProgress {
    /// Trials that ended, in earlier processes too.
    pub done: usize,
    /// Of these, the failed ones.
    pub failed: usize,
    /// Trials in all.
    pub total: usize,
    /// Time to finish, once a trial has ended in this process.
    pub remaining: Option<Duration>,
}

/// A sweep in its folder: what was tried, and what is left.
///
/// # Formal guarantees
///
/// Before a trial starts, all steps of its plan are charged to the data set's ledger, durably, under a name of its own; a
/// trial that was interrupted stays charged in full, and its repetition is charged again. The closure must start no more
/// than one session of the plan that it is given, and release nothing else about private data than what its outcome holds.
pub struct Sweep {
    config: SweepConfig,
    planned: Vec<PlannedSetting>,
    log: Mutex<TrialLog>,
    ledger: Mutex<Ledger>,
    ledger_path: PathBuf,
    jobs: usize,
}

impl Sweep {
    /// Checks all settings, then begins the sweep in `folder`, or goes on with it. The ledger is `ledger`, or one in the
    /// folder.
    ///
    /// # Errors
    ///
    /// [`SweepError`](super::SweepError), and those of plans and ledgers. Nothing was trained then.
    pub fn open(config: SweepConfig, folder: impl AsRef<Path>, ledger: Option<&Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let planned = config.planned()?;
        let log = TrialLog::open(folder, &config)?;
        let ledger_path = ledger.map_or_else(|| folder.join(LEDGER_FILE), Path::to_owned);
        let ledger = Ledger::open(&ledger_path, &config.dataset)?;
        Ok(Self { config, planned, log: Mutex::new(log), ledger: Mutex::new(ledger), ledger_path, jobs: 1 })
    }

    /// How many trials run at a time, each in a thread of its own; at least 1.
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// The settings and their plans.
    pub fn planned(&self) -> &[PlannedSetting] {
        &self.planned
    }

    /// Where the trials are charged.
    pub fn ledger_path(&self) -> &Path {
        &self.ledger_path
    }

    /// Runs all private trials that have not ended yet. A trial that fails, or panics, is recorded with its error.
    ///
    /// `progress` is told at the start and after every trial.
    ///
    /// # Errors
    ///
    /// If a trial can't be charged or recorded; those that run then still end and are recorded.
    pub fn run(
        &self,
        trial: impl Fn(&PrivacyPlan, &Trial) -> TrialResult + Sync,
        progress: impl Fn(SweepProgress) + Sync,
    ) -> Result<()> {
        let repeats = self.config.repeats as usize;
        self.execute(0..self.planned.len() * repeats, progress, |number| {
            // Repeats are the outer loop: a first picture is there early.
            let planned = &self.planned[number % self.planned.len()];
            let description = self.trial(number, Some(planned), (number / self.planned.len()) as u32);
            let run = self.charge(number, planned)?;
            let (end, seconds) = run_alone(|| trial(&planned.plan, &description));
            Ok(TrialRecord {
                trial: number,
                setting: description.setting,
                figures: Some(planned.figures),
                repeat: description.repeat,
                ledger_run: Some(run),
                end,
                seconds,
            })
        })
    }

    /// Runs the same number of trials without privacy, for comparison. They are not in the ledger: no epsilon covers them.
    ///
    /// # Errors
    ///
    /// If a trial can't be recorded.
    pub fn run_without_privacy(
        &self,
        trial: impl Fn(&Trial) -> TrialResult + Sync,
        progress: impl Fn(SweepProgress) + Sync,
    ) -> Result<()> {
        let (repeats, first) = (self.config.repeats as usize, self.planned.len() * self.config.repeats as usize);
        self.execute(first..first + repeats, progress, |number| {
            let description = self.trial(number, None, (number - first) as u32);
            let (end, seconds) = run_alone(|| trial(&description));
            let repeat = description.repeat;
            Ok(TrialRecord { trial: number, setting: None, figures: None, repeat, ledger_run: None, end, seconds })
        })
    }

    /// What was found so far, and what it cost.
    ///
    /// # Errors
    ///
    /// Those of the accountants.
    pub fn summary(&self) -> Result<SweepSummary> {
        let charges = self.lock_ledger().history().charges();
        SweepSummary::new(&self.config, &self.planned, self.lock_log().records(), &charges)
    }

    fn trial(&self, number: usize, planned: Option<&PlannedSetting>, repeat: u32) -> Trial {
        let seed = self.config.seed.map(|seed| seed.wrapping_add(repeat.into()));
        Trial { number, setting: planned.map(|planned| planned.setting), repeat, seed }
    }

    /// Charges a whole trial under a name that the ledger does not have yet.
    fn charge(&self, number: usize, planned: &PlannedSetting) -> Result<String> {
        let mut ledger = self.lock_ledger();
        let stem = format!("{} trial {number} attempt ", self.config.ledger_prefix());
        let attempts = ledger.history().charges().iter().filter(|charge| charge.name.starts_with(&stem)).count();
        let name = format!("{stem}{}", attempts + 1);
        let plan = &planned.plan;
        let private = self.config.seed.is_none();
        let description = RunDescription::of_steps(&name, plan.step_event()?, plan.steps(), plan.adjacency())?
            .with_delta(plan.delta())
            .with_private_randomness(private);
        let run = ledger.begin(description)?;
        ledger.reserve(run, plan.steps())?;
        ledger.close(run, plan.steps())?;
        Ok(name)
    }

    fn execute(
        &self,
        numbers: std::ops::Range<usize>,
        progress: impl Fn(SweepProgress) + Sync,
        run_one: impl Fn(usize) -> Result<TrialRecord> + Sync,
    ) -> Result<()> {
        let ended: BTreeSet<usize> = self.lock_log().records().iter().map(|record| record.trial).collect();
        let left: Vec<usize> = numbers.clone().filter(|number| !ended.contains(number)).collect();
        let (next, stopped, failure) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        let start = Instant::now();
        let so_far = || {
            let log = self.lock_log();
            let mine = || log.records().iter().filter(|record| numbers.contains(&record.trial));
            let (done, total) = (mine().count(), numbers.len());
            let here = done + left.len() - total;
            let failed = mine().filter(|record| matches!(record.end, TrialEnd::Error(_))).count();
            let remaining = (here > 0).then(|| start.elapsed().mul_f64((total - done) as f64 / here as f64));
            SweepProgress { done, failed, total, remaining }
        };
        // One after the other, and without the log's lock: it may ask for the summary.
        let telling = Mutex::new(());
        let tell = || {
            let _guard = telling.lock().unwrap_or_else(PoisonError::into_inner);
            progress(so_far());
        };
        tell();
        let work = || {
            while !stopped.load(Ordering::SeqCst) {
                let Some(&number) = left.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
                let result = run_one(number).and_then(|record| {
                    self.lock_log().append(record)?;
                    tell();
                    Ok(())
                });
                if let Err(error) = result {
                    stopped.store(true, Ordering::SeqCst);
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(left.len()) {
                scope.spawn(work);
            }
        });
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn lock_log(&self) -> MutexGuard<'_, TrialLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a trial in a thread of its own, so that a panic ends it alone and leaves no recording scope open behind it.
pub(super) fn run_alone(trial: impl FnOnce() -> TrialResult + Send) -> (TrialEnd, f64) {
    let start = Instant::now();
    let end = match outcome_of(trial) {
        Ok(outcome) => TrialEnd::Score(outcome.score),
        Err(error) => TrialEnd::Error(error),
    };
    (end, start.elapsed().as_secs_f64())
}

/// The outcome with a finite score, or what went wrong. A panic prints nothing, and its message is not kept: unlike an
/// error, nobody chose its words, and it likes to show the value that was met.
pub(super) fn outcome_of(
    trial: impl FnOnce() -> TrialResult + Send,
) -> std::result::Result<super::TrialOutcome, String> {
    let run = || {
        let _silence = SilentThread::begin();
        trial().map_err(|error| error.to_string())
    };
    match std::thread::scope(|scope| scope.spawn(run).join()) {
        Ok(Ok(outcome)) if !outcome.score.is_finite() => Err(format!("the score is {}", outcome.score)),
        Ok(result) => result,
        Err(_) => Err(PANICKED.into()),
    }
}

/// What is kept of a panic.
const PANICKED: &str = "the trial panicked (its message is not kept, since it may show private values: run the setting by \
                        itself, outside of a sweep, to see it)";
