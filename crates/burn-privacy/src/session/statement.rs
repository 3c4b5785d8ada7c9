//! What a session can say of its steps.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn_privacy_budget::statement::{LastBits, PrivacyStatement, statement};

use super::Session;
use super::ranks::ASSUMED;
use crate::error::Result;
use crate::per_example::{GradientSum, PerExample};

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// What can be said now: the planned guarantee, and epsilon so far. How gradients were computed and noise was drawn is said of all
    /// charged steps, so that it is the weakest of them; of those of an earlier session nothing better is known.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn statement(&self) -> Result<PrivacyStatement> {
        let dataset = self.dataset_name.as_deref().unwrap_or("not named (no ledger)");
        let (last_bits, noise) = self.made.with(self.last_bits(), self.noise);
        let statement = statement(&self.plan, dataset, self.charged_steps(), self.private, last_bits, noise)?;
        let mut statement = statement.with_independence(self.independence.stated());
        if self.ranks.is_some() {
            statement.assumptions.extend(ASSUMED.map(str::to_owned));
        }
        Ok(statement)
    }

    /// What the last bits of a contribution depend on as the session is set now.
    pub(super) fn last_bits(&self) -> LastBits {
        let by_rules = match self.per_example {
            PerExample::OneBackward => true,
            PerExample::Automatic => self.on_graph.is_empty() && !self.on_graph_elsewhere,
            PerExample::Traced | PerExample::Loop => false,
        };
        match self.per_example {
            PerExample::Loop => LastBits::OfTheRecordAlone,
            _ if by_rules && GradientSum::is_on_cpu(&self.device) => LastBits::OfTheClosure,
            // Burn's own products choose how they compute by the number of rows.
            _ => LastBits::OfTheBatch,
        }
    }
}
