//! Watching a training loop: steps, epochs, evaluations, the curve.

use std::time::Duration;

use burn_privacy::report::CurvePoint;

use super::progress::{Progress, Row};
use super::{Classifier, Job, accuracy};
use crate::Result;

/// Watches a training loop: counts steps, evaluates after every epoch, keeps the curve.
pub struct Monitor<'a> {
    job: &'a Job,
    progress: Progress,
    planned: u64,
    watching: bool,
    steps_per_epoch: f64,
    steps: u64,
    epochs: u64,
    epsilon: f64,
    curve: Vec<CurvePoint>,
}

/// What was reached.
pub struct Results {
    /// Whether the planned steps were not all made.
    pub interrupted: bool,
    pub steps: u64,
    pub planned: u64,
    pub curve: Vec<CurvePoint>,
    pub test_accuracy: Option<f64>,
    pub validation_accuracy: Option<f64>,
    pub training: Duration,
    pub evaluation: Duration,
    pub images_per_second: f64,
}

impl<'a> Monitor<'a> {
    /// Starts the clock. An epoch ends with the step that reaches a multiple of `steps_per_epoch`.
    pub fn start(job: &'a Job, planned: u64, steps_per_epoch: f64, private: bool) -> Self {
        let settings = &job.settings;
        let column = format!("{} accuracy", job.data.monitored().0.name());
        let progress = Progress::start(planned, settings.epochs, settings.batch_size, private, &column);
        let epsilon = if private { 0.0 } else { f64::INFINITY };
        Self {
            job,
            progress,
            planned,
            watching: false,
            steps_per_epoch,
            steps: 0,
            epochs: 0,
            epsilon,
            curve: Vec::new(),
        }
    }

    /// To be called before the first step and after each; `epsilon` is spent so far. Says whether to go on.
    pub fn watch<M: Classifier>(&mut self, model: &M, epsilon: f64) -> Result<bool> {
        if self.watching {
            self.step_ends(model, epsilon)?;
        }
        self.watching = true;
        self.progress.step_begins();
        Ok(!self.job.interrupt.is_pressed())
    }

    /// After the last step of an epoch, evaluates.
    fn step_ends<M: Classifier>(&mut self, model: &M, epsilon: f64) -> Result<()> {
        self.steps += 1;
        self.epsilon = epsilon;
        let next = (self.epochs + 1) as f64 * self.steps_per_epoch;
        let epoch_ends = self.steps as f64 >= next || self.steps == self.planned;
        if epoch_ends {
            // Some devices work behind the program's back: wait, so that the time is counted where it belongs.
            self.job.device.sync()?;
        }
        self.progress.step_ends(epsilon);
        if epoch_ends {
            self.epochs += 1;
            self.evaluate(model, self.epochs.to_string())?;
        }
        Ok(())
    }

    /// The last evaluation.
    pub fn finish<M: Classifier>(mut self, model: &M) -> Result<Results> {
        if self.curve.last().is_none_or(|point| point.step != self.steps) {
            let epoch = self.steps as f64 / self.steps_per_epoch;
            self.evaluate(model, format!("{epoch:.1}"))?;
        }
        self.progress.finish();
        let data = &self.job.data;
        let last = self.curve.last().map(|point| point.accuracy);
        let (validation_accuracy, test_accuracy) = match &data.validation {
            None => (None, last),
            Some(_) => {
                (last, self.progress.evaluating(|| accuracy(model, &data.test, &self.job.batcher, &self.job.device))?)
            }
        };
        Ok(Results {
            interrupted: self.steps < self.planned,
            steps: self.steps,
            planned: self.planned,
            curve: self.curve,
            test_accuracy,
            validation_accuracy,
            training: self.progress.training(),
            evaluation: self.progress.evaluation(),
            images_per_second: self.progress.images_per_second(),
        })
    }

    fn evaluate<M: Classifier>(&mut self, model: &M, epoch: String) -> Result<()> {
        let (_, images) = self.job.data.monitored();
        let found = self.progress.evaluating(|| accuracy(model, images, &self.job.batcher, &self.job.device))?;
        self.progress.epoch_ends(&Row { epoch, step: self.steps, epsilon: self.epsilon, accuracy: found });
        if let Some(accuracy) = found {
            let epoch = self.steps as f64 / self.steps_per_epoch;
            self.curve.push(CurvePoint { step: self.steps, epoch, epsilon: self.epsilon, accuracy });
        }
        Ok(())
    }
}
