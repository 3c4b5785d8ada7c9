//! The check of what a traced step really clips: the replay's gradients, against Burn's own of one record alone.

use std::collections::HashSet;

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::{Module, ParamId};
use burn::tensor::Tensor;
use burn_privacy_traced::values_of;

use super::{LossResult, Session};
use crate::error::{Error, Result};
use crate::per_example::{
    BatchLayout, LayerUse, Perturb, Quieten, ROUNDS, RandomRecords, Rounding, Tolerance, TrainableParameters,
    gradients_of_one, has_enabled_flags, norm, require_one_loss_per_example,
};
use crate::traced::{Proofs, explained, layer_use};

/// What one comparison found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Same,
    /// What one record has differs from call to call.
    Random,
    Other,
}

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Replays a recording of `examples` records drawn at random, at parameters that are moved a little, and compares the gradients of
    /// the first, the middle and the last of them with those that Burn's autodiff gives of each alone.
    ///
    /// The proof says that a replayed gradient is a function of its record. This says that it is the right one: no rule of the
    /// replay forms another, and no record's row is made of another record's. Where gradients are random from call to call, they are
    /// compared with dropout and the like off; not at all if they are random then, too.
    ///
    /// # Errors
    ///
    /// [`Error::CoupledExamples`] if they differ by more than the rounding of other kernels, in [`ROUNDS`] draws of records.
    pub(super) fn compare_replay<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        examples: usize,
        step: u64,
        loss: &mut F,
    ) -> Result<()> {
        let moved = model.clone().map(&mut Perturb);
        match self.compare_replay_at(&moved, trainable, examples, step, loss)? {
            Found::Random if has_enabled_flags(&moved) => {
                let quiet = moved.map(&mut Quieten);
                match self.compare_replay_at(&quiet, trainable, examples, step, loss)? {
                    Found::Other => refused(),
                    Found::Same | Found::Random => Ok(()),
                }
            }
            Found::Same | Found::Random => Ok(()),
            Found::Other => refused(),
        }
    }

    /// Compares the replay of each proof that is new since the last call, at its own number of examples.
    ///
    /// Another number of examples may be another sequence of operations, of which each keeps its examples apart: whether they are one
    /// program only shows if all give a record the gradient that it has alone.
    ///
    /// # Errors
    ///
    /// As [`compare_replay`](Self::compare_replay). Then all proofs are forgotten, so that none of them is known at another try.
    pub(super) fn compare_new_proofs<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        step: u64,
        loss: &mut F,
    ) -> Result<()> {
        let mut compared = HashSet::new();
        while let Some(examples) = self.uncompared.pop() {
            if compared.insert(examples)
                && let Err(error) = self.compare_replay(model, trainable, examples, step, loss)
            {
                self.proofs = Proofs::default();
                self.uncompared.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    fn compare_replay_at<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        examples: usize,
        step: u64,
        loss: &mut F,
    ) -> Result<Found> {
        // Some for each round, whatever the others took.
        let drawn = RandomRecords::new(&self.key, step, self.dataset.len()).distinct(ROUNDS * examples)?;
        let mut found = Found::Same;
        for round in 0..ROUNDS {
            let indices: Vec<usize> = drawn.iter().cycle().skip(round * examples).take(examples).copied().collect();
            found = self.compare_replay_of(model, trainable, &indices, step, loss)?;
            // A value beside a kink (a ReLU's zero) may be rounded to either side: then it does so with these records only.
            if found != Found::Other {
                break;
            }
        }
        Ok(found)
    }

    fn compare_replay_of<M: Module, F: FnMut(&M, O) -> LossResult>(
        &mut self,
        model: &M,
        trainable: &TrainableParameters,
        indices: &[usize],
        step: u64,
        loss: &mut F,
    ) -> Result<Found> {
        let rounding = Rounding::of(&self.device);
        let tolerance = Tolerance::of(rounding).alone[2];
        let device = self.device.clone().without_autodiff();
        let (graph, proof) = self.proved(model, trainable, indices, step, loss)?;
        let gradients = proof
            .replay(graph, &values_of(model), device.as_dispatch())
            .map_err(|error| explained(error, trainable))?;
        let uses: Vec<(ParamId, Box<dyn LayerUse>)> = gradients
            .into_iter()
            .map(|(id, gradient)| (id, layer_use(id, gradient.of_first(indices.len()), indices.len())))
            .collect();
        let last = indices.len() - 1;
        for place in [0, last / 2, last] {
            let mut alone = || {
                let losses = self.losses(model, &indices[place..=place], loss)?;
                require_one_loss_per_example(&losses, BatchLayout::new(1, self.views))?;
                gradients_of_one(model, losses)
            };
            let expected = alone()?;
            let size = norm(expected.iter().map(|gradient| gradient.values.clone()))?;
            if !size.is_finite() {
                continue;
            }
            let of_replay =
                uses.iter().flat_map(|(_, layer_use)| layer_use.gradients(place..place + 1, rounding).parameters);
            let mut differences: Vec<(ParamId, Tensor<2>)> =
                of_replay.map(|gradient| (gradient.id, gradient.values)).collect();
            for gradient in &expected {
                match differences.iter_mut().find(|(id, _)| *id == gradient.id) {
                    Some((_, values)) => *values = values.clone() - gradient.values.clone(),
                    None => differences.push((gradient.id, gradient.values.clone())),
                }
            }
            let difference = norm(differences.into_iter().map(|(_, values)| values))?;
            if difference.is_nan() || difference > tolerance * size.max(f32::MIN_POSITIVE) {
                let again = alone()?;
                let same = expected.len() == again.len()
                    && expected.iter().zip(&again).all(|(first, second)| {
                        let [a, b] = [first, second].map(|gradient| gradient.values.clone());
                        first.id == second.id && a.equal(b).all().into_scalar::<bool>()
                    });
                return Ok(if same { Found::Other } else { Found::Random });
            }
        }
        Ok(Found::Same)
    }
}

fn refused() -> Result<()> {
    let seen =
        "in the gradient that the operation graph gives, which is not the one that Burn gives of the example alone";
    Err(Error::CoupledExamples { seen: seen.into() })
}
