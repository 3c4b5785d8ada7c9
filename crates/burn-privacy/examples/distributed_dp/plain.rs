//! The same training without privacy, by the same exchange: what data-parallel ranks gain by themselves.

use burn::module::{ModuleVisitor, Param};
use burn::optim::{GradientsAccumulator, GradientsParams, SgdConfig};
use burn::prelude::*;
use burn_privacy::exchange::Exchange;
use burn_privacy::prelude::cross_entropy;

use burn::data::dataloader::batcher::Batcher;

use super::task::{Network, Records, records};
use super::{Arguments, Result, Times};

/// Gradients travel as whole numbers of this unit, as the exchange adds whole numbers.
const UNIT: f64 = 1.0 / (1_u64 << 40) as f64;

/// Each rank takes its share of a batch from its shard, in turn.
pub fn train(exchange: &mut dyn Exchange, arguments: &Arguments, device: &Device) -> Result<(Network, Times)> {
    let (rank, ranks) = (exchange.rank(), exchange.ranks());
    let shard = records(arguments.shard(rank, ranks));
    let share = (arguments.batch / ranks).min(shard.len());
    let mut model = super::task::network(arguments.hidden, device);
    let mut optimizer = SgdConfig::new().init();
    let mut times = Times::default();
    for step in 0..arguments.steps as usize {
        let begun = std::time::Instant::now();
        let mut sums = GradientsAccumulator::new();
        let batch: Vec<_> = (0..share).map(|i| shard[(step * share + i) % shard.len()].clone()).collect();
        let most = if arguments.physical == 0 { share } else { arguments.physical };
        for part in batch.chunks(most.max(1)) {
            let part = Records.batch(part.to_vec(), device);
            let losses = cross_entropy(model.forward(part.inputs), part.classes);
            let loss = losses.sum() / (share * ranks) as f64;
            sums.accumulate(&model, GradientsParams::from_grads(loss.backward(), &model));
        }
        let mut flat = Flat { gradients: &sums.grads(), values: Vec::new() };
        model.visit(&mut flat);
        let mut values = flat.values;
        exchange.sum(&mut values)?;
        let mut bits: Vec<u32> = values.iter().map(|value| ((*value as f64 * UNIT) as f32).to_bits()).collect();
        exchange.broadcast(&mut bits)?;
        let mut mean = Unflat { bits: bits.into_iter(), gradients: GradientsParams::new(), device };
        model.visit(&mut mean);
        model = optimizer.step(1.0, model, mean.gradients);
        times.add(begun.elapsed());
    }
    Ok((model, times))
}

/// Writes gradients down one after the other.
struct Flat<'a> {
    gradients: &'a GradientsParams,
    values: Vec<i64>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(gradient) = self.gradients.get::<D>(param.id) else { return };
        self.values.extend(gradient.into_data().iter::<f32>().map(|value| (f64::from(value) / UNIT) as i64));
    }
}

/// Reads them back.
struct Unflat<'a> {
    bits: std::vec::IntoIter<u32>,
    gradients: GradientsParams,
    device: &'a Device,
}

impl ModuleVisitor for Unflat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.val().dims();
        let values: Vec<f32> = self.bits.by_ref().take(shape.iter().product()).map(f32::from_bits).collect();
        let device = self.device.clone().without_autodiff();
        self.gradients.register(param.id, Tensor::<D>::from_data(TensorData::new(values, shape), &device));
    }
}
