//! A data set's budget: an (epsilon, delta) that all its runs together keep to, however they were chosen.

use std::collections::BTreeMap;
use std::fmt;

use burn_privacy_accounting::{AccountingError, Adjacency, DpEvent, EventDocument, RdpFilter, round_up_for_display};
use serde::{Deserialize, Serialize};

use super::error::LedgerError;
use super::history::History;
use super::record::{Record, RunDescription, SOFTWARE};
use super::writer::{Ledger, now};

/// The (epsilon, delta) of everything that is ever released from a data set, enforced by a Rényi filter over the ledger's
/// runs: set once, before the first step is charged, by [`Ledger::set_budget`].
///
/// A sum of the runs' epsilons bounds them only if all of them were planned without looking at each other's results. Under a
/// budget each run, its plan, its name and its end may depend on everything that was released before.
///
/// # Formal guarantees
///
/// All steps that a ledger with this budget charges are together (epsilon, delta)-differentially private under the
/// adjacency, whatever the rule that chose them, if the budget itself was chosen without looking at the data: see
/// [`RdpFilter`] (Feldman and Zrnic, arXiv 2008.11193, theorem 3.1). Its preconditions are checked: one Rényi order, fixed
/// before the first charge; an event that is known before its steps are released; private randomness; one adjacency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    adjacency: Adjacency,
    epsilon: f64,
    delta: f64,
    order: f64,
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
        Ok(Self { adjacency, epsilon, delta, order })
    }

    /// Which data sets are neighbours.
    #[must_use]
    pub const fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    /// The epsilon that is never exceeded.
    #[must_use]
    pub const fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Its delta.
    #[must_use]
    pub const fn delta(&self) -> f64 {
        self.delta
    }

    /// The Rényi order at which is counted.
    #[must_use]
    pub const fn order(&self) -> f64 {
        self.order
    }

    /// The filter before the first charge.
    pub(super) fn filter(&self) -> Result<RdpFilter, LedgerError> {
        Ok(RdpFilter::new(self.adjacency, self.order, self.epsilon, self.delta)?)
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
            "({}, {}) under {} adjacency, enforced by a Rényi filter of order {:.4}",
            round_up_for_display(self.epsilon),
            round_up_for_display(self.delta),
            self.adjacency,
            self.order
        )
    }
}

/// The event of a JSON document.
pub(super) fn event_of(document: &serde_json::Value) -> Result<DpEvent, AccountingError> {
    serde_json::from_value(document.clone())
        .map(EventDocument::into_event)
        .map_err(|error| AccountingError::MalformedJson { reason: error.to_string() })
}

impl Ledger {
    /// Gives the data set a budget that all its runs together never exceed, durably. Setting an equal one again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetFixed`] if there is another one, or steps are charged already: the filter's order and budget
    /// must be fixed before the first release; errors of writing.
    pub fn set_budget(&mut self, budget: Budget) -> Result<(), LedgerError> {
        if self.history().budget() == Some(&budget) {
            return Ok(());
        }
        let charged = self.history().charged_steps();
        if self.history().budget().is_some() || charged > 0 {
            let reason = match self.history().budget() {
                Some(budget) => format!("its budget is {budget}"),
                None => format!("{charged} steps are charged to it without one"),
            };
            return Err(LedgerError::BudgetFixed { dataset: self.dataset().to_owned(), reason });
        }
        self.record(Record::Budget { budget, software: SOFTWARE.to_owned(), time: now() })
    }
}

impl History {
    /// The share of the budget that is charged, from 0 to 1, in Rényi divergence at the budget's order; `None` without a
    /// budget. It says how much fits still; it is no epsilon of a part of the runs.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetExceeded`] if more is charged than the budget allows, which no program of this crate does.
    pub fn budget_spent(&self) -> Result<Option<f64>, LedgerError> {
        Ok(self.filter()?.map(|filter| filter.spent() / filter.budget()))
    }

    /// The filter with everything that is charged.
    fn filter(&self) -> Result<Option<RdpFilter>, LedgerError> {
        let Some(budget) = self.budget() else { return Ok(None) };
        let mut filter = budget.filter()?;
        // Equal events at once: a sweep has many runs of few kinds.
        let mut charged: BTreeMap<String, (DpEvent, u64, &str)> = BTreeMap::new();
        for run in self.runs().iter().filter(|run| run.charged > 0) {
            let event = budget.event(&run.description)?;
            let kind = charged.entry(event.to_json()).or_insert((event, 0, &run.description.name));
            kind.1 = kind.1.saturating_add(run.charged);
        }
        for (event, steps, name) in charged.into_values() {
            filter.charge(&event, steps).map_err(|error| exceeded(error, budget, name, steps, 0))?;
        }
        Ok(Some(filter))
    }

    /// The most steps, `wanted` at most, that the budget lets a run charge now. Without a budget, `wanted`.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetExceeded`] if fewer than `least` fit; [`LedgerError::NotCounted`].
    pub(super) fn fitting(&self, run: &RunDescription, least: u64, wanted: u64) -> Result<u64, LedgerError> {
        let (Some(budget), Some(filter)) = (self.budget(), self.filter()?) else { return Ok(wanted) };
        let event = budget.event(run)?;
        let fits = |steps: u64| match filter.clone().charge(&event, steps) {
            Ok(()) => Ok(true),
            Err(AccountingError::BudgetExhausted { .. }) => Ok(false),
            Err(error) => Err(error),
        };
        if fits(wanted)? {
            return Ok(wanted);
        }
        // Between a number that fits and one that does not.
        let (mut fitting, mut too_many) = (0, wanted);
        while too_many - fitting > 1 {
            let middle = fitting + (too_many - fitting) / 2;
            if fits(middle)? { fitting = middle } else { too_many = middle }
        }
        if fitting >= least {
            return Ok(fitting);
        }
        let (epsilon, delta, name) = (budget.epsilon, budget.delta, run.name.clone());
        Err(LedgerError::BudgetExceeded { name, epsilon, delta, asked: least, fitting })
    }
}

/// What a filter's refusal means for a run.
fn exceeded(error: AccountingError, budget: &Budget, name: &str, asked: u64, fitting: u64) -> LedgerError {
    match error {
        AccountingError::BudgetExhausted { .. } => LedgerError::BudgetExceeded {
            name: name.to_owned(),
            epsilon: budget.epsilon,
            delta: budget.delta,
            asked,
            fitting,
        },
        other => other.into(),
    }
}
