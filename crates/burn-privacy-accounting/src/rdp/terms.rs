//! Which theorem covers which event: an event tree becomes a list of terms with counts, or is refused by name.

use super::term::{Term, Terms};
use crate::sample_noise::{SampleNoise, checked_count};
use crate::shared_theorems::{fixed_size_rate, randomized_response, refuse_replace_one, tree_levels, unsupported};
use crate::{Adjacency, DpEvent, EventKind, Result};

/// Name under which the results are reported.
pub(crate) const NAME: &str = "RDP";

impl Terms {
    /// Flattens an event that is run `count` times.
    pub(crate) fn of(event: &DpEvent, count: u64, adjacency: Adjacency) -> Result<Self> {
        let mut terms = Self::default();
        terms.flatten(event, count, adjacency)?;
        Ok(terms)
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
            EventKind::RandomizedResponse { noise_probability, categories } => {
                if *categories == 1 || *noise_probability == 1.0 {
                    return Ok(());
                }
                let (truth, loss) =
                    randomized_response(NAME, event.kind(), adjacency, (*noise_probability, *categories))?;
                if loss.is_finite() {
                    self.add(Term::RandomizedResponse { truth, loss }, count)
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
            EventKind::BandedMatrixFactorization { noise_multiplier, bands, steps, sampling_rate } => {
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
                if run.is_empty() {
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
