//! A step of several ranks: rank 0 charges it, all draw from their shards, sums go to rank 0, and its noisy mean goes to all.

use std::hash::{DefaultHasher, Hash, Hasher};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::Session;
use super::connection::{FAILED, NO_MORE, RESUME, Ranks, STEP};
use crate::error::{Error, Result};
use crate::exchange::{Exchange, ExchangeError};
use crate::noisy_gradients::NoisyGradients;
use crate::per_example::{GradientSum, TrainableParameters};
use crate::sampler::DrawnBatch;
use burn_privacy_accounting::Adjacency;
use burn_privacy_budget::statement::Independence;

/// What a statement of one rank of several rests on, too.
pub(super) const ASSUMED: [&str; 2] = [
    "each record (or user) is in the shard of one rank only: one that is in several shards is drawn by each of them, and \
     contributes as often",
    "rank 0, and whoever can read what ranks send each other, sees sums without noise: the guarantee is towards everybody else",
];

impl<I, O, D, B> Session<I, O, D, B>
where
    D: Dataset<I>,
    B: Batcher<I, O>,
{
    /// Runs as one rank of several, each of which owns a shard of the data set: this session's data are the shard, and the plan
    /// is that of the whole data set, the same at all ranks.
    ///
    /// Every rank takes every step, with the same model, and gets the same update. Rank 0 charges the ledger, if there is one, adds the noise,
    /// and sees sums without noise. What it releases does not depend on how the sums were added. Statements say of the independence of the
    /// examples what all ranks know, which is the least that one of them does. If a rank is lost, fails or drops its step,
    /// nobody gets an update, the step stays charged, and the run of all ends. Rank 0 may end it earlier by
    /// [`finish`](Session::finish).
    ///
    /// # Formal guarantee
    ///
    /// Records that are drawn independently on their shards, at one rate, are one Poisson batch of the whole; sums are added
    /// exactly; so the step is the one of the plan. Records (or users) must belong to one shard each.
    ///
    /// # Errors
    ///
    /// [`Error::Plan`] for other adjacencies than add-or-remove-one, where the number of records is part of the promise, and for a ledger at another
    /// rank than 0. If this session has drawn already, its sampler was taken, or it has ranks.
    pub fn with_exchange(mut self, exchange: impl Exchange + 'static) -> Result<Self> {
        let refuse =
            |given: String, allowed: &str| Err(Error::Plan { field: "exchange", given, allowed: allowed.into() });
        if self.sampler.is_none() || self.charges.have_drawn() || self.ranks.is_some() {
            let given = "after a step, take_sampler() or another exchange";
            return refuse(given.into(), "join the ranks once, before the first step");
        }
        if self.plan.adjacency() != Adjacency::AddOrRemoveOne {
            return refuse(
                self.plan.adjacency().to_string(),
                "add-or-remove-one adjacency: a rank does not know the whole",
            );
        }
        if exchange.rank() > 0 && self.dataset_name.is_some() {
            return refuse(
                format!("a ledger at rank {}", exchange.rank()),
                "a ledger at rank 0, which charges for all",
            );
        }
        self.ranks = Some(Ranks::new(exchange));
        Ok(self)
    }

    /// A number that tells the settings that must be equal at all ranks from others, and at the session's first step the models. It
    /// guards against mistakes, not against a rank that lies.
    pub(super) fn settings_of_ranks<M: Module>(
        &mut self,
        clipping_norm: f64,
        model: &M,
        trainable: &TrainableParameters,
    ) -> Result<i64> {
        let mut hasher = DefaultHasher::new();
        let of_step = (&self.plan, clipping_norm, self.private, self.noise, self.per_example, self.views);
        format!("{of_step:?}").hash(&mut hasher);
        for parameter in trainable.iter() {
            (&parameter.path, parameter.entries).hash(&mut hasher);
        }
        if let Some(ranks) = self.ranks.as_mut().filter(|ranks| !ranks.compared) {
            let mut weights = Weights { hasher: &mut hasher, failure: None };
            model.visit(&mut weights);
            weights.failure.map_or(Ok(()), Err)?;
            ranks.compared = true;
        }
        Ok(hasher.finish() as i64)
    }

    /// Draws this rank's part of the next step, once rank 0 has charged it, and lends the connection to the step; `None` when the
    /// plan's steps are spent.
    pub(super) fn draw_with_ranks(&mut self) -> Result<Option<(DrawnBatch, Box<dyn Exchange>)>> {
        let Some(ranks) = &mut self.ranks else { return Ok(None) };
        let mut exchange = ranks.lend()?;
        if ranks.rank() > 0 {
            let mut words = [0; 3];
            exchange.broadcast(&mut words)?;
            match words {
                [NO_MORE, ..] => {
                    ranks.give_back(exchange);
                    return Ok(None);
                }
                // What rank 0 has charged is what all have.
                [STEP, low, high] => self.follow_rank_0(u64::from(high) << 32 | u64::from(low))?,
                [RESUME, ..] => {
                    let difference = "rank 0 goes on from a checkpoint, and this rank does not".into();
                    return Err(ExchangeError::OutOfStep { difference }.into());
                }
                _ => return Err(ExchangeError::AnotherRankFailed.into()),
            }
        }
        let (Some(ranks), Some(sampler)) = (&mut self.ranks, &mut self.sampler) else { return Ok(None) };
        let drawn = sampler.next_batch();
        if ranks.rank() == 0 {
            let mut words = match &drawn {
                Ok(Some(batch)) => [STEP, batch.step as u32, (batch.step >> 32) as u32],
                Ok(None) => [NO_MORE, 0, 0],
                Err(_) => [FAILED, 0, 0],
            };
            exchange.broadcast(&mut words)?;
        }
        match drawn? {
            Some(batch) => Ok(Some((batch, exchange))),
            None => {
                ranks.give_back(exchange);
                Ok(None)
            }
        }
    }
}

/// Hashes a model's weights, bit by bit.
struct Weights<'a> {
    hasher: &'a mut DefaultHasher,
    failure: Option<Error>,
}

impl ModuleVisitor for Weights<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match param.val().try_into_data() {
            Ok(data) => data.as_bytes().hash(self.hasher),
            Err(error) => self.failure = Some(Error::Execution(format!("{error:?}"))),
        }
    }
}

/// What a step needs to become an update.
pub(super) struct Release<'a, M> {
    pub(super) model: &'a M,
    pub(super) trainable: &'a TrainableParameters,
    pub(super) device: &'a Device,
    /// Of this rank.
    pub(super) drawn: usize,
    /// A number for all that must be the same at every rank: the plan, the step's clipping norm, how gradients are computed, the
    /// noise, and whether the randomness is secret. Every rank's statement tells of rank 0's noise, and rank 0's of everybody's coins.
    pub(super) settings: i64,
    /// How this rank knows that examples are independent, in its steps so far.
    pub(super) independence: Independence,
    /// Whether a program of this rank is trained on its own graph.
    pub(super) on_graph: bool,
}

/// What a step of several ranks gives each of them.
pub(super) struct Released {
    pub(super) update: NoisyGradients,
    /// The next clipping norm.
    pub(super) norm: f64,
    /// The weakest knowledge of all ranks.
    pub(super) independence: Independence,
    /// Whether any rank trains a program on its own graph.
    pub(super) on_graph: bool,
}

impl<M: Module> Release<'_, M> {
    /// Sends this rank's sum to rank 0, where `release` makes an update and the next clipping norm of the total; gives both to
    /// all.
    pub(super) fn over(
        &self,
        exchange: &mut dyn Exchange,
        sum: Result<GradientSum>,
        release: impl FnOnce(GradientSum) -> Result<(NoisyGradients, f64)>,
    ) -> Result<Released> {
        let first = exchange.rank() == 0;
        // First whether all have a sum, of the same kind, and all together fit: nobody waits for one who has not.
        let on_cpu = GradientSum::is_on_cpu(self.device);
        let [all_steps, first_step, numbers] =
            [Independence::ProvedAtEveryStep, Independence::ProvedAtFirstStep, Independence::CheckedNumerically];
        // How many know no more than this.
        let [at_most_first, at_most_numbers] =
            [first_step, numbers].map(|known| i64::from(self.independence.weaker(known) == self.independence));
        let failed = i64::from(sum.is_err());
        let (on_cpu, on_graph) = (i64::from(on_cpu), i64::from(self.on_graph));
        let mut status = [failed, on_cpu, self.drawn as i64, self.settings, at_most_first, at_most_numbers, on_graph];
        exchange.sum(&mut status)?;
        let [failed, on_cpu, drawn, settings, at_most_first, at_most_numbers, on_graph] = status;
        let refusal = if first { self.refusal([failed, on_cpu, drawn, settings], exchange.ranks()) } else { None };
        let failed_itself = sum.is_err();
        agree(exchange, refusal, failed_itself)?;
        let mut sum = sum?;
        for parameter in self.trainable.iter() {
            let mut part = sum.take_integers(parameter.id, Tensor::zeros([parameter.entries], &parameter.device))?;
            exchange.sum(&mut part.values)?;
            sum.put(parameter.id, part);
        }
        let mut balance = [(2.0 * sum.balance()) as i64];
        exchange.sum(&mut balance)?;
        sum.set_balance(0.5 * balance[0] as f64);
        let released = if first { Some(release(sum)) } else { None };
        let failed_itself = matches!(released, Some(Err(_)));
        agree(exchange, failed_itself.then(|| ExchangeError::AnotherRankFailed.into()), failed_itself)?;
        let released = released.transpose()?;
        // Rank 0 knows of all of them.
        let mut known = [at_most_first, at_most_numbers, on_graph].map(|ranks| u32::from(ranks > 0));
        exchange.broadcast(&mut known)?;
        let independence = match known {
            [_, 1, _] => numbers,
            [1, ..] => first_step,
            _ => all_steps,
        };
        let (update, norm) = self.hand_out(exchange, released)?;
        Ok(Released { update, norm, independence, on_graph: known[2] > 0 })
    }

    /// Why rank 0 goes no further, from what all ranks said.
    fn refusal(&self, [failed, on_cpu, drawn, settings]: [i64; 4], ranks: usize) -> Option<Error> {
        if failed > 0 {
            return Some(ExchangeError::AnotherRankFailed.into());
        }
        // The sum of equal numbers, modulo 2^64 as the exchange adds.
        if settings != self.settings.wrapping_mul(ranks as i64) {
            let difference =
                "the plans, the clipping norms, the models or the sessions' settings are not the same at all of them"
                    .into();
            return Some(ExchangeError::OutOfStep { difference }.into());
        }
        if on_cpu != 0 && on_cpu != ranks as i64 {
            let difference = "some are on the CPU and some are not".into();
            return Some(ExchangeError::OutOfStep { difference }.into());
        }
        GradientSum::require_room_for_drawn(self.device, usize::try_from(drawn).unwrap_or(usize::MAX)).err()
    }

    /// The update of rank 0, at all ranks.
    fn hand_out(
        &self,
        exchange: &mut dyn Exchange,
        released: Option<(NoisyGradients, f64)>,
    ) -> Result<(NoisyGradients, f64)> {
        let mut entries = Vec::new();
        for parameter in self.trainable.iter() {
            let mut bits = match &released {
                Some((update, _)) => update.bits_of(self.model, parameter.id)?,
                None => vec![0; parameter.entries],
            };
            exchange.broadcast(&mut bits)?;
            entries.push((parameter.id, bits));
        }
        let norm = released.as_ref().map_or(0, |(_, norm)| norm.to_bits());
        let mut norm = [norm as u32, (norm >> 32) as u32];
        exchange.broadcast(&mut norm)?;
        match released {
            Some(released) => Ok(released),
            None => {
                let norm = f64::from_bits(u64::from(norm[1]) << 32 | u64::from(norm[0]));
                Ok((NoisyGradients::received(self.model, &entries), norm))
            }
        }
    }
}

/// All ranks learn whether rank 0 goes on. Who failed itself gets on to its own error, the others get a refusal.
fn agree(exchange: &mut dyn Exchange, refusal: Option<Error>, failed_itself: bool) -> Result<()> {
    let mut word = [u32::from(refusal.is_some())];
    exchange.broadcast(&mut word)?;
    match (word[0], refusal) {
        (0, _) => Ok(()),
        _ if failed_itself => Ok(()),
        (_, Some(refusal)) => Err(refusal),
        (_, None) => Err(ExchangeError::AnotherRankFailed.into()),
    }
}
