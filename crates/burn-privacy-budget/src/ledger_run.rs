//! One run of a plan in the ledger of its data set: begun or resumed by name, charged step by step, and closed.

use burn_privacy_accounting::{Adjacency, DpEvent, EventDocument};

use crate::error::{BudgetError, Result};
use crate::ledger::{Ledger, RunDescription, RunId};
use crate::plan::PrivacyPlan;

/// One run of a plan in its data set's ledger.
pub struct LedgerRun {
    ledger: Ledger,
    run: RunId,
}

impl LedgerRun {
    /// Begins a run, or continues the one of that name with the same plan.
    pub fn begin_or_resume(mut ledger: Ledger, name: &str, plan: &PrivacyPlan, private: bool) -> Result<Self> {
        let mut description =
            describe_run(name, plan.step_event()?, plan.steps(), plan.adjacency(), plan.delta(), private)?;
        description.mechanism = Some(format!("{}; protected: {}", plan.mechanism(), plan.protected_unit()));
        let run = ledger.begin_or_resume(description)?;
        Ok(Self { ledger, run })
    }

    /// Steps charged by this run before now.
    pub fn charged_steps(&self) -> Result<u64> {
        Ok(self.ledger.charged(self.run)?)
    }

    /// Charges one step; durable when it returns.
    pub fn charge_step(&mut self) -> Result<()> {
        self.ledger.charge_step(self.run)?;
        Ok(())
    }

    /// Name of the data set.
    pub fn dataset(&self) -> &str {
        self.ledger.history().dataset()
    }

    /// Writes the true number of steps.
    pub fn close(mut self) -> Result<()> {
        let released = self.ledger.released(self.run)?;
        self.ledger.close(self.run, released)?;
        Ok(())
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
