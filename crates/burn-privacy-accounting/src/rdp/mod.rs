//! The Renyi differential privacy (RDP) accountant.

mod closed_forms;
mod curve;
mod filter;
mod sampled_gaussian;
mod schedule;
mod selection;
mod term;
mod terms;

use curve::{Curve, TermCurve, rounded_up_sum};
use term::{Term, Terms};

pub use self::filter::RdpFilter;
pub use self::schedule::EpsilonSchedule;
use crate::conversion::{
    best_delta, best_epsilon, epsilon_at, log_delta_at, rounded_up_exp, total_variation, total_variation_suffices,
};
use crate::error::{any_epsilon, invalid, open_delta};
use crate::{Accountant, Adjacency, DpEvent, Result};

/// At most this many orders may be given.
const MOST_ORDERS: usize = 10_000;

/// The largest order that may be given.
const LARGEST_ORDER: f64 = 1e9;

/// Counts privacy cost by Renyi divergences, which add up under composition (Mironov, arXiv 1702.07476).
///
/// [`RdpAccountant::new`] searches the best real order anew for every question; [`RdpAccountant::with_orders`] keeps
/// to a given list, as other libraries do, and then agrees with them.
///
/// Supported are Gaussian, Laplace, discrete Gaussian and discrete Laplace noise, randomized response (replace-one
/// only), the exponential mechanism, zCDP, pure epsilon (delta = 0), Poisson-sampled Gaussian events (not under
/// replace-one), Gaussian events on samples of fixed size (replace-one only), tree aggregation (not under
/// add-or-remove-one), banded matrix factorization, the best of a random number of runs, and all compositions of these.
/// Everything else is refused by name.
///
/// # Formal guarantees
///
/// Results are upper bounds: divergences include their rounding errors, and any order gives a bound
/// (the conversion is proposition 12 of Canonne, Kamath and Steinke, arXiv 2004.00010).
///
/// ```
/// use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, RdpAccountant};
///
/// let mut accountant = RdpAccountant::new(Adjacency::AddOrRemoveOne);
/// accountant.compose(&DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?, 2_000)?;
/// let epsilon = accountant.epsilon(1e-5)?;
/// assert!((1.1832..1.1833).contains(&epsilon));
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RdpAccountant {
    adjacency: Adjacency,
    terms: Terms,
    orders: Option<FixedOrders>,
}

/// A given list of orders, and each composed term's divergences there.
#[derive(Clone, Debug)]
struct FixedOrders {
    orders: Vec<f64>,
    divergences: Vec<(Term, Vec<f64>)>,
}

impl RdpAccountant {
    /// An empty accountant that searches the best real order.
    pub fn new(adjacency: Adjacency) -> Self {
        Self { adjacency, terms: Terms::default(), orders: None }
    }

    /// An empty accountant that uses the given orders only.
    ///
    /// # Errors
    ///
    /// If there are no orders or more than 10,000, or one is not above 1 and at most 1e9.
    pub fn with_orders(adjacency: Adjacency, orders: &[f64]) -> Result<Self> {
        if orders.is_empty() || orders.len() > MOST_ORDERS {
            return Err(invalid(
                "orders",
                format!("a list of {}", orders.len()),
                format!("a list of 1 to {MOST_ORDERS} numbers"),
            ));
        }
        for &order in orders {
            checked_order("orders", order)?;
        }
        let orders = FixedOrders { orders: orders.to_vec(), divergences: Vec::new() };
        Ok(Self { adjacency, terms: Terms::default(), orders: Some(orders) })
    }

    /// The orders in use, or none if the best real order is searched.
    pub fn orders(&self) -> Option<&[f64]> {
        self.orders.as_ref().map(|fixed| fixed.orders.as_slice())
    }

    /// The composed Renyi divergence at one order, in nats, an upper bound. The order need not be one of
    /// [`Self::orders`].
    ///
    /// # Errors
    ///
    /// If `order` is not above 1 and at most 1e9.
    pub fn divergence(&self, order: f64) -> Result<f64> {
        Ok(self.curve().divergence(checked_order("order", order)?))
    }

    /// The epsilon at this delta, with the order that proves it.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn epsilon_and_order(&self, delta: f64) -> Result<(f64, f64)> {
        let delta = open_delta(delta)?;
        let Some(fixed) = &self.orders else {
            let mut curve = self.curve();
            return Ok(best_epsilon(|order| curve.divergence(order), delta));
        };
        let log_delta = delta.ln();
        let mut best = (f64::INFINITY, fixed.orders[0]);
        for (order, divergence) in self.fixed_curve(fixed) {
            let epsilon = if total_variation_suffices(divergence, delta) {
                0.0
            } else {
                epsilon_at(order, divergence, log_delta).max(0.0)
            };
            if epsilon < best.0 {
                best = (epsilon, order);
            }
        }
        Ok(best)
    }

    fn curve(&self) -> Curve {
        Curve::new(&self.terms)
    }

    /// Each given order with the composed divergence there.
    fn fixed_curve<'a>(&'a self, fixed: &'a FixedOrders) -> impl Iterator<Item = (f64, f64)> + 'a {
        let parts: Vec<(f64, &[f64])> = self
            .terms
            .iter()
            .filter_map(|(term, count)| {
                let (_, curve) = fixed.divergences.iter().find(|(known, _)| known == term)?;
                Some((count as f64, curve.as_slice()))
            })
            .collect();
        fixed.orders.iter().enumerate().map(move |(index, &order)| {
            (order, rounded_up_sum(parts.iter().map(|(count, curve)| count * curve[index])))
        })
    }
}

impl Accountant for RdpAccountant {
    fn name(&self) -> &str {
        terms::NAME
    }

    fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let added = Terms::of(event, count, self.adjacency)?;
        self.terms.merge(&added)?;
        if let Some(fixed) = &mut self.orders {
            for (term, _) in added.iter() {
                if !fixed.divergences.iter().any(|(known, _)| known == term) {
                    let mut curve = TermCurve::new(term.clone());
                    let values = fixed.orders.iter().map(|&order| curve.divergence(order)).collect();
                    fixed.divergences.push((term.clone(), values));
                }
            }
        }
        Ok(())
    }

    fn epsilon(&self, delta: f64) -> Result<f64> {
        Ok(self.epsilon_and_order(delta)?.0)
    }

    fn delta(&self, epsilon: f64) -> Result<f64> {
        let epsilon = any_epsilon("epsilon", epsilon)?;
        let Some(fixed) = &self.orders else {
            let mut curve = self.curve();
            return Ok(best_delta(|order| curve.divergence(order), epsilon));
        };
        if epsilon == f64::INFINITY {
            return Ok(0.0);
        }
        Ok(self.fixed_curve(fixed).fold(1.0, |best: f64, (order, divergence)| {
            let by_order = rounded_up_exp(log_delta_at(order, divergence, epsilon));
            best.min(total_variation(divergence)).min(by_order)
        }))
    }
}

fn checked_order(name: &'static str, order: f64) -> Result<f64> {
    if order > 1.0 && order <= LARGEST_ORDER {
        Ok(order)
    } else {
        Err(invalid(name, order, format!("above 1 and at most {LARGEST_ORDER:e}")))
    }
}
