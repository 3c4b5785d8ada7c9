//! Renyi divergences as functions of the order: of one term, and composed.

use super::closed_forms;
use super::sampled_gaussian::SampledGaussian;
use super::selection;
use super::term::{Term, Terms};
use crate::RunCount;
use crate::conversion::best_delta;

/// The composed divergence as a function of the order.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    terms: Vec<(TermCurve, f64)>,
}

impl Curve {
    pub(super) fn new(terms: &Terms) -> Self {
        Self { terms: terms.iter().map(|(term, count)| (TermCurve::new(term.clone()), count as f64)).collect() }
    }

    pub(super) fn divergence(&mut self, order: f64) -> f64 {
        rounded_up_sum(self.terms.iter_mut().map(|(curve, count)| *count * curve.divergence(order)))
    }

    /// As [`Self::divergence`] at orders up to the highest one asked for before; a looser bound above.
    pub(super) fn prepared_divergence(&self, order: f64) -> f64 {
        rounded_up_sum(self.terms.iter().map(|(curve, count)| count * curve.prepared_divergence(order)))
    }

    pub(super) fn cost(&self, order: f64) -> f64 {
        self.terms.iter().map(|(curve, _)| curve.cost(order)).sum()
    }
}

/// A sum of numbers of at least 0, rounded up.
pub(super) fn rounded_up_sum(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((1.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum * (1.0 + f64::EPSILON * count)
}

/// The divergence of one term, with what is worth keeping between orders.
#[derive(Clone, Debug)]
pub(super) struct TermCurve {
    term: Term,
    sampled: Option<SampledGaussian>,
    selection: Option<Box<SelectionCurve>>,
}

impl TermCurve {
    pub(super) fn new(term: Term) -> Self {
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
    pub(super) fn divergence(&mut self, order: f64) -> f64 {
        self.prepare(order);
        self.prepared_divergence(order)
    }

    /// Computes what the orders up to this one share.
    pub(super) fn prepare(&mut self, order: f64) {
        if let Some(sampled) = &mut self.sampled {
            sampled.prepare(order);
        }
        if let Some(selection) = &mut self.selection {
            selection.prepare(order);
        }
    }

    /// [`Self::divergence`] at an order up to a prepared one; a looser upper bound at any other.
    ///
    /// No Renyi divergence is negative. A formula that gives a negative number, or NaN, was used outside of what it holds
    /// for, and proves nothing: that is infinite here, never a small epsilon.
    pub(super) fn prepared_divergence(&self, order: f64) -> f64 {
        let bound = self.by_formula(order);
        debug_assert!(bound >= 0.0, "{:?} at order {order}: {bound}", self.term);
        if bound >= f64::MIN_POSITIVE {
            bound
        } else if bound >= 0.0 {
            // What underflowed is not 0, of which one would conclude that nothing is revealed.
            if self.term.is_silent() { 0.0 } else { f64::MIN_POSITIVE }
        } else {
            f64::INFINITY
        }
    }

    fn by_formula(&self, order: f64) -> f64 {
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
            Term::RandomizedResponse { truth, loss } => {
                (closed_forms::randomized_response(truth, loss, order) / above).min(loss) * (1.0 + f64::EPSILON)
            }
            Term::Pure { epsilon } => (closed_forms::pure(epsilon, order) / above).min(epsilon) * (1.0 + f64::EPSILON),
            Term::BoundedRange { epsilon } => {
                closed_forms::bounded_range(epsilon, order) / above * (1.0 + f64::EPSILON)
            }
        }
    }

    /// A rough measure of the time that an order takes: grid points.
    pub(super) fn cost(&self, order: f64) -> f64 {
        match (&self.sampled, &self.selection) {
            (Some(sampled), _) => sampled.cost(order),
            (None, Some(selection)) => selection.cost(order),
            (None, None) => 1.0,
        }
    }
}

/// The divergence of the best of a random number of runs; the formulas are in [`super::selection`].
#[derive(Clone, Debug)]
struct SelectionCurve {
    runs: RunCount,
    run: Curve,
    /// What the choice among the runs adds at every order, where that is the same.
    choice: f64,
}

impl SelectionCurve {
    fn new(runs: RunCount, run: &Terms) -> Self {
        let mut run = Curve::new(run);
        let choice = match runs {
            RunCount::Poisson { .. } => 0.0,
            RunCount::TruncatedNegativeBinomial { shape, gamma } => {
                selection::truncated_negative_binomial_choice(shape, gamma, |order| run.divergence(order))
            }
        };
        Self { runs, run, choice }
    }

    /// Computes what the orders up to this one share.
    fn prepare(&mut self, order: f64) {
        self.run.divergence(order);
        if let RunCount::Poisson { .. } = self.runs {
            let run = &mut self.run;
            best_delta(|order| run.divergence(order), selection::poisson_epsilon(order));
        }
    }

    /// Upper bound of the divergence at a prepared order; a looser one above.
    fn divergence(&self, order: f64) -> f64 {
        let of_run = self.run.prepared_divergence(order);
        match self.runs {
            RunCount::Poisson { mean } => {
                // A run's divergences are those of the worse direction, and so is this delta.
                let delta = best_delta(|order| self.run.prepared_divergence(order), selection::poisson_epsilon(order));
                selection::poisson(mean, order, of_run, delta)
            }
            RunCount::TruncatedNegativeBinomial { shape, gamma } => {
                selection::truncated_negative_binomial(shape, gamma, order, of_run, self.choice)
            }
        }
    }

    fn cost(&self, order: f64) -> f64 {
        match self.runs {
            // Each order searches for a delta.
            RunCount::Poisson { .. } => 50.0 * self.run.cost(order),
            RunCount::TruncatedNegativeBinomial { .. } => self.run.cost(order),
        }
    }
}
