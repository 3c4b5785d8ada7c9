//! What a data set's ledger comes to, and what the figure rests on.

use std::fmt;

use burn_privacy_accounting::{Adjacency, EpsilonReport, round_up_for_display};
use burn_privacy_output::printable;

use super::budget::Budget;
use super::composition::{COMPOSITION_CAVEAT, epsilons};
use super::error::LedgerError;
use super::history::{Charge, History};
use super::unit::Unit;

/// Epsilon of everything that a ledger has charged, for people by [`Display`](fmt::Display).
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerTotal {
    /// Name of the data set.
    pub dataset: String,
    /// Which data sets are neighbors.
    pub adjacency: Adjacency,
    /// What they differ in.
    pub unit: Unit,
    /// The delta of the epsilons.
    pub delta: f64,
    /// Runs with at least one charged step.
    pub runs: usize,
    /// Steps charged in all.
    pub steps: u64,
    /// Names of the runs with a fixed seed. If there is one, every epsilon is infinite.
    pub void_runs: Vec<String>,
    /// Epsilon of all charges by each accountant that supports them: bounds under [`COMPOSITION_CAVEAT`].
    pub composed: Vec<EpsilonReport>,
    /// The data set's budget, a bound without that condition.
    pub budget: Option<Budget>,
    /// The share of it that is charged.
    pub budget_spent: Option<f64>,
    /// The probability of failures that is charged (deltas of mechanisms that have one), and what the budget sets aside for them.
    pub failures_spent: Option<(f64, f64)>,
}

impl History {
    /// Epsilon of all charges together at `delta`. Runs without a charge don't count.
    ///
    /// # Errors
    ///
    /// [`LedgerError::OtherAdjacency`] if the runs are meant under several, and [`LedgerError::OtherUnit`] if they protect several
    /// units; [`LedgerError::Accounting`] for a delta that is
    /// not strictly between 0 and 1, or an event that no accountant supports; [`LedgerError::BudgetExceeded`].
    pub fn total(&self, delta: f64) -> Result<LedgerTotal, LedgerError> {
        let charges = self.charges();
        let charged: Vec<&Charge> = charges.iter().filter(|charge| charge.steps > 0).collect();
        let named = |name: &str| {
            [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne, Adjacency::ZeroOut]
                .into_iter()
                .find(|adjacency| adjacency.to_string() == name)
        };
        let adjacency = match (charged.first(), self.budget()) {
            (_, Some(budget)) => budget.adjacency(),
            (None, None) => Adjacency::AddOrRemoveOne,
            (Some(first), None) => named(&first.adjacency).ok_or_else(|| LedgerError::OtherAdjacency {
                name: first.name.clone(),
                found: first.adjacency.clone(),
                expected: Adjacency::AddOrRemoveOne.to_string(),
            })?,
        };
        let composed = epsilons(&charged, adjacency, delta)?;
        Ok(LedgerTotal {
            dataset: self.dataset().to_owned(),
            adjacency,
            unit: match (self.budget().and_then(Budget::unit), charged.first()) {
                (Some(unit), _) => unit,
                (None, first) => first.map(|charge| charge.unit).unwrap_or_default(),
            },
            delta,
            runs: charged.len(),
            steps: charged.iter().map(|charge| charge.steps).fold(0, u64::saturating_add),
            void_runs: charged.iter().filter(|charge| !charge.private).map(|charge| charge.name.clone()).collect(),
            composed,
            budget: self.budget().cloned(),
            budget_spent: self.budget_spent()?,
            failures_spent: self.failures_spent()?,
        })
    }
}

impl fmt::Display for LedgerTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.void_runs.is_empty() {
            writeln!(f, "*** NOT PRIVATE: runs with a fixed seed: {} ***\n", printable(&self.void_runs.join(", ")))?;
        }
        let delta = round_up_for_display(self.delta);
        writeln!(f, "Data set  {}", printable(&self.dataset))?;
        writeln!(f, "Charged   {} steps of {} runs", self.steps, self.runs)?;
        writeln!(f, "Protects  {}", self.unit)?;
        for report in &self.composed {
            let epsilon = round_up_for_display(report.epsilon);
            writeln!(
                f,
                "Epsilon   {epsilon} at delta {delta} under {} adjacency (by {})",
                self.adjacency, report.accountant
            )?;
        }
        if self.composed.is_empty() {
            writeln!(f, "Epsilon   no accountant supports all runs together")?;
        }
        writeln!(f, "          ({COMPOSITION_CAVEAT})")?;
        match (&self.budget, self.budget_spent) {
            (Some(budget), Some(spent)) => {
                writeln!(f, "Budget    {budget}: however the runs were chosen, they never exceed it")?;
                writeln!(f, "          {:.1} % of it is charged", (spent * 1000.0).ceil() / 10.0)?;
                if let Some((failed, set_aside)) = self.failures_spent.filter(|(failed, _)| *failed > 0.0) {
                    let [failed, set_aside] = [failed, set_aside].map(round_up_for_display);
                    writeln!(
                        f,
                        "          and {failed} of the {set_aside} that its delta sets aside for mechanisms that may fail"
                    )?;
                }
                Ok(())
            }
            _ => writeln!(f, "Budget    none"),
        }
    }
}
