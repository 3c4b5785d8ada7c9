use std::ops::Range;

use burn::module::{Flag, Module, ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};

use super::backward::require_one_loss_per_example;
use super::batch_layout::BatchLayout;
use super::coverage::TrainableParameters;
use super::tape::Tape;
use crate::error::{Error, Result};

/// Losses alone and in a batch may differ by this much of the largest loss: different kernels for different shapes,
/// in TF32 on some accelerators, round differently.
const SAME_LOSS: f32 = 1e-2;
/// How often a difference must repeat itself before it is one of the model and not of random augmentation: a coin
/// that is flipped for each call repeats itself with probability 2^-30.
const REPETITIONS: usize = 16;

/// Checks that no example's loss depends on another example of the batch. False if it could not be checked, because
/// fewer than two of the examples have a finite loss: try again with others.
///
/// Two ways, at parameters that are moved a little at random, so that a zero-initialised layer can't hide a path:
///
/// 1. The loss of one example is backpropagated, and every row of another in every recorded output must receive a gradient of
///    exactly zero. This catches batch statistics, losses that compare examples, and a time axis where the
///    example axis should be. (A NaN is not a gradient that came from this row: zero times the infinite slope of
///    another row's own operations is NaN.)
/// 2. With dropout and the like off, the loss of an example alone must be its loss in the batch. This catches what no
///    gradient flows along: inputs normalised by the batch, detached statistics, masks and weights counted in the
///    batch, division by the batch size. It says nothing where losses are random from call to call.
///
/// It cannot see what happened before the model: a batcher that couples examples (padding to the longest,
/// normalising by the batch) is the caller's duty.
///
/// `forward` gives the losses of a range of the layout's examples, one each, and is called often. A batch of one proves nothing.
pub(crate) fn validate<M: Module>(
    model: &M,
    trainable: &TrainableParameters,
    layout: BatchLayout,
    mut forward: impl FnMut(&M, Range<usize>) -> Result<Tensor<1>>,
) -> Result<bool> {
    let examples = layout.examples();
    if examples < 2 {
        return Ok(false);
    }
    let moved = model.clone().map(&mut Perturb);
    let quiet = moved.clone().map(&mut Quieten);
    let views = layout.views();
    let in_batch = losses(&quiet, 0..examples, views, &mut forward)?;
    // Parameters that were moved out of a model's domain show nothing: take them as they are.
    let (moved, quiet, in_batch) = if finite(&in_batch) >= 2 {
        (moved, quiet, in_batch)
    } else {
        let quiet = model.clone().map(&mut Quieten);
        let in_batch = losses(&quiet, 0..examples, views, &mut forward)?;
        (model.clone(), quiet, in_batch)
    };

    for example in 0..examples {
        require_no_gradient_outside(example, &moved, trainable, layout, &mut forward)?;
    }
    for example in 0..examples {
        require_same_loss_alone(example, &quiet, &in_batch, views, &mut forward)?;
    }
    Ok(finite(&in_batch) >= 2)
}

fn finite(losses: &[f32]) -> usize {
    losses.iter().filter(|loss| loss.is_finite()).count()
}

fn losses<M: Module>(
    model: &M,
    range: Range<usize>,
    views: usize,
    forward: &mut impl FnMut(&M, Range<usize>) -> Result<Tensor<1>>,
) -> Result<Vec<f32>> {
    let layout = BatchLayout::new(range.len(), views);
    let (losses, _) = Tape::record(layout, || forward(model, range))?;
    require_one_loss_per_example(&losses, layout)?;
    let data = losses.inner().into_data().convert::<f32>();
    data.try_to_vec::<f32>()
        .map_err(|error| Error::Device(format!("the losses could not be read from the device: {error:?}")))
}

fn require_no_gradient_outside<M: Module>(
    example: usize,
    model: &M,
    trainable: &TrainableParameters,
    layout: BatchLayout,
    forward: &mut impl FnMut(&M, Range<usize>) -> Result<Tensor<1>>,
) -> Result<()> {
    let (losses, mut uses) = Tape::record(layout, || forward(model, 0..layout.examples()))?;
    require_one_loss_per_example(&losses, layout)?;
    trainable.require_recorded(&uses)?;
    if !losses.is_tracked() {
        return Err(Error::UntrackedLoss);
    }
    let mut gradients = losses.slice([example..example + 1]).sum().backward();
    for layer_use in &mut uses {
        layer_use.take_output_gradient(&mut gradients);
    }
    match uses.iter().find(|layer_use| layer_use.has_gradient_outside(example)) {
        Some(layer_use) => {
            let paths: Vec<String> = layer_use.parameters().into_iter().map(|id| trainable.path_of(id)).collect();
            Err(Error::CoupledExamples { seen: format!("at the output of the layer with {}", paths.join(", ")) })
        }
        None => Ok(()),
    }
}

fn require_same_loss_alone<M: Module>(
    example: usize,
    model: &M,
    in_batch: &[f32],
    views: usize,
    forward: &mut impl FnMut(&M, Range<usize>) -> Result<Tensor<1>>,
) -> Result<()> {
    let largest =
        in_batch.iter().filter(|loss| loss.is_finite()).fold(0.0_f32, |largest, loss| largest.max(loss.abs()));
    // Not `a != b`: two losses that are not finite say nothing, one of two says that the other examples spoiled it.
    let same = |a: f32, b: f32| (a - b).abs() <= SAME_LOSS * largest.max(a.abs()) || !(a.is_finite() || b.is_finite());
    let alone = losses(model, example..example + 1, views, forward)?[0];
    if same(alone, in_batch[example]) {
        return Ok(());
    }
    for _ in 1..REPETITIONS {
        let alone_again = losses(model, example..example + 1, views, forward)?[0];
        let in_batch_again = losses(model, 0..in_batch.len(), views, forward)?[example];
        if !same(alone, alone_again) || !same(in_batch[example], in_batch_again) || same(alone_again, in_batch_again) {
            return Ok(());
        }
    }
    Err(Error::CoupledExamples {
        seen: "in the loss, which is another one when the example is alone in its batch".into(),
    })
}

/// Moves every trainable parameter by a tenth of about the size that an initialiser would draw.
struct Perturb;

impl ModuleMapper for Perturb {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !param.val().is_require_grad() {
            return param;
        }
        let dims = param.val().dims();
        let largest = dims.iter().copied().max().unwrap_or(1).max(1);
        let fan = (dims.iter().product::<usize>() / largest).max(1);
        let limit = 0.1 * (3.0 / fan as f64).sqrt();
        param.map(|value| {
            let noise = Tensor::random(value.dims(), Distribution::Uniform(-limit, limit), &value.device());
            (value.detach() + noise).detach().require_grad()
        })
    }
}

/// Switches dropout and other randomness off.
struct Quieten;

impl ModuleMapper for Quieten {
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        flag.with_value(false)
    }
}
