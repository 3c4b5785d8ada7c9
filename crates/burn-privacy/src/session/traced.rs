//! Steps on the model's own operation graph: recorded, compared with a proof, replayed, clipped and summed.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn_privacy_budget::statement::Independence;
use burn_privacy_traced::{Graph, Proof, TraceError, record, values_of};
use tracing::trace_span;

use super::{LossResult, Session};
use crate::error::{Error, Result};
use crate::per_example::{
    BatchLayout, FixedRanges, GradientSum, RandomRecords, Rounding, TrainableParameters, clipped_sum_of_uses,
};
use crate::sampler::DrawnBatch;
use crate::traced::{explained, explained_recording, layer_use};

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Adds the clipped gradients of a drawn batch, from a recording of each physical batch.
    pub(super) fn traced_sum<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        batch: &DrawnBatch,
        ranges: FixedRanges,
        loss: &mut F,
        sum: &mut GradientSum,
    ) -> Result<()> {
        let rounding = Rounding::of(&self.device);
        let values = values_of(model);
        let device = self.device.clone().without_autodiff();
        for part in ranges.cut(&batch.indices) {
            let indices = &batch.indices[part.drawn];
            let examples = indices.len();
            let recording = trace_span!("record").entered();
            let graph = self.recording(model, trainable, indices, loss)?;
            drop(recording);
            let proof = self.proof(model, trainable, indices, batch.step, &graph, loss)?;
            let replay = trace_span!("replay").entered();
            let gradients = proof
                .replay(graph, &values, device.as_dispatch())
                .map_err(|error| explained(error, trainable))?;
            drop(replay);
            if gradients.is_empty() {
                return Err(Error::UntrackedLoss);
            }
            let uses = gradients.into_iter().map(|(id, gradient)| layer_use(id, gradient, examples)).collect();
            clipped_sum_of_uses(uses, BatchLayout::new(examples, 1), &part.leaves, rounding, sum)?;
        }
        Ok(())
    }

    /// The recording of the forward and backward pass of some records.
    fn recording<M: Module, F: FnMut(&M, O) -> LossResult>(
        &self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        loss: &mut F,
    ) -> Result<Graph> {
        let examples = indices.len();
        record(model, examples, self.device.is_autodiff(), |copy, device| {
            let input = self.load_on(indices, device)?;
            self.losses_of(copy, input, examples, loss)
        })
        .map_err(|error| explained_recording(error, trainable))
    }

    /// The proof that a recording of some records falls under: a known one, or a new one from a second recording, of one
    /// record more, in which every record has another place.
    fn proof<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        step: u64,
        graph: &Graph,
        loss: &mut F,
    ) -> Result<Arc<Proof>> {
        let program = (typeid::of::<M>(), typeid::of::<F>());
        let known = self.proofs.of(program, graph).map_err(|error| explained(error, trainable))?;
        if let Some(proof) = known {
            return Ok(proof);
        }
        let _proof = trace_span!("proof").entered();
        let mut others: Vec<usize> = indices.iter().cycle().skip(1).take(indices.len()).copied().collect();
        others.extend(RandomRecords::new(&self.key, step, self.dataset.len()).distinct(1)?);
        let second = self.recording(model, trainable, &others, loss)?;
        self.proofs.add(program, graph, &second).map_err(|error| explained(error, trainable))
    }

    /// Traces a program that is not trained on its graph, to see whether its examples are coupled.
    ///
    /// # Errors
    ///
    /// [`Error::CoupledExamples`], and a setting that changes with the batch size. What can't be recorded or has no rule is
    /// no refusal: then nothing is proved.
    pub(super) fn prove_where_possible<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        step: u64,
        loss: &mut F,
    ) -> Result<Independence> {
        let found = self
            .recording(model, trainable, indices, loss)
            .and_then(|graph| self.proof(model, trainable, indices, step, &graph, loss));
        match found {
            Ok(_) => Ok(Independence::ProvedAtFirstStep),
            Err(error @ Error::CoupledExamples { .. }) => Err(error),
            Err(error @ Error::Traced { error: TraceError::BatchSize { .. }, .. }) => Err(error),
            Err(_) => Ok(Independence::CheckedNumerically),
        }
    }
}
