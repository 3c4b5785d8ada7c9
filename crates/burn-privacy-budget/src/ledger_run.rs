//! One run of a plan in the ledger of its data set: begun or resumed by name, charged step by step, and closed.

use burn_privacy_accounting::{Adjacency, DpEvent, EventDocument};

use crate::error::{BudgetError, Result};
use crate::ledger::{Ledger, LedgerError, RunDescription, RunId};
use crate::plan::{PrivacyPlan, Stretch};

/// One run of a plan in its data set's ledger. A plan whose noise follows a schedule has a run for each stretch of equal steps there,
/// `NAME / steps 1 to 600`, so that every step is charged with its own event.
pub struct LedgerRun {
    ledger: Ledger,
    stretches: Vec<ChargedStretch>,
    /// Steps of the whole run that were charged.
    charged: u64,
}

struct ChargedStretch {
    /// After its last step, of the whole run.
    end: u64,
    /// None if an earlier session spent it.
    run: Option<RunId>,
}

impl LedgerRun {
    /// Begins a run, or continues the one of that name with the same plan.
    pub fn begin_or_resume(mut ledger: Ledger, name: &str, plan: &PrivacyPlan, private: bool) -> Result<Self> {
        let stretches = plan.stretches()?;
        let names: Vec<String> = stretches.iter().map(|stretch| run_name(name, stretch, stretches.len())).collect();
        refuse_other_stretches(&ledger, name, &names)?;
        let (mut found, mut charged, mut spent) = (Vec::with_capacity(stretches.len()), 0, None);
        for (stretch, name) in stretches.into_iter().zip(names) {
            let mut description =
                describe_run(&name, stretch.event, stretch.steps, plan.adjacency(), plan.delta(), private)?;
            description.mechanism = Some(format!("{}; protected: {}", plan.mechanism(), plan.protected_unit()));
            let end = stretch.first_step + stretch.steps;
            match ledger.begin_or_resume(description) {
                Ok(run) => {
                    let of_stretch = ledger.charged(run)?;
                    if of_stretch > 0 {
                        charged = stretch.first_step + of_stretch;
                    }
                    found.push(ChargedStretch { end, run: Some(run) });
                }
                // The description is the recorded one, or it would have been refused for that.
                Err(error @ LedgerError::BudgetSpent { .. }) => {
                    charged = end;
                    spent = Some(error);
                    found.push(ChargedStretch { end, run: None });
                }
                Err(error) => return Err(error.into()),
            }
        }
        match spent {
            Some(error) if charged == plan.steps() => Err(error.into()),
            _ => Ok(Self { ledger, stretches: found, charged }),
        }
    }

    /// Steps charged by this run before now.
    pub fn charged_steps(&self) -> Result<u64> {
        Ok(self.charged)
    }

    /// Charges one step; durable when it returns.
    pub fn charge_step(&mut self) -> Result<()> {
        let at = self.stretches.partition_point(|stretch| stretch.end <= self.charged);
        match self.stretches.get(at).or(self.stretches.last()) {
            // Of a spent run one more is asked for, and refused.
            Some(ChargedStretch { run: Some(run), .. }) => {
                self.ledger.charge_step(*run)?;
                self.charged += 1;
                Ok(())
            }
            _ => Err(BudgetError::Plan {
                field: "steps",
                given: format!("one more than {}", self.charged),
                allowed: "those that the plan has".into(),
            }),
        }
    }

    /// Name of the data set.
    pub fn dataset(&self) -> &str {
        self.ledger.history().dataset()
    }

    /// Writes the true number of steps.
    pub fn close(mut self) -> Result<()> {
        for run in self.stretches.iter().filter_map(|stretch| stretch.run) {
            let released = self.ledger.released(run)?;
            self.ledger.close(run, released)?;
        }
        Ok(())
    }
}

/// In the ledger.
fn run_name(name: &str, stretch: &Stretch, stretches: usize) -> String {
    match stretches {
        1 => name.to_owned(),
        _ => format!("{}{} to {}", stem(name), stretch.first_step + 1, stretch.first_step + stretch.steps),
    }
}

fn stem(name: &str) -> String {
    format!("{name} / steps ")
}

/// The name stands for one schedule: the ledger would take another one's stretches for other runs.
fn refuse_other_stretches(ledger: &Ledger, name: &str, names: &[String]) -> Result<()> {
    let stem = stem(name);
    let other =
        |charged: &str| (charged == name || charged.starts_with(&stem)) && !names.iter().any(|own| own == charged);
    match ledger.history().charges().into_iter().find(|charge| other(&charge.name)) {
        None => Ok(()),
        Some(charge) => Err(BudgetError::Plan {
            field: "run",
            given: format!("{name:?}, which the ledger knows with another schedule of the noise ({:?})", charge.name),
            allowed: "the plan with which the run began, or a new name".into(),
        }),
    }
}

/// What the ledger is told about a run of `steps` equal events.
pub fn describe_run(
    name: &str,
    event: DpEvent,
    steps: u64,
    adjacency: Adjacency,
    delta: f64,
    private: bool,
) -> Result<RunDescription> {
    Ok(RunDescription {
        name: name.into(),
        event_per_step: serde_json::to_value(EventDocument::new(event)).map_err(|error| BudgetError::Plan {
            field: "event",
            given: error.to_string(),
            allowed: "an event that can be written as JSON".into(),
        })?,
        planned_steps: steps,
        adjacency: adjacency.to_string(),
        private,
        delta: Some(delta),
        mechanism: None,
    })
}

#[cfg(test)]
mod tests {
    use burn_privacy_accounting::{Accountant, PldAccountant};

    use super::*;
    use crate::plan::{Clipping, NoiseLevel, PrivacyPlanConfig, ProtectedUnit, Sampling, StepFunction};

    fn config() -> PrivacyPlanConfig {
        PrivacyPlanConfig::new()
            .with_sampling(Sampling::poisson(20, 1_000))
            .with_clipping(Clipping::flat(1.0))
            .with_noise(NoiseLevel::multiplier(1.0))
            .with_noise_schedule(StepFunction::of([(0, 1.5), (10, 1.0), (16, 0.8)]))
            .with_delta(1e-5)
            .with_steps(20)
    }

    fn begin(path: &std::path::Path, plan: &PrivacyPlan) -> Result<LedgerRun> {
        let ledger = Ledger::open(path, "data").unwrap().with_block_target(std::time::Duration::ZERO);
        LedgerRun::begin_or_resume(ledger, "run", plan, true)
    }

    #[test]
    fn every_step_is_charged_with_the_noise_that_it_has_also_after_a_resume() {
        let folder = tempfile::tempdir().unwrap();
        let plan = config().build().unwrap();
        // A session that ends within a stretch, at the end of one, or is killed.
        for (part, closes) in [(3, true), (7, false), (10, true), (12, true), (16, false), (19, true)] {
            let path = folder.path().join(format!("ledger {part}"));
            let mut run = begin(&path, &plan).unwrap();
            (0..part).for_each(|_| run.charge_step().unwrap());
            if closes {
                run.close().unwrap()
            } else {
                drop(run)
            }
            let mut run = begin(&path, &plan).unwrap();
            assert_eq!(run.charged_steps().unwrap(), part);
            (part..20).for_each(|_| run.charge_step().unwrap());
            assert!(run.charge_step().is_err());
            run.close().unwrap();
            // What was charged is what the accountant composes of the plan.
            let total = Ledger::read(&path).unwrap().total(1e-5).unwrap();
            let charged = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
            let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
            for step in 0..20 {
                let noise = DpEvent::gaussian(plan.noise_multiplier_in(step)).unwrap();
                accountant.compose(&DpEvent::poisson_sampled(0.02, noise).unwrap(), 1).unwrap();
            }
            let composed = accountant.epsilon(1e-5).unwrap();
            assert!((charged / composed - 1.0).abs() < 1e-9, "{charged} {composed}");
            assert_eq!(plan.epsilon(1e-5).unwrap(), composed);
            assert!(begin(&path, &plan).is_err(), "all is spent");
        }
    }

    #[test]
    fn a_name_stands_for_one_schedule() {
        let folder = tempfile::tempdir().unwrap();
        let constant = || config().with_noise_schedule(StepFunction::constant());
        let other = config().with_noise_schedule(StepFunction::of([(0, 1.5), (11, 1.0)])).build().unwrap();
        let plans = [config().build().unwrap(), constant().build().unwrap(), other];
        for (index, first) in plans.iter().enumerate() {
            let path = folder.path().join(index.to_string());
            begin(&path, first).unwrap().close().unwrap();
            for second in plans.iter().filter(|second| *second != first) {
                let refusal = begin(&path, second).err().unwrap().to_string();
                assert!(refusal.contains("schedule"), "{refusal}");
            }
        }
        // The noise of a stretch is compared by the ledger itself.
        let path = folder.path().join("noise");
        begin(&path, &plans[0]).unwrap().close().unwrap();
        let louder = config().with_noise(NoiseLevel::multiplier(2.0)).build().unwrap();
        assert!(begin(&path, &louder).is_err());
    }

    #[test]
    fn users_by_records_are_charged_as_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let unit = ProtectedUnit::UserByRecords { most_records: 3 };
        let plan = config().with_protected_unit(unit).build().unwrap();
        let path = folder.path().join("ledger");
        let mut run = begin(&path, &plan).unwrap();
        (0..20).for_each(|_| run.charge_step().unwrap());
        run.close().unwrap();
        let history = Ledger::read(&path).unwrap();
        assert!(history.charges().iter().all(|charge| charge.mechanism.as_ref().unwrap().contains("one user")));
        let total = history.total(1e-5).unwrap();
        let charged = total.composed.iter().map(|report| report.epsilon).fold(f64::INFINITY, f64::min);
        let planned = plan.epsilon(1e-5).unwrap();
        assert!((charged / planned - 1.0).abs() < 1e-9, "{charged} {planned}");
        assert!(planned > 2.0 * config().build().unwrap().epsilon(1e-5).unwrap());
    }
}
