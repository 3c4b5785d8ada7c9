//! How much of a data set's budget is charged, and how much of a run fits into the rest: a Rényi filter over its history.

use std::collections::BTreeMap;

use burn_privacy_accounting::{AccountingError, DpEvent, RdpFilter};

use super::budget::Budget;
use super::composition::require_unit;
use super::error::LedgerError;
use super::history::History;
use super::run_description::RunDescription;
use super::unit::Unit;

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

    /// The probability of failures that is charged, and what the budget sets aside for them; `None` without a budget.
    ///
    /// # Errors
    ///
    /// As [`budget_spent`](Self::budget_spent).
    pub fn failures_spent(&self) -> Result<Option<(f64, f64)>, LedgerError> {
        Ok(self.filter()?.map(|filter| (filter.failed(), filter.failures())))
    }

    /// What the budget says that runs protect, or else the first run with a charge.
    fn budgeted_unit(&self, budget: &Budget) -> Option<Unit> {
        budget.unit().or_else(|| self.charged_unit())
    }

    /// What the first run with a charge protects.
    fn charged_unit(&self) -> Option<Unit> {
        self.runs().iter().find(|run| run.charged > 0).map(|run| run.description.protected())
    }

    /// The filter with everything that is charged.
    fn filter(&self) -> Result<Option<RdpFilter>, LedgerError> {
        let Some(budget) = self.budget() else { return Ok(None) };
        let mut filter = budget.filter()?;
        // Equal events at once: a sweep has many runs of few kinds.
        let mut charged: BTreeMap<String, (DpEvent, u64, &str)> = BTreeMap::new();
        let unit = self.budgeted_unit(budget);
        for run in self.runs().iter().filter(|run| run.charged > 0) {
            require_unit(&run.description.name, run.description.protected(), unit)?;
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
    /// [`LedgerError::BudgetExceeded`] if fewer than `least` fit; [`LedgerError::NotCounted`]; [`LedgerError::OtherUnit`].
    pub(super) fn fitting(&self, run: &RunDescription, least: u64, wanted: u64) -> Result<u64, LedgerError> {
        let (Some(budget), Some(filter)) = (self.budget(), self.filter()?) else { return Ok(wanted) };
        let event = budget.event(run)?;
        require_unit(&run.name, run.protected(), self.budgeted_unit(budget))?;
        let fits = |steps: u64| match filter.clone().charge(&event, steps) {
            Ok(()) => Ok(true),
            Err(AccountingError::BudgetExhausted { .. } | AccountingError::FailuresExhausted { .. }) => Ok(false),
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
        if let Err(error @ AccountingError::FailuresExhausted { .. }) = filter.clone().charge(&event, least) {
            return Err(LedgerError::NotCounted { name: run.name.clone(), reason: error.to_string() });
        }
        let (epsilon, delta, name) = (budget.epsilon(), budget.delta(), run.name.clone());
        Err(LedgerError::BudgetExceeded { name, epsilon, delta, asked: least, fitting })
    }
}

/// What a filter's refusal means for a run.
fn exceeded(error: AccountingError, budget: &Budget, name: &str, asked: u64, fitting: u64) -> LedgerError {
    match error {
        AccountingError::BudgetExhausted { .. } => LedgerError::BudgetExceeded {
            name: name.to_owned(),
            epsilon: budget.epsilon(),
            delta: budget.delta(),
            asked,
            fitting,
        },
        other => other.into(),
    }
}
