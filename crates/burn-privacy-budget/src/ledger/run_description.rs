//! What a run is going to do, as it is written once.

use burn_privacy_accounting::{Adjacency, DpEvent, EventDocument};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::LedgerError;
use super::unit::Unit;

/// What a run is going to do. It is written once and never changes; a run is resumed only with an equal description.
///
/// Put nothing here that is derived from private data: the file is not protected.
///
/// Event and adjacency are kept as they are written, a document and a name, so that a ledger opens whatever newer versions charged to
/// it; totals and budgets read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunDescription {
    /// The run's name, unique in its ledger. Any text but the empty one.
    pub name: String,
    /// The privacy event of one step, as the accountant's JSON document. The ledger does not look inside.
    pub event_per_step: Value,
    /// The steps planned, at least 1. No more are ever charged.
    pub planned_steps: u64,
    /// The adjacency under which the event is meant, as the accountant names it.
    pub adjacency: String,
    /// Whether the randomness is private: false for a run with a fixed seed.
    pub private: bool,
    /// The delta at which the run reports epsilon, strictly between 0 and 1, if it has one.
    pub delta: Option<f64>,
    /// What runs, in words: the style of clipping and the protected unit, for instance. Earlier versions wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// What neighbors differ in. Earlier versions wrote it into the words of `mechanism` alone.
    #[serde(default, skip_serializing_if = "Unit::is_record")]
    pub unit: Unit,
}

impl RunDescription {
    /// A run of equal steps with private randomness, for one record, without a delta of its own and without words.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Invalid`] for an event that can't be written as JSON.
    pub fn of_steps(
        name: impl Into<String>,
        event: DpEvent,
        steps: u64,
        adjacency: Adjacency,
    ) -> Result<Self, LedgerError> {
        let event = serde_json::to_value(EventDocument::new(event)).map_err(|error| LedgerError::Invalid {
            what: "the event of a step",
            given: error.to_string(),
            allowed: "give an event that can be written as JSON",
        })?;
        Ok(Self {
            name: name.into(),
            event_per_step: event,
            planned_steps: steps,
            adjacency: adjacency.to_string(),
            private: true,
            delta: None,
            mechanism: None,
            unit: Unit::Record,
        })
    }

    /// The delta at which the run reports epsilon.
    pub fn with_delta(mut self, delta: f64) -> Self {
        self.delta = Some(delta);
        self
    }

    /// Whether the randomness is private: false for a run with a fixed seed.
    pub fn with_private_randomness(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    /// What neighbors differ in, whichever version wrote it.
    pub(super) fn protected(&self) -> Unit {
        let in_words = |words: &String| words.contains("; protected: one user");
        if self.mechanism.as_ref().is_some_and(in_words) { Unit::User } else { self.unit }
    }

    /// Checks what the fields' documentation demands.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        let invalid = |what, given: String, allowed| Err(LedgerError::Invalid { what, given, allowed });
        if self.name.is_empty() {
            return invalid("the run's name", "empty".into(), "give a name by which the run can be resumed");
        }
        if self.planned_steps == 0 {
            return invalid("the number of planned steps", "0".into(), "plan at least one step");
        }
        if self.event_per_step.is_null() {
            return invalid("the event of a step", "null".into(), "give the accountant's JSON document of the event");
        }
        match self.delta {
            Some(delta) if !(delta > 0.0 && delta < 1.0) => {
                invalid("delta", delta.to_string(), "give a number strictly between 0 and 1, or none")
            }
            _ => Ok(()),
        }
    }

    /// The first field in which `given` differs, with both values.
    pub(super) fn difference(&self, given: &Self) -> Option<(&'static str, String, String)> {
        let differs = |field, recorded: &dyn ToString, given: &dyn ToString| {
            let (recorded, given) = (recorded.to_string(), given.to_string());
            Some((field, recorded, given))
        };
        let delta = |delta: Option<f64>| delta.map_or("none".to_owned(), |delta| delta.to_string());
        if !is_same_event(&self.event_per_step, &given.event_per_step) {
            return differs("the event of a step", &self.event_per_step, &given.event_per_step);
        }
        if self.planned_steps != given.planned_steps {
            return differs("planned steps", &self.planned_steps, &given.planned_steps);
        }
        if self.adjacency != given.adjacency {
            return differs("adjacency", &self.adjacency, &given.adjacency);
        }
        if self.protected() != given.protected() {
            return differs("the protected unit", &self.protected(), &given.protected());
        }
        if self.private != given.private {
            return differs("private randomness", &self.private, &given.private);
        }
        if let (Some(recorded), Some(given)) = (&self.mechanism, &given.mechanism)
            && recorded != given
        {
            return differs("the mechanism", recorded, given);
        }
        if self.delta != given.delta {
            return differs("delta", &delta(self.delta), &delta(given.delta));
        }
        None
    }
}

/// Whether two documents hold one event, however its kinds are spelled: earlier versions wrote `randomised_response`.
fn is_same_event(recorded: &Value, given: &Value) -> bool {
    let event = |document: &Value| serde_json::from_value::<EventDocument>(document.clone()).ok();
    recorded == given || event(recorded).is_some_and(|recorded| Some(recorded) == event(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_an_earlier_spelling_is_the_same_run() {
        let run = |kind: &str, probability: f64| RunDescription {
            name: "survey".into(),
            event_per_step: serde_json::json!({
                "schema": "burn-privacy/dp-event",
                "version": 1,
                "event": { kind: { "noise_probability": probability, "categories": 2 } },
            }),
            planned_steps: 1,
            adjacency: "replace-one".into(),
            private: true,
            delta: None,
            mechanism: None,
            unit: Unit::Record,
        };
        let recorded = run("randomised_response", 0.5);
        assert_eq!(recorded.difference(&run("randomized_response", 0.5)), None);
        assert!(recorded.difference(&run("randomized_response", 0.25)).is_some());
    }
}
