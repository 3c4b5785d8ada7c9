//! A budget for events that are chosen while they run.

use super::{Curve, Terms, checked_order};
use crate::conversion::epsilon_at;
use crate::error::{finite_at_least_zero, invalid, open_delta};
use crate::search::minimize;
use crate::{AccountingError, Adjacency, DpEvent, Result};

/// A Renyi privacy filter: lets events pass until an (epsilon, delta) is used up, when the events themselves are chosen
/// by looking at the results of those before (a noise that adapts, a number of steps that depends on the loss).
///
/// An [`Accountant`](crate::Accountant) composes mechanisms whose parameters were fixed beforehand; asking it after the
/// fact about parameters that depended on the data proves nothing. A filter holds at *one* Renyi order, which has to be
/// chosen before the first event ([`RdpFilter::for_expected`] chooses it).
///
/// # Formal guarantees
///
/// All events that were let pass are together (epsilon, delta)-private, whatever the rule that chose them (Feldman and
/// Zrnic, arXiv 2008.11193, theorem 3.1; Lecuyer, arXiv 2103.01379), as long as no event runs that was refused.
///
/// ```
/// use burn_privacy_accounting::{Adjacency, DpEvent, RdpFilter};
///
/// let step = |noise| DpEvent::poisson_sampled(0.01, DpEvent::gaussian(noise)?);
/// let mut filter = RdpFilter::for_expected(Adjacency::AddOrRemoveOne, &step(1.0)?, 2.0, 1e-5)?;
/// let mut steps = 0;
/// // More noise as soon as half of the budget is used.
/// while filter.charge(&step(if filter.spent() < 0.5 * filter.budget() { 1.0 } else { 2.0 })?, 1).is_ok() {
///     steps += 1;
/// }
/// assert!(steps > 1_000);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RdpFilter {
    adjacency: Adjacency,
    order: f64,
    budget: f64,
    spent: f64,
}

impl RdpFilter {
    /// A filter at a given Renyi order.
    ///
    /// # Errors
    ///
    /// If `order` is not above 1 and at most 1e9, `epsilon` negative, NaN or infinite, `delta` not strictly between 0
    /// and 1, or if the order leaves no budget at all for this target.
    pub fn new(adjacency: Adjacency, order: f64, epsilon: f64, delta: f64) -> Result<Self> {
        let order = checked_order("order", order)?;
        let budget = budget(order, finite_at_least_zero("epsilon", epsilon)?, open_delta(delta)?);
        if budget > 0.0 {
            Ok(Self { adjacency, order, budget, spent: 0.0 })
        } else {
            Err(invalid(
                "order",
                order,
                format!("larger: at this order, epsilon {epsilon} at delta {delta} leaves no budget"),
            ))
        }
    }

    /// A filter at the order that lets the most runs of an expected event pass. Other events may come; the guarantee is
    /// the same, only less of the budget is used well.
    ///
    /// # Errors
    ///
    /// As [`RdpFilter::new`], or if the event is not supported.
    pub fn for_expected(adjacency: Adjacency, expected: &DpEvent, epsilon: f64, delta: f64) -> Result<Self> {
        let (epsilon, delta) = (finite_at_least_zero("epsilon", epsilon)?, open_delta(delta)?);
        let mut curve = Curve::new(&Terms::of(expected, 1, adjacency)?);
        let (log_above, _) = minimize(
            |log_above| {
                let order = 1.0 + log_above.exp();
                let budget = budget(order, epsilon, delta);
                if budget > 0.0 { -(budget / curve.divergence(order).max(f64::MIN_POSITIVE)).ln() } else { f64::MAX }
            },
            // Orders from here on leave half of the epsilon.
            (2.0 * (1.0 / delta).ln() / epsilon.max(1e-9)).ln().clamp(-10.0, 20.0),
            (-11.0, 20.7),
            1e-4,
        );
        Self::new(adjacency, 1.0 + log_above.exp(), epsilon, delta)
    }

    /// Lets `count` runs of an event pass, before they run, if the budget covers all of them.
    ///
    /// # Errors
    ///
    /// [`AccountingError::BudgetExhausted`] if it does not; then nothing was charged and the event must not run. A
    /// smaller event may still pass. Besides, as [`Accountant::compose`](crate::Accountant::compose).
    pub fn charge(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let divergence = Curve::new(&Terms::of(event, count, self.adjacency)?).divergence(self.order);
        let spent = (self.spent + divergence) * (1.0 + f64::EPSILON);
        // An infinite divergence never fits.
        if spent <= self.budget {
            self.spent = spent;
            Ok(())
        } else {
            Err(AccountingError::BudgetExhausted {
                order: self.order,
                left: self.budget - self.spent,
                needed: divergence,
            })
        }
    }

    /// The Renyi order at which is counted.
    #[must_use]
    pub fn order(&self) -> f64 {
        self.order
    }

    /// The Renyi divergence at that order that may be spent, in nats.
    #[must_use]
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// The Renyi divergence at that order that was spent, in nats.
    #[must_use]
    pub fn spent(&self) -> f64 {
        self.spent
    }
}

/// The largest divergence at an order that proves (epsilon, delta), rounded down.
fn budget(order: f64, epsilon: f64, delta: f64) -> f64 {
    let log_delta = delta.ln();
    let without = epsilon_at(order, 0.0, log_delta);
    let budget = (epsilon - without) * (1.0 - 1e-12);
    // Rounding of large terms that nearly cancel.
    if budget > 0.0 && epsilon_at(order, budget, log_delta) <= epsilon { budget } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accountant, RdpAccountant};

    fn step(noise: f64) -> DpEvent {
        DpEvent::poisson_sampled(0.01, DpEvent::gaussian(noise).unwrap()).unwrap()
    }

    #[test]
    fn equal_events_pass_as_long_as_the_accountant_allows() {
        let (epsilon, delta) = (2.0, 1e-5);
        let mut filter = RdpFilter::for_expected(Adjacency::AddOrRemoveOne, &step(1.0), epsilon, delta).unwrap();
        let mut steps = 0;
        while filter.charge(&step(1.0), 10).is_ok() {
            steps += 10;
        }
        let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
        accountant.compose(&step(1.0), steps).unwrap();
        let found = accountant.epsilon(delta).unwrap();
        // The chosen order is the best one for exactly these steps.
        assert!(found <= epsilon && found > 0.99 * epsilon, "{steps}: {found}");
        accountant.compose(&step(1.0), 10).unwrap();
        assert!(accountant.epsilon(delta).unwrap() > epsilon);
    }

    #[test]
    fn what_does_not_fit_is_not_charged() {
        let mut filter = RdpFilter::new(Adjacency::AddOrRemoveOne, 8.0, 3.0, 1e-5).unwrap();
        filter.charge(&step(1.0), 100).unwrap();
        let spent = filter.spent();
        for event in [DpEvent::gaussian(0.1).unwrap(), DpEvent::non_private(), step(0.0)] {
            let error = filter.charge(&event, 1).unwrap_err();
            assert!(matches!(error, AccountingError::BudgetExhausted { .. }), "{error}");
            assert_eq!(filter.spent(), spent);
        }
        filter.charge(&step(2.0), 1).unwrap();
        assert!(filter.spent() > spent && filter.spent() <= filter.budget() && filter.order() == 8.0);
    }

    #[test]
    fn orders_and_targets_without_a_budget_are_refused() {
        for (order, epsilon, delta) in
            [(1.0, 1.0, 1e-5), (2.0, 1.0, 1e-5), (8.0, f64::INFINITY, 1e-5), (8.0, 1.0, 0.0), (8.0, f64::NAN, 1e-5)]
        {
            assert!(RdpFilter::new(Adjacency::AddOrRemoveOne, order, epsilon, delta).is_err(), "{order} {epsilon}");
        }
        assert!(RdpFilter::for_expected(Adjacency::AddOrRemoveOne, &step(1.0), f64::NAN, 1e-5).is_err());
    }
}
