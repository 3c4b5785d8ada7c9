//! When a session validates its model and closure, and on what.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;

use super::{LossResult, Session};
use crate::error::Result;
use crate::per_example::{PerExample, RandomRecords, Rounding, TrainableParameters, ValidatedSetting, Validation};
use crate::sampler::DrawnBatch;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Validates before the first step with a model, a closure and a physical batch size, and now and then again. An empty
    /// batch is nothing to validate: the closure isn't called, and the sum is zero.
    pub(super) fn validate_where_due<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<()> {
        if batch.indices.is_empty() {
            return Ok(());
        }
        // Realized batches are larger once in 30,000 steps.
        let expected = self.plan.sampling().expected_batch_size();
        let likely = if self.plan.sampling().rate() < 1.0 { expected + 4 * expected.isqrt() } else { expected };
        // Users are computed by Burn's own autodiff, whatever their records would be computed by.
        let per_example = if self.users.is_some() { PerExample::Loop } else { self.per_example };
        let setting = ValidatedSetting {
            model: typeid::of::<M>(),
            closure: typeid::of::<F>(),
            parameters: trainable.iter().map(|parameter| (parameter.id, parameter.entries)).collect(),
            per_example,
            views: self.views,
            examples: (self.physical_batch / self.views).clamp(1, likely.max(1)),
        };
        if let Some(thoroughness) = self.validated.due(&setting) {
            let _validation = tracing::trace_span!("validation").entered();
            let validation = Validation {
                trainable,
                per_example,
                views: self.views,
                examples: setting.examples,
                rounding: Rounding::of(&self.device),
                records: RandomRecords::new(&self.key, batch.step, self.dataset.len()),
                thoroughness,
            };
            match validation.run(model, |model, records| self.losses(model, records, loss)) {
                Ok(last_bits_agreed) => self.last_bits_agreed = last_bits_agreed,
                Err(error) => {
                    self.validated.refused(&setting);
                    return Err(error);
                }
            }
        }
        self.validated.passed(setting);
        Ok(())
    }
}
