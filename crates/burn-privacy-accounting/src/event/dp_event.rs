//! Making events: constructors that check their arguments, and reading with the same checks.

use serde::{Serialize, Serializer};

use super::kinds::{DpEvent, EventKind, RunCount};
use crate::{AccountingError, Result};

/// How many levels of events inside events are allowed.
///
/// A tree this deep stays within the recursion limit of the JSON parser and far from the end of any stack.
pub const MAX_EVENT_DEPTH: usize = 32;

impl DpEvent {
    /// Checks a kind of event and makes an event of it.
    ///
    /// # Errors
    ///
    /// [`AccountingError::InvalidParameter`] for a value that is out of range, [`AccountingError::TooDeep`] for more
    /// than [`MAX_EVENT_DEPTH`] levels of nesting.
    pub fn new(kind: EventKind) -> Result<Self> {
        let kind = kind.checked()?;
        let depth = 1 + kind.children().iter().map(|child| child.depth).max().unwrap_or(0);
        if depth > MAX_EVENT_DEPTH {
            return Err(AccountingError::TooDeep { depth, max: MAX_EVENT_DEPTH });
        }
        Ok(Self { kind, depth })
    }

    /// The event's kind, to match on.
    pub fn kind(&self) -> &EventKind {
        &self.kind
    }

    /// Number of levels of events, 1 for an event that contains no other.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Nothing was released.
    pub fn no_op() -> Self {
        Self { kind: EventKind::NoOp, depth: 1 }
    }

    /// Something was released without any protection.
    pub fn non_private() -> Self {
        Self { kind: EventKind::NonPrivate, depth: 1 }
    }

    /// [`EventKind::Gaussian`]; `noise_multiplier` is standard deviation / L2 sensitivity.
    ///
    /// # Errors
    ///
    /// If `noise_multiplier` is negative or not finite.
    pub fn gaussian(noise_multiplier: f64) -> Result<Self> {
        Self::new(EventKind::Gaussian { noise_multiplier })
    }

    /// [`EventKind::Laplace`]; `noise_multiplier` is scale / L1 sensitivity.
    ///
    /// # Errors
    ///
    /// If `noise_multiplier` is negative or not finite.
    pub fn laplace(noise_multiplier: f64) -> Result<Self> {
        Self::new(EventKind::Laplace { noise_multiplier })
    }

    /// [`EventKind::DiscreteGaussian`]; both in grid steps.
    ///
    /// # Errors
    ///
    /// If either is negative or not finite.
    pub fn discrete_gaussian(sigma: f64, sensitivity: f64) -> Result<Self> {
        Self::new(EventKind::DiscreteGaussian { sigma, sensitivity })
    }

    /// [`EventKind::DiscreteLaplace`]; both in grid steps.
    ///
    /// # Errors
    ///
    /// If `scale` is negative or not finite, or `sensitivity` above [`MAX_COUNT`](crate::MAX_COUNT).
    pub fn discrete_laplace(scale: f64, sensitivity: u64) -> Result<Self> {
        Self::new(EventKind::DiscreteLaplace { scale, sensitivity })
    }

    /// [`EventKind::RandomizedResponse`].
    ///
    /// # Errors
    ///
    /// If `noise_probability` is outside 0 to 1, or `categories` 0 or above [`MAX_COUNT`](crate::MAX_COUNT).
    pub fn randomized_response(noise_probability: f64, categories: u64) -> Result<Self> {
        Self::new(EventKind::RandomizedResponse { noise_probability, categories })
    }

    /// [`EventKind::ExponentialMechanism`]; `epsilon` in nats.
    ///
    /// # Errors
    ///
    /// If `epsilon` is negative or not finite.
    pub fn exponential_mechanism(epsilon: f64) -> Result<Self> {
        Self::new(EventKind::ExponentialMechanism { epsilon })
    }

    /// [`EventKind::Zcdp`] with offset 0.
    ///
    /// # Errors
    ///
    /// If `rho` is negative or not finite.
    pub fn zcdp(rho: f64) -> Result<Self> {
        Self::new(EventKind::Zcdp { rho, xi: 0.0 })
    }

    /// [`EventKind::EpsilonDelta`]; `epsilon` in nats.
    ///
    /// # Errors
    ///
    /// If `epsilon` is negative or not finite, or `delta` outside 0 to 1.
    pub fn epsilon_delta(epsilon: f64, delta: f64) -> Result<Self> {
        Self::new(EventKind::EpsilonDelta { epsilon, delta })
    }

    /// [`EventKind::PoissonSampled`].
    ///
    /// # Errors
    ///
    /// If `sampling_rate` is outside 0 to 1, or the event becomes too deep.
    pub fn poisson_sampled(sampling_rate: f64, event: DpEvent) -> Result<Self> {
        Self::new(EventKind::PoissonSampled { sampling_rate, event: Box::new(event) })
    }

    /// [`EventKind::SampledWithoutReplacement`].
    ///
    /// # Errors
    ///
    /// If `dataset_size` is 0 or above [`MAX_COUNT`](crate::MAX_COUNT), `sample_size` above `dataset_size`, or the
    /// event becomes too deep.
    pub fn sampled_without_replacement(dataset_size: u64, sample_size: u64, event: DpEvent) -> Result<Self> {
        Self::new(EventKind::SampledWithoutReplacement { dataset_size, sample_size, event: Box::new(event) })
    }

    /// [`EventKind::TruncatedPoissonSampled`].
    ///
    /// # Errors
    ///
    /// If `dataset_size` is 0 or above [`MAX_COUNT`](crate::MAX_COUNT), `sampling_rate` outside 0 to 1,
    /// `max_sample_size` 0 or above [`MAX_COUNT`](crate::MAX_COUNT), or the event becomes too deep.
    pub fn truncated_poisson_sampled(
        dataset_size: u64,
        sampling_rate: f64,
        max_sample_size: u64,
        event: DpEvent,
    ) -> Result<Self> {
        Self::new(EventKind::TruncatedPoissonSampled {
            dataset_size,
            sampling_rate,
            max_sample_size,
            event: Box::new(event),
        })
    }

    /// [`EventKind::GroupPoissonSampled`].
    ///
    /// # Errors
    ///
    /// If `sampling_rate` is outside 0 to 1, `group_size` 0 or above [`MAX_COUNT`](crate::MAX_COUNT), or the event becomes too
    /// deep.
    pub fn group_poisson_sampled(sampling_rate: f64, group_size: u64, event: DpEvent) -> Result<Self> {
        Self::new(EventKind::GroupPoissonSampled { sampling_rate, group_size, event: Box::new(event) })
    }

    /// [`EventKind::TreeAggregation`].
    ///
    /// # Errors
    ///
    /// If `noise_multiplier` is negative or not finite, `steps_per_tree` is empty, or one of it is 0 or above
    /// [`MAX_COUNT`](crate::MAX_COUNT).
    pub fn tree_aggregation(noise_multiplier: f64, steps_per_tree: Vec<u64>) -> Result<Self> {
        Self::new(EventKind::TreeAggregation { noise_multiplier, steps_per_tree })
    }

    /// [`EventKind::BandedMatrixFactorization`].
    ///
    /// # Errors
    ///
    /// If `noise_multiplier` is negative or not finite, `bands` is 0, `bands` or `steps` above
    /// [`MAX_COUNT`](crate::MAX_COUNT), or `sampling_rate` outside 0 to 1.
    pub fn banded_matrix_factorization(
        noise_multiplier: f64,
        bands: u64,
        steps: u64,
        sampling_rate: f64,
    ) -> Result<Self> {
        Self::new(EventKind::BandedMatrixFactorization { noise_multiplier, bands, steps, sampling_rate })
    }

    /// [`EventKind::RepeatAndSelect`].
    ///
    /// # Errors
    ///
    /// If the distribution's parameters are out of range, or the event becomes too deep.
    pub fn repeat_and_select(runs: RunCount, event: DpEvent) -> Result<Self> {
        Self::new(EventKind::RepeatAndSelect { runs, event: Box::new(event) })
    }

    /// [`EventKind::Composed`]; an empty list is the same as nothing released.
    ///
    /// # Errors
    ///
    /// If the event becomes too deep.
    pub fn composed(events: Vec<DpEvent>) -> Result<Self> {
        Self::new(EventKind::Composed { events })
    }

    /// [`EventKind::SelfComposed`].
    ///
    /// # Errors
    ///
    /// If `count` is above [`MAX_COUNT`](crate::MAX_COUNT), or the event becomes too deep.
    pub fn self_composed(event: DpEvent, count: u64) -> Result<Self> {
        Self::new(EventKind::SelfComposed { event: Box::new(event), count })
    }

    /// The event's name, as in JSON.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }
}

impl TryFrom<EventKind> for DpEvent {
    type Error = AccountingError;

    fn try_from(kind: EventKind) -> Result<Self> {
        Self::new(kind)
    }
}

impl Serialize for DpEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.kind.serialize(serializer)
    }
}
