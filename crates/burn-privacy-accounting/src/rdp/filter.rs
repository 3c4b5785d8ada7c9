//! A budget for events that are chosen while they run.

use super::{Curve, Terms, checked_order};
use crate::conversion::epsilon_at;
use crate::error::{finite_at_least_zero, invalid, open_delta};
use crate::search::minimize;
use crate::{AccountingError, Adjacency, DpEvent, EventKind, Result};

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
/// # Mechanisms that may fail
///
/// An (epsilon, delta) event has no Renyi divergence. A filter [with failures](Self::with_failures) sets a part of its delta
/// aside, before the first event, and takes such an event as a pure one that fails with probability delta.
///
/// *Proof.* Fix two neighbors. By Kairouz, Oh and Viswanath (arXiv 1311.0776, theorem 3.2) each `(e_t, d_t)` mechanism is a
/// function of an output that with probability `d_t` tells which neighbor it is, and else is `e_t`-randomized response. Let
/// `P`, `Q` be the laws of all outputs if no mechanism ever failed, and `w = prod (1 - d_t)`, which is a function of the
/// outputs, since each `d_t` is known before its event runs, and the same under both. The true laws are `P' >= w P` and
/// `Q' >= w Q`, and `P' - w P` has a mass of at most the probability of any failure, at most `F`, as the filter keeps
/// `sum d_t <= F` in every course of events. Hence for every set `S`: `P'(S) <= F + (w P)(S) <= F + e^epsilon (w Q)(S) +
/// integral of w (p - e^epsilon q)_+ <= F + e^epsilon Q'(S) + D`, with `w <= 1` and `D` what the filter of pure events
/// leaves at epsilon. It is run at `D = delta - F`. `F` must not depend on outputs: what is set aside and not used is lost.
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
    /// The probability of failures that is set aside, and what of it is spent.
    failures: f64,
    failed: f64,
}

impl RdpFilter {
    /// A filter at a given Renyi order.
    ///
    /// # Errors
    ///
    /// If `order` is not above 1 and at most 1e9, `epsilon` negative, NaN or infinite, `delta` not strictly between 0
    /// and 1, or if the order leaves no budget at all for this target.
    pub fn new(adjacency: Adjacency, order: f64, epsilon: f64, delta: f64) -> Result<Self> {
        Self::with_failures(adjacency, order, epsilon, delta, 0.0)
    }

    /// A filter that also takes (epsilon, delta) events, whose deltas may add up to `failures`, a part of its own `delta`.
    ///
    /// # Errors
    ///
    /// As [`RdpFilter::new`], or if `failures` is negative, NaN, or not below `delta`.
    pub fn with_failures(adjacency: Adjacency, order: f64, epsilon: f64, delta: f64, failures: f64) -> Result<Self> {
        let (order, delta) = (checked_order("order", order)?, open_delta(delta)?);
        if !(failures >= 0.0 && failures < delta) {
            return Err(invalid("failures", failures, format!("at least 0 and below delta, which is {delta}")));
        }
        let rest = if failures > 0.0 { (delta - failures) * (1.0 - f64::EPSILON) } else { delta };
        let budget = budget(order, finite_at_least_zero("epsilon", epsilon)?, open_delta(rest)?);
        if budget > 0.0 {
            Ok(Self { adjacency, order, budget, spent: 0.0, failures, failed: 0.0 })
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
    /// [`AccountingError::BudgetExhausted`] or [`AccountingError::FailuresExhausted`] if it does not; then nothing was
    /// charged and the event must not run. A smaller event may still pass. Besides, as
    /// [`Accountant::compose`](crate::Accountant::compose).
    pub fn charge(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let (pure, failing) = if self.failures > 0.0 { without_failures(event)? } else { (event.clone(), 0.0) };
        // Rounded up: a conversion, a product and a sum err by half a unit in the last place each.
        let needed = failing * count as f64;
        let failed = if needed > 0.0 { (self.failed + needed) * (1.0 + 4.0 * f64::EPSILON) } else { self.failed };
        if failed > self.failures {
            return Err(AccountingError::FailuresExhausted {
                set_aside: self.failures,
                left: self.failures - self.failed,
                needed,
            });
        }
        let divergence = Curve::new(&Terms::of(&pure, count, self.adjacency)?).divergence(self.order);
        let spent = (self.spent + divergence) * (1.0 + f64::EPSILON);
        // An infinite divergence never fits.
        if spent <= self.budget {
            (self.spent, self.failed) = (spent, failed);
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
    pub fn order(&self) -> f64 {
        self.order
    }

    /// The Renyi divergence at that order that may be spent, in nats.
    pub fn budget(&self) -> f64 {
        self.budget
    }

    /// The Renyi divergence at that order that was spent, in nats.
    pub fn spent(&self) -> f64 {
        self.spent
    }

    /// The probability of failures that is set aside.
    pub fn failures(&self) -> f64 {
        self.failures
    }

    /// The probability of failures that was spent.
    pub fn failed(&self) -> f64 {
        self.failed
    }
}

/// An event with its (epsilon, delta) parts as pure ones, and the sum of their deltas, rounded up. Inside of samples and
/// selections nothing is taken apart: there the accountant refuses them, as before.
fn without_failures(event: &DpEvent) -> Result<(DpEvent, f64)> {
    match event.kind() {
        EventKind::EpsilonDelta { epsilon, delta } => Ok((DpEvent::epsilon_delta(*epsilon, 0.0)?, *delta)),
        EventKind::Composed { events } => {
            let (mut pure, mut failing) = (Vec::with_capacity(events.len()), 0.0);
            for event in events {
                let (event, more) = without_failures(event)?;
                pure.push(event);
                failing = if more > 0.0 { (failing + more) * (1.0 + f64::EPSILON) } else { failing };
            }
            Ok((DpEvent::composed(pure)?, failing))
        }
        EventKind::SelfComposed { event, count } => {
            let (event, failing) = without_failures(event)?;
            Ok((DpEvent::self_composed(event, *count)?, failing * *count as f64 * (1.0 + 2.0 * f64::EPSILON)))
        }
        _ => Ok((event.clone(), 0.0)),
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
    fn a_pure_mechanism_that_may_fail_passes_until_its_failures_are_used_up() {
        let (epsilon, delta, failures) = (3.0, 1e-6, 1e-12);
        let with = || RdpFilter::with_failures(Adjacency::ReplaceOne, 12.0, epsilon, delta, failures).unwrap();
        let failing = |delta| DpEvent::epsilon_delta(0.01, delta).unwrap();
        // A filter without failures refuses such an event, and one with them charges what a pure one costs.
        let mut without = RdpFilter::new(Adjacency::ReplaceOne, 12.0, epsilon, delta).unwrap();
        assert!(matches!(without.charge(&failing(1e-13), 1), Err(AccountingError::Unsupported { .. })));
        let (mut filter, mut pure) = (with(), with());
        filter.charge(&failing(1e-13), 9).unwrap();
        pure.charge(&DpEvent::epsilon_delta(0.01, 0.0).unwrap(), 9).unwrap();
        assert_eq!(filter.spent(), pure.spent());
        assert!((filter.failed() / 9e-13 - 1.0).abs() < 1e-12 && pure.failed() == 0.0);
        let error = filter.charge(&failing(1e-13), 2).unwrap_err();
        assert!(matches!(error, AccountingError::FailuresExhausted { .. }), "{error}");
        assert_eq!(filter.spent(), pure.spent());
        // Composed ones are added up; inside a sample nothing is known to add.
        let twice = DpEvent::self_composed(DpEvent::composed(vec![failing(4e-13), failing(0.0)]).unwrap(), 2).unwrap();
        let mut filter = with();
        filter.charge(&twice, 1).unwrap();
        assert!(filter.failed() >= 8e-13 && filter.failed() < 8.0001e-13);
        assert!(filter.charge(&twice, 1).is_err() && filter.charge(&failing(0.5), 1).is_err());
        assert!(filter.charge(&DpEvent::poisson_sampled(0.5, failing(1e-13)).unwrap(), 1).is_err());
        // What is set aside is taken from delta, and must leave some of it.
        assert!(with().budget() < without.budget() && with().budget() > without.budget() * (1.0 - 1e-5));
        for failures in [-1e-12, delta, 1.0, f64::NAN] {
            assert!(RdpFilter::with_failures(Adjacency::ReplaceOne, 12.0, epsilon, delta, failures).is_err());
        }
    }

    #[test]
    fn the_bound_with_failures_holds_for_the_worst_mechanism() {
        // n runs of the worst (e, d) mechanism: any failure tells all, else binomial randomized response. The exact delta at
        // the filter's epsilon must lie within the filter's delta.
        let (order, epsilon, delta, failures) = (6.0, 2.0, 1e-3, 4e-4);
        let (each, fails) = (0.2, 1e-5);
        let mut filter = RdpFilter::with_failures(Adjacency::ReplaceOne, order, epsilon, delta, failures).unwrap();
        let mut runs = 0_i32;
        while filter.charge(&DpEvent::epsilon_delta(each, fails).unwrap(), 1).is_ok() {
            runs += 1;
        }
        assert!(runs > 5);
        let truth = each.exp() / (1.0 + each.exp());
        let mut choose = 1.0;
        let mut exact = 1.0 - (1.0 - fails).powi(runs);
        for right in 0..=runs {
            let (p, q) = (
                truth.powi(right) * (1.0 - truth).powi(runs - right),
                truth.powi(runs - right) * (1.0 - truth).powi(right),
            );
            exact += (1.0 - fails).powi(runs) * choose * (p - epsilon.exp() * q).max(0.0);
            choose *= f64::from(runs - right) / f64::from(right + 1);
        }
        assert!(exact <= delta, "{runs} runs: {exact}");
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
