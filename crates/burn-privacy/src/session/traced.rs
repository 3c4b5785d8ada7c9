//! Steps on the model's own operation graph: recorded, compared with a proof, replayed, clipped and summed.

use std::collections::HashMap;
use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn_privacy_budget::statement::Independence;
use burn_privacy_traced::{Graph, Proof, Records, TraceError, record, record_rows, values_of};
use tracing::trace_span;

use super::{BatcherCalls, LossResult, Session};
use crate::error::{Error, Result};
use crate::per_example::{
    BatchLayout, FixedRanges, GradientSum, RandomRecords, Rounding, TrainableParameters, clipped_sum_of_uses,
};
use crate::sampler::DrawnBatch;
use crate::traced::{explained, explained_recording, layer_use};

/// Numbers of examples that are tried, from the batch's own on.
const MOST_BESIDE: usize = 4;
/// Records of which a program is recorded in copies before it counts as proved.
const COPIED: usize = 8;

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
            let (graph, proof) = self.proved(model, trainable, indices, batch.step, loss)?;
            let graph = match self.batcher_calls {
                BatcherCalls::OncePerRecord => self.with_rows_of_records(graph, &proof, trainable, indices)?,
                BatcherCalls::OncePerBatch => graph,
            };
            let replay = trace_span!("replay").entered();
            let gradients =
                proof.replay(graph, &values, device.as_dispatch()).map_err(|error| explained(error, trainable))?;
            drop(replay);
            if gradients.is_empty() {
                return Err(Error::UntrackedLoss);
            }
            // Without what was recorded beside the batch.
            let of_batch = gradients.into_iter().map(|(id, gradient)| (id, gradient.of_first(examples)));
            let uses = of_batch.map(|(id, gradient)| layer_use(id, gradient, examples)).collect();
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
        record(
            model,
            examples,
            &self.device,
            |device| self.load_on(indices, device),
            |copy, input| self.losses_of(copy, input, examples, loss),
        )
        .map_err(|error| explained_recording(error, trainable))
    }

    /// The recording with what the batcher makes of each record alone.
    fn with_rows_of_records(
        &self,
        graph: Graph,
        proof: &Proof,
        trainable: &TrainableParameters,
        indices: &[usize],
    ) -> Result<Graph> {
        let _load = trace_span!("load_each").entered();
        let recorded: Vec<usize> = indices.iter().cycle().take(graph.examples()).copied().collect();
        let rows = record_rows(recorded.len(), &self.device, |place, device| {
            self.load_on(&recorded[place..=place], device).map(drop)
        })
        .map_err(|error| explained_recording(error, trainable))?;
        graph.with_rows(proof, &rows).map_err(|error| explained(error, trainable))
    }

    /// A recording of some records, and the proof that it falls under: a known one, or a new one from a second recording of another
    /// number of records, in which every record has another place.
    ///
    /// Burn takes other operations for one example, and beyond some sizes of its matrix products. Where two numbers of examples
    /// have no sequence in common, another one is recorded, with records of the batch a second time behind it, whose
    /// gradients are left out.
    pub(super) fn proved<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        step: u64,
        loss: &mut F,
    ) -> Result<(Graph, Arc<Proof>)> {
        let program = (typeid::of::<M>(), typeid::of::<F>());
        let mut refusal = None;
        for examples in (indices.len().max(2)..).take(MOST_BESIDE) {
            let recording = trace_span!("record").entered();
            let recorded: Vec<usize> = indices.iter().cycle().take(examples).copied().collect();
            let graph = self.recording(model, trainable, &recorded, loss)?;
            drop(recording);
            let known = self.proofs.of(program, &graph).map_err(|error| explained(error, trainable))?;
            if let Some(proof) = known {
                return Ok((graph, proof));
            }
            let _proof = trace_span!("proof").entered();
            let other = RandomRecords::new(&self.key, step, self.dataset.len()).distinct(1)?;
            for partner in [examples + 1, examples - 1, examples + 2].into_iter().filter(|partner| *partner > 1) {
                let mut others: Vec<usize> = indices.iter().cycle().skip(1).take(partner - 1).copied().collect();
                others.extend(&other);
                let second = self.recording(model, trainable, &others, loss)?;
                let places = places_of(&recorded, &others);
                let records = Records { places: &places, again: None };
                let found = match Proof::of(&graph, &second, records) {
                    Err(TraceError::NumbersExamples) => {
                        // Rows that are drawn on the host differ from call to call.
                        let again = self.recording(model, trainable, &recorded, loss)?;
                        Proof::of(&graph, &second, Records { again: Some(&again), ..records })
                    }
                    found => found,
                };
                match found {
                    Ok(proof) => {
                        let copied = RandomRecords::new(&self.key, step, self.dataset.len()).distinct(COPIED)?;
                        for record in copied {
                            self.require_same_of_copies(&proof, model, trainable, (record, examples), loss)?;
                        }
                        self.uncompared.push(indices.len());
                        return Ok((graph, self.proofs.remember(program, proof)));
                    }
                    Err(error @ TraceError::OtherOperations { .. }) => refusal = Some(error),
                    Err(error) => return Err(explained(error, trainable)),
                }
            }
        }
        Err(refusal.map_or(Error::UntrackedLoss, |error| explained(error, trainable)))
    }

    /// Records a batch that is so many copies of one record. What a program reads of a batch on the host, whatever it is, is then a
    /// function of that record: it can't be the same number for all records, as the largest value of every batch may be.
    ///
    /// # Errors
    ///
    /// If the program is another one with this record, or does not treat its copies alike.
    pub(super) fn require_same_of_copies<M: Module, F: FnMut(&M, O) -> LossResult>(
        &self,
        proof: &Proof,
        model: &M,
        trainable: &TrainableParameters,
        (record, examples): (usize, usize),
        loss: &mut F,
    ) -> Result<()> {
        let refused = |error| Err(explained(error, trainable));
        let copies = vec![record; examples];
        let graph = self.recording(model, trainable, &copies, loss)?;
        match proof.admits(&graph) {
            Ok(true) => {}
            Ok(false) => return refused(TraceError::FollowsRecords),
            Err(error) => return refused(error),
        }
        let to_first: Vec<_> = (1..examples).map(|place| (0, place)).collect();
        if proof.rows_agree(&graph, &graph, &to_first) {
            return Ok(());
        }
        // Unless they are drawn on the host.
        let again = self.recording(model, trainable, &copies, loss)?;
        let to_itself: Vec<_> = (0..examples).map(|place| (place, place)).collect();
        let random = proof.admits(&again).unwrap_or(false) && !proof.rows_agree(&graph, &again, &to_itself);
        if random { Ok(()) } else { refused(TraceError::NumbersExamples) }
    }

    /// Traces a program that is not trained on its graph, to see whether its examples are coupled.
    ///
    /// # Errors
    ///
    /// [`Error::CoupledExamples`]. What can't be recorded, has no rule, or changes from call to call (a number drawn on the host) is no
    /// refusal: then nothing is proved.
    pub(super) fn prove_where_possible<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        step: u64,
        loss: &mut F,
    ) -> Result<Independence> {
        match self.proved(model, trainable, indices, step, loss) {
            Ok(_) => Ok(Independence::ProvedAtFirstStep),
            Err(error @ Error::CoupledExamples { .. }) => Err(error),
            Err(_) => Ok(Independence::CheckedNumerically),
        }
    }
}

/// Where the records of a recording are in another, a place elsewhere before the same one.
fn places_of(first: &[usize], second: &[usize]) -> Vec<(usize, usize)> {
    let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
    first.iter().enumerate().for_each(|(place, record)| places.entry(*record).or_default().push(place));
    let pair = |(there, record): (usize, &usize)| {
        let here = places.get(record)?;
        Some((*here.iter().find(|here| **here != there).or(here.first())?, there))
    };
    second.iter().enumerate().filter_map(pair).collect()
}
