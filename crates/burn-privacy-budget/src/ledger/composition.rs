//! What all charges together come to.

use burn_privacy_accounting::{Accountant, AccountingError, EventDocument};

use super::history::Charge;
use crate::error::{BudgetError, Result};

/// Composes the events of charges, each as often as it is charged.
///
/// # Errors
///
/// [`BudgetError::Accounting`] for an event that is not the accounting crate's, or that the accountant does not support;
/// [`BudgetError::Plan`] for a charge that is meant under another adjacency than the accountant's.
pub fn compose_charges<'a>(
    charges: impl IntoIterator<Item = &'a Charge>,
    accountant: &mut impl Accountant,
) -> Result<()> {
    for charge in charges {
        if charge.adjacency != accountant.adjacency().to_string() {
            return Err(BudgetError::Plan {
                field: "adjacency",
                given: format!("{} in run {:?}", charge.adjacency, charge.name),
                allowed: format!("{} here: runs under different adjacencies do not compose", accountant.adjacency()),
            });
        }
        let document: EventDocument = serde_json::from_value(charge.event.clone())
            .map_err(|error| AccountingError::MalformedJson { reason: error.to_string() })?;
        accountant.compose(document.event(), charge.steps)?;
    }
    Ok(())
}
