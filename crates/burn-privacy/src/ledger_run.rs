use burn_privacy_accounting::EventDocument;

use crate::error::{Error, Result};
use crate::ledger::{Ledger, RunDescription, RunId};
use crate::plan::PrivacyPlan;

/// One run of a plan in its data set's ledger.
pub(crate) struct LedgerRun {
    ledger: Ledger,
    run: RunId,
}

impl LedgerRun {
    /// Begins a run, or continues the one of that name with the same plan.
    pub(crate) fn begin_or_resume(mut ledger: Ledger, name: &str, plan: &PrivacyPlan, private: bool) -> Result<Self> {
        let event = EventDocument::new(plan.step_event()?);
        let description = RunDescription {
            name: name.into(),
            event_per_step: serde_json::to_value(&event).map_err(|error| Error::Plan {
                field: "event",
                given: error.to_string(),
                allowed: "an event that can be written as JSON".into(),
            })?,
            planned_steps: plan.steps(),
            adjacency: plan.adjacency().to_string(),
            private,
            delta: Some(plan.delta()),
        };
        let known = ledger.charges().iter().any(|charge| charge.name == name);
        let run = if known { ledger.resume(&description)? } else { ledger.begin(description)? };
        Ok(Self { ledger, run })
    }

    /// Steps charged by this run before now.
    pub(crate) fn charged_steps(&self) -> Result<u64> {
        Ok(self.ledger.charged(self.run)?)
    }

    /// Charges one step; durable when it returns.
    pub(crate) fn charge_step(&mut self) -> Result<()> {
        self.ledger.charge_step(self.run)?;
        Ok(())
    }

    /// Name of the data set.
    pub(crate) fn dataset(&self) -> &str {
        self.ledger.history().dataset()
    }

    /// Writes the true number of steps.
    pub(crate) fn close(mut self) -> Result<()> {
        let released = self.ledger.released(self.run)?;
        self.ledger.close(self.run, released)?;
        Ok(())
    }
}
