//! Which theorem covers which event: an event tree becomes a list of terms with counts, or is refused by name.

use std::collections::BTreeMap;

use super::closed_forms;
use super::sampled_gaussian::SampledGaussian;
use super::selection::SelectionCurve;
use crate::error::unsupported;
use crate::sample_noise::{SampleNoise, checked_count};
use crate::shared_theorems::{fixed_size_rate, randomised_response, refuse_replace_one, tree_levels};
use crate::{Adjacency, DpEvent, EventKind, Result, RunCount};

/// Name under which the results are reported.
pub(crate) const NAME: &str = "RDP";

/// A mechanism whose Renyi divergence is known at every order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Term {
    /// No finite bound at any order.
    Infinite,
    /// Divergence offset + slope x order.
    Linear { slope: f64, offset: f64 },
    /// Poisson-sampled Gaussian with 0 < rate < 1.
    SampledGaussian { rate: f64, noise: f64 },
    /// Gaussian on a sample of fixed size, of which one record is exchanged, with 0 < rate < 1.
    ExchangedGaussian { rate: f64, noise: f64 },
    /// Laplace with this sensitivity / scale.
    Laplace { inverse_scale: f64 },
    /// Discrete Laplace with 1 / scale and sensitivity.
    DiscreteLaplace { inverse_scale: f64, sensitivity: u64 },
    /// Randomised response with this probability of the true answer, and its log ratio to any other answer's.
    RandomisedResponse { truth: f64, loss: f64 },
    /// Any mechanism with this pure epsilon.
    Pure { epsilon: f64 },
    /// Any mechanism whose loss lies in a range of this width.
    BoundedRange { epsilon: f64 },
    /// The best of a random number of runs of all of these.
    Selection { runs: RunCount, run: Terms },
}

/// Identifies equal terms.
type Key = Vec<u64>;

impl Term {
    fn key(&self) -> Key {
        match self {
            Self::Infinite => vec![0],
            Self::Linear { slope, offset } => vec![1, slope.to_bits(), offset.to_bits()],
            Self::SampledGaussian { rate, noise } => vec![2, rate.to_bits(), noise.to_bits()],
            Self::Laplace { inverse_scale } => vec![3, inverse_scale.to_bits()],
            Self::DiscreteLaplace { inverse_scale, sensitivity } => vec![4, inverse_scale.to_bits(), *sensitivity],
            Self::RandomisedResponse { truth, loss } => vec![5, truth.to_bits(), loss.to_bits()],
            Self::Pure { epsilon } => vec![6, epsilon.to_bits()],
            Self::BoundedRange { epsilon } => vec![7, epsilon.to_bits()],
            Self::ExchangedGaussian { rate, noise } => vec![8, rate.to_bits(), noise.to_bits()],
            Self::Selection { runs, run } => {
                let mut key = match runs {
                    RunCount::Poisson { mean } => vec![9, mean.to_bits()],
                    RunCount::TruncatedNegativeBinomial { shape, gamma } => {
                        vec![10, shape.to_bits(), gamma.to_bits()]
                    }
                };
                for (part, (_, count)) in &run.counted {
                    key.extend([part.len() as u64, *count]);
                    key.extend(part);
                }
                key
            }
        }
    }

    /// Gaussian noise with this multiplier: divergence order / (2 multiplier^2) (Mironov, arXiv 1702.07476,
    /// proposition 7).
    fn gaussian(noise_multiplier: f64) -> Self {
        let precision = 1.0 / noise_multiplier;
        Self::linear(0.5 * precision * precision)
    }

    fn linear(slope: f64) -> Self {
        if slope == f64::INFINITY {
            Self::Infinite
        } else {
            // A slope that underflowed is still above 0.
            Self::Linear { slope: slope.max(f64::MIN_POSITIVE), offset: 0.0 }
        }
    }
}

/// The divergence of one term, with what is worth keeping between orders.
#[derive(Clone, Debug)]
pub(crate) struct TermCurve {
    term: Term,
    sampled: Option<SampledGaussian>,
    selection: Option<Box<SelectionCurve>>,
}

impl TermCurve {
    pub(crate) fn new(term: Term) -> Self {
        let sampled = match term {
            Term::SampledGaussian { rate, noise } => Some(SampledGaussian::new(rate, noise)),
            Term::ExchangedGaussian { rate, noise } => Some(SampledGaussian::exchanged(rate, noise)),
            _ => None,
        };
        let selection = match &term {
            Term::Selection { runs, run } => Some(Box::new(SelectionCurve::new(*runs, run))),
            _ => None,
        };
        Self { term, sampled, selection }
    }

    /// Upper bound of the Renyi divergence at an order above 1; never NaN.
    pub(crate) fn divergence(&mut self, order: f64) -> f64 {
        self.prepare(order);
        self.prepared_divergence(order)
    }

    /// Computes what the orders up to this one share.
    pub(crate) fn prepare(&mut self, order: f64) {
        if let Some(sampled) = &mut self.sampled {
            sampled.prepare(order);
        }
        if let Some(selection) = &mut self.selection {
            selection.prepare(order);
        }
    }

    /// [`Self::divergence`] at an order up to a prepared one; a looser upper bound at any other.
    pub(crate) fn prepared_divergence(&self, order: f64) -> f64 {
        let above = order - 1.0;
        match self.term {
            Term::Infinite => f64::INFINITY,
            Term::Selection { .. } => {
                self.selection.as_ref().map_or(f64::INFINITY, |selection| selection.divergence(order))
            }
            Term::Linear { slope, offset } => (offset + slope * order) * (1.0 + 4.0 * f64::EPSILON),
            Term::SampledGaussian { .. } | Term::ExchangedGaussian { .. } => match &self.sampled {
                Some(sampled) => sampled.log_moment(order) / above * (1.0 + f64::EPSILON),
                None => f64::INFINITY,
            },
            Term::Laplace { inverse_scale } => {
                // Never more than the pure bound; also where an exponent overflowed.
                (closed_forms::laplace(inverse_scale, order) / above).min(inverse_scale) * (1.0 + f64::EPSILON)
            }
            Term::DiscreteLaplace { inverse_scale, sensitivity } => {
                (closed_forms::discrete_laplace(inverse_scale, sensitivity, order) / above)
                    .min(inverse_scale * sensitivity as f64)
                    * (1.0 + f64::EPSILON)
            }
            Term::RandomisedResponse { truth, loss } => {
                (closed_forms::randomised_response(truth, loss, order) / above).min(loss) * (1.0 + f64::EPSILON)
            }
            Term::Pure { epsilon } => (closed_forms::pure(epsilon, order) / above).min(epsilon) * (1.0 + f64::EPSILON),
            Term::BoundedRange { epsilon } => {
                closed_forms::bounded_range(epsilon, order) / above * (1.0 + f64::EPSILON)
            }
        }
    }

    /// A rough measure of the time that an order takes: grid points.
    pub(crate) fn cost(&self, order: f64) -> f64 {
        match (&self.sampled, &self.selection) {
            (Some(sampled), _) => sampled.cost(order),
            (None, Some(selection)) => selection.cost(order),
            (None, None) => 1.0,
        }
    }
}

/// Terms with counts; equal terms are merged, so that k calls are the same as one call with count k.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Terms {
    counted: BTreeMap<Key, (Term, u64)>,
}

impl Terms {
    /// Flattens an event that is run `count` times.
    pub(crate) fn of(event: &DpEvent, count: u64, adjacency: Adjacency) -> Result<Self> {
        let mut terms = Self::default();
        terms.flatten(event, count, adjacency)?;
        Ok(terms)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Term, u64)> {
        self.counted.values().map(|(term, count)| (term, *count))
    }

    /// Adds all of `other`; unchanged if that exceeds what can be counted.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<()> {
        let mut merged = self.clone();
        for (term, count) in other.iter() {
            merged.add(term.clone(), count)?;
        }
        *self = merged;
        Ok(())
    }

    fn add(&mut self, term: Term, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let entry = self.counted.entry(term.key()).or_insert((term, 0));
        entry.1 = checked_count(entry.1.checked_add(count))?;
        Ok(())
    }

    fn flatten(&mut self, event: &DpEvent, count: u64, adjacency: Adjacency) -> Result<()> {
        let refuse = |advice: &str| Err(unsupported(NAME, event.kind(), adjacency, advice));
        match event.kind() {
            EventKind::NoOp => Ok(()),
            EventKind::NonPrivate => self.add(Term::Infinite, count),
            EventKind::Gaussian { noise_multiplier } => self.add(Term::gaussian(*noise_multiplier), count),
            EventKind::Laplace { noise_multiplier } => {
                let inverse_scale = 1.0 / noise_multiplier;
                self.add(
                    if inverse_scale.is_finite() { Term::Laplace { inverse_scale } } else { Term::Infinite },
                    count,
                )
            }
            // Canonne, Kamath and Steinke, arXiv 2004.00010, theorem 14 (any dimension, L2 sensitivity).
            EventKind::DiscreteGaussian { sigma, sensitivity } => {
                if *sensitivity == 0.0 {
                    return Ok(());
                }
                let ratio = sensitivity / sigma;
                self.add(Term::linear(0.5 * ratio * ratio), count)
            }
            EventKind::DiscreteLaplace { scale, sensitivity } => {
                if *sensitivity == 0 {
                    return Ok(());
                }
                let inverse_scale = 1.0 / scale;
                self.add(
                    if (inverse_scale * *sensitivity as f64).is_finite() {
                        Term::DiscreteLaplace { inverse_scale, sensitivity: *sensitivity }
                    } else {
                        Term::Infinite
                    },
                    count,
                )
            }
            EventKind::RandomisedResponse { noise_probability, categories } => {
                if *categories == 1 || *noise_probability == 1.0 {
                    return Ok(());
                }
                let (truth, loss) =
                    randomised_response(NAME, event.kind(), adjacency, (*noise_probability, *categories))?;
                if loss.is_finite() {
                    self.add(Term::RandomisedResponse { truth, loss }, count)
                } else {
                    self.add(Term::Infinite, count)
                }
            }
            EventKind::ExponentialMechanism { epsilon } => self.add(Term::BoundedRange { epsilon: *epsilon }, count),
            EventKind::Zcdp { rho, xi } => self.add(Term::Linear { slope: *rho, offset: *xi }, count),
            EventKind::EpsilonDelta { epsilon, delta } => {
                if *delta > 0.0 {
                    return refuse(
                        "with a delta above 0 its Renyi divergence may be infinite; give the mechanism's own event instead of \
                         its (epsilon, delta), or add its epsilon and delta to the result by basic composition",
                    );
                }
                self.add(Term::Pure { epsilon: *epsilon }, count)
            }
            EventKind::PoissonSampled { sampling_rate, event: inner } => {
                if *sampling_rate == 0.0 {
                    return Ok(());
                }
                if *sampling_rate == 1.0 {
                    return self.flatten(inner, count, adjacency);
                }
                refuse_replace_one(NAME, event.kind(), adjacency)?;
                let mut sample = SampleNoise::default();
                if let Err(name) = sample.add(inner, 1) {
                    return refuse(&format!(
                        "inside of it only Gaussian events (also composed) are supported, not `{name}`; compose `{name}` \
                         without the sampling, which is an upper bound"
                    ));
                }
                match sample.noise_multiplier() {
                    None => Ok(()),
                    Some(0.0) => self.add(Term::Infinite, count),
                    Some(noise) => self.add(Term::SampledGaussian { rate: *sampling_rate, noise }, count),
                }
            }
            EventKind::TreeAggregation { noise_multiplier, steps_per_tree } => {
                let levels = tree_levels(NAME, event.kind(), adjacency, steps_per_tree)?;
                self.add(Term::gaussian(*noise_multiplier), checked_count(count.checked_mul(levels))?)
            }
            EventKind::BandedMatrixFactorisation { noise_multiplier, bands, steps, sampling_rate } => {
                let participations = checked_count(count.checked_mul(steps.div_ceil(*bands)))?;
                if *sampling_rate == 0.0 {
                    return Ok(());
                }
                if *sampling_rate == 1.0 {
                    return self.add(Term::gaussian(*noise_multiplier), participations);
                }
                refuse_replace_one(NAME, event.kind(), adjacency)?;
                let term = if *noise_multiplier == 0.0 {
                    Term::Infinite
                } else {
                    Term::SampledGaussian { rate: *sampling_rate, noise: *noise_multiplier }
                };
                self.add(term, participations)
            }
            EventKind::Composed { events } => events.iter().try_for_each(|inner| self.flatten(inner, count, adjacency)),
            EventKind::SelfComposed { event: inner, count: times } => {
                self.flatten(inner, checked_count(count.checked_mul(*times))?, adjacency)
            }
            EventKind::SampledWithoutReplacement { dataset_size, sample_size, event: inner } => {
                if *sample_size == 0 {
                    return Ok(());
                }
                if sample_size == dataset_size {
                    return self.flatten(inner, count, adjacency);
                }
                let rate = fixed_size_rate(NAME, event.kind(), adjacency, (*sample_size, *dataset_size))?;
                let mut sample = SampleNoise::default();
                if let Err(name) = sample.add(inner, 1) {
                    return refuse(&format!(
                        "inside of it only Gaussian events (also composed) are supported, not `{name}`; use the PLD \
                         accountant, or compose `{name}` without the sampling, which is an upper bound"
                    ));
                }
                match sample.noise_multiplier() {
                    None => Ok(()),
                    Some(0.0) => self.add(Term::Infinite, count),
                    Some(noise) if rate < 1.0 => self.add(Term::ExchangedGaussian { rate, noise }, count),
                    Some(noise) => self.add(Term::gaussian(noise), count),
                }
            }
            EventKind::TruncatedPoissonSampled { .. } => {
                refuse("its bound is about delta, not about Renyi divergences; use the PLD accountant")
            }
            EventKind::RepeatAndSelect { runs, event: inner } => {
                let run = Self::of(inner, 1, adjacency)?;
                if run.counted.is_empty() {
                    // Nothing about the data decides which run is released.
                    return Ok(());
                }
                if run.iter().any(|(term, _)| *term == Term::Infinite) {
                    return self.add(Term::Infinite, count);
                }
                self.add(Term::Selection { runs: *runs, run }, count)
            }
        }
    }
}
