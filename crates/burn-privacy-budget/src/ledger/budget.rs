//! A data set's budget: an (epsilon, delta) that all its runs together keep to, however they were chosen.

use std::fmt;

use burn_privacy_accounting::{AccountingError, Adjacency, DpEvent, EventDocument, RdpFilter, round_up_for_display};
use serde::{Deserialize, Serialize};

use super::error::LedgerError;
use super::run_description::RunDescription;
use super::unit::Unit;

/// The (epsilon, delta) of everything that is ever released from a data set, enforced by a Rényi filter over the ledger's
/// runs: set once, before the first step is charged, by [`Ledger::set_budget`](super::Ledger::set_budget).
///
/// A sum of the runs' epsilons bounds them only if all of them were planned without looking at each other's results. Under a
/// budget each run, its plan, its name and its end may depend on everything that was released before.
///
/// # Formal guarantees
///
/// All steps that a ledger with this budget charges are together (epsilon, delta)-differentially private under the
/// adjacency, whatever the rule that chose them, if the budget itself was chosen without looking at the data: see
/// [`RdpFilter`] (Feldman and Zrnic, arXiv 2008.11193, theorem 3.1). Its preconditions are checked: one Rényi order, fixed
/// before the first charge; an event that is known before its steps are released; private randomness; one adjacency; one
/// protected unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    adjacency: Adjacency,
    epsilon: f64,
    delta: f64,
    order: f64,
    #[serde(default, skip_serializing_if = "is_zero")]
    failures: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
}

/// The part of delta that is set aside for failures: it lowers the rest by a millionth.
const FAILURES: f64 = 1.0 / (1 << 20) as f64;

fn is_zero(failures: &f64) -> bool {
    *failures == 0.0
}

impl Budget {
    /// A budget at the Rényi order that suits Gaussian noise without sampling, or many steps at a low sampling rate.
    ///
    /// # Errors
    ///
    /// [`LedgerError::Invalid`] for an epsilon that is not finite and above 0; [`LedgerError::Accounting`] for a delta that is
    /// not strictly between 0 and 1.
    pub fn new(adjacency: Adjacency, epsilon: f64, delta: f64) -> Result<Self, LedgerError> {
        Self::for_expected(adjacency, &DpEvent::gaussian(10.0)?, epsilon, delta)
    }

    /// A budget at the Rényi order that lets the most runs of an expected event pass, one step of the usual plan for
    /// instance. Other events may come; the guarantee is the same, only less of the budget is used well.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); or if the Rényi accountant does not support the event.
    pub fn for_expected(
        adjacency: Adjacency,
        expected: &DpEvent,
        epsilon: f64,
        delta: f64,
    ) -> Result<Self, LedgerError> {
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            let allowed = "give a finite number above 0";
            return Err(LedgerError::Invalid { what: "a budget's epsilon", given: epsilon.to_string(), allowed });
        }
        let order = RdpFilter::for_expected(adjacency, expected, epsilon, delta)?.order();
        Ok(Self { adjacency, epsilon, delta, order, failures: delta * FAILURES, unit: Some(Unit::Record) })
    }

    /// A budget for another unit than one record: only runs that protect it are charged.
    pub const fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = Some(unit);
        self
    }

    /// Which data sets are neighbors.
    pub const fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    /// The epsilon that is never exceeded.
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Its delta.
    pub const fn delta(&self) -> f64 {
        self.delta
    }

    /// The Rényi order at which is counted.
    pub const fn order(&self) -> f64 {
        self.order
    }

    /// The part of delta that is set aside for mechanisms that may fail; 0 in budgets of earlier versions.
    pub const fn failures(&self) -> f64 {
        self.failures
    }

    /// What its runs protect. None in budgets of earlier versions, where the first run that is charged decides.
    pub const fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// True if both ask for the same, whichever version wrote them.
    pub(super) fn asks_for_the_same(&self, other: &Self) -> bool {
        *self == Self { failures: self.failures, unit: self.unit.and(other.unit), ..other.clone() }
    }

    /// The filter before the first charge.
    pub(super) fn filter(&self) -> Result<RdpFilter, LedgerError> {
        Ok(RdpFilter::with_failures(self.adjacency, self.order, self.epsilon, self.delta, self.failures)?)
    }

    /// The event of a run's step, if such a run can be counted at all.
    pub(super) fn event(&self, run: &RunDescription) -> Result<DpEvent, LedgerError> {
        let refuse = |reason| Err(LedgerError::NotCounted { name: run.name.clone(), reason });
        if !run.private {
            return refuse("its randomness is a fixed seed, which protects nobody".to_owned());
        }
        if run.adjacency != self.adjacency.to_string() {
            return refuse(format!(
                "it is planned under {} adjacency, the budget under {}",
                run.adjacency, self.adjacency
            ));
        }
        Ok(event_of(&run.event_per_step)?)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "({}, {}) under {} adjacency",
            round_up_for_display(self.epsilon),
            round_up_for_display(self.delta),
            self.adjacency
        )?;
        if let Some(unit) = self.unit {
            write!(f, " for {unit}")?;
        }
        write!(f, ", enforced by a Rényi filter of order {:.4}", self.order)
    }
}

/// The event of a JSON document.
pub(super) fn event_of(document: &serde_json::Value) -> Result<DpEvent, AccountingError> {
    serde_json::from_value(document.clone())
        .map(EventDocument::into_event)
        .map_err(|error| AccountingError::MalformedJson { reason: error.to_string() })
}
