//! The accountants by name, and their bounds.

use burn_privacy_accounting::{Accountant, Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, Result};

use crate::args::AccountantName;

/// An accountant that holds an event.
pub enum Filled {
    /// Privacy loss distributions.
    Pld(PldAccountant),
    /// Renyi divergences.
    Rdp(RdpAccountant),
    /// Contour integral.
    Contour(ContourEstimator),
}

/// A number with what is certified about it.
#[derive(Clone, Copy, Debug)]
pub struct Certified {
    /// The answer: the upper bound where there is one.
    pub value: f64,
    /// A lower bound.
    pub lower: Option<f64>,
    /// An upper bound.
    pub upper: Option<f64>,
}

impl Certified {
    fn bracket((lower, upper): (f64, f64)) -> Self {
        Self { value: upper, lower: Some(lower), upper: Some(upper) }
    }

    fn upper(value: f64) -> Self {
        Self { value, lower: None, upper: Some(value) }
    }

    fn estimate(value: f64) -> Self {
        Self { value, lower: None, upper: None }
    }
}

impl Filled {
    /// Counts an event.
    pub fn new(name: AccountantName, adjacency: Adjacency, event: &DpEvent) -> Result<Self> {
        Ok(match name {
            AccountantName::Pld => Self::Pld(composed(PldAccountant::new(adjacency), event)?),
            AccountantName::Rdp => Self::Rdp(composed(RdpAccountant::new(adjacency), event)?),
            AccountantName::Contour => Self::Contour(composed(ContourEstimator::new(adjacency), event)?),
        })
    }

    /// The accountant as such.
    pub fn accountant(&self) -> &dyn Accountant {
        match self {
            Self::Pld(accountant) => accountant,
            Self::Rdp(accountant) => accountant,
            Self::Contour(accountant) => accountant,
        }
    }

    /// Epsilon at a delta.
    pub fn epsilon(&self, delta: f64) -> Result<Certified> {
        Ok(match self {
            Self::Pld(accountant) => Certified::bracket(accountant.epsilon_bounds(delta)?),
            Self::Rdp(accountant) => Certified::upper(accountant.epsilon(delta)?),
            Self::Contour(accountant) => Certified::estimate(accountant.epsilon(delta)?),
        })
    }

    /// Delta at an epsilon.
    pub fn delta(&self, epsilon: f64) -> Result<Certified> {
        Ok(match self {
            Self::Pld(accountant) => Certified::bracket(accountant.delta_bounds(epsilon)?),
            Self::Rdp(accountant) => Certified::upper(accountant.delta(epsilon)?),
            Self::Contour(accountant) => Certified::estimate(accountant.delta(epsilon)?),
        })
    }
}

fn composed<A: Accountant>(mut accountant: A, event: &DpEvent) -> Result<A> {
    accountant.compose(event, 1)?;
    Ok(accountant)
}

/// What is shown: the accountant that was asked for, or PLD with RDP beside it; RDP alone for events that PLD refuses.
pub fn chosen(name: Option<AccountantName>, adjacency: Adjacency, event: &DpEvent) -> Result<Vec<Filled>> {
    if let Some(name) = name {
        return Ok(vec![Filled::new(name, adjacency, event)?]);
    }
    let rdp = Filled::new(AccountantName::Rdp, adjacency, event);
    match Filled::new(AccountantName::Pld, adjacency, event) {
        Ok(pld) => Ok(std::iter::once(pld).chain(rdp.ok()).collect()),
        Err(refusal) => rdp.map(|rdp| vec![rdp]).map_err(|_| refusal),
    }
}
