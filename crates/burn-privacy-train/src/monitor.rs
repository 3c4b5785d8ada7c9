//! Watching a training loop: steps, epochs, evaluations, the curve.

use std::time::Duration;

use burn::prelude::*;
use burn_privacy::report::CurvePoint;

use crate::progress::{Progress, Row};
use crate::run_length::RunLength;
use crate::{BoxedError, Interrupt, Result, TrainError, TrainingHistory};

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Whether fewer steps were made than planned.
    pub interrupted: bool,
    /// Updates that were made.
    pub steps: u64,
    /// Updates that were planned.
    pub planned: u64,
    /// Score and epsilon after each epoch.
    pub curve: Vec<CurvePoint>,
    /// The score of the last evaluation, if there was something to evaluate on.
    pub score: Option<f64>,
    /// Time in training steps.
    pub training: Duration,
    /// Time in evaluations.
    pub evaluation: Duration,
    /// Expected examples a second of training.
    pub examples_per_second: f64,
}

/// Watches a training loop: counts steps, evaluates after every epoch, keeps the curve, shows progress on standard output.
///
/// Give [`watch`](Self::watch) to [`Trainer::train`](crate::Trainer::train) as the closure that says whether to go on. Scores are
/// shares from 0 to 1 on data that are declared public: no epsilon covers them.
pub struct Monitor {
    device: Device,
    interrupt: Interrupt,
    progress: Progress,
    run: RunLength,
    watching: bool,
    steps: u64,
    epochs: u64,
    epsilon: f64,
    history: TrainingHistory,
}

impl Monitor {
    /// Starts the clock. `unit` is what examples are called, such as `"images"`; `score` names the column of the scores. The run is
    /// asked to end when `interrupt` is pressed.
    pub fn start(run: RunLength, unit: &'static str, score: &str, device: &Device, interrupt: &Interrupt) -> Self {
        Self {
            device: device.clone(),
            interrupt: interrupt.clone(),
            progress: Progress::start(run, unit, score),
            run,
            watching: false,
            steps: 0,
            epochs: 0,
            epsilon: if run.private { 0.0 } else { f64::INFINITY },
            history: TrainingHistory::default(),
        }
    }

    /// Where the curve is kept: for [`Trainer::with_history`](crate::Trainer::with_history), so that checkpoints have it and a
    /// resumed run goes on with it.
    pub fn history(&self) -> TrainingHistory {
        self.history.clone()
    }

    /// To be called before the first step and after each; `epsilon` is spent so far. After the last step of an epoch, `evaluate`
    /// is asked for the model's score. Says whether to go on.
    ///
    /// # Errors
    ///
    /// [`TrainError::Device`] if the device fails; [`TrainError::Closure`] from `evaluate`.
    pub fn watch<M>(
        &mut self,
        model: &M,
        epsilon: f64,
        evaluate: impl FnOnce(&M) -> std::result::Result<Option<f64>, BoxedError>,
    ) -> Result<bool> {
        if self.watching {
            self.step_ends(model, epsilon, evaluate)?;
        }
        if !self.watching {
            // The run may go on where another process stopped.
            self.steps = self.history.steps();
            self.epochs = (self.steps as f64 / self.run.steps_per_epoch) as u64;
            self.progress.resume_after(self.steps);
        }
        self.watching = true;
        self.progress.step_begins();
        Ok(!self.interrupt.is_pressed())
    }

    fn step_ends<M>(
        &mut self,
        model: &M,
        epsilon: f64,
        evaluate: impl FnOnce(&M) -> std::result::Result<Option<f64>, BoxedError>,
    ) -> Result<()> {
        self.steps += 1;
        self.epsilon = epsilon;
        let next = (self.epochs + 1) as f64 * self.run.steps_per_epoch;
        let epoch_ends = self.steps as f64 >= next || self.steps == self.run.steps;
        if epoch_ends {
            // Some devices work behind the program's back: wait, so that the time is counted where it belongs.
            self.device.sync().map_err(|error| TrainError::Device(error.into()))?;
        }
        self.progress.step_ends(epsilon);
        if epoch_ends {
            self.epochs += 1;
            self.evaluate(self.epochs.to_string(), || evaluate(model))?;
        }
        Ok(())
    }

    /// Evaluates once more if the last step was not evaluated, and takes the bar away. Must come before
    /// [`summary`](Self::summary).
    ///
    /// # Errors
    ///
    /// [`TrainError::Closure`] from `evaluate`.
    pub fn finish<M>(
        &mut self,
        model: &M,
        evaluate: impl FnOnce(&M) -> std::result::Result<Option<f64>, BoxedError>,
    ) -> Result<()> {
        if self.history.last().is_none_or(|point| point.step != self.steps) {
            let epoch = self.steps as f64 / self.run.steps_per_epoch;
            self.evaluate(format!("{epoch:.1}"), || evaluate(model))?;
        }
        self.progress.finish();
        Ok(())
    }

    /// Runs something, such as the evaluation on the test data, whose time counts as evaluation.
    pub fn evaluating<T>(&mut self, evaluate: impl FnOnce() -> T) -> T {
        self.progress.evaluating(evaluate)
    }

    /// What was reached.
    pub fn summary(self) -> RunSummary {
        RunSummary {
            interrupted: self.steps + self.history.lost() < self.run.steps,
            steps: self.steps,
            planned: self.run.steps,
            score: self.history.last().map(|point| point.accuracy),
            curve: self.history.curve(),
            training: self.progress.training(),
            evaluation: self.progress.evaluation(),
            examples_per_second: self.progress.examples_per_second(),
        }
    }

    fn evaluate(
        &mut self,
        epoch: String,
        evaluate: impl FnOnce() -> std::result::Result<Option<f64>, BoxedError>,
    ) -> Result<()> {
        let score = self.progress.evaluating(evaluate).map_err(TrainError::Closure)?;
        self.progress.epoch_ends(&Row { epoch, step: self.steps, epsilon: self.epsilon, score });
        if let Some(accuracy) = score {
            let epoch = self.steps as f64 / self.run.steps_per_epoch;
            self.history.push(CurvePoint { step: self.steps, epoch, epsilon: self.epsilon, accuracy });
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn_privacy::device::{DeviceChoice, select_device};

    use super::*;

    const RUN: RunLength = RunLength { steps: 7, steps_per_epoch: 2.5, epochs: 3, batch_size: 10, private: true };

    fn monitor(run: RunLength, interrupt: &Interrupt) -> Monitor {
        let device = select_device(DeviceChoice::Cpu).unwrap().device;
        Monitor::start(run, "examples", "test accuracy", &device, interrupt)
    }

    /// Drives a loop that goes on as long as the monitor lets it, and scores by the number of steps.
    fn drive(monitor: &mut Monitor, steps: u64, press_after: Option<u64>) -> u64 {
        let mut done = 0;
        let interrupt = monitor.interrupt.clone();
        while monitor.watch(&done, done as f64 / 10.0, |done| Ok(Some(*done as f64 / 100.0))).unwrap() && done < steps {
            done += 1;
            if press_after == Some(done) {
                interrupt.press();
            }
        }
        monitor.finish(&done, |done| Ok(Some(*done as f64 / 100.0))).unwrap();
        done
    }

    #[test]
    fn an_epoch_ends_with_the_step_that_reaches_a_multiple() {
        let mut monitor = monitor(RUN, &Interrupt::default());
        assert_eq!(drive(&mut monitor, 7, None), 7);
        let summary = monitor.summary();
        let points: Vec<(u64, f64, f64)> =
            summary.curve.iter().map(|point| (point.step, point.epsilon, point.accuracy)).collect();
        // 2.5, 5 and 7.5 steps, of which the last one is cut at the plan's end.
        assert_eq!(points, [(3, 0.3, 0.03), (5, 0.5, 0.05), (7, 0.7, 0.07)]);
        assert_eq!((summary.interrupted, summary.steps, summary.planned, summary.score), (false, 7, 7, Some(0.07)));
    }

    #[test]
    fn an_interrupted_run_is_evaluated_where_it_stopped() {
        let mut monitor = monitor(RUN, &Interrupt::default());
        assert_eq!(drive(&mut monitor, 7, Some(4)), 4);
        let summary = monitor.summary();
        assert_eq!(summary.curve.iter().map(|point| point.step).collect::<Vec<_>>(), [3, 4]);
        assert!(summary.interrupted);
    }

    #[test]
    fn nothing_to_evaluate_on_leaves_no_curve_and_errors_are_passed_on() {
        let mut monitor = monitor(RunLength { private: false, ..RUN }, &Interrupt::default());
        for _ in 0..4 {
            monitor.watch(&(), f64::INFINITY, |()| Ok(None)).unwrap();
        }
        monitor.finish(&(), |()| Ok(None)).unwrap();
        let error = monitor.evaluate("1".into(), || Err("no such data".into())).unwrap_err();
        assert_eq!(error.to_string(), "no such data");
        let summary = monitor.summary();
        assert!(summary.curve.is_empty() && summary.score.is_none() && summary.interrupted);
    }
}
