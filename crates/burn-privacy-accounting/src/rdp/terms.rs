//! Which Renyi divergence belongs to which mechanism.

use super::term::{Term, Terms};
use crate::event_fold::{EventSink, Sampling, Visit, fold};
use crate::sample_noise::SampleNoise;
use crate::{Adjacency, DpEvent, Result, RunCount};

/// Name under which the results are reported.
pub(crate) const NAME: &str = "RDP";

impl Terms {
    /// Flattens an event that is run `count` times.
    pub(crate) fn of(event: &DpEvent, count: u64, adjacency: Adjacency) -> Result<Self> {
        let mut terms = Self::default();
        fold(&mut terms, Visit { event, count, adjacency })?;
        Ok(terms)
    }
}

impl EventSink for Terms {
    const NAME: &'static str = NAME;

    fn non_private(&mut self, count: u64) -> Result<()> {
        self.add(Term::Infinite, count)
    }

    fn gaussian(&mut self, noise: f64, count: u64) -> Result<()> {
        self.add(Term::gaussian(noise), count)
    }

    fn laplace(&mut self, inverse_scale: f64, count: u64) -> Result<()> {
        self.add(Term::Laplace { inverse_scale }, count)
    }

    /// Canonne, Kamath and Steinke, arXiv 2004.00010, theorem 14 (any dimension, L2 sensitivity).
    fn discrete_gaussian(&mut self, at: Visit<'_>, sigma: f64, sensitivity: f64) -> Result<()> {
        let ratio = sensitivity / sigma;
        self.add(Term::linear(0.5 * ratio * ratio), at.count)
    }

    fn discrete_laplace(&mut self, inverse_scale: f64, sensitivity: u64, count: u64) -> Result<()> {
        self.add(Term::DiscreteLaplace { inverse_scale, sensitivity }, count)
    }

    fn randomized_response(&mut self, at: Visit<'_>, (truth, loss): (f64, f64), _: u64) -> Result<()> {
        self.add(Term::RandomizedResponse { truth, loss }, at.count)
    }

    fn exponential_mechanism(&mut self, epsilon: f64, count: u64) -> Result<()> {
        self.add(Term::BoundedRange { epsilon }, count)
    }

    fn zcdp(&mut self, at: Visit<'_>, rho: f64, xi: f64) -> Result<()> {
        self.add(Term::Linear { slope: rho, offset: xi }, at.count)
    }

    fn epsilon_delta(&mut self, at: Visit<'_>, epsilon: f64, delta: f64) -> Result<()> {
        if delta > 0.0 {
            return Err(at.refused(
                NAME,
                "with a delta above 0 its Renyi divergence may be infinite; give the mechanism's own event instead of its \
                 (epsilon, delta), or add its epsilon and delta to the result by basic composition",
            ));
        }
        self.add(Term::Pure { epsilon }, at.count)
    }

    fn sampled(&mut self, at: Visit<'_>, inner: &DpEvent, sampling: Sampling, rate: f64) -> Result<()> {
        let mut sample = SampleNoise::default();
        if let Err(name) = sample.add(inner) {
            let instead = match sampling {
                Sampling::Poisson => "",
                Sampling::FixedSize => "use the PLD accountant, or ",
            };
            return Err(at.refused(
                NAME,
                &format!(
                    "inside of it only Gaussian events (also composed) are supported, not `{name}`; {instead}compose `{name}` \
                     without the sampling, which is an upper bound"
                ),
            ));
        }
        match (sample.noise_multiplier(), sampling) {
            (None, _) => Ok(()),
            (Some(0.0), _) => self.non_private(at.count),
            (Some(noise), Sampling::Poisson) => self.sampled_gaussian(rate, noise, at.count),
            (Some(noise), Sampling::FixedSize) if rate < 1.0 => {
                self.add(Term::ExchangedGaussian { rate, noise }, at.count)
            }
            (Some(noise), Sampling::FixedSize) => self.gaussian(noise, at.count),
        }
    }

    fn sampled_gaussian(&mut self, rate: f64, noise: f64, count: u64) -> Result<()> {
        self.add(if noise == 0.0 { Term::Infinite } else { Term::SampledGaussian { rate, noise } }, count)
    }

    fn truncated(&mut self, at: Visit<'_>, _: &DpEvent, _: (u64, f64, u64)) -> Result<()> {
        Err(at.refused(NAME, "its bound is about delta, not about Renyi divergences; use the PLD accountant"))
    }

    fn grouped(&mut self, at: Visit<'_>, _: &DpEvent, _: (f64, u64)) -> Result<()> {
        Err(at.refused(NAME, "no formula for a mixture of Gaussians is known to it; use the PLD accountant"))
    }

    fn selection(&mut self, at: Visit<'_>, runs: RunCount, inner: &DpEvent) -> Result<()> {
        let run = Self::of(inner, 1, at.adjacency)?;
        if run.is_empty() {
            // Nothing about the data decides which run is released.
            return Ok(());
        }
        if run.iter().any(|(term, _)| *term == Term::Infinite) {
            return self.non_private(at.count);
        }
        self.add(Term::Selection { runs, run }, at.count)
    }
}
