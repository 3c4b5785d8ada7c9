//! The one walk over an event tree: it multiplies counts, treats what is the same for all accountants, and hands each
//! mechanism to an accountant's list of terms. (What a sample holds inside is added up by [`crate::sample_noise`].)

use crate::sample_noise::checked_count;
use crate::shared_theorems::{fixed_size_rate, randomized_response, refuse_replace_one, tree_levels, unsupported};
use crate::{AccountingError, Adjacency, DpEvent, EventKind, Result, RunCount};

/// An event on the walk.
#[derive(Clone, Copy)]
pub(crate) struct Visit<'a> {
    pub(crate) event: &'a DpEvent,
    /// How often it is run.
    pub(crate) count: u64,
    pub(crate) adjacency: Adjacency,
}

impl Visit<'_> {
    /// The error that refuses this event.
    pub(crate) fn refused(&self, accountant: &str, advice: &str) -> AccountingError {
        unsupported(accountant, self.event.kind(), self.adjacency, advice)
    }
}

/// How a sample is drawn, with its rate: strictly between 0 and 1 but for rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sampling {
    Poisson,
    FixedSize,
}

/// What an accountant makes of each kind of mechanism: terms, or a refusal.
pub(crate) trait EventSink {
    /// Name under which events are refused.
    const NAME: &'static str;

    fn non_private(&mut self, count: u64) -> Result<()>;
    /// `noise` may be 0.
    fn gaussian(&mut self, noise: f64, count: u64) -> Result<()>;
    fn laplace(&mut self, inverse_scale: f64, count: u64) -> Result<()>;
    /// `sensitivity` is above 0.
    fn discrete_gaussian(&mut self, at: Visit<'_>, sigma: f64, sensitivity: f64) -> Result<()>;
    /// `sensitivity` is above 0, and its pure epsilon finite.
    fn discrete_laplace(&mut self, inverse_scale: f64, sensitivity: u64, count: u64) -> Result<()>;
    /// The probability of the true answer, and the logarithm of its ratio to that of any other; at least 2 `categories`.
    fn randomized_response(&mut self, at: Visit<'_>, answer: (f64, f64), categories: u64) -> Result<()>;
    fn exponential_mechanism(&mut self, epsilon: f64, count: u64) -> Result<()>;
    fn zcdp(&mut self, at: Visit<'_>, rho: f64, xi: f64) -> Result<()>;
    fn epsilon_delta(&mut self, at: Visit<'_>, epsilon: f64, delta: f64) -> Result<()>;
    /// `inner` on a sample that is neither empty nor everything.
    fn sampled(&mut self, at: Visit<'_>, inner: &DpEvent, sampling: Sampling, rate: f64) -> Result<()>;
    /// A Poisson-sampled Gaussian; `noise` may be 0.
    fn sampled_gaussian(&mut self, rate: f64, noise: f64, count: u64) -> Result<()>;
    /// `inner` on a Poisson sample cut at a size: records, rate before the cut, and size.
    fn truncated(&mut self, at: Visit<'_>, inner: &DpEvent, cut: (u64, f64, u64)) -> Result<()>;
    /// `inner` on a sample of records of which so many are one unit's, at least 2; the rate is above 0.
    fn grouped(&mut self, at: Visit<'_>, inner: &DpEvent, records: (f64, u64)) -> Result<()>;
    fn selection(&mut self, at: Visit<'_>, runs: RunCount, inner: &DpEvent) -> Result<()>;
}

/// Walks over an event and all that it contains.
pub(crate) fn fold<S: EventSink>(sink: &mut S, at: Visit<'_>) -> Result<()> {
    let Visit { event, count, adjacency } = at;
    match event.kind() {
        EventKind::NoOp => Ok(()),
        EventKind::NonPrivate => sink.non_private(count),
        EventKind::Gaussian { noise_multiplier } => sink.gaussian(*noise_multiplier, count),
        EventKind::Laplace { noise_multiplier } => {
            let inverse_scale = 1.0 / noise_multiplier;
            if inverse_scale.is_finite() { sink.laplace(inverse_scale, count) } else { sink.non_private(count) }
        }
        EventKind::DiscreteGaussian { sigma, sensitivity } => {
            if *sensitivity == 0.0 {
                Ok(())
            } else {
                sink.discrete_gaussian(at, *sigma, *sensitivity)
            }
        }
        EventKind::DiscreteLaplace { scale, sensitivity } => {
            let inverse_scale = 1.0 / scale;
            if *sensitivity == 0 {
                Ok(())
            } else if (inverse_scale * *sensitivity as f64).is_finite() {
                sink.discrete_laplace(inverse_scale, *sensitivity, count)
            } else {
                sink.non_private(count)
            }
        }
        EventKind::RandomizedResponse { noise_probability, categories } => {
            if *categories == 1 || *noise_probability == 1.0 {
                return Ok(());
            }
            let answer = randomized_response(S::NAME, event.kind(), adjacency, (*noise_probability, *categories))?;
            if answer.1.is_finite() {
                sink.randomized_response(at, answer, *categories)
            } else {
                sink.non_private(count)
            }
        }
        EventKind::ExponentialMechanism { epsilon } => sink.exponential_mechanism(*epsilon, count),
        EventKind::Zcdp { rho, xi } => sink.zcdp(at, *rho, *xi),
        EventKind::EpsilonDelta { epsilon, delta } => sink.epsilon_delta(at, *epsilon, *delta),
        EventKind::PoissonSampled { sampling_rate, event: inner } => {
            if *sampling_rate == 0.0 {
                return Ok(());
            }
            if *sampling_rate == 1.0 {
                return fold(sink, Visit { event: inner, ..at });
            }
            refuse_replace_one(S::NAME, event.kind(), adjacency)?;
            sink.sampled(at, inner, Sampling::Poisson, *sampling_rate)
        }
        EventKind::SampledWithoutReplacement { dataset_size, sample_size, event: inner } => {
            if *sample_size == 0 {
                return Ok(());
            }
            if sample_size == dataset_size {
                return fold(sink, Visit { event: inner, ..at });
            }
            let rate = fixed_size_rate(S::NAME, event.kind(), adjacency, (*sample_size, *dataset_size))?;
            sink.sampled(at, inner, Sampling::FixedSize, rate)
        }
        EventKind::TruncatedPoissonSampled { dataset_size, sampling_rate, max_sample_size, event: inner } => {
            sink.truncated(at, inner, (*dataset_size, *sampling_rate, *max_sample_size))
        }
        EventKind::GroupPoissonSampled { sampling_rate, group_size, event: inner } => {
            if *sampling_rate == 0.0 {
                return Ok(());
            }
            refuse_replace_one(S::NAME, event.kind(), adjacency)?;
            if *group_size > 1 {
                return sink.grouped(at, inner, (*sampling_rate, *group_size));
            }
            if *sampling_rate == 1.0 {
                return fold(sink, Visit { event: inner, ..at });
            }
            sink.sampled(at, inner, Sampling::Poisson, *sampling_rate)
        }
        EventKind::TreeAggregation { noise_multiplier, steps_per_tree } => {
            let levels = tree_levels(S::NAME, event.kind(), adjacency, steps_per_tree)?;
            sink.gaussian(*noise_multiplier, checked_count(count.checked_mul(levels))?)
        }
        EventKind::BandedMatrixFactorization { noise_multiplier, bands, steps, sampling_rate } => {
            let participations = checked_count(count.checked_mul(steps.div_ceil(*bands)))?;
            if *sampling_rate == 0.0 {
                return Ok(());
            }
            if *sampling_rate == 1.0 {
                return sink.gaussian(*noise_multiplier, participations);
            }
            refuse_replace_one(S::NAME, event.kind(), adjacency)?;
            sink.sampled_gaussian(*sampling_rate, *noise_multiplier, participations)
        }
        EventKind::Composed { events } => events.iter().try_for_each(|event| fold(sink, Visit { event, ..at })),
        EventKind::SelfComposed { event: inner, count: times } => {
            fold(sink, Visit { event: inner, count: checked_count(count.checked_mul(*times))?, ..at })
        }
        EventKind::RepeatAndSelect { runs, event: inner } => sink.selection(at, *runs, inner),
    }
}
