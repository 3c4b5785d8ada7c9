//! What every accountant offers.

use crate::{Adjacency, DpEvent, Result};

/// Composes events and says what they cost together.
///
/// An accountant supports an event under its adjacency, or refuses it by name. It composes adaptively chosen
/// *mechanisms*, as long as the number of steps and their parameters are fixed beforehand.
///
/// # Formal guarantees
///
/// Where [`Accountant::is_bound`] is true, [`Accountant::epsilon`] and [`Accountant::delta`] are upper bounds, rounded
/// outward; neither is ever NaN.
pub trait Accountant {
    /// Name under which its results are reported, such as `"RDP"`.
    fn name(&self) -> &str;

    /// The adjacency under which all events are counted.
    fn adjacency(&self) -> Adjacency;

    /// True if the results are upper bounds; false if they are estimates and have to be called so.
    fn is_bound(&self) -> bool {
        true
    }

    /// Adds `count` runs of an event. `count` 0 adds nothing, but still checks that the event is supported.
    ///
    /// # Errors
    ///
    /// [`AccountingError::Unsupported`](crate::AccountingError::Unsupported) by the name of the event, or
    /// [`AccountingError::TooManySteps`](crate::AccountingError::TooManySteps). On an error the accountant is as it
    /// was before.
    fn compose(&mut self, event: &DpEvent, count: u64) -> Result<()>;

    /// The epsilon at this delta, in nats; 0 if nothing was composed, infinity if nothing bounds it.
    ///
    /// # Errors
    ///
    /// If `delta` is not strictly between 0 and 1.
    fn epsilon(&self, delta: f64) -> Result<f64>;

    /// The epsilon at this delta, and the name of the method that proved it: [`Self::name`], unless another one that the
    /// accountant keeps beside its own had the smaller bound.
    ///
    /// # Errors
    ///
    /// As [`Self::epsilon`].
    fn epsilon_and_method(&self, delta: f64) -> Result<(f64, &str)> {
        Ok((self.epsilon(delta)?, self.name()))
    }

    /// A number near [`Self::epsilon`] that is much cheaper, for searches to start with; none where the epsilon itself is
    /// cheap. It bounds nothing and is never part of a result.
    fn epsilon_guess(&self, delta: f64) -> Option<f64> {
        let _ = delta;
        None
    }

    /// A number of the size of [`Self::epsilon`] that is cheaper than a guess by far; none where a guess is, or there is none.
    fn rough_epsilon(&self, delta: f64) -> Option<f64> {
        let _ = delta;
        None
    }

    /// A number of the size of [`Self::delta`], as [`Self::rough_epsilon`].
    fn rough_delta(&self, epsilon: f64) -> Option<f64> {
        let _ = epsilon;
        None
    }

    /// A number near [`Self::delta`] that is much cheaper, as [`Self::epsilon_guess`].
    fn delta_guess(&self, epsilon: f64) -> Option<f64> {
        let _ = epsilon;
        None
    }

    /// The delta at this epsilon, from 0 to 1.
    ///
    /// # Errors
    ///
    /// If `epsilon` is negative or NaN.
    fn delta(&self, epsilon: f64) -> Result<f64>;
}
