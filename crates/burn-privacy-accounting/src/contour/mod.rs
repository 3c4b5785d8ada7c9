//! An estimate of the exact privacy curve of Poisson-sampled Gaussians, by a contour integral.
//!
//! With M(s) = E_P[e^(s x loss)], the product of the steps' moments,
//!
//! ```text
//! delta(epsilon) = 1/(2 pi i) integral over c + iR of M(s) e^(-s epsilon) / (s (s+1)) ds
//! ```
//!
//! for any c > 0 (the saddle-point accountant of Alghamdi et al., arXiv 2208.09595, integrated instead of expanded). On
//! the line through the saddle point the trapezoidal rule converges exponentially, and nothing cancels, however small
//! delta is. Moments are integrated by the trapezoidal rule, too.

mod moment;
mod one_way;

use crate::error::{any_epsilon, no_estimate, open_delta};
use crate::gaussian::{gaussian_delta, gaussian_epsilon};
use crate::pld::{Base, Direction, Drawn, Step, Terms};
use crate::{Accountant, AccountingError, Adjacency, DpEvent, RdpAccountant, Result};
use moment::Moment;
use one_way::{OneWay, Sketches};

/// Name under which the results are reported.
const NAME: &str = "contour";

/// ln of the probabilities that are looked at where delta is not known.
const SMALLEST: f64 = -250.0;

/// Estimates privacy cost by a contour integral: to 1e-6 or better in about a millisecond, for any delta.
///
/// It is an *estimate*, not a bound: its error is not proven, only checked (the integral has to agree with itself at twice
/// the step, and to lie below the bound by Renyi divergences). Supported are Gaussian and Poisson-sampled Gaussian events, banded matrix factorization and
/// compositions of these. Where the integrand decays too slowly, as for a few steps, it answers with an error.
///
/// ```
/// use burn_privacy_accounting::{Accountant, Adjacency, ContourEstimator, DpEvent};
///
/// let mut estimator = ContourEstimator::new(Adjacency::AddOrRemoveOne);
/// estimator.compose(&DpEvent::poisson_sampled(0.005, DpEvent::gaussian(1.1)?)?, 2_000)?;
/// assert!(!estimator.is_bound());
/// assert!((estimator.epsilon(1e-5)? - 1.007_673_204).abs() < 1e-8);
/// # Ok::<(), burn_privacy_accounting::AccountingError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ContourEstimator {
    adjacency: Adjacency,
    terms: Terms,
    /// A bound that no estimate may lie above.
    bound: RdpAccountant,
}

impl ContourEstimator {
    /// An empty estimator.
    pub fn new(adjacency: Adjacency) -> Self {
        Self { adjacency, terms: Terms::default(), bound: RdpAccountant::new(adjacency) }
    }

    fn curve(&self, direction: Direction, log_tail: f64) -> OneWay {
        let sampled = self.terms.steps().filter_map(|(step, count)| match step.base {
            Base::Gaussian { noise } => Some(Moment { rate: step.rate, noise, count: count as f64, direction }),
            _ => None,
        });
        let plain = self.terms.gaussian_noise().map(|noise| Moment { rate: 1.0, noise, count: 1.0, direction });
        OneWay { moments: sampled.chain(plain).collect(), sketches: Sketches::new(&self.terms, direction, log_tail) }
    }

    /// Largest loss that is possible when a record is added; infinite with an unsampled Gaussian.
    fn largest_added_loss(&self) -> f64 {
        if self.terms.gaussian_noise().is_some() {
            return f64::INFINITY;
        }
        self.terms.steps().map(|(step, count)| -(-step.rate).ln_1p() * count as f64).sum()
    }

    fn is_sampled(&self) -> bool {
        self.terms.steps().next().is_some()
    }
}

impl Accountant for ContourEstimator {
    fn name(&self) -> &str {
        NAME
    }

    fn adjacency(&self) -> Adjacency {
        self.adjacency
    }

    fn is_bound(&self) -> bool {
        false
    }

    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()> {
        let added = Terms::of(event, count, self.adjacency).map_err(renamed)?;
        let fits = |step: Step| matches!(step.base, Base::Gaussian { .. }) && step.drawn == Drawn::Poisson;
        if !added.steps().all(|(step, _)| fits(step)) {
            return Err(AccountingError::Unsupported {
                accountant: NAME.to_owned(),
                event: event.name().to_owned(),
                adjacency: self.adjacency,
                advice: "only Gaussian and Poisson-sampled Gaussian events have a moment that decays fast enough; use \
                         the PLD accountant"
                    .to_owned(),
            });
        }
        self.bound.compose(event, count)?;
        self.terms.merge(&added)
    }

    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1, or [`AccountingError::NoEstimate`].
    fn epsilon(&self, delta: f64) -> Result<f64> {
        let delta = open_delta(delta)?;
        if self.terms.non_private {
            return Ok(f64::INFINITY);
        }
        if !self.is_sampled() {
            return self.terms.gaussian_noise().map_or(Ok(0.0), |noise| gaussian_epsilon(noise, delta));
        }
        // A step's rarest losses decide where the moment of many steps turns, however small delta is.
        let log_tail = (delta.ln() - 45.0).min(SMALLEST);
        let epsilon = self.curve(Direction::Remove, log_tail).epsilon(delta)?;
        let added = self.curve(Direction::Add, log_tail);
        let decided = epsilon >= self.largest_added_loss()
            || (epsilon > 0.0 && added.sketches.log_chernoff(epsilon) < delta.ln());
        let estimate = if decided { epsilon } else { epsilon.max(added.epsilon(delta)?) };
        // A sum that agrees with itself may have missed rare losses altogether.
        if estimate > self.bound.epsilon(delta)? * (1.0 + 1e-6) + 1e-8 {
            return Err(no_estimate("it lies above a bound"));
        }
        Ok(estimate)
    }

    /// # Errors
    ///
    /// If `epsilon` is negative or NaN, or [`AccountingError::NoEstimate`].
    fn delta(&self, epsilon: f64) -> Result<f64> {
        let epsilon = any_epsilon("epsilon", epsilon)?;
        if self.terms.non_private {
            return Ok(1.0);
        }
        if epsilon == f64::INFINITY {
            return Ok(0.0);
        }
        if !self.is_sampled() {
            return self.terms.gaussian_noise().map_or(Ok(0.0), |noise| gaussian_delta(noise, epsilon));
        }
        let delta = self.curve(Direction::Remove, SMALLEST).delta(epsilon)?;
        let added = self.curve(Direction::Add, SMALLEST);
        if epsilon >= self.largest_added_loss() || added.sketches.log_chernoff(epsilon) < delta.ln() {
            return Ok(delta);
        }
        Ok(delta.max(added.delta(epsilon)?))
    }
}

fn renamed(error: AccountingError) -> AccountingError {
    match error {
        AccountingError::Unsupported { event, adjacency, advice, .. } => {
            AccountingError::Unsupported { accountant: NAME.to_owned(), event, adjacency, advice }
        }
        other => other,
    }
}
