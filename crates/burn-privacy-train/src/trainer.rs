//! Training under a privacy session.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn_privacy::WeightAverage;
use burn_privacy::plan::Clipping;
use burn_privacy::session::{LossResult, Session};
use burn_privacy::statement::PrivacyStatement;

use crate::checkpoint::RunState;
use crate::optimizer_trace::{self, OptimizerTrace};
use crate::resume::Beginning;
use crate::{BoxedError, Checkpoints, Result, TrainError, TrainingHistory};

/// A learning rate for each step, from 0.
pub(crate) type LearningRate = Box<dyn Fn(u64) -> f64>;

/// Trains a model under a privacy [`Session`], which brings plan, data, noise and ledger.
///
/// ```
/// use burn::data::dataset::InMemDataset;
/// use burn::data::dataloader::batcher::Batcher;
/// use burn::optim::SgdConfig;
/// use burn::prelude::*;
/// use burn_privacy::device::{DeviceChoice, select_device};
/// use burn_privacy::nn::{Linear, LinearConfig};
/// use burn_privacy::prelude::*;
/// use burn_privacy_train::Trainer;
///
/// #[derive(Clone)]
/// struct Points;
///
/// impl Batcher<[f32; 2], Tensor<2>> for Points {
///     fn batch(&self, points: Vec<[f32; 2]>, device: &Device) -> Tensor<2> {
///         Tensor::from_data(TensorData::new(points.concat(), [points.len(), 2]), device)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let device = select_device(DeviceChoice::Cpu)?.device.autodiff();
/// let points: Vec<[f32; 2]> = (0..200).map(|i| [i as f32 / 200.0, i as f32 / 100.0]).collect();
/// let plan = PrivacyPlanConfig::new()
///     .with_sampling(Sampling::poisson(20, 200))
///     .with_steps(30)
///     .with_noise(NoiseLevel::target(8.0, 1e-3))
///     .build()?;
/// let session = plan.start(InMemDataset::new(points), Points, &device, Entropy::os())?;
/// let model: Linear = LinearConfig::new(1, 1).init(&device);
/// let (model, statement) = Trainer::new(session, 0.1).with_weight_average(0.9)?.train(
///     model,
///     SgdConfig::new().init(),
///     |model, points| {
///         let [count, _] = points.dims();
///         let (x, y) = (points.clone().slice([0..count, 0..1]), points.slice([0..count, 1..2]));
///         Ok(mean_squared_error(model.forward(x), y))
///     },
///     |_, _| Ok(true),
/// )?;
/// println!("{statement}");
/// # let _ = model;
/// # Ok(())
/// # }
/// ```
pub struct Trainer<I, O, D, B> {
    session: Session<I, O, D, B>,
    learning_rate: LearningRate,
    average: Option<WeightAverage>,
    checkpoints: Option<(Checkpoints, u64)>,
    resuming: bool,
    history: TrainingHistory,
}

impl<I, O, D, B> Trainer<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Trains under `session` at a constant learning rate, in units of the optimizer.
    pub fn new(session: Session<I, O, D, B>, learning_rate: f64) -> Self {
        Self {
            session,
            learning_rate: Box::new(move |_| learning_rate),
            average: None,
            checkpoints: None,
            resuming: false,
            history: TrainingHistory::default(),
        }
    }

    /// A learning rate for each step of this call to [`train`](Self::train), counted from 0, or from the steps that were charged
    /// before if the run is [resumed](Self::resuming). It must not depend on private data.
    pub fn with_learning_rate_schedule(mut self, rate: impl Fn(u64) -> f64 + 'static) -> Self {
        self.learning_rate = Box::new(rate);
        self
    }

    /// Shows and returns the average of the weights over the steps, with this decay, in the place of the last weights:
    /// post-processing, which costs nothing.
    ///
    /// # Errors
    ///
    /// Unless `decay` is from 0 to below 1.
    pub fn with_weight_average(mut self, decay: f64) -> Result<Self> {
        self.average = Some(WeightAverage::new(decay)?);
        Ok(self)
    }

    /// Writes a checkpoint after every `every` updates (zero counts as one) and after the last one.
    ///
    /// It holds what the run released, and neither keys nor data. Where several ranks train one model rank 0 writes it, for all.
    pub fn with_checkpoints(mut self, checkpoints: Checkpoints, every: u64) -> Self {
        self.checkpoints = Some((checkpoints, every.max(1)));
        self
    }

    /// Goes on from the run's newest whole checkpoint, whose plan and data set must be this session's.
    ///
    /// Optimizer, its settings and the [average](Self::with_weight_average) must be those that the checkpoint was made with. Not
    /// the learning rate, which is given anew.
    ///
    /// Model, optimizer, average and clipping norm are those of the checkpoint; keys are new, and the steps that are left are those
    /// that the plan has and the session's ledger has not charged. Steps between the checkpoint and a crash are lost: they were
    /// charged, and may have been seen.
    ///
    /// Where several ranks train one model, all of them are told to resume. Rank 0 finds the checkpoint and gives it to the others,
    /// which need no folder. If one cannot go on from it, no rank does, the sentence says which, and nothing is charged.
    pub fn resuming(mut self) -> Self {
        self.resuming = true;
        self
    }

    /// Keeps the curve in `history`, which a [`Monitor`](crate::Monitor) has, so that checkpoints hold it.
    pub fn with_history(mut self, history: TrainingHistory) -> Self {
        self.history = history;
        self
    }

    /// Trains until the plan is spent or `go_on` says no, and gives the model and the statement of what was really done.
    ///
    /// `loss` gives one loss for each example, `[batch]`, or for each view if the session has views. `go_on` is asked with the
    /// model (its average, if weights are averaged) and epsilon so far, before the first step and after each. That it says no
    /// must not depend on private data. Where several ranks train one model all are asked, and rank 0 decides.
    ///
    /// # Errors
    ///
    /// [`TrainError::Privacy`] from the session and its ledger, which stays charged; [`TrainError::Closure`] from `go_on`;
    /// [`TrainError::Checkpoint`] from reading and writing checkpoints.
    pub fn train<M: Module>(
        self,
        model: M,
        optimizer: ModuleOptimizer,
        mut loss: impl FnMut(&M, O) -> LossResult,
        mut go_on: impl FnMut(&M, f64) -> std::result::Result<bool, BoxedError>,
    ) -> Result<(M, PrivacyStatement)> {
        let Self { mut session, learning_rate, average, checkpoints, resuming, history } = self;
        let (mut earlier, mut charged_before) = (0, 0);
        // Only checkpoints need it.
        let trace = if checkpoints.is_some() || resuming {
            optimizer_trace::trace(&model, &optimizer)
        } else {
            OptimizerTrace::new()
        };
        let mut beginning = Beginning { model, optimizer, average };
        if resuming {
            let folder = checkpoints.as_ref().map(|(folder, _)| folder);
            let (resumed, found) = beginning.resumed(&mut session, folder, &trace)?;
            beginning = resumed;
            // Any other norm is the plan's, which may have a schedule.
            if matches!(session.plan().clipping(), Clipping::Quantile { .. }) {
                session = session.with_clipping_norm(found.clipping_norm())?;
            }
            (earlier, charged_before) = (found.steps(), session.charged_steps());
            history.resume(found.curve(), earlier, charged_before.saturating_sub(earlier));
        }
        let Beginning { mut model, mut optimizer, mut average } = beginning;
        // Rank 0's file is that of all, whose updates are the same.
        let checkpoints = checkpoints.filter(|_| session.rank() == 0);
        let shown = |average: &Option<WeightAverage>, model: &M| match average {
            Some(average) => average.average(model.clone()),
            None => model.clone(),
        };
        let mut done = 0;
        loop {
            let goes_on = go_on(&shown(&average, &model), session.epsilon_so_far()?).map_err(TrainError::Closure)?;
            if !goes_on && session.rank() == 0 {
                break;
            }
            let Some(step) = session.next_step()? else { break };
            let update = step.gradients(&model, &mut loss)?;
            model = optimizer.step(learning_rate(charged_before + done), model, update.into());
            done += 1;
            if let Some(average) = &mut average {
                average.add(&model);
            }
            if let Some((folder, every)) = &checkpoints
                && (earlier + done).is_multiple_of(*every)
            {
                folder.save(state(
                    &session,
                    earlier + done,
                    &history,
                    &model,
                    (&optimizer, &trace),
                    average.as_ref(),
                ))?;
            }
        }
        if let Some((folder, every)) = &checkpoints
            && done > 0
            && !(earlier + done).is_multiple_of(*every)
        {
            folder.save(state(&session, earlier + done, &history, &model, (&optimizer, &trace), average.as_ref()))?;
        }
        // Closes the ledger with the number of steps that were really made.
        let statement = session.finish()?;
        Ok((shown(&average, &model), statement))
    }
}

/// What is saved of a run. A session without a ledger is named after nothing: it is not resumed.
fn state<'a, I, O, D: Dataset<I>, B: Batcher<I, O>, M>(
    session: &'a Session<I, O, D, B>,
    steps: u64,
    history: &TrainingHistory,
    model: &'a M,
    (optimizer, optimizer_trace): (&'a ModuleOptimizer, &'a OptimizerTrace),
    average: Option<&'a WeightAverage>,
) -> RunState<'a, M> {
    RunState {
        dataset: session.dataset_name().unwrap_or_default(),
        run: session.run_name().unwrap_or_default(),
        plan: session.plan(),
        steps,
        charged_steps: session.charged_steps(),
        clipping_norm: session.clipping_norm(),
        curve: history.curve(),
        model,
        optimizer,
        optimizer_trace,
        average,
    }
}
