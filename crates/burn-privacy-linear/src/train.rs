//! DP-SGD of a linear head on fixed features.

use burn_privacy_budget::plan::{PhaseConfig, PhaseNoise, Sampling};
use burn_privacy_budget::{BudgetError, PhasedRun};

use crate::exact::{MOST_EXPECTED, MOST_RECORDS};
use crate::gradient::{check_clip, check_length};
use crate::second_moments::Preconditioner;
use crate::update::{Average, Optimizer};
use crate::{Averaging, HeadLoss, LinearError, LinearHead, Records, Result, UpdateRule, clipped_sum};

/// Name of the phase.
pub const PHASE: &str = "linear head";

/// The phase that pays for the training: `steps` sums of clipped gradients.
///
/// # Errors
///
/// [`LinearError::Invalid`] for an expected batch size beyond [`MOST_EXPECTED`], or a clipping norm outside 1e-12 to 1e12.
pub fn head_phase(sampling: Sampling, clip: f64, noise: PhaseNoise, steps: u64) -> Result<PhaseConfig> {
    check_clip(clip)?;
    if sampling.expected_batch_size() > MOST_EXPECTED {
        let given = sampling.expected_batch_size();
        return Err(LinearError::invalid("the expected batch size", given, "at most 131072, for which sums are exact"));
    }
    Ok(PhaseConfig { name: PHASE.into(), sampling, contribution: clip, noise, steps })
}

/// How a head is trained. What decides about privacy is in the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadTraining {
    /// What is minimized.
    pub loss: HeadLoss,
    /// Learning rate times clipping norm: what the weights move by for a mean gradient as long as the clipping norm.
    pub rate: f64,
    /// What becomes of gradients.
    pub rule: UpdateRule,
    /// Which weights are kept.
    pub averaging: Averaging,
}

impl HeadTraining {
    /// Trains a head with all releases that are left of the phase [`PHASE`]: each is charged, then its records drawn, their
    /// clipped gradients summed and noise added. `go_on` is asked after each with the number of steps made and the weights
    /// (averaged, if they are); it must not look at private records. A preconditioner is applied to what was released.
    ///
    /// # Errors
    ///
    /// Before anything is charged: [`LinearError::Invalid`] for numbers that can't be, [`LinearError::Length`] for a preconditioner of
    /// other features or before a rule that it is not for, [`LinearError::Budget`] if the plan has no phase [`PHASE`] or none of its
    /// releases is left. [`LinearError::Diverged`], before the step that can't be made is charged;
    /// [`LinearError::TooManyRecords`] for a drawn batch; errors of the ledger.
    pub fn train(
        &self,
        records: &Records,
        run: &mut PhasedRun,
        preconditioner: Option<&Preconditioner>,
        mut go_on: impl FnMut(u64, &dyn Fn() -> LinearHead) -> bool,
    ) -> Result<LinearHead> {
        self.check()?;
        if let Some(preconditioner) = preconditioner {
            preconditioner.check_width(records)?;
            if matches!(self.rule, UpdateRule::AdamBc { .. }) {
                let allowed =
                    "momentum or a low pass: behind a preconditioner the noise is not the one that AdamBc subtracts";
                return Err(LinearError::invalid("the update rule", "AdamBc with a preconditioner", allowed));
            }
        }
        let steps = Self::check_run(run, records.len())?;
        let mut head = LinearHead::zeros(records.classes(), records.dimension());
        let count = head.weights().len();
        let mut optimizer = Optimizer::new(self.rule, count);
        let mut average = Average::new(self.averaging, steps, count);
        let kept = |head: &LinearHead, average: &Average| match average.value() {
            Some(weights) => {
                let mut kept = head.clone();
                kept.weights_mut().copy_from_slice(&weights);
                kept
            }
            None => head.clone(),
        };
        for step in 1..=steps {
            check_length(&head)?;
            let release = run.charge(PHASE)?;
            let drawn = release.sample(records.len())?;
            let phase = release.phase();
            let (clip, expected) = (phase.contribution(), phase.sampling().expected_batch_size() as f64);
            let deviation = phase.noise_standard_deviation() / (clip * expected);
            let mut gradient = clipped_sum(records, &drawn, &head, self.loss, clip)?;
            release.add_noise(&mut gradient)?;
            // From here on nothing looks at the records.
            gradient.iter_mut().for_each(|entry| *entry /= clip * expected);
            if let Some(preconditioner) = preconditioner {
                preconditioner.apply(&mut gradient)?;
            }
            optimizer.step(head.weights_mut(), &gradient, self.rate, deviation * deviation);
            average.add(head.weights());
            if !go_on(step, &|| kept(&head, &average)) {
                break;
            }
        }
        Ok(kept(&head, &average))
    }

    /// The releases of the head that are left, of a run that pays for the training of so many records: to ask before any of its phases
    /// is charged.
    pub(crate) fn check_run(run: &PhasedRun, records: usize) -> Result<u64> {
        let plan = run.plan();
        plan.check_population(records)?;
        let Some(phase) = plan.phase(PHASE) else {
            let names: Vec<&str> = plan.phases().iter().map(|phase| phase.name()).collect();
            return Err(LinearError::Budget(BudgetError::Plan {
                field: "phases",
                given: names.join(", "),
                allowed: format!("such that {PHASE:?} is among them: add head_phase(..)"),
            }));
        };
        check_clip(phase.contribution())?;
        // Of a sample it is known when it is drawn, and that is after its charge.
        if phase.sampling().rate() == 1.0 && records > MOST_RECORDS {
            let allowed = "at most 262144 for full batches, for which sums are exact: draw samples";
            return Err(LinearError::invalid("the number of records", "too large", allowed));
        }
        Ok(run.require_left(PHASE)?)
    }

    /// Checks the numbers.
    pub(crate) fn check(&self) -> Result<()> {
        self.rule.checked()?;
        self.averaging.checked()?;
        if self.rate.is_finite() && self.rate > 0.0 {
            return Ok(());
        }
        Err(LinearError::invalid("the learning rate times C", self.rate, "a finite number above 0"))
    }
}
