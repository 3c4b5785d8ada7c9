//! The accountants by name, and their bounds.

use burn_privacy_accounting::{
    Accountant, Adjacency, ContourEstimator, DpEvent, PldAccountant, RdpAccountant, Result, calibrate_noise_multiplier,
    calibrate_steps,
};

use crate::failure::Failure;
use crate::flags::{AccountantArgs, AccountantName};

/// The accountant that was asked for, before it has counted anything.
#[derive(Clone, Debug)]
pub struct AccountantChoice(ComposedAccountant);

/// An accountant of one of the kinds, with what it has counted.
#[derive(Clone, Debug)]
pub enum ComposedAccountant {
    /// Privacy loss distributions.
    Pld(PldAccountant),
    /// Renyi divergences.
    Rdp(RdpAccountant),
    /// Contour integral.
    Contour(ContourEstimator),
}

/// A number with what is certified about it.
#[derive(Clone, Copy, Debug)]
pub struct Certified<'a> {
    /// The answer: the upper bound where there is one.
    pub value: f64,
    /// A lower bound.
    pub lower: Option<f64>,
    /// An upper bound.
    pub upper: Option<f64>,
    /// The name of the method that proved the upper bound, or estimated: PLD keeps RDP beside it, whose bound may be the
    /// smaller one.
    pub method: &'a str,
}

impl<'a> Certified<'a> {
    fn bracket((lower, upper, method): (f64, f64, &'a str)) -> Self {
        Self { value: upper, lower: Some(lower), upper: Some(upper), method }
    }

    /// An upper bound alone.
    pub fn upper(value: f64, method: &'a str) -> Self {
        Self { value, lower: None, upper: Some(value), method }
    }

    fn estimate(value: f64, method: &'a str) -> Self {
        Self { value, lower: None, upper: None, method }
    }
}

impl AccountantChoice {
    /// From a name, an adjacency and a list of orders, which only the RDP accountant has; without one it uses the best
    /// real order.
    pub fn new(
        name: AccountantName,
        adjacency: Adjacency,
        orders: Option<&[f64]>,
    ) -> std::result::Result<Self, Failure> {
        Ok(Self(match (name, orders) {
            (AccountantName::Rdp, Some(orders)) => {
                ComposedAccountant::Rdp(RdpAccountant::with_orders(adjacency, orders)?)
            }
            (_, Some(_)) => {
                return Err(Failure::Input("orders were given, but only the rdp accountant has orders".to_owned()));
            }
            (AccountantName::Pld, None) => ComposedAccountant::Pld(PldAccountant::new(adjacency)),
            (AccountantName::Rdp, None) => ComposedAccountant::Rdp(RdpAccountant::new(adjacency)),
            (AccountantName::Contour, None) => ComposedAccountant::Contour(ContourEstimator::new(adjacency)),
        }))
    }

    /// The accountant that the flags name: rdp where orders are given, else pld by default.
    pub fn from_args(args: &AccountantArgs) -> std::result::Result<Self, Failure> {
        let default = if args.orders.is_some() { AccountantName::Rdp } else { AccountantName::Pld };
        Self::new(args.accountant.unwrap_or(default), args.adjacency.into(), args.orders.as_deref())
    }

    /// Counts an event.
    pub fn compose(&self, event: &DpEvent) -> Result<ComposedAccountant> {
        let mut composed = self.0.clone();
        composed.compose(event, 1)?;
        Ok(composed)
    }

    /// The smallest noise multiplier that reaches a target.
    pub fn noise_multiplier(&self, make: impl Fn(f64) -> Result<DpEvent>, epsilon: f64, delta: f64) -> Result<f64> {
        calibrate_noise_multiplier(make, epsilon, delta, || self.0.clone())
    }

    /// The largest number of steps within a target.
    pub fn steps(&self, make: impl Fn(u64) -> Result<DpEvent>, epsilon: f64, delta: f64) -> Result<u64> {
        calibrate_steps(make, epsilon, delta, || self.0.clone())
    }
}

impl ComposedAccountant {
    /// The accountant as such.
    pub fn accountant(&self) -> &dyn Accountant {
        match self {
            Self::Pld(accountant) => accountant,
            Self::Rdp(accountant) => accountant,
            Self::Contour(accountant) => accountant,
        }
    }

    /// Epsilon at a delta, with what is certified about it.
    pub fn certified_epsilon(&self, delta: f64) -> Result<Certified<'_>> {
        Ok(match self {
            Self::Pld(accountant) => Certified::bracket(accountant.epsilon_bounds_and_method(delta)?),
            Self::Rdp(accountant) => Certified::upper(accountant.epsilon(delta)?, accountant.name()),
            Self::Contour(accountant) => Certified::estimate(accountant.epsilon(delta)?, accountant.name()),
        })
    }

    /// Delta at an epsilon, with what is certified about it.
    pub fn certified_delta(&self, epsilon: f64) -> Result<Certified<'_>> {
        Ok(match self {
            Self::Pld(accountant) => Certified::bracket(accountant.delta_bounds_and_method(epsilon)?),
            Self::Rdp(accountant) => Certified::upper(accountant.delta(epsilon)?, accountant.name()),
            Self::Contour(accountant) => Certified::estimate(accountant.delta(epsilon)?, accountant.name()),
        })
    }
}

impl Accountant for ComposedAccountant {
    fn name(&self) -> &str {
        self.accountant().name()
    }

    fn adjacency(&self) -> Adjacency {
        self.accountant().adjacency()
    }

    fn is_bound(&self) -> bool {
        self.accountant().is_bound()
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        match self {
            Self::Pld(accountant) => accountant.compose(event, count),
            Self::Rdp(accountant) => accountant.compose(event, count),
            Self::Contour(accountant) => accountant.compose(event, count),
        }
    }

    fn epsilon(&self, delta: f64) -> Result<f64> {
        self.accountant().epsilon(delta)
    }

    fn epsilon_and_method(&self, delta: f64) -> Result<(f64, &str)> {
        self.accountant().epsilon_and_method(delta)
    }

    fn epsilon_guess(&self, delta: f64) -> Option<f64> {
        self.accountant().epsilon_guess(delta)
    }

    fn rough_epsilon(&self, delta: f64) -> Option<f64> {
        self.accountant().rough_epsilon(delta)
    }

    fn rough_delta(&self, epsilon: f64) -> Option<f64> {
        self.accountant().rough_delta(epsilon)
    }

    fn delta_guess(&self, epsilon: f64) -> Option<f64> {
        self.accountant().delta_guess(epsilon)
    }

    fn delta(&self, epsilon: f64) -> Result<f64> {
        self.accountant().delta(epsilon)
    }
}

/// The accountants whose figures are shown: the one that was asked for, or PLD with RDP beside it; one alone for events
/// that the other refuses.
pub fn accountants_shown(
    args: &AccountantArgs,
    event: &DpEvent,
) -> std::result::Result<Vec<ComposedAccountant>, Failure> {
    if args.accountant.is_some() || args.orders.is_some() {
        return Ok(vec![AccountantChoice::from_args(args)?.compose(event)?]);
    }
    pld_and_rdp(args.adjacency.into(), event)
}

/// By PLD and by RDP, or by one of them.
pub fn pld_and_rdp(adjacency: Adjacency, event: &DpEvent) -> std::result::Result<Vec<ComposedAccountant>, Failure> {
    let empty = [
        ComposedAccountant::Pld(PldAccountant::new(adjacency)),
        ComposedAccountant::Rdp(RdpAccountant::new(adjacency)),
    ];
    let [pld, rdp] = empty.map(|empty| AccountantChoice(empty).compose(event));
    match pld {
        Ok(pld) => Ok(std::iter::once(pld).chain(rdp.ok()).collect()),
        Err(refusal) => rdp.map(|rdp| vec![rdp]).map_err(|_| refusal.into()),
    }
}
