//! What all charges together come to.

use burn_privacy_accounting::{
    Accountant, AccountingError, Adjacency, DpEvent, EpsilonReport, PldAccountant, RdpAccountant,
};

use super::budget::event_of;
use super::error::LedgerError;
use super::history::Charge;
use super::unit::Unit;

/// What belongs to every epsilon that composes the runs of a ledger without a [`Budget`](super::Budget).
pub const COMPOSITION_CAVEAT: &str = "an upper bound only if all these runs were planned without looking at each other's \
                                      results; runs that were not need a ledger with a budget";

/// Composes the events of charges, each as often as it is charged. A run with a fixed seed protects nobody, so one charged
/// step of it makes every epsilon infinite.
///
/// The result bounds the data set's epsilon if all runs were planned without looking at each other's results
/// ([`COMPOSITION_CAVEAT`]).
///
/// # Errors
///
/// [`LedgerError::Accounting`] for an event that is not the accounting crate's, or that the accountant does not support;
/// [`LedgerError::OtherAdjacency`] for a charge that is meant under another adjacency than the accountant's;
/// [`LedgerError::OtherUnit`] for one that protects another unit than the first.
pub fn compose_charges<'a>(
    charges: impl IntoIterator<Item = &'a Charge>,
    accountant: &mut impl Accountant,
) -> Result<(), LedgerError> {
    let mut unit = None;
    for charge in charges {
        require_unit(&charge.name, charge.unit, unit)?;
        unit = Some(charge.unit);
        if charge.adjacency != accountant.adjacency().to_string() {
            return Err(LedgerError::OtherAdjacency {
                name: charge.name.clone(),
                found: charge.adjacency.clone(),
                expected: accountant.adjacency().to_string(),
            });
        }
        let event = if charge.private { event_of(&charge.event)? } else { DpEvent::non_private() };
        accountant.compose(&event, charge.steps)?;
    }
    Ok(())
}

/// Refuses a run that protects another unit than what was charged before, if anything was.
pub(super) fn require_unit(name: &str, found: Unit, before: Option<Unit>) -> Result<(), LedgerError> {
    match before.filter(|before| *before != found) {
        Some(expected) => Err(LedgerError::OtherUnit { name: name.to_owned(), found, expected }),
        None => Ok(()),
    }
}

/// Epsilon of charges together, by every accountant that supports them; see [`compose_charges`].
///
/// # Errors
///
/// As [`compose_charges`], but for an accountant that does not support an event: it is left out.
pub fn epsilons(charges: &[&Charge], adjacency: Adjacency, delta: f64) -> Result<Vec<EpsilonReport>, LedgerError> {
    fn report(
        charges: &[&Charge],
        delta: f64,
        mut accountant: impl Accountant,
    ) -> Result<Option<EpsilonReport>, LedgerError> {
        match compose_charges(charges.iter().copied(), &mut accountant) {
            Ok(()) => Ok(Some(EpsilonReport::of(&accountant, delta)?)),
            Err(LedgerError::Accounting(AccountingError::Unsupported { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
    let tight = report(charges, delta, PldAccountant::new(adjacency))?;
    let renyi = report(charges, delta, RdpAccountant::new(adjacency))?;
    Ok(tight.into_iter().chain(renyi).collect())
}
