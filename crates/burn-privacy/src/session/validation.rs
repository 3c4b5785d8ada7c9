//! When a session validates its model and closure, and on what.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn_privacy_budget::statement::Independence;

use super::{LossResult, Session};
use crate::error::Result;
use crate::per_example::{PerExample, RandomRecords, Rounding, TrainableParameters, ValidatedSetting, Validation};
use crate::sampler::DrawnBatch;

/// Records of the recording by which a program is first proved that is not trained on its graph; one of a whole physical batch must
/// then be of the same program, or is proved by itself.
const PROVED_WITH: usize = 4;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Validates before the first step with a model, a closure and a physical batch size, and now and then again. An empty
    /// batch is nothing to validate: the closure isn't called, and the sum is zero.
    ///
    /// Returns what is known of this setting's program if it is not trained on its own graph.
    pub(super) fn validate_where_due<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        per_example: PerExample,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<Independence> {
        if batch.indices.is_empty() {
            // The closure isn't called: nothing of it is to be known.
            return Ok(Independence::ProvedAtEveryStep);
        }
        // Realized batches are larger once in 30,000 steps.
        let expected = self.plan.sampling().expected_batch_size();
        let likely = if self.plan.sampling().rate() < 1.0 { expected + 4 * expected.isqrt() } else { expected };
        let setting = ValidatedSetting {
            model: typeid::of::<M>(),
            closure: typeid::of::<F>(),
            parameters: trainable.iter().map(|parameter| (parameter.id, parameter.entries)).collect(),
            per_example,
            views: self.views,
            examples: (self.at_once / self.views).clamp(1, likely.max(1)),
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
            if per_example == PerExample::Traced
                && let Err(error) =
                    self.compare_replay(model, trainable, thoroughness.examples_of(setting.examples), batch.step, loss)
            {
                self.validated.refused(&setting);
                return Err(error);
            }
        }
        let known = match (per_example, self.validated.known(&setting)) {
            (PerExample::OneBackward, None) if setting.examples > 2 => {
                // One more of them is recorded, too: no batch is larger than a physical one.
                let most = setting.examples - 1;
                let indices = RandomRecords::new(&self.key, batch.step, self.dataset.len()).distinct(most)?;
                let few = &indices[..indices.len().min(PROVED_WITH)];
                let found =
                    self.prove_where_possible(model, trainable, few, batch.step, loss).and_then(|known| match known {
                        Independence::ProvedAtFirstStep if indices.len() > few.len() => {
                            self.prove_where_possible(model, trainable, &indices, batch.step, loss)
                        }
                        known => Ok(known),
                    });
                match found {
                    Ok(known) => known,
                    Err(error) => {
                        self.validated.refused(&setting);
                        return Err(error);
                    }
                }
            }
            (_, Some(known)) => known,
            (_, None) => Independence::CheckedNumerically,
        };
        self.validated.passed(setting, known);
        Ok(known)
    }
}
