//! Giving a data set its budget: once, and before the first charge.

use super::budget::Budget;
use super::error::LedgerError;
use super::record::{Record, SOFTWARE, now};
use super::writer::Ledger;

impl Ledger {
    /// Gives the data set a budget that all its runs together never exceed, durably. Setting an equal one again changes
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`LedgerError::BudgetFixed`] if there is another one, or steps are charged already: the filter's order and budget
    /// must be fixed before the first release; errors of writing.
    pub fn set_budget(&mut self, budget: Budget) -> Result<(), LedgerError> {
        if self.history().budget().is_some_and(|known| known.asks_for_the_same(&budget)) {
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
