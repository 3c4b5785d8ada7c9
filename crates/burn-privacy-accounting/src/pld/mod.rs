//! The privacy loss distribution (PLD) accountant.

mod base;
mod blocks;
mod bracket;
mod composition;
mod contraction;
mod curve;
mod directions;
mod goal;
mod group;
mod lattice;
#[cfg(test)]
mod lattice_tests;
mod mixture;
mod nearly_gaussian;
mod pair;
mod quadrature;
mod range;
mod sampled_once;
mod sketch;
mod step;
mod terms;
mod tilt;
mod transform;
mod truncation;
mod window;

pub(crate) use base::{Base, Direction};
use directions::Composition;
use goal::{Goal, Sides};
pub(crate) use mixture::Mixture;
pub(crate) use sketch::Sketch;
pub(crate) use step::{Drawn, Step};
pub(crate) use terms::Terms;
pub(crate) use tilt::{chernoff_epsilon, find, log_chernoff, tilt_for_delta, total};

use crate::error::{any_epsilon, invalid, open_delta};
use crate::gaussian::{delta_rounding, gaussian_delta, gaussian_epsilon, gaussian_epsilon_below};
use crate::{Accountant, Adjacency, DpEvent, RdpAccountant, Result};

/// Relative width of the bracket that is aimed at unless another is given.
const DEFAULT_ACCURACY: f64 = 1e-4;

/// Accuracy of a guess.
const COARSE_ACCURACY: f64 = 0.01;

/// Beyond this many steps, a closed form's bracket of this relative width is narrow enough.
const MOST_ON_A_GRID: f64 = 3e10;
const CLOSED_ACCURACY: f64 = 2e-2;

/// Beyond this many steps, each of which is rounded by a part in 10^13 at least, delta's bound is worth less than one by Renyi
/// divergences.
const MOST_ROUNDED: f64 = 3e14;

/// What [`gaussian_delta`] is rounded up by, and a little.
const EXACT_ROUNDING: f64 = 1e-11;

/// Counts privacy cost by the distribution of the privacy loss, which is tight: besides the upper bound it knows how
/// far below the truth can lie.
///
/// Each step's worst pair of output distributions is put on a grid twice, once made slightly more revealing and once
/// slightly less; both are composed by the fast Fourier transform. The grid, the window and the tilt are chosen so that
/// the two results agree to a relative accuracy, the only thing a user may set. Under add-or-remove-one and zero-out
/// both directions (a record more, a record less) are counted, and the worse one is the answer.
///
/// Supported are Gaussian, Laplace and discrete Laplace noise, discrete Gaussian noise of sensitivity 1, the exponential
/// mechanism, (epsilon, delta), all of these under Poisson sampling, also truncated (not under replace-one), and under
/// samples of fixed size (replace-one only), Gaussian noise where several of the sampled records are one unit's, randomized response (replace-one only), tree aggregation (not under
/// add-or-remove-one), banded matrix factorization, and all compositions of these. Everything else is refused by name.
///
/// # Formal guarantees
///
/// - The upper bounds hold for every mechanism that the event describes; they include discretization (Doroshenko et al.,
///   arXiv 2207.04380), truncation, aliasing and rounding of the transform, at any delta down to 1e-280; below that,
///   the upper bound is infinite unless Renyi divergences give a finite one.
/// - The lower bounds hold for the worst mechanism that the events describe, so that no accountant that knows no more than
///   they say can prove less. Where no such mechanism is known (compositions of the exponential mechanism, truncated
///   samples, and where a step was replaced by a simpler, more revealing one), the lower bound is 0.
/// - Where the accuracy isn't reached (beyond some billion steps with a noise multiplier below 10,000), the bracket is
///   honestly wider, and the upper bound never above that of [`RdpAccountant`]; where it is that one,
///   [`Accountant::epsilon_and_method`] says so.
///
/// ```
/// use burn_privacy_accounting::{Accountant, Adjacency, DpEvent, PldAccountant};
///
/// let mut accountant = PldAccountant::new(Adjacency::AddOrRemoveOne);
/// accountant.compose(&DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?, 2_000)?;
/// let (lower, upper) = accountant.epsilon_bounds(1e-5)?;
/// // The true value is 1.007673204.
/// assert!(lower <= 1.007_673_204 && 1.007_673_204 <= upper && upper - lower <= 1e-4 * upper);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PldAccountant {
    adjacency: Adjacency,
    terms: Terms,
    accuracy: f64,
    /// The same by Renyi divergences, as long as all events have some.
    renyi: Option<RdpAccountant>,
}

impl PldAccountant {
    /// An empty accountant whose brackets are at most one part in 10,000 wide.
    pub fn new(adjacency: Adjacency) -> Self {
        Self {
            adjacency,
            terms: Terms::default(),
            accuracy: DEFAULT_ACCURACY,
            renyi: Some(RdpAccountant::new(adjacency)),
        }
    }

    /// An empty accountant with another relative width of the brackets.
    ///
    /// The width is relative to epsilon, but for an epsilon of nearly 0 to a fiftieth of the standard deviation of the
    /// privacy loss. The time grows like one over its square root.
    ///
    /// # Errors
    ///
    /// If `accuracy` is not between 1e-9 and 0.1.
    pub fn with_accuracy(adjacency: Adjacency, accuracy: f64) -> Result<Self> {
        if !(1e-9..=0.1).contains(&accuracy) {
            return Err(invalid("accuracy", accuracy, "between 1e-9 and 0.1; 1e-4 is the default"));
        }
        Ok(Self { accuracy, ..Self::new(adjacency) })
    }

    /// The relative width of the brackets that is aimed at.
    pub fn accuracy(&self) -> f64 {
        self.accuracy
    }

    /// A lower and an upper bound of the epsilon at this delta, in nats.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    pub fn epsilon_bounds(&self, delta: f64) -> Result<(f64, f64)> {
        let (lower, upper, _) = self.epsilon_bounds_and_method(delta)?;
        Ok((lower, upper))
    }

    /// A lower and an upper bound of the delta at this epsilon.
    ///
    /// # Errors
    ///
    /// If `epsilon` is negative or NaN.
    pub fn delta_bounds(&self, epsilon: f64) -> Result<(f64, f64)> {
        let (lower, upper, _) = self.delta_bounds_and_method(epsilon)?;
        Ok((lower, upper))
    }

    /// As [`Self::delta_bounds`], with the name of the method that proved the upper one: [`Accountant::name`], or that of
    /// [`RdpAccountant`] where its bound is the smaller one.
    ///
    /// # Errors
    ///
    /// As [`Self::delta_bounds`].
    pub fn delta_bounds_and_method(&self, epsilon: f64) -> Result<(f64, f64, &str)> {
        self.delta_by(epsilon, Sides::Both)
    }

    fn delta_by(&self, epsilon: f64, sides: Sides) -> Result<(f64, f64, &str)> {
        let epsilon = any_epsilon("epsilon", epsilon)?;
        let (lower, mut upper) = self.bounds(Goal::DeltaAt(epsilon), sides, |noise| gaussian_delta(noise, epsilon))?;
        let mut method = terms::NAME;
        if upper > lower * 1.1
            && let Some(renyi) = &self.renyi
        {
            let by_renyi = renyi.delta(epsilon)?;
            if by_renyi < upper {
                (upper, method) = (by_renyi, renyi.name());
            }
        }
        Ok((self.known_lower(lower).min(upper), upper, method))
    }

    /// As [`Self::epsilon_bounds`], with the name of the method that proved the upper one, as
    /// [`Self::delta_bounds_and_method`].
    ///
    /// # Errors
    ///
    /// As [`Self::epsilon_bounds`].
    pub fn epsilon_bounds_and_method(&self, delta: f64) -> Result<(f64, f64, &str)> {
        self.epsilon_by(delta, Sides::Both)
    }

    fn epsilon_by(&self, delta: f64, sides: Sides) -> Result<(f64, f64, &str)> {
        let delta = open_delta(delta)?;
        // Where epsilon is next to 0 already by a closed form, the cheaper question is asked first: whether it is 0.
        if self.is_next_to_zero(delta)? {
            let (_, at_zero, by) = self.delta_by(0.0, sides)?;
            if at_zero <= delta {
                return Ok((0.0, 0.0, by));
            }
        }
        let (lower, mut upper) = self.bounds(Goal::EpsilonAt(delta), sides, |noise| gaussian_epsilon(noise, delta))?;
        let mut method = terms::NAME;
        if upper > lower * (1.0 + 2.0 * self.accuracy)
            && let Some(renyi) = &self.renyi
        {
            let by_renyi = renyi.epsilon(delta)?;
            if by_renyi < upper {
                (upper, method) = (by_renyi, renyi.name());
            }
        }
        // Next to 0 an epsilon is lost in its rounding, or no grid finds it; the delta at 0 is not, and says the same.
        if lower == 0.0
            && upper > 0.0
            && (upper <= self.accuracy || method != terms::NAME)
            && !self.is_next_to_zero(delta)?
        {
            let (_, at_zero, by) = self.delta_by(0.0, sides)?;
            if at_zero <= delta {
                (upper, method) = (0.0, by);
            }
        }
        Ok((self.known_lower(lower).min(upper), upper, method))
    }

    /// `exact` answers for a single Gaussian mechanism.
    fn bounds(&self, goal: Goal, sides: Sides, exact: impl Fn(f64) -> Result<f64>) -> Result<(f64, f64)> {
        let noise = self.terms.gaussian_noise();
        let trivial = match goal {
            Goal::EpsilonAt(_) => f64::INFINITY,
            Goal::DeltaAt(_) => 1.0,
        };
        // So many Gaussians with so little noise that none is left of it, to a float.
        if self.terms.non_private || noise == Some(0.0) {
            return Ok((trivial, trivial));
        }
        if self.terms.steps().next().is_none() {
            let Some(noise) = noise else { return Ok((0.0, 0.0)) };
            let upper = exact(noise)?;
            let lower = match goal {
                Goal::EpsilonAt(delta) => gaussian_epsilon_below(noise, delta)?,
                // Floats below the normal ones have no relative error.
                Goal::DeltaAt(_) if upper < f64::MIN_POSITIVE => 0.0,
                Goal::DeltaAt(epsilon) => {
                    upper * (1.0 - EXACT_ROUNDING - 2.0 * delta_rounding(noise, epsilon)).max(0.0)
                }
            };
            return Ok((lower, upper));
        }
        let steps = self.all_steps();
        if let Some(bracket) = sampled_once::bounds(&steps, goal)? {
            return Ok(bracket);
        }
        let closed = nearly_gaussian::bounds(&steps, goal)?;
        let count: f64 = steps.iter().map(|(_, count)| *count as f64).sum();
        // Of so many steps, rounding makes a grid's bracket no narrower.
        let enough = if count > MOST_ON_A_GRID { self.accuracy.max(CLOSED_ACCURACY) } else { self.accuracy };
        if let Some((lower, upper)) = closed
            && upper <= lower * (1.0 + enough)
        {
            return Ok((lower, upper));
        }
        // Of more steps still, rounding leaves nothing of a grid's bound, and Renyi divergences take its place.
        if count > MOST_ROUNDED && self.renyi.is_some() {
            return Ok(closed.unwrap_or((0.0, trivial)));
        }
        let (lower, upper) = Composition::new(steps, self.accuracy, sides).bounds(goal);
        let (other_lower, other_upper) = closed.unwrap_or((0.0, f64::INFINITY));
        Ok((lower.max(other_lower), upper.min(other_upper)))
    }

    /// All steps, unsampled Gaussians as one.
    fn all_steps(&self) -> Vec<(Step, u64)> {
        let gaussian = self.terms.gaussian_noise().map(|noise| (Step::unsampled(Base::Gaussian { noise }), 1));
        self.terms.steps().chain(gaussian).collect()
    }

    /// True if sampled steps have an epsilon of at most the accuracy by a closed form.
    fn is_next_to_zero(&self, delta: f64) -> Result<bool> {
        if self.terms.non_private || self.terms.steps().next().is_none() {
            return Ok(false);
        }
        let closed = nearly_gaussian::bounds(&self.all_steps(), Goal::EpsilonAt(delta))?;
        Ok(closed.is_some_and(|(_, upper)| upper <= self.accuracy))
    }

    /// The middle of a narrow bracket; of a wide one the upper bound is nearer to the truth.
    fn middle(&self, lower: f64, upper: f64) -> f64 {
        if upper <= lower * (1.0 + 4.0 * self.accuracy) { 0.5 * (lower + upper) } else { upper }
    }

    fn known_lower(&self, lower: f64) -> f64 {
        if self.terms.has_lower() { lower } else { 0.0 }
    }
}

impl Accountant for PldAccountant {
    fn name(&self) -> &str {
        terms::NAME
    }

    fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let added = Terms::of(event, count, self.adjacency)?;
        self.terms.merge(&added)?;
        if let Some(renyi) = &mut self.renyi
            && renyi.compose(event, count).is_err()
        {
            self.renyi = None;
        }
        Ok(())
    }

    fn epsilon(&self, delta: f64) -> Result<f64> {
        Ok(self.epsilon_by(delta, Sides::Upper)?.1)
    }

    fn epsilon_and_method(&self, delta: f64) -> Result<(f64, &str)> {
        let (_, upper, method) = self.epsilon_bounds_and_method(delta)?;
        Ok((upper, method))
    }

    fn epsilon_guess(&self, delta: f64) -> Option<f64> {
        let coarse = Self { accuracy: self.accuracy.max(COARSE_ACCURACY), ..self.clone() };
        let (lower, upper, _) = coarse.epsilon_by(delta, Sides::Upper).ok()?;
        Some(coarse.middle(lower, upper))
    }

    fn rough_epsilon(&self, delta: f64) -> Option<f64> {
        self.renyi.as_ref()?.epsilon(delta).ok()
    }

    fn rough_delta(&self, epsilon: f64) -> Option<f64> {
        self.renyi.as_ref()?.delta(epsilon).ok()
    }

    fn delta_guess(&self, epsilon: f64) -> Option<f64> {
        let coarse = Self { accuracy: self.accuracy.max(COARSE_ACCURACY), ..self.clone() };
        let (lower, upper, _) = coarse.delta_by(epsilon, Sides::Upper).ok()?;
        Some(coarse.middle(lower, upper))
    }

    fn delta(&self, epsilon: f64) -> Result<f64> {
        Ok(self.delta_by(epsilon, Sides::Upper)?.1)
    }
}
