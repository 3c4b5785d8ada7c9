//! What is shown while a run lasts.

use std::io::Write;
use std::time::{Duration, Instant};

use burn_privacy::accounting::round_up_for_display;
use burn_privacy_output::grouped;
use indicatif::{ProgressBar, ProgressStyle};

/// A line on standard output. Whoever has closed it (`| head`) doesn't stop the run.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Progress of a run: a bar on a terminal, and a line of a table for every epoch. Shows nothing that was computed from the training images, but for the epsilon that is paid.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    epochs: u64,
    /// Expected images a step: the realised number is private.
    batch_size: usize,
    private: bool,
    /// In training steps, evaluations not counted.
    training: Duration,
    evaluation: Duration,
    step_started: Instant,
    steps: u64,
    epoch_start: (u64, Duration),
}

/// A finished epoch.
pub struct Row {
    pub epoch: String,
    pub step: u64,
    pub epsilon: f64,
    pub accuracy: Option<f64>,
}

impl Progress {
    /// Starts the clock and prints the head of the table. `accuracy` is the name of its column.
    pub fn start(steps: u64, epochs: u64, batch_size: usize, private: bool, accuracy: &str) -> Self {
        let bar = ProgressBar::new(steps);
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} step {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style);
        }
        let epsilon = if private { "epsilon so far" } else { "" };
        say(&format!(
            "{:>9} {:>8}  {epsilon:>14}  {accuracy:>19}  {:>9}  {:>8}",
            "epoch", "steps", "images/s", "elapsed"
        ));
        let now = Instant::now();
        Self {
            bar,
            started: now,
            epochs,
            batch_size,
            private,
            training: Duration::ZERO,
            evaluation: Duration::ZERO,
            step_started: now,
            steps: 0,
            epoch_start: (0, Duration::ZERO),
        }
    }

    /// A step begins.
    pub fn step_begins(&mut self) {
        self.step_started = Instant::now();
    }

    /// A step is done; `epsilon` was spent in all.
    pub fn step_ends(&mut self, epsilon: f64) {
        self.training += self.step_started.elapsed();
        self.steps += 1;
        self.bar.set_position(self.steps);
        let rate = grouped(self.images_per_second().round() as usize);
        self.bar.set_message(if self.private {
            format!("{rate} images/s  epsilon so far {}", round_up_for_display(epsilon))
        } else {
            format!("{rate} images/s  NOT PRIVATE")
        });
    }

    /// Runs an evaluation, whose time doesn't count as training.
    pub fn evaluating<T>(&mut self, evaluate: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = evaluate();
        self.evaluation += started.elapsed();
        result
    }

    /// Prints the line of an epoch.
    pub fn epoch_ends(&mut self, row: &Row) {
        let (steps, training) = self.epoch_start;
        let rate = self.rate(self.steps - steps, self.training - training);
        self.epoch_start = (self.steps, self.training);
        let epsilon = if self.private { round_up_for_display(row.epsilon) } else { "NOT PRIVATE".into() };
        let accuracy = row.accuracy.map_or("-".into(), percent);
        let elapsed = self.started.elapsed().as_secs();
        let line = format!(
            "{:>9} {:>8}  {epsilon:>14}  {accuracy:>19}  {:>9}  {:>8}",
            format!("{}/{}", row.epoch, self.epochs),
            grouped(row.step as usize),
            grouped(rate.round() as usize),
            format!("{}:{:02}", elapsed / 60, elapsed % 60),
        );
        self.bar.suspend(|| say(&line));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub fn training(&self) -> Duration {
        self.training
    }

    pub fn evaluation(&self) -> Duration {
        self.evaluation
    }

    /// Over all steps so far.
    pub fn images_per_second(&self) -> f64 {
        self.rate(self.steps, self.training)
    }

    fn rate(&self, steps: u64, time: Duration) -> f64 {
        let seconds = time.as_secs_f64();
        if seconds > 0.0 { steps as f64 * self.batch_size as f64 / seconds } else { 0.0 }
    }
}

/// `0.775` as `77.50 %`.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
