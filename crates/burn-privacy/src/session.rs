//! A training run under a plan: draw, clip, add noise, charge.

mod validation;

use std::marker::PhantomData;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_privacy_accounting::PlannedSchedule;
use burn_privacy_budget::LedgerRun;
use burn_privacy_budget::statement::{PrivacyStatement, statement};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};

use crate::charges::Charges;
use crate::error::{Error, Result, Unprotected};
use crate::ledger::Ledger;
use crate::noisy_gradients::NoisyGradients;
use crate::per_example::{
    BatchLayout, FixedRanges, GradientSum, NonTrainable, PerExample, Rounding, TrainableParameters, ValidationSchedule,
    clipped_gradient_of_one, clipped_sum, require_one_loss_per_example,
};
use crate::plan::PrivacyPlan;
use crate::sampler::{DrawnBatch, PoissonSampler};

/// What a loss closure returns: one loss per example, `[batch]`, or any error.
pub type LossResult = std::result::Result<Tensor<1>, Box<dyn std::error::Error + Send + Sync>>;

const DEFAULT_PHYSICAL_BATCH: usize = 256;
/// More views of a record are a mistake, and would not fit into memory.
const MOST_VIEWS: usize = 1 << 16;

/// One training run under a [`PrivacyPlan`].
///
/// The session owns its sampler, the key of the noise and the count of charged steps. Each
/// [`Step`] is consumed by use, and the only gradients it gives are [`NoisyGradients`]. See the [crate documentation](crate) for a whole program.
pub struct Session<I, O, D, B> {
    plan: Arc<PrivacyPlan>,
    dataset: D,
    batcher: B,
    device: Device,
    /// `None` once it was taken.
    sampler: Option<PoissonSampler>,
    key: PrivacyKey,
    /// False if the entropy is a fixed seed.
    private: bool,
    /// Name of the data set, if there is a ledger.
    dataset_name: Option<String>,
    charges: Arc<Charges>,
    /// The next step to be used.
    next: u64,
    schedule: PlannedSchedule,
    per_example: PerExample,
    physical_batch: usize,
    views: usize,
    validated: ValidationSchedule,
    items: PhantomData<fn() -> (I, O)>,
}

/// Starts what a [`PrivacyPlan`] describes.
pub trait StartPlan {
    /// Starts a run with the defaults: one backward pass, physical batches of at most 256 examples, no ledger.
    ///
    /// See [`Session`] for what can be set, and [`Session::with_ledger`] for a durable record of what was spent.
    ///
    /// # Errors
    ///
    /// If the operating system gives no randomness, or the data set's public size is not the plan's.
    fn start<I, O, D, B>(
        &self,
        dataset: D,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>;
}

impl StartPlan for PrivacyPlan {
    fn start<I, O, D, B>(
        &self,
        dataset: D,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Session<I, O, D, B>>
    where
        D: Dataset<I>,
        B: Batcher<I, O>,
    {
        Session::new(Arc::new(self.clone()), dataset, batcher, device, entropy)
    }
}

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    pub(crate) fn new(
        plan: Arc<PrivacyPlan>,
        dataset: D,
        batcher: B,
        device: &Device,
        entropy: Entropy,
    ) -> Result<Self> {
        let private = entropy.is_private();
        GradientSum::require_room(device, plan.sampling().expected_batch_size())?;
        let key = PrivacyKey::draw(&entropy)?;
        let charges = Charges::new();
        let sampler = PoissonSampler::new(&charges, plan.clone(), dataset.len(), &entropy)?;
        let schedule = plan.schedule()?;
        Ok(Self {
            plan,
            dataset,
            batcher,
            device: device.clone(),
            sampler: Some(sampler),
            key,
            private,
            dataset_name: None,
            charges,
            next: 0,
            schedule,
            per_example: PerExample::default(),
            physical_batch: DEFAULT_PHYSICAL_BATCH,
            views: 1,
            validated: ValidationSchedule::default(),
            items: PhantomData,
        })
    }

    /// Splits a logical batch into physical ones of at most `examples`, by memory: results and privacy don't
    /// depend on it beyond the order of a sum. Zero counts as one, and more than 65 536 as so many.
    ///
    /// A physical batch holds the drawn records of a fixed range of places in the data set, so that one record more or less
    /// changes no other: see [`PrivacyPlan::sensitivity`].
    pub fn with_physical_batch(mut self, examples: usize) -> Self {
        self.physical_batch = examples.max(1);
        self
    }

    /// Augmentation multiplicity: the batcher gets each record of a batch so many times in a row and makes another
    /// augmented view of it each time. Zero counts as one.
    ///
    /// The loss closure returns one loss for each view, in the batcher's order. A record's gradient is that of the mean of
    /// its views' losses, and it is clipped as one: the guarantee is the same, whatever the number of views (65,536 at most:
    /// with more, no step is charged or made, and [`Error::Plan`] says so). A step costs the
    /// forward and backward passes of all views, but one norm for each record. `physical_batch` counts views.
    ///
    /// The batcher must make a view from its record alone: no mixing of records.
    ///
    /// Source: De et al. 2022 (arXiv 2204.13650), section 3.2.
    pub fn with_views(mut self, views: usize) -> Self {
        self.views = views.max(1);
        self
    }

    /// How per-example gradients are computed.
    pub fn with_per_example(mut self, per_example: PerExample) -> Self {
        self.per_example = per_example;
        self
    }

    /// Charges every step to `ledger`, durably and before the update is released, under the run name `run`.
    ///
    /// A run of that name with the same plan that was interrupted is continued: its charged steps count, so the
    /// whole never exceeds the plan.
    ///
    /// # Errors
    ///
    /// If the ledger refuses: another plan under the name, a run that is spent or does not fit into the data set's
    /// budget, a file that can't be written. If steps were already taken, or the sampler was.
    pub fn with_ledger(mut self, ledger: Ledger, run: &str) -> Result<Self> {
        if self.charged_steps() > 0 || self.dataset_name.is_some() || self.sampler.is_none() {
            return Err(Error::Plan {
                field: "ledger",
                given: format!("after {} steps, another ledger or take_sampler()", self.charged_steps()),
                allowed: "open one ledger before anything else, so that every step is in it".into(),
            });
        }
        let run = LedgerRun::begin_or_resume(ledger, run, &self.plan, self.private)?;
        self.dataset_name = Some(run.dataset().to_owned());
        self.charges.continue_in(run)?;
        self.next = self.charged_steps();
        Ok(self)
    }

    /// The plan.
    pub fn plan(&self) -> &PrivacyPlan {
        &self.plan
    }

    /// Steps charged so far, released or not, those of earlier sessions on the ledger's run included.
    pub fn charged_steps(&self) -> u64 {
        self.charges.charged()
    }

    /// Epsilon of the charged steps at the plan's delta, an upper bound; see [`PlannedSchedule`]. Infinite in a session with
    /// a fixed seed. Some microseconds, and now and then some milliseconds.
    ///
    /// Valid as a guarantee of what was released so far only if the decision to stop here does not depend on
    /// the private data.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn epsilon_so_far(&self) -> Result<f64> {
        if self.private { Ok(self.schedule.epsilon_after(self.charged_steps())?) } else { Ok(f64::INFINITY) }
    }

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
        match sampler.next_batch()? {
            Some(batch) => {
                // Whatever happened to earlier batches: this one is the last that was drawn.
                self.next = batch.step;
                self.step_with(batch).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The session's own sampler, for programs that prefetch their data, in another thread for instance: each batch that it
    /// draws is charged, and goes to [`step_with`](Self::step_with).
    ///
    /// # Errors
    ///
    /// [`Error::ForeignSampler`] the second time: there is one sampler for each session.
    pub fn take_sampler(&mut self) -> Result<PoissonSampler> {
        self.check_views()?;
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
        Ok(Step { session: self, batch })
    }

    fn check_views(&self) -> Result<()> {
        if self.views <= MOST_VIEWS {
            return Ok(());
        }
        Err(Error::Plan { field: "views", given: self.views.to_string(), allowed: format!("from 1 to {MOST_VIEWS}") })
    }

    /// What can be said now: the planned guarantee, and epsilon so far.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn statement(&self) -> Result<PrivacyStatement> {
        let dataset = self.dataset_name.as_deref().unwrap_or("not named (no ledger)");
        Ok(statement(&self.plan, dataset, self.charged_steps(), self.private)?)
    }

    /// Ends the run: writes the true number of charged steps to the ledger, and returns the statement. A sampler that was
    /// taken draws nothing afterwards.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(self) -> Result<PrivacyStatement> {
        self.charges.end()?;
        self.statement()
    }

    fn load(&self, indices: &[usize]) -> Result<O> {
        let _load = tracing::trace_span!("load").entered();
        let mut items = Vec::with_capacity(indices.len() * self.views);
        for &index in indices {
            for _ in 0..self.views {
                let item = self.dataset.get(index);
                items.push(
                    item.map_err(|source| Error::DrawnRecord {
                        unprotected_source: Unprotected::new(Box::new(source)),
                    })?,
                );
            }
        }
        Ok(self.batcher.batch(items, &self.device))
    }
}

impl<I, O, D, B> std::fmt::Debug for Session<I, O, D, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("plan", &self.plan)
            .field("charged", &self.charges.charged())
            .field("private", &self.private)
            .finish_non_exhaustive()
    }
}

/// One charged step with its drawn batch. Consumed by [`gradients`](Self::gradients).
///
/// Dropping a step without using it is allowed: it stays charged and releases nothing.
#[must_use = "the step was charged: call gradients()"]
pub struct Step<'a, I, O, D, B> {
    session: &'a mut Session<I, O, D, B>,
    batch: DrawnBatch,
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

    /// Realised number of examples. Private under add/remove adjacency: not for logs or reports.
    pub fn unprotected_batch_size(&self) -> usize {
        self.batch.indices.len()
    }

    /// Clips, sums, adds noise once, and divides by the public expected batch size.
    ///
    /// `loss` is called once per physical batch and returns one loss per example, `[batch]`; an empty batch
    /// never calls it. Before the first update, and now and then again, the closure is also called with other records
    /// of the data set to validate that no example's loss depends on another
    /// ([what is checked, and what is promised](crate::per_example#what-is-checked-and-what-is-promised)).
    ///
    /// The phases are [`tracing`] spans at trace level: `validation`, `load`, `forward`, `backward`, `norms`, `clipped_sum`, `noise`. On a
    /// GPU they time the launches, not the work.
    ///
    /// # Formal guarantee
    ///
    /// The result is the Gaussian mechanism of the plan applied to a sum of L2 sensitivity
    /// [`PrivacyPlan::sensitivity`], divided by a public constant.
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
        let Step { session, batch } = self;
        let trainable = TrainableParameters::of(model)?;
        trainable.require_on(&session.device)?;
        let before = NonTrainable::of(model);
        let sum = session.clipped_sum(model, &trainable, &batch, &mut loss)?;
        before.require_unchanged(model)?;
        NoisyGradients::release(
            model,
            &trainable,
            sum,
            &session.key,
            batch.step,
            session.plan.noise_standard_deviation(),
            session.plan.sampling().expected_batch_size(),
        )
    }
}

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// One loss an example, the mean over its views, of records that are loaded for it.
    fn losses<M: Module>(
        &self,
        model: &M,
        indices: &[usize],
        loss: &mut impl FnMut(&M, O) -> LossResult,
    ) -> Result<Tensor<1>> {
        let input = self.load(indices)?;
        self.losses_of(model, input, indices.len(), loss)
    }

    /// [`losses`](Self::losses) of so many records that were loaded.
    fn losses_of<M: Module>(
        &self,
        model: &M,
        input: O,
        examples: usize,
        loss: &mut impl FnMut(&M, O) -> LossResult,
    ) -> Result<Tensor<1>> {
        let losses = loss(model, input).map_err(Error::Loss)?;
        if self.views == 1 {
            return Ok(losses);
        }
        let (found, expected) = (losses.dims()[0], examples * self.views);
        if found != expected {
            return Err(Error::loss_per_example(found, expected));
        }
        Ok(losses.reshape([examples, self.views]).mean_dim(1).reshape([examples]))
    }

    fn clipped_sum<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<GradientSum> {
        GradientSum::require_room_for_drawn(&self.device, batch.indices.len())?;
        self.validate_where_due(model, trainable, batch, loss)?;
        let rounding = Rounding::of(&self.device);
        let clipping_norm = self.plan.clipping().norm();
        let mut sum = GradientSum::new(clipping_norm);
        match self.per_example {
            PerExample::OneBackward => {
                let sampling = self.plan.sampling();
                let ranges = FixedRanges::new(
                    sampling.expected_batch_size(),
                    sampling.nominal_size(),
                    self.physical_batch / self.views,
                );
                for part in ranges.cut(&batch.indices) {
                    let indices = &batch.indices[part.drawn];
                    let input = self.load(indices)?;
                    let layout = BatchLayout::new(indices.len(), self.views);
                    let forward = || self.losses_of(model, input, indices.len(), loss);
                    clipped_sum(model, trainable, layout, &part.leaves, clipping_norm, rounding, forward, &mut sum)?;
                }
            }
            PerExample::Loop => {
                for index in &batch.indices {
                    let losses = self.losses(model, &[*index], loss)?;
                    require_one_loss_per_example(&losses, BatchLayout::new(1, self.views))?;
                    clipped_gradient_of_one(model, losses, clipping_norm, rounding, &mut sum)?;
                }
            }
        }
        Ok(sum)
    }
}
