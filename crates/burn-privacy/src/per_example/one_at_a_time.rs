//! The loop over single examples: Burn's own autodiff gives the gradient, which is clipped and added.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

use super::clipping::SquaredNorms;
use super::gradient_sum::GradientSum;
use super::parameter_gradients::ParameterGradients;
use crate::error::{Error, Result};
use burn_privacy_kernels::Rounding;
use burn_privacy_kernels::ops::squared_norms::sum_of_squares_bound;

/// Adds the clipped gradient of a batch of one, formed by Burn's own autodiff.
///
/// `loss` is the example's loss, `[1]`, computed outside a recording scope. The norm is an upper bound of the
/// norm of the gradient that autodiff returned.
pub(crate) fn clipped_gradient_of_one<M: Module>(
    model: &M,
    loss: Tensor<1>,
    rounding: Rounding,
    sum: &mut GradientSum,
) -> Result<()> {
    clipped_gradient_of_parts(model, std::iter::once(Ok(loss)), rounding, sum)
}

/// [`clipped_gradient_of_one`] of a unit whose loss is the sum of several, `[1]` each, which need not be in memory together.
///
/// The norm is one of the gradient as it was added up, so that the rounding of that addition is no part of any bound.
pub(crate) fn clipped_gradient_of_parts<M: Module>(
    model: &M,
    parts: impl Iterator<Item = Result<Tensor<1>>>,
    rounding: Rounding,
    sum: &mut GradientSum,
) -> Result<()> {
    let mut totals: Vec<ParameterGradients> = Vec::new();
    for loss in parts {
        let loss = loss?;
        if !loss.is_tracked() {
            return Err(Error::UntrackedLoss);
        }
        let mut part = Collector { gradients: loss.backward(), found: Vec::new() };
        model.visit(&mut part);
        for gradient in part.found {
            match totals.iter_mut().find(|total| total.id == gradient.id) {
                Some(total) => total.values = total.values.clone() + gradient.values,
                None => totals.push(gradient),
            }
        }
    }
    let squares = |gradient: &ParameterGradients| SquaredNorms {
        parameters: vec![gradient.id],
        bounds: sum_of_squares_bound(gradient.values.clone(), rounding),
    };
    let squared_norms: Vec<_> = totals.iter().map(squares).collect();
    if squared_norms.is_empty() {
        return Ok(());
    }
    let factors = sum.factors(&squared_norms, rounding, &[1])?;
    for (gradient, factors) in totals.into_iter().zip(&factors) {
        factors.sums_of(gradient, 0..1).into_iter().for_each(|part| sum.add(part));
    }
    Ok(())
}

/// The gradients that Burn's own autodiff gives of one loss, `[1]`, without clipping.
pub(crate) fn gradients_of_one<M: Module>(model: &M, loss: Tensor<1>) -> Result<Vec<ParameterGradients>> {
    if !loss.is_tracked() {
        return Err(Error::UntrackedLoss);
    }
    let mut collector = Collector { gradients: loss.backward(), found: Vec::new() };
    model.visit(&mut collector);
    Ok(collector.found)
}

pub(super) struct Collector {
    pub(super) gradients: Gradients,
    pub(super) found: Vec<ParameterGradients>,
}

impl ModuleVisitor for Collector {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        if !value.is_require_grad() {
            return;
        }
        if let Some(gradient) = value.grad_remove(&mut self.gradients) {
            let entries = gradient.shape().num_elements();
            self.found.push(ParameterGradients { id: param.id, values: gradient.reshape([1, entries]) });
        }
    }
}
