//! A bar on a terminal, and a line of a table for every epoch.

use std::time::{Duration, Instant};

use burn_privacy::accounting::round_up_for_display;
use burn_privacy_output::grouped;
use indicatif::{ProgressBar, ProgressStyle};

use crate::run_length::RunLength;
use crate::{percent, say};

/// Progress of a run. Shows nothing that was computed from the training data, but for the epsilon that is paid.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    run: RunLength,
    /// What examples are called.
    unit: &'static str,
    /// In training steps, evaluations not counted.
    training: Duration,
    evaluation: Duration,
    step_started: Instant,
    steps: u64,
    /// Steps before the run was resumed: no time was measured for them.
    earlier: u64,
    epoch_start: (u64, Duration),
}

/// A finished epoch.
pub(crate) struct Row {
    pub(crate) epoch: String,
    pub(crate) step: u64,
    pub(crate) epsilon: f64,
    pub(crate) score: Option<f64>,
}

impl Progress {
    /// Starts the clock and prints the head of the table. `score` is the name of its column.
    pub(crate) fn start(run: RunLength, unit: &'static str, score: &str) -> Self {
        let bar = ProgressBar::new(run.steps);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} step {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        let epsilon = if run.private { "epsilon so far" } else { "" };
        say(&format!(
            "{:>9} {:>8}  {epsilon:>14}  {score:>19}  {:>9}  {:>8}",
            "epoch",
            "steps",
            format!("{unit}/s"),
            "elapsed"
        ));
        let now = Instant::now();
        Self {
            bar,
            started: now,
            run,
            unit,
            training: Duration::ZERO,
            evaluation: Duration::ZERO,
            step_started: now,
            steps: 0,
            earlier: 0,
            epoch_start: (0, Duration::ZERO),
        }
    }

    /// The run goes on after so many steps.
    pub(crate) fn resume_after(&mut self, steps: u64) {
        self.earlier = steps;
    }

    /// A step begins.
    pub(crate) fn step_begins(&mut self) {
        self.step_started = Instant::now();
    }

    /// A step is done; `epsilon` was spent in all.
    pub(crate) fn step_ends(&mut self, epsilon: f64) {
        self.training += self.step_started.elapsed();
        self.steps += 1;
        self.bar.set_position(self.earlier + self.steps);
        let (rate, unit) = (grouped(self.examples_per_second().round() as usize), self.unit);
        self.bar.set_message(if self.run.private {
            format!("{rate} {unit}/s  epsilon so far {}", round_up_for_display(epsilon))
        } else {
            format!("{rate} {unit}/s  NOT PRIVATE")
        });
    }

    /// Runs an evaluation, whose time doesn't count as training.
    pub(crate) fn evaluating<T>(&mut self, evaluate: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = evaluate();
        self.evaluation += started.elapsed();
        result
    }

    /// Prints the line of an epoch.
    pub(crate) fn epoch_ends(&mut self, row: &Row) {
        let (steps, training) = self.epoch_start;
        let rate = self.rate(self.steps - steps, self.training - training);
        self.epoch_start = (self.steps, self.training);
        let epsilon = if self.run.private { round_up_for_display(row.epsilon) } else { "NOT PRIVATE".into() };
        let score = row.score.map_or("-".into(), percent);
        let elapsed = self.started.elapsed().as_secs();
        let line = format!(
            "{:>9} {:>8}  {epsilon:>14}  {score:>19}  {:>9}  {:>8}",
            format!("{}/{}", row.epoch, self.run.epochs),
            grouped(row.step as usize),
            grouped(rate.round() as usize),
            format!("{}:{:02}", elapsed / 60, elapsed % 60),
        );
        self.bar.suspend(|| say(&line));
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub(crate) fn training(&self) -> Duration {
        self.training
    }

    pub(crate) fn evaluation(&self) -> Duration {
        self.evaluation
    }

    /// Over all steps so far.
    pub(crate) fn examples_per_second(&self) -> f64 {
        self.rate(self.steps, self.training)
    }

    fn rate(&self, steps: u64, time: Duration) -> f64 {
        let seconds = time.as_secs_f64();
        if seconds > 0.0 { steps as f64 * self.run.batch_size as f64 / seconds } else { 0.0 }
    }
}
