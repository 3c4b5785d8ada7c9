//! One step of a session: charged when its batch is drawn, and consumed by the gradients that it releases.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;

use super::ranks::{Release, Released};
use super::{LossResult, Session};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::noisy_gradients::{NoisyGradients, OfStep};
use crate::per_example::{GradientSum, NonTrainable, OwnLeaves, TrainableParameters};
use crate::sampler::{DrawnBatch, PoissonSampler};

/// More views of a record are a mistake, and would not fit into memory.
const MOST_VIEWS: usize = 1 << 16;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Charges a step and draws its batch; `None` when the plan's steps are spent.
    ///
    /// # Errors
    ///
    /// [`Error::Ledger`] if the ledger can't be written, or the data set's budget is spent: then nothing was drawn or
    /// released. [`Error::ForeignSampler`] after [`take_sampler`](Self::take_sampler).
    pub fn next_step(&mut self) -> Result<Option<Step<'_, I, O, D, B>>> {
        self.check_views()?;
        let Some(sampler) = &mut self.sampler else {
            return Err(Error::ForeignSampler {
                difference: "the session's sampler was taken, so that its batches come to step_with".into(),
            });
        };
        let drawn = match self.ranks {
            Some(_) => self.draw_with_ranks()?.map(|(batch, exchange)| (batch, Some(exchange))),
            None => sampler.next_batch()?.map(|batch| (batch, None)),
        };
        let Some((batch, exchange)) = drawn else { return Ok(None) };
        // Whatever happened to earlier batches: this one is the last that was drawn.
        self.next = batch.step;
        let step = self.step_with(batch)?;
        Ok(Some(Step { exchange, ..step }))
    }

    /// The session's own sampler, for programs that prefetch their data, in another thread for instance: each batch that it
    /// draws is charged, and goes to [`step_with`](Self::step_with).
    ///
    /// # Errors
    ///
    /// [`Error::ForeignSampler`] the second time: there is one sampler for each session.
    pub fn take_sampler(&mut self) -> Result<PoissonSampler> {
        self.check_views()?;
        if self.ranks.is_some() {
            return Err(Error::ForeignSampler { difference: "ranks draw together: use next_step".into() });
        }
        self.sampler
            .take()
            .ok_or_else(|| Error::ForeignSampler { difference: "the session's only sampler was taken before".into() })
    }

    /// [`next_step`](Self::next_step) with a batch of the session's own sampler, which
    /// [`take_sampler`](Self::take_sampler) gave: batches must come in order, each once, and none left out.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignSampler`] for a batch of another session's sampler, or of another step. The batch is lost then, and
    /// stays charged.
    pub fn step_with(&mut self, batch: DrawnBatch) -> Result<Step<'_, I, O, D, B>> {
        self.check_views()?;
        batch.require_drawn_for(&self.charges, self.next)?;
        self.next += 1;
        Ok(Step { session: self, batch, exchange: None })
    }

    fn check_views(&self) -> Result<()> {
        if self.views <= MOST_VIEWS {
            return Ok(());
        }
        Err(Error::Plan { field: "views", given: self.views.to_string(), allowed: format!("from 1 to {MOST_VIEWS}") })
    }
}

/// One charged step with its drawn batch. Consumed by [`gradients`](Self::gradients).
///
/// Dropping a step without using it is allowed: it stays charged and releases nothing. Where several ranks train one model, that
/// ends the run of all: the others get an error in the place of an update, and this one at its next step.
#[must_use = "the step was charged: call gradients()"]
pub struct Step<'a, I, O, D, B> {
    session: &'a mut Session<I, O, D, B>,
    batch: DrawnBatch,
    /// To the other ranks, if there are several. Whatever ends the step before all have finished it drops this, so that nobody waits.
    exchange: Option<Box<dyn Exchange>>,
}

impl<I, O, D, B> std::fmt::Debug for Step<'_, I, O, D, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("index", &self.batch.step).finish_non_exhaustive()
    }
}

impl<I, O, D, B> Step<'_, I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Number of the step, from 0.
    pub fn index(&self) -> u64 {
        self.batch.step
    }

    /// Realized number of examples. Private under add/remove adjacency: not for logs or reports.
    pub fn unprotected_batch_size(&self) -> usize {
        self.batch.indices.len()
    }

    /// Clips, sums, adds noise once, and divides by the public expected batch size.
    ///
    /// `loss` is called once per physical batch, with the model to use, and returns one loss per example, `[batch]`; an empty batch
    /// never calls it. The model that it gets is `model` with leaves of its own in autodiff's graph, so that clones of one model may be
    /// trained in several threads; a loss of `model` itself is refused. Before the first update, and now and then again, the closure is
    /// also called with other records of the data set to validate that no example's loss depends on another
    /// ([what is checked, and what is promised](crate::per_example#what-is-checked-and-what-is-promised)).
    ///
    /// The phases are [`tracing`] spans at trace level: `validation`, `load`, `forward`, `backward`, `norms`, `clipped_sum`, `noise`. On a
    /// GPU they time the launches, not the work.
    ///
    /// # Formal guarantee
    ///
    /// The result is the Gaussian mechanism of the plan applied to a sum of L2 sensitivity
    /// [`PrivacyPlan::sensitivity`](crate::plan::PrivacyPlan::sensitivity), divided by a public constant. With
    /// [`Clipping::Quantile`](crate::plan::Clipping::Quantile), that and the noisy count which the next step's norm is made from are
    /// one Gaussian mechanism of the plan's noise multiplier; the norm stays the same within the step.
    ///
    /// # Errors
    ///
    /// Refusals of a model or loss whose per-example gradients are not known ([`Error`]'s first group), and errors of
    /// the closure and the data set. The step stays charged and releases nothing.
    pub fn gradients<M, F>(self, model: &M, mut loss: F) -> Result<NoisyGradients>
    where
        M: Module,
        F: FnMut(&M, O) -> LossResult,
    {
        let Step { session, batch, exchange } = self;
        let own = model.clone().map(&mut OwnLeaves);
        let model = &own;
        let trainable = TrainableParameters::of(model)?;
        let mut sum_of_batch = || {
            trainable.require_on(&session.device)?;
            let before = NonTrainable::of(model);
            let sum = session.clipped_sum(model, &trainable, &batch, &mut loss)?;
            before.require_unchanged(model)?;
            Ok(sum)
        };
        let sum = sum_of_batch();
        let norm = session.clipping_norm_in(batch.step);
        let settings = match exchange {
            Some(_) => session.settings_of_ranks(norm, model, &trainable)?,
            None => 0,
        };
        let (plan, key, noise) = (&session.plan, &session.key, session.noise);
        let release = |sum: GradientSum| {
            let expected = plan.sampling().expected_batch_size();
            let noise = OfStep::new(noise, key, batch.step)?;
            let next_norm = match plan.count_noise_standard_deviation() {
                Some(std) => {
                    // Beyond the elements of the gradients.
                    let first = trainable.iter().map(|parameter| parameter.entries as u64).sum();
                    let share = noise.noisy_count(sum.balance(), first, std, expected as f64)?;
                    plan.clipping().next_norm(norm, share + 0.5)
                }
                None => norm,
            };
            let std = plan.noise_standard_deviation_in(batch.step, norm);
            let update = NoisyGradients::release(model, &trainable, sum, noise, std, expected)?;
            Ok((update, next_norm))
        };
        let (update, next_norm) = match exchange {
            None => release(sum?)?,
            Some(mut exchange) => {
                let of_ranks = Release {
                    model,
                    trainable: &trainable,
                    device: &session.device,
                    drawn: batch.indices.len(),
                    settings,
                    independence: session.independence.so_far(),
                    on_graph: !session.on_graph.is_empty(),
                };
                let Released { update, norm, independence, on_graph } =
                    of_ranks.over(exchange.as_mut(), sum, release)?;
                session.independence.also(independence);
                session.on_graph_elsewhere |= on_graph;
                if let Some(ranks) = &mut session.ranks {
                    ranks.give_back(exchange);
                }
                (update, norm)
            }
        };
        session.clipping_norm = next_norm;
        session.made.also(session.last_bits(), session.noise);
        Ok(update)
    }
}
