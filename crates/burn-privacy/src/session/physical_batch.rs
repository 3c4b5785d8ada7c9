//! What a physical batch does: records are loaded, their losses computed, and their clipped gradients added to the sum.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::Tensor;

use super::{LossResult, Session, UserGradient};
use crate::error::{Error, Result, Unprotected};
use crate::per_example::{
    BatchLayout, FixedRanges, GradientSum, PerExample, Rounding, StepClipping, TrainableParameters,
    clipped_gradient_of_one, clipped_gradient_of_parts, clipped_sum, require_one_loss_per_example,
};
use crate::sampler::DrawnBatch;

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// The drawn records, each as many times as it has views, as the batcher makes a batch of them.
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

    /// One loss an example, the mean over its views, of records that are loaded for it.
    pub(super) fn losses<M: Module>(
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

    /// The sum of the clipped gradients of a drawn batch, physical batch by physical batch.
    pub(super) fn clipped_sum<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<GradientSum> {
        GradientSum::require_room_for_drawn(&self.device, batch.indices.len())?;
        GradientSum::require_room_for_entries(&self.device, trainable.iter().map(|parameter| parameter.entries).sum())?;
        self.validate_where_due(model, trainable, batch, loss)?;
        let rounding = Rounding::of(&self.device);
        let parameters: Vec<_> = trainable.iter().map(|parameter| (parameter.id, parameter.path.as_str())).collect();
        let mut sum = GradientSum::new(StepClipping::of(self.plan.clipping(), self.clipping_norm, &parameters)?);
        if let Some(users) = &self.users {
            for user in &batch.indices {
                let records = users.records_of(*user);
                // The mean of a user's losses is the sum of its parts' sums over one number.
                let divisor = match users.gradient() {
                    UserGradient::Mean => records.len() as f64,
                    UserGradient::Sum => 1.0,
                };
                let parts = records.chunks((self.physical_batch / self.views).max(1)).map(|part| {
                    let losses = self.losses(model, part, loss)?;
                    require_one_loss_per_example(&losses, BatchLayout::new(part.len(), self.views))?;
                    Ok(losses.sum() / divisor)
                });
                clipped_gradient_of_parts(model, parts, rounding, &mut sum)?;
            }
            return Ok(sum);
        }
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
                    clipped_sum(model, trainable, layout, &part.leaves, rounding, forward, &mut sum)?;
                }
            }
            PerExample::Loop => {
                for index in &batch.indices {
                    let losses = self.losses(model, &[*index], loss)?;
                    require_one_loss_per_example(&losses, BatchLayout::new(1, self.views))?;
                    clipped_gradient_of_one(model, losses, rounding, &mut sum)?;
                }
            }
        }
        Ok(sum)
    }
}
