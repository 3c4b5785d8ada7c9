//! What a physical batch does: records are loaded, their losses computed, and their clipped gradients added to the sum.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use burn_privacy_budget::statement::Independence;

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
        self.load_on(indices, &self.device)
    }

    /// [`load`](Self::load) on a device of the caller's.
    pub(super) fn load_on(&self, indices: &[usize], device: &Device) -> Result<O> {
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
        Ok(self.batcher.batch(items, device))
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
    pub(super) fn losses_of<M: Module>(
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
    pub(super) fn clipped_sum_at_once<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<GradientSum> {
        GradientSum::require_room_for_drawn(&self.device, batch.indices.len())?;
        GradientSum::require_room_for_entries(&self.device, trainable.iter().map(|parameter| parameter.entries).sum())?;
        let program = (typeid::of::<M>(), typeid::of::<F>());
        let automatic = self.per_example == PerExample::Automatic;
        let per_example = match self.per_example {
            // A user's records are differentiated together by Burn's own autodiff, whatever single ones would be.
            _ if self.users.is_some() => PerExample::Loop,
            PerExample::Automatic if self.on_graph.contains(&program) => PerExample::Traced,
            PerExample::Automatic => PerExample::OneBackward,
            chosen => chosen,
        };
        match self.clipped_sum_by(per_example, model, trainable, batch, loss) {
            // Rules don't cover the model: its own operation graph does.
            Err(Error::UntrackedParameter { .. } | Error::WeightOutsideLayer { .. })
                if automatic && per_example == PerExample::OneBackward =>
            {
                self.on_graph.push(program);
                self.clipped_sum_by(PerExample::Traced, model, trainable, batch, loss)
            }
            found => found,
        }
    }

    fn clipped_sum_by<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        per_example: PerExample,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        loss: &mut F,
    ) -> Result<GradientSum> {
        // The graph says more of a coupling than numbers do: it is asked first. Nothing is released before both.
        let known = match per_example {
            PerExample::Traced => Independence::ProvedAtEveryStep,
            _ => self.validate_where_due(per_example, model, trainable, batch, loss)?,
        };
        let rounding = Rounding::of(&self.device);
        let parameters: Vec<_> = trainable.iter().map(|parameter| (parameter.id, parameter.path.as_str())).collect();
        let mut sum = GradientSum::new(StepClipping::of(
            &self.plan.clipping_in(batch.step),
            self.clipping_norm_in(batch.step),
            &parameters,
        )?);
        if let Some(users) = &self.users {
            for user in &batch.indices {
                let records = users.records_of(*user);
                // The mean of a user's losses is the sum of its parts' sums over one number.
                let divisor = match users.gradient() {
                    UserGradient::Mean => records.len() as f64,
                    // Of single records there are no users here.
                    UserGradient::Sum | UserGradient::EachRecord => 1.0,
                };
                let parts = records.chunks((self.at_once / self.views).max(1)).map(|part| {
                    let losses = self.losses(model, part, loss)?;
                    require_one_loss_per_example(&losses, BatchLayout::new(part.len(), self.views))?;
                    Ok(losses.sum() / divisor)
                });
                clipped_gradient_of_parts(model, parts, rounding, &mut sum)?;
            }
            self.independence.also(Independence::CheckedNumerically);
            return Ok(sum);
        }
        let sampling = self.plan.sampling();
        let ranges =
            FixedRanges::new(sampling.expected_batch_size(), sampling.nominal_size(), self.at_once / self.views);
        match per_example {
            PerExample::Traced => {
                self.traced_sum(model, trainable, batch, ranges, loss, &mut sum)?;
                self.validate_where_due(per_example, model, trainable, batch, loss)?;
                self.compare_new_proofs(model, trainable, batch.step, loss)?;
                self.independence.also(known);
            }
            PerExample::OneBackward | PerExample::Automatic => {
                for part in ranges.cut(&batch.indices) {
                    let indices = &batch.indices[part.drawn];
                    let input = self.load(indices)?;
                    let layout = BatchLayout::new(indices.len(), self.views);
                    let forward = || self.losses_of(model, input, indices.len(), loss);
                    clipped_sum(model, trainable, layout, &part.leaves, rounding, forward, &mut sum)?;
                }
                self.independence.also(known);
            }
            PerExample::Loop => {
                for index in &batch.indices {
                    let losses = self.losses(model, &[*index], loss)?;
                    require_one_loss_per_example(&losses, BatchLayout::new(1, self.views))?;
                    clipped_gradient_of_one(model, losses, rounding, &mut sum)?;
                }
                self.independence.also(Independence::CheckedNumerically);
            }
        }
        Ok(sum)
    }
}
