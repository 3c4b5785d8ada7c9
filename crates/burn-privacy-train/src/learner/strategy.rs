//! The strategy that runs a plan inside Burn's learner.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::module::Module;
use burn::tensor::Device;
use burn::train::{
    EventProcessorTraining, InferenceStep, Interrupter, Learner, LearnerEvent, LearnerModel,
    SupervisedLearningStrategy, SupervisedTrainingEventProcessor, TrainLoader, TrainingComponents, TrainingError,
    TrainingItem, ValidLoader,
};
use burn_privacy::session::{LossResult, Session};
use burn_privacy::statement::PrivacyStatement;

use super::{EpsilonMetric, Private, PrivateItem};
use crate::{CheckpointError, Result, TrainError};

/// Trains a [`Private`] model in Burn's [`SupervisedTraining`](burn::train::SupervisedTraining) under a session: give it as
/// `TrainingStrategy::Custom`.
///
/// An epoch is as many steps as make a pass over the nominal data set, on average; the last one ends with the plan. Batches are the
/// session's: the learner's loader of training data is not read ([`UnreadLoader`] is one). Validation data count as
/// public. Checkpointing, early stopping, learning-rate scheduling and interruption are Burn's; a resumed learner needs a session
/// with a ledger, goes on in the epoch after the checkpoint, and has the steps that the ledger has not charged.
///
/// Gradient accumulation is refused: it would add noisy gradients up, each with a charge of its own; give the plan a larger
/// expected batch size. Burn's strategies for several devices are refused by [`Private`] itself.
pub struct PrivateLearning<I, O, D, B, F> {
    /// `None` once it is used.
    work: Mutex<Option<(Session<I, O, D, B>, F)>>,
    steps_per_epoch: u64,
    planned_steps: u64,
    epsilon: EpsilonMetric,
    outcome: Mutex<Option<Result<PrivacyStatement>>>,
}

impl<I, O, D, B, F> PrivateLearning<I, O, D, B, F>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Trains under `session`; `losses` gives one loss for each example, `[batch]`.
    pub fn new<M>(session: Session<I, O, D, B>, losses: F) -> Self
    where
        F: FnMut(&Private<M>, O) -> LossResult,
    {
        let plan = session.plan();
        let steps_per_epoch = (1.0 / plan.sampling().rate()).round().max(1.0) as u64;
        let planned_steps = plan.steps();
        Self {
            work: Mutex::new(Some((session, losses))),
            steps_per_epoch,
            planned_steps,
            epsilon: EpsilonMetric::new(),
            outcome: Mutex::new(None),
        }
    }

    /// Epochs of the whole plan, the last of which may be shorter: for `SupervisedTraining::num_epochs`.
    pub fn epochs(&self) -> usize {
        self.planned_steps.div_ceil(self.steps_per_epoch) as usize
    }

    /// For `SupervisedTraining::metric_train_numeric`.
    pub fn epsilon_metric(&self) -> EpsilonMetric {
        self.epsilon.clone()
    }

    /// What the run came to, once: the statement, or why it failed. `None` before it has ended, and after it was asked for.
    pub fn take_outcome(&self) -> Option<Result<PrivacyStatement>> {
        lock(&self.outcome).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I, O, D, B, F, M> SupervisedLearningStrategy<Private<M>> for PrivateLearning<I, O, D, B, F>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
    F: FnMut(&Private<M>, O) -> LossResult,
    M: Module + InferenceStep,
    Private<M>: LearnerModel + InferenceStep<Input = M::Input, Output = M::Output>,
    Private<M>: burn::train::TrainStep<Input = M::Input, Output = PrivateItem>,
{
    fn fit(
        &self,
        components: TrainingComponents<Private<M>>,
        learner: Learner<Private<M>>,
        _train: TrainLoader<Private<M>>,
        valid: ValidLoader<Private<M>>,
        starting_epoch: usize,
    ) -> (Private<M>, SupervisedTrainingEventProcessor<Private<M>>) {
        let TrainingComponents {
            num_epochs,
            grad_accumulation,
            checkpointer,
            interrupter,
            early_stopping,
            event_processor,
            event_store,
            ..
        } = components;
        let work = lock(&self.work).take();
        let mut epochs = Epochs { learner, processor: event_processor, interrupter: interrupter.clone() };
        let run = || -> Result<PrivacyStatement> {
            let Some((mut session, mut losses)) = work else {
                return Err(refusal("a second launch of one PrivateLearning: its session is spent; make another one"));
            };
            if let Some(accumulation) = grad_accumulation {
                return Err(refusal(&format!(
                    "gradient accumulation over {accumulation} steps: each step has noise and a charge of its own; give the \
                     plan an expected batch size that many times larger instead, of which memory holds physical batches"
                )));
            }
            if starting_epoch > 1 && session.run_name().is_none() {
                return Err(CheckpointError::NoLedger.into());
            }
            // What the earlier epochs released must be in the ledger, whichever file it is.
            let released = (starting_epoch as u64 - 1).saturating_mul(self.steps_per_epoch).min(session.plan().steps());
            if session.charged_steps() < released {
                return Err(refusal(&format!(
                    "a checkpoint of epoch {} with a ledger of {} charged steps, where at least {released} were released: the \
                     ledger was lost, restored or replaced; go on with the one that was charged, or begin a new run",
                    starting_epoch - 1,
                    session.charged_steps()
                )));
            }
            let (mut checkpointer, mut early_stopping) = (checkpointer, early_stopping);
            for epoch in starting_epoch..=num_epochs {
                let left = session.plan().steps() - session.charged_steps();
                let steps = self.steps_per_epoch.min(left);
                if steps == 0 {
                    break;
                }
                self.epsilon.set(session.epsilon_after(session.charged_steps() + steps)?);
                epochs.train(epoch, steps, &mut session, &mut losses)?;
                if interrupter.should_stop() {
                    break;
                }
                epochs.validate(epoch, &valid)?;
                if checkpointer.is_some() || early_stopping.is_some() {
                    interrupter.fail_on_error(epochs.processor.flush());
                }
                if interrupter.should_stop() {
                    break;
                }
                if let Some(checkpointer) = &mut checkpointer {
                    checkpointer.checkpoint(&epochs.learner, epoch, &event_store);
                }
                if let Some(early_stopping) = &mut early_stopping
                    && early_stopping.should_stop(epoch, &event_store)
                {
                    break;
                }
            }
            self.epsilon.set(session.epsilon_so_far()?);
            Ok(session.finish()?)
        };
        let outcome = run();
        if let Err(error) = &outcome {
            // The learner's result has no room for other errors than its own: it gets the sentence.
            let sentence = TrainError::Closure(error.to_string().into());
            interrupter.fail(TrainingError::Dataset(DatasetError::new(sentence)));
        }
        *lock(&self.outcome) = Some(outcome);
        (epochs.learner.model(), epochs.processor)
    }
}

fn refusal(sentence: &str) -> TrainError {
    TrainError::Learner(sentence.to_owned())
}

/// What an epoch works with.
struct Epochs<M: LearnerModel> {
    learner: Learner<M>,
    processor: SupervisedTrainingEventProcessor<M>,
    interrupter: Interrupter,
}

impl<M> Epochs<Private<M>>
where
    M: Module + InferenceStep,
    Private<M>: LearnerModel + InferenceStep<Input = M::Input, Output = M::Output>,
    Private<M>: burn::train::TrainStep<Input = M::Input, Output = PrivateItem>,
{
    fn train<I, O, D: Dataset<I>, B: Batcher<I, O>>(
        &mut self,
        epoch: usize,
        steps: u64,
        session: &mut Session<I, O, D, B>,
        losses: &mut impl FnMut(&Private<M>, O) -> LossResult,
    ) -> Result<()> {
        let Self { learner, processor, interrupter } = self;
        let total = steps as usize;
        interrupter.fail_on_error(
            processor.process_train(LearnerEvent::StartSplit { epoch_number: epoch, total_items: total }),
        );
        for number in 1..=total {
            let Some(step) = session.next_step()? else { break };
            let update = step.gradients(&learner.model(), &mut *losses)?;
            learner.lr_step();
            learner.optimizer_step(update.into());
            let progress = Progress { items_processed: number, items_total: total, unit: Some("steps".to_owned()) };
            let item = TrainingItem::new(PrivateItem, progress, Some(number), Some(learner.lr_current()));
            interrupter.fail_on_error(processor.process_train(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        interrupter.fail_on_error(processor.process_train(LearnerEvent::EndSplit(epoch)));
        Ok(())
    }

    /// As Burn's own strategies do it.
    fn validate(&mut self, epoch: usize, loader: &ValidLoader<Private<M>>) -> Result<()> {
        let Self { learner, processor, interrupter } = self;
        let total_items = loader.num_items();
        interrupter
            .fail_on_error(processor.process_valid(LearnerEvent::StartSplit { epoch_number: epoch, total_items }));
        let model = learner.model().valid();
        let mut batches = loader.iter();
        let mut number = 0;
        while let Some(batch) = batches.next() {
            let batch = batch.map_err(|error| TrainError::Data(error.into()))?;
            number += 1;
            let progress = batches.progress();
            let item = TrainingItem::new(InferenceStep::step(&model, batch), progress, Some(number), None);
            interrupter.fail_on_error(processor.process_valid(LearnerEvent::ProcessedItem(item)));
            if interrupter.should_stop() {
                break;
            }
        }
        interrupter.fail_on_error(processor.process_valid(LearnerEvent::EndSplit(epoch)));
        interrupter.fail_on_error(processor.process_train(LearnerEvent::EndEpoch(epoch)));
        Ok(())
    }
}

/// A loader of training data that has none: `SupervisedTraining::new` wants one, and [`PrivateLearning`] reads none.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnreadLoader;

impl UnreadLoader {
    /// As a loader of batches of any type.
    pub fn of<O: 'static>() -> Arc<dyn DataLoader<O>> {
        Arc::new(Self)
    }
}

impl<O: 'static> DataLoader<O> for UnreadLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        Box::new(Nothing(PhantomData))
    }

    fn num_items(&self) -> usize {
        0
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<O>> {
        Self::of()
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<O>> {
        Self::of()
    }
}

struct Nothing<O>(PhantomData<O>);

impl<O> Iterator for Nothing<O> {
    type Item = std::result::Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl<O> DataLoaderIterator<O> for Nothing<O> {
    fn progress(&self) -> Progress {
        Progress { items_processed: 0, items_total: 0, unit: None }
    }
}
