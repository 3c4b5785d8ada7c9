//! A training run under a plan: draw, clip, add noise, charge.

use std::marker::PhantomData;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_privacy_accounting::{PlannedSchedule, PrivacyStatement};
use burn_privacy_mechanisms::{Entropy, PrivacyKey};

use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::ledger_run::LedgerRun;
use crate::noisy_gradients::NoisyGradients;
use crate::per_example::{
    BatchLayout, FixedRanges, GradientSum, NonTrainable, PerExample, Rounding, TrainableParameters,
    clipped_gradient_of_one, clipped_sum, require_one_loss_per_example, validate,
};
use crate::plan::PrivacyPlan;
use crate::sampler::{DrawnBatch, PoissonSampler};
use crate::statement::statement;

/// What a loss closure returns: one loss per example, `[batch]`, or any error.
pub type LossResult = std::result::Result<Tensor<1>, Box<dyn std::error::Error + Send + Sync>>;

const DEFAULT_PHYSICAL_BATCH: usize = 256;
/// Enough to see a coupling, few enough to cost nothing.
const VALIDATED_EXAMPLES: usize = 4;

/// One training run under a [`PrivacyPlan`].
///
/// The session owns the plan's sampler, the key of the noise and the count of charged steps. Each
/// [`Step`] is consumed by use, and the only gradients it gives are [`NoisyGradients`]. See the [crate documentation](crate) for a whole program.
pub struct Session<I, O, D, B> {
    plan: Arc<PrivacyPlan>,
    dataset: D,
    batcher: B,
    device: Device,
    sampler: PoissonSampler,
    key: PrivacyKey,
    /// False if the entropy is a fixed seed.
    private: bool,
    ledger: Option<LedgerRun>,
    charged: u64,
    schedule: PlannedSchedule,
    per_example: PerExample,
    physical_batch: usize,
    views: usize,
    validated: bool,
    items: PhantomData<fn() -> (I, O)>,
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
        let sampler = PoissonSampler::new(plan.clone(), dataset.len(), entropy)?;
        let schedule = plan.schedule()?;
        Ok(Self {
            plan,
            dataset,
            batcher,
            device: device.clone(),
            sampler,
            key,
            private,
            ledger: None,
            charged: 0,
            schedule,
            per_example: PerExample::default(),
            physical_batch: DEFAULT_PHYSICAL_BATCH,
            views: 1,
            validated: false,
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
    /// its views' losses, and it is clipped as one: the guarantee is the same, whatever the number of views. A step costs the
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
    /// If the ledger refuses: another plan under the name, a run that is spent, a file that can't be written. If
    /// steps were already taken.
    pub fn with_ledger(mut self, ledger: Ledger, run: &str) -> Result<Self> {
        if self.charged > 0 {
            return Err(Error::Plan {
                field: "ledger",
                given: format!("after {} steps", self.charged),
                allowed: "open the ledger before the first step, so that every step is in it".into(),
            });
        }
        let run = LedgerRun::begin_or_resume(ledger, run, &self.plan, self.private)?;
        self.charged = run.charged_steps()?;
        self.sampler.skip_to(self.charged);
        self.ledger = Some(run);
        Ok(self)
    }

    /// The plan.
    pub fn plan(&self) -> &PrivacyPlan {
        &self.plan
    }

    /// Steps charged so far, released or not.
    pub fn charged_steps(&self) -> u64 {
        self.charged
    }

    /// Epsilon of the charged steps at the plan's delta, an upper bound; see [`PlannedSchedule`]. Some microseconds, and now
    /// and then some milliseconds.
    ///
    /// Valid as a guarantee of what was released so far only if the decision to stop here does not depend on
    /// the private data.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn epsilon_so_far(&self) -> Result<f64> {
        Ok(self.schedule.epsilon_after(self.charged)?)
    }

    /// Charges a step and draws its batch; `None` when the plan's steps are spent.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written. Then nothing was released.
    pub fn next_step(&mut self) -> Result<Option<Step<'_, I, O, D, B>>> {
        // After a failed charge the same step is drawn again.
        self.sampler.skip_to(self.charged);
        match self.sampler.next_batch()? {
            Some(batch) => self.step_with(batch).map(Some),
            None => Ok(None),
        }
    }

    /// [`next_step`](Self::next_step) with a batch drawn by a [`PoissonSampler`] of the same plan, for programs
    /// that prefetch their data: batches must come in order, each once.
    ///
    /// # Errors
    ///
    /// [`Error::ForeignSampler`] for a batch of another plan, another step or a larger data set, or one drawn from a
    /// fixed seed in a private session;
    /// [`Error::BudgetSpent`] after the last step.
    pub fn step_with(&mut self, batch: DrawnBatch) -> Result<Step<'_, I, O, D, B>> {
        if self.charged >= self.plan.steps() {
            return Err(Error::BudgetSpent { steps: self.plan.steps() });
        }
        batch.require_drawn_for(&self.plan, self.charged, self.dataset.len(), self.private)?;
        if let Some(ledger) = &mut self.ledger {
            ledger.charge_step()?;
        }
        self.charged += 1;
        self.sampler.skip_to(self.charged);
        Ok(Step { session: self, batch })
    }

    /// What can be said now: the planned guarantee, and epsilon so far.
    ///
    /// # Errors
    ///
    /// None for a plan that was built; the type is the accounting crate's.
    pub fn statement(&self) -> Result<PrivacyStatement> {
        let dataset = self.ledger.as_ref().map_or("not named (no ledger)", |ledger| ledger.dataset());
        statement(&self.plan, dataset, self.charged, self.private)
    }

    /// Ends the run: writes the true number of charged steps to the ledger, and returns the statement.
    ///
    /// # Errors
    ///
    /// If the ledger can't be written; it then still holds the larger, reserved number.
    pub fn finish(mut self) -> Result<PrivacyStatement> {
        let statement = self.statement()?;
        if let Some(ledger) = self.ledger.take() {
            ledger.close()?;
        }
        Ok(statement)
    }

    fn load(&self, indices: &[usize]) -> Result<O> {
        let _load = tracing::trace_span!("load").entered();
        let mut items = Vec::with_capacity(indices.len() * self.views);
        for &index in indices {
            for _ in 0..self.views {
                let item = self.dataset.get(index);
                items.push(item.map_err(|source| Error::Record { index, source: Box::new(source) })?);
            }
        }
        Ok(self.batcher.batch(items, &self.device))
    }
}

impl<I, O, D, B> std::fmt::Debug for Session<I, O, D, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("plan", &self.plan)
            .field("charged", &self.charged)
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
    /// never calls it. Before the first update the closure is also called to validate the model (see
    /// [`Error::CoupledExamples`]).
    ///
    /// The phases are [`tracing`] spans at trace level: `load`, `forward`, `backward`, `norms`, `clipped_sum`, `noise`. On a
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
            return Err(Error::LossPerExample { found, expected });
        }
        Ok(losses.reshape([examples, self.views]).mean_dim(1).reshape([examples]))
    }

    fn clipped_sum<M: Module>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut impl FnMut(&M, O) -> LossResult,
    ) -> Result<GradientSum> {
        let rounding = Rounding::of(&self.device);
        let clipping_norm = self.plan.clipping().norm();
        let mut sum = GradientSum::new(clipping_norm);
        match self.per_example {
            PerExample::OneBackward => {
                self.validate_once(model, trainable, batch, loss)?;
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

    fn validate_once<M: Module>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut impl FnMut(&M, O) -> LossResult,
    ) -> Result<()> {
        if self.validated || batch.indices.len() < 2 {
            return Ok(());
        }
        let indices = &batch.indices[..batch.indices.len().min(VALIDATED_EXAMPLES)];
        let layout = BatchLayout::new(indices.len(), self.views);
        self.validated = validate(model, trainable, layout, |model, range| self.losses(model, &indices[range], loss))?;
        Ok(())
    }
}
