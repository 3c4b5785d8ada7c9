//! One run of a plan in the ledger of its data set: begun or resumed by name, charged step by step, and closed.

use crate::error::{BudgetError, Result};
use crate::ledger::{Ledger, LedgerError, RunDescription, RunId, Unit};
use crate::plan::{PrivacyPlan, ProtectedUnit, Stretch};

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
        let stretches = plan.stretches();
        let names: Vec<String> = stretches.iter().map(|stretch| run_name(name, stretch, stretches.len())).collect();
        refuse_other_stretches(&ledger, name, &names)?;
        let (mut found, mut charged, mut spent) = (Vec::with_capacity(stretches.len()), 0, None);
        for (stretch, name) in stretches.iter().zip(names) {
            let mut description =
                RunDescription::of_steps(name, stretch.event.clone(), stretch.steps, plan.adjacency())?
                    .with_delta(plan.delta())
                    .with_private_randomness(private);
            description.mechanism = Some(format!("{}; protected: {}", plan.mechanism(), plan.protected_unit()));
            description.unit = match plan.protected_unit() {
                ProtectedUnit::Example => Unit::Record,
                ProtectedUnit::User | ProtectedUnit::UserByRecords { .. } => Unit::User,
            };
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
